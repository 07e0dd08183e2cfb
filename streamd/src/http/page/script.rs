//! A script without what is for its readers: comments, and blanks that part nothing. Names,
//! strings, templates and regular expressions stay as they are written.

use std::str::Chars;

/// The script as it is sent. A line's end stays wherever it may end a statement.
pub fn tight(script: &str) -> String {
    let mut reader = Reader {
        rest: script.chars(),
        out: String::with_capacity(script.len()),
        gap: Gap::None,
    };
    while !reader.rest.as_str().is_empty() {
        reader.code();
    }
    reader.out
}

/// What was left out since the last character that was kept.
#[derive(Clone, Copy, PartialEq)]
enum Gap {
    None,
    Blank,
    Line,
}

struct Reader<'a> {
    rest: Chars<'a>,
    out: String,
    gap: Gap,
}

impl Reader<'_> {
    /// Code up to the `}` that closes what was open before it, or to the end.
    fn code(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.rest.next() {
            match c {
                '\n' => self.gap = Gap::Line,
                _ if c.is_whitespace() => self.leave_out(),
                '/' if self.rest.as_str().starts_with('/') => self.skip_past("\n", Gap::Line),
                '/' if self.rest.as_str().starts_with('*') => {
                    self.leave_out();
                    self.skip_past("*/", self.gap);
                }
                '"' | '\'' => self.quoted(c),
                '`' => self.template(),
                '/' if self.expects_a_value() => self.regex(),
                _ => {
                    self.keep(c);
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => return,
                        '}' => depth -= 1,
                        _ => {}
                    }
                }
            }
        }
    }

    fn leave_out(&mut self) {
        if self.gap == Gap::None {
            self.gap = Gap::Blank;
        }
    }

    fn skip_past(&mut self, end: &str, gap: Gap) {
        let rest = self.rest.as_str();
        self.rest = rest.split_once(end).map_or("", |(_, after)| after).chars();
        self.gap = gap;
    }

    /// Keeps a character of the code, and what must stand before it.
    fn keep(&mut self, c: char) {
        let before = self.out.chars().next_back().unwrap_or('\n');
        match self.gap {
            Gap::Line if may_end_between(before, c) => self.out.push('\n'),
            Gap::Blank if parts(before, c) => self.out.push(' '),
            _ => {}
        }
        self.gap = Gap::None;
        self.out.push(c);
    }

    fn quoted(&mut self, quote: char) {
        self.keep(quote);
        while let Some(c) = self.rest.next() {
            self.out.push(c);
            match c {
                '\\' => self.out.extend(self.rest.next()),
                _ if c == quote => return,
                _ => {}
            }
        }
    }

    /// A template; what stands in its `${}` is code again.
    fn template(&mut self) {
        self.keep('`');
        while let Some(c) = self.rest.next() {
            self.out.push(c);
            match c {
                '\\' => self.out.extend(self.rest.next()),
                '`' => return,
                '$' if self.rest.as_str().starts_with('{') => {
                    self.out.extend(self.rest.next());
                    self.code();
                }
                _ => {}
            }
        }
    }

    fn regex(&mut self) {
        self.keep('/');
        let mut in_class = false;
        while let Some(c) = self.rest.next() {
            self.out.push(c);
            match c {
                '\\' => self.out.extend(self.rest.next()),
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => return,
                _ => {}
            }
        }
    }

    /// Whether a `/` here begins a regular expression: it divides only after a value. A value that
    /// ends with `}` is never divided here, and no regular expression follows a `)`.
    fn expects_a_value(&self) -> bool {
        let word = self.out.rsplit(|c| !is_of_word(c)).next();
        match word {
            Some("") | None => !self.out.ends_with([')', ']', '"', '\'', '`']),
            Some(word) => ["return", "typeof", "case", "of", "in", "await"].contains(&word),
        }
    }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || ['_', '$', '#'].contains(&c)
}

/// Whether two characters would be read otherwise without a blank between them.
fn parts(before: char, after: char) -> bool {
    let sign = |c| ['+', '-', '/'].contains(&c);
    (is_of_word(before) && is_of_word(after)) || (sign(before) && sign(after))
}

/// Whether a statement may end between these two, at the end of a line.
fn may_end_between(before: char, after: char) -> bool {
    let goes_on = "\n{[(,;:?=&|".contains(before);
    !goes_on && !"}]),;.:?=&|".contains(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(script: &str, expected: &str) {
        assert_eq!(tight(script), expected);
        assert_eq!(tight(expected), expected, "once more");
    }

    #[test]
    fn blanks_go_where_they_part_nothing() {
        becomes(
            "const f = (a) => a === 1 ? -1 : b;",
            "const f=(a)=>a===1?-1:b;",
        );
        becomes(
            "async #read() { return new Map(); }",
            "async #read(){return new Map();}",
        );
        becomes("a + +b - -c - d++ + ++e", "a+ +b- -c-d++ + ++e");
        becomes("return \"x\" in y", "return\"x\"in y");
        becomes("  const ä = ß;  ", "const ä=ß;");
    }

    #[test]
    fn a_line_ends_where_a_statement_may() {
        becomes("a = b\nc = d\n", "a=b\nc=d");
        becomes(
            "const f = () => {}\n[1].map(f)\n",
            "const f=()=>{}\n[1].map(f)",
        );
        becomes("if (a) {\n  b;\n}\nc\n", "if(a){b;}\nc");
        becomes("f(\n  a,\n  b,\n)\n", "f(a,b,)");
        becomes("x = a\n  ? b\n  : c\n  .d\n", "x=a?b:c.d");
        becomes("return\na\n++b\n", "return\na\n++b");
        becomes("a;\n\n\nb;\n", "a;b;");
    }

    #[test]
    fn comments_go() {
        becomes(
            "// Why.\na; // so\n/** More.\n * And more. */\nb;\n",
            "a;b;",
        );
        becomes("a /* of */ b /* c\n */ d", "a b d");
        becomes("a = b // c\nd // e", "a=b\nd");
    }

    #[test]
    fn strings_stay() {
        let strings = r#"a("b  //  c", 'd  "  /* e', "f \"  g", "\\",  h)"#;
        let expected = r#"a("b  //  c",'d  "  /* e',"f \"  g","\\",h)"#;
        becomes(strings, expected);
    }

    #[test]
    fn templates_stay_but_for_the_code_in_them() {
        let template = "a = `b  // ${ c + `d  ${ {e: 1}.e }  }` }  \\`  $ { f }\n  g` + h";
        let expected = "a=`b  // ${c+`d  ${{e:1}.e}  }`}  \\`  $ { f }\n  g`+h";
        becomes(template, expected);
    }

    #[test]
    fn regular_expressions_stay_and_divisions_are_none() {
        becomes(
            "a = /b  [/\"]  \\/ c/g.exec( d )",
            "a=/b  [/\"]  \\/ c/g.exec(d)",
        );
        becomes(
            "f(/  '/, x) || /  \"/.test( y )",
            "f(/  '/,x)||/  \"/.test(y)",
        );
        becomes("return /  `/", "return/  `/");
        becomes(
            "a / b / c + (d) / e / f[0] / 2 + \"'\"",
            "a/b/c+(d)/e/f[0]/2+\"'\"",
        );
        becomes("a / /  b/", "a/ /  b/");
    }

    #[test]
    fn what_has_no_end_is_kept() {
        becomes("a = \"b  c", "a=\"b  c");
        becomes("a = `b  ${ c", "a=`b  ${c");
        becomes("a /* b", "a");
        becomes("}  a } b", "}a}b");
    }
}
