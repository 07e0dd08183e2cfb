//! The command line: what all verbs share.

use std::path::PathBuf;

use clap::Parser;
use streamd_protocol::client::DEFAULT_TIMEOUT;

use crate::commands::Verb;

/// Shown below the help, and a section of the man page.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   snapshot: the camera has no signal; watch: the stream was not as expected; doctor: an error
  64  wrong command line
  65  a value that streamd does not take
  66  no such camera, client, control or setting
  69  streamd is not there
  73  a file can't be written
  74  reading or writing failed
  75  no answer, or no picture, in time; or too many connections
  76  an answer that can't be understood
  77  no permission
  78  the configuration file can't be used";

/// Controls and watches streamd.
#[derive(Debug, Parser)]
#[command(name = "streamctl", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
#[command(max_term_width = 100, propagate_version = true)]
pub struct Args {
    /// The control socket [default: /run/streamd/control, else $XDG_RUNTIME_DIR/streamd/control]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// How long to wait for streamd, in seconds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = DEFAULT_TIMEOUT.as_secs())]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,

    /// Print JSON, one value a line, for programs
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn refused(line: &str) -> ErrorKind {
        let words = line.split_whitespace();
        Args::try_parse_from(words).expect_err(line).kind()
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        use ErrorKind::*;
        for (line, kind) in [
            ("streamctl", DisplayHelpOnMissingArgumentOrSubcommand),
            ("streamctl fly", InvalidSubcommand),
            ("streamctl kick", MissingRequiredArgument),
            ("streamctl kick 7 --all", ArgumentConflict),
            ("streamctl kick seven", ValueValidation),
            ("streamctl set quality", MissingRequiredArgument),
            ("streamctl set control", MissingRequiredArgument),
            (
                "streamctl set control gain=1 --client 7 --save",
                ArgumentConflict,
            ),
            ("streamctl set colour 3", InvalidValue),
            (
                "streamctl set fps 3 --camera main --client 7",
                ArgumentConflict,
            ),
            ("streamctl stats --interval 500", MissingRequiredArgument),
            ("streamctl stats --follow --interval 99", ValueValidation),
            ("streamctl stats --timeout 0", ValueValidation),
            ("streamctl get quality --toml", ArgumentConflict),
            ("streamctl completions cobol", InvalidValue),
        ] {
            assert_eq!(refused(line), kind, "{line}");
        }
    }

    #[test]
    fn the_reference_has_the_same_exit_codes() {
        let page = include_str!("../../docs/ref/control.md");
        for line in EXIT_CODES.lines().skip(1) {
            let (code, when) = line.trim().split_once("  ").unwrap();
            let row = format!("| {code} | {} |", when.trim());
            assert!(page.contains(&row), "{row} is not in docs/ref/control.md");
        }
    }

    #[test]
    fn what_all_verbs_share_may_stand_before_and_after_the_verb() {
        for line in [
            "streamctl --json --socket /a stats",
            "streamctl stats --socket /a --json",
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert!(args.json, "{line}");
            assert_eq!(args.socket, Some("/a".into()), "{line}");
        }
    }
}
