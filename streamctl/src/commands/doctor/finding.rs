//! What the doctor says: one thing that was looked at, how it is, and what to do.

use serde::Serialize;

use crate::{
    table::{self, Screen, Tone, line},
    units,
};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, or does not matter to everybody; somebody should look at it.
    Warning,
    /// Something does not work because of it.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What part of the whole it is of, for instance `ports`.
    pub area: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found.
    pub message: String,
    /// What to do; empty where there is nothing to do.
    pub advice: String,
}

impl Finding {
    /// All is well.
    pub fn ok(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(area, Status::Ok, message, "")
    }

    /// Something to look at.
    pub fn warning(
        area: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(area, Status::Warning, message, advice)
    }

    /// Something does not work.
    pub fn error(
        area: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(area, Status::Error, message, advice)
    }

    fn new(
        area: &'static str,
        status: Status,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            area,
            status,
            message: message.into(),
            advice: advice.into(),
        }
    }
}

/// The findings by area, each with what to do below it, and a last line that counts them.
pub fn render(findings: &[Finding], screen: Screen) -> String {
    let mut page = String::new();
    let mut area = "";
    for found in findings {
        if found.area != area {
            area = found.area;
            page += &format!("{area}\n");
        }
        let (word, tone) = match found.status {
            Status::Ok => ("ok", Tone::Good),
            Status::Warning => ("warning", Tone::Bad),
            Status::Error => ("ERROR", Tone::Bad),
        };
        let word = table::toned(&format!("{word:<7}"), tone, screen);
        page += &format!("  {word}  {}\n", line(&found.message));
        for advice in found.advice.lines() {
            page += &format!("           > {}\n", line(advice));
        }
    }
    page + "\n" + &summary(findings) + "\n"
}

fn summary(findings: &[Finding]) -> String {
    let count = |status| {
        findings
            .iter()
            .filter(|found| found.status == status)
            .count() as i64
    };
    match (count(Status::Error), count(Status::Warning)) {
        (0, 0) => "Nothing is wrong.".into(),
        (0, warnings) => format!("Nothing is broken; {}.", units::count(warnings, "warning")),
        (errors, 0) => format!("{}.", units::count(errors, "error")),
        (errors, warnings) => format!(
            "{}, {}.",
            units::count(errors, "error"),
            units::count(warnings, "warning")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_to_do_below_what_is_wrong() {
        let findings = [
            Finding::ok("clock", "it is set"),
            Finding::error(
                "ports",
                "held by \u{1b}[2Jnginx",
                "end it\nor listen elsewhere",
            ),
            Finding::warning("ports", "only here", ""),
        ];
        let screen = Screen {
            width: None,
            colour: false,
        };
        assert_eq!(
            render(&findings, screen),
            "clock\n  ok       it is set\nports\n  ERROR    held by \u{FFFD}[2Jnginx\n           \
             > end it\n           > or listen elsewhere\n  warning  only here\n\n1 error, 1 warning.\n"
        );
        assert_eq!(summary(&findings[..1]), "Nothing is wrong.");
        assert_eq!(summary(&findings[2..]), "Nothing is broken; 1 warning.");
    }
}
