//! A page's modules as one file, so that a browser asks once. The sources stay modules, with the
//! imports that say who needs whom; joined, they share one scope and need none.

/// Joins modules, each before those that use it while it is loaded. Left out are imports, `export`
/// before a declaration, and comments that have lines of their own.
pub fn join(modules: &[&str]) -> String {
    modules.iter().map(|module| plain(module)).collect()
}

/// A module's own code. It relies on how the page is written: an import begins its line and ends
/// with the first `;`, and so does a comment with the first `*/`.
fn plain(module: &str) -> String {
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
        let exported = line.strip_prefix("export ");
        let exported = exported.filter(|rest| declares.iter().any(|word| rest.starts_with(word)));
        out.push_str(exported.unwrap_or(line));
        out.push('\n');
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
            "const c = a; // why\nexport { a };\nfunction d() {\n  return \"import \";\n}\n"
        );
    }
}
