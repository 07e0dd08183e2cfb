//! The command line of streamd.

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser};

/// The exit code for wrong usage (`EX_USAGE` of sysexits.h).
pub const EX_USAGE: u8 = 64;

/// Live video from any V4L2 camera, never late.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "streamd",
    after_help = "Signals: SIGHUP reloads the configuration, SIGTERM and SIGINT stop; a second one stops at once.\n\
                  Exit codes: 64 wrong usage, 78 bad configuration."
)]
pub struct Args {
    /// The configuration file [default: /etc/streamd/streamd.toml if it exists]
    #[arg(long, short, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Check the configuration, say what is wrong, and end
    #[arg(long, conflicts_with = "print_config")]
    pub check_config: bool,
    /// Print all values in force as TOML, and end
    #[arg(long)]
    pub print_config: bool,
}

/// The definition of the command line, for parsing, completions and the man page. `simd` says
/// whether the JPEG encoder was built with SIMD.
pub fn command(simd: bool) -> clap::Command {
    let encoder = if simd {
        "mozjpeg with SIMD"
    } else {
        "mozjpeg WITHOUT SIMD (built without nasm): several times slower"
    };
    let version = env!("CARGO_PKG_VERSION");
    Args::command().version(version).long_version(format!(
        "{version}\nencoder: {encoder}\ntarget:  {} {}",
        std::env::consts::ARCH,
        std::env::consts::OS
    ))
}

/// Reads the command line; the first argument is the program's name.
///
/// # Errors
/// Wrong usage, or `--help` and `--version`, which clap hands back as errors: give it to [`end`].
pub fn parse<A: Into<OsString> + Clone>(
    args: impl IntoIterator<Item = A>,
    simd: bool,
) -> Result<Args, clap::Error> {
    let matches = command(simd).try_get_matches_from(args)?;
    Args::from_arg_matches(&matches)
}

/// Prints what [`parse`] handed back. Success for `--help` and `--version`, else [`EX_USAGE`].
pub fn end(error: &clap::Error) -> ExitCode {
    // Nothing can be done if even stderr is closed.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(EX_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command(true).debug_assert();
    }

    #[test]
    fn arguments_are_read() {
        let args = parse(["streamd", "--config", "/x", "--check-config"], true).unwrap();
        assert_eq!(args.config, Some("/x".into()));
        assert!(args.check_config && !args.print_config);
    }

    #[test]
    fn wrong_usage_ends_with_64_and_help_with_0() {
        for wrong in [
            vec!["--port", "1"],
            vec!["x"],
            vec!["--check-config", "--print-config"],
        ] {
            let error = parse([vec!["streamd"], wrong].concat(), true).unwrap_err();
            assert_eq!(end(&error), ExitCode::from(64));
        }
        let help = parse(["streamd", "--help"], true).unwrap_err();
        assert_eq!(end(&help), ExitCode::SUCCESS);
    }

    #[test]
    fn the_version_says_how_the_encoder_was_built() {
        for (simd, word) in [(true, "with SIMD"), (false, "WITHOUT SIMD")] {
            let error = parse(["streamd", "--version"], simd).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DisplayVersion);
            let shown = error.to_string();
            assert!(
                shown.contains(word) && shown.contains(std::env::consts::ARCH),
                "{shown}"
            );
        }
    }
}
