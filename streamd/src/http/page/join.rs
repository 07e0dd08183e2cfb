//! A page's modules as one file, so that a browser asks once. The sources stay modules, with the
//! imports that say who needs whom; joined, they share one scope and need none.

/// Joins modules, each before those that use it while it is loaded. Left out are imports, `export`
/// before a declaration, indentation, some blanks around operators, and comments that have lines of
/// their own.
pub fn join(modules: &[&str]) -> String {
    let joined: String = modules.iter().map(|module| plain(module)).collect();
    // The commonest blanks that are for readers; no text of the page has these.
    joined
        .replace(") => ", ")=>")
        .replace(" === ", "===")
        .replace(" !== ", "!==")
        .replace(" && ", "&&")
}

/// A file's own code, of a script, a style or a page. It relies on how they are written: an import
/// begins its line and ends with the first `;`, so does a comment with the first `*/`, and no text
/// goes over several lines.
pub fn plain(module: &str) -> String {
    let mut out = String::with_capacity(module.len());
    let mut skip_to = None;
    for line in module.lines() {
        let text = line.trim_start();
        let skips = skip_to.or(match text {
            _ if line.starts_with("import ") => Some(";"),
            _ if text.starts_with("/*") => Some("*/"),
            _ => None,
        });
        if let Some(end) = skips {
            skip_to = (!text.contains(end)).then_some(end);
            continue;
        }
        if text.is_empty() || text.starts_with("//") {
            continue;
        }
        let declares = ["class ", "const ", "function ", "async ", "let "];
        let exported = text.strip_prefix("export ");
        let exported = exported.filter(|rest| declares.iter().any(|word| rest.starts_with(word)));
        out.push_str(exported.unwrap_or(text));
        out.push('\n');
    }
    out
}

/// A style sheet without the blanks that are for readers. It has no texts in quotes that hold any.
pub fn style(sheet: &str) -> String {
    let mut out: String = plain(sheet).lines().collect();
    for (long, short) in [
        (": ", ":"),
        ("; ", ";"),
        (", ", ","),
        (" {", "{"),
        ("{ ", "{"),
        (" }", "}"),
        (";}", "}"),
    ] {
        out = out.replace(long, short);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stays_and_what_is_for_readers_goes() {
        let first = "// Says what it is.\n\nimport { a,\n  b } from \"./b.js\";\n\n/** Doc. */\n\
                     export const c = a; // why\n\n/*\n * More.\n */\nexport { a };\n";
        let second = "export function d() {\n  // inside\n  return \"import \";\n}\n";
        assert_eq!(
            join(&[first, second]),
            "const c = a; // why\nexport { a };\nfunction d() {\nreturn \"import \";\n}\n"
        );
    }

    #[test]
    fn blanks_around_operators_go() {
        let module = "const f = (a) => a === 1 && b !== \"c, d\";\n";
        assert_eq!(join(&[module]), "const f = (a)=>a===1&&b!==\"c, d\";\n");
    }

    #[test]
    fn a_style_sheet_is_one_line() {
        let sheet = "/* Why. */\n.a, .b {\n  color: red;\n  margin: 0 1px;\n}\n@media (x: 1) { a b { top: 0; } }\n";
        let expected = ".a,.b{color:red;margin:0 1px}@media (x:1){a b{top:0}}";
        assert_eq!(style(sheet), expected);
    }
}
