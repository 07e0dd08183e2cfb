//! What is wrong with a configuration, shown where it is wrong.

use std::{fmt, io, ops::Range, path::PathBuf};

/// The exit code for a bad configuration (`EX_CONFIG` of sysexits.h): restarting does not help.
pub const EX_CONFIG: u8 = 78;

/// Why there is no configuration. The process ends with [`EX_CONFIG`]; at a reload the old one stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read.
    #[error("{}: {reason}; it must be a file that streamd may read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The file says what is not allowed: every fault that was found, in the order of the file.
    #[error("{}", join(.0))]
    Invalid(Vec<Fault>),
}

fn join(faults: &[Fault]) -> String {
    let shown: Vec<_> = faults.iter().map(Fault::to_string).collect();
    shown.join("\n")
}

/// One fault: where, what, and what is allowed there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, as it was named.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What is allowed; may be empty.
    pub help: String,
    source: String,
    width: usize,
}

impl Fault {
    /// A fault at `span`, in bytes of `text`.
    pub(super) fn new(
        file: &str,
        text: &str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let at = floor(text, span.start);
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
        let marked = &text[at..floor(text, span.end).clamp(at, end)];
        Self {
            file: file.into(),
            line: text[..start].matches('\n').count() + 1,
            column: text[start..at].chars().count() + 1,
            message: message.into(),
            help: help.into(),
            source: text[start..end].trim_end_matches('\r').into(),
            width: marked.trim_end().chars().count().max(1),
        }
    }
}

/// The last character boundary at or before `index`.
fn floor(text: &str, index: usize) -> usize {
    (0..=index.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs stay tabs, so that the caret stands below what it points at.
        let before = self.source.chars().take(self.column - 1);
        let indent: String = before.map(|c| if c == '\t' { c } else { ' ' }).collect();
        writeln!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.message
        )?;
        writeln!(f, "  {number} | {}", self.source)?;
        write!(f, "  {gutter} | {indent}{}", "^".repeat(self.width))?;
        if !self.help.is_empty() {
            write!(f, "\n  {gutter} = {}", self.help)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_shown(text in "(\\PC|[\r\n\t]){0,60}", start in 0usize..80, len in 0usize..80) {
            let fault = Fault::new("f", &text, start..start + len, "m", "h");
            prop_assert!(fault.line >= 1 && fault.line <= text.matches('\n').count() + 1);
            prop_assert!(fault.to_string().contains('^'));
        }
    }

    #[test]
    fn the_caret_stands_below_wide_and_tabbed_text() {
        let text = "a = 1\n\té = 22\r\n";
        let at = text.find("22").unwrap();
        let shown = Fault::new("f", text, at..at + 2, "no", "").to_string();
        assert_eq!(shown, "f:2:6: no\n  2 | \té = 22\n    | \t    ^^");
    }
}
