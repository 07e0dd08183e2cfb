//! A page's modules as one file, so that a browser asks once, and its files without what is for
//! readers. The sources stay modules, with the imports that say who needs whom; joined, they share
//! one scope and need none.

use super::script::tight;

/// What may be exported where it is declared.
const DECLARES: [&str; 5] = ["class ", "const ", "function ", "async ", "let "];

/// Joins modules, each before those that use it while it is loaded. Left out are imports, `export`
/// before a declaration, comments and blanks.
pub fn join(modules: &[&str]) -> String {
    let joined: String = modules.iter().map(|module| own(module)).collect();
    tight(&joined)
}

/// Joins modules that come as a file before others, which use what is declared in them.
pub fn shared(modules: &[&str]) -> String {
    let exported = format!("export {{ {} }};\n", exported(modules));
    join(modules) + &tight(&exported)
}

/// Joins modules that use others, which are in this file.
pub fn after(file: &str, shared: &[&str], modules: &[&str]) -> String {
    let import = format!("import {{ {} }} from \"{file}\";\n", exported(shared));
    tight(&import) + &join(modules)
}

/// The names that modules export where they declare them.
fn exported(modules: &[&str]) -> String {
    let lines = modules.iter().flat_map(|module| module.lines());
    let declared = lines.filter_map(|line| line.strip_prefix("export "));
    let names = declared.filter_map(|rest| {
        let name = DECLARES.iter().find_map(|word| rest.strip_prefix(word))?;
        name.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    });
    names.collect::<Vec<_>>().join(", ")
}

/// A module's own code. It relies on how they are written: an import begins its line and ends with
/// the first `;`, and no text goes over several lines.
fn own(module: &str) -> String {
    let mut out = String::with_capacity(module.len());
    let mut imports = false;
    for line in module.lines() {
        imports |= line.starts_with("import ");
        if imports {
            imports = !line.contains(';');
            continue;
        }
        let exported = line.strip_prefix("export ");
        let exported = exported.filter(|rest| DECLARES.iter().any(|word| rest.starts_with(word)));
        out.push_str(exported.unwrap_or(line));
        out.push('\n');
    }
    out
}

/// A document, HTML or JSON, without indentation and line ends: no text goes over several lines.
pub fn document(text: &str) -> String {
    text.lines().map(str::trim).collect()
}

/// A style sheet without comments and the blanks that are for readers. A comment begins its line;
/// there are no texts in quotes that hold any of these blanks.
pub fn style(sheet: &str) -> String {
    let mut out = String::with_capacity(sheet.len());
    let mut comment = false;
    for line in sheet.lines().map(str::trim) {
        comment |= line.starts_with("/*");
        if comment {
            comment = !line.contains("*/");
            continue;
        }
        out.push_str(line);
    }
    for (long, short) in [
        (": ", ":"),
        ("; ", ";"),
        (", ", ","),
        (" > ", ">"),
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
            "const c=a;export{a};function d(){return\"import \";}"
        );
    }

    #[test]
    fn what_a_file_declares_is_there_for_the_next_one() {
        let first = "const own = 1;\nexport const a = own;\nexport function b() {}\n";
        assert_eq!(
            shared(&[first]),
            "const own=1;const a=own;function b(){}export{a,b};"
        );
        let second = "import { a } from \"./first.js\";\nexport const c = a;\n";
        assert_eq!(
            after("./ahead.js", &[first], &[second]),
            "import{a,b}from\"./ahead.js\";const c=a;"
        );
    }

    #[test]
    fn a_document_is_one_line() {
        let html = "<dl>\n  <dt>a <b>c</b> d</dt>\n</dl>\n";
        assert_eq!(document(html), "<dl><dt>a <b>c</b> d</dt></dl>");
    }

    #[test]
    fn a_style_sheet_is_one_line() {
        let sheet = "/* Why,\n   and more. */\n.a, .b > i {\n  color: red;\n  margin: calc(1px + 2px) 1px;\n}\n\
                     @media (x: 1) { a b { top: 0; } }\n";
        let expected = ".a,.b>i{color:red;margin:calc(1px + 2px) 1px}@media (x:1){a b{top:0}}";
        assert_eq!(style(sheet), expected);
    }
}
