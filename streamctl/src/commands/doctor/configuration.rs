//! Whether the configuration file can be used.

use super::{finding::Finding, program, scene, scene::Scene};

const AREA: &str = "configuration";

/// Looks at the file.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let file = scene.file.display();
    if let Some(fault) = &scene.fault {
        let running = match scene.daemon {
            Some(_) => "\nstreamd still runs with the old values, and would not start again",
            None => "\nstreamd does not start with it",
        };
        let (first, rest) = fault.split_once('\n').unwrap_or((fault, ""));
        let advice = format!("{rest}{running}")
            .trim_start_matches('\n')
            .to_owned();
        return vec![Finding::error(
            AREA,
            first.trim_start_matches("Error: "),
            advice,
        )];
    }
    if program::ask(scene::streamd(), &["--version"]).is_none() {
        let advice = "Install the package streamd, or put the program into the search path";
        return match scene.daemon {
            Some(_) => vec![Finding::warning(
                AREA,
                "the program streamd is not found here, so the file is not checked",
                advice,
            )],
            None => vec![Finding::error(
                AREA,
                "the program streamd is not found",
                advice,
            )],
        };
    }
    vec![match scene.file.exists() {
        true => Finding::ok(AREA, format!("{file} can be used")),
        false => Finding::ok(AREA, format!("{file} is not there: all defaults hold")),
    }]
}
