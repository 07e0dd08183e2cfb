//! The command line: what all verbs share, and the verbs.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::*;

/// Shown below the help, and a section of the man page.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  64  wrong command line
  65  a value that streamd does not take
  66  no such camera or client
  69  streamd is not there, or is stopping
  73  a file can't be written
  74  reading or writing failed
  75  no answer, or no picture, in time
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

    /// Print JSON, one value a line, for programs
    #[arg(long, global = true)]
    pub json: bool,

    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Stats(stats::Args),
    Clients(clients::Args),
    Get(get::Args),
    Set(set::Args),
    Kick(kick::Args),
    Devices(devices::Args),
    Snapshot(snapshot::Args),
    Reload(reload::Args),
    LogLevel(log_level::Args),
    Top(top::Args),
    Watch(watch::Args),
    Completions(completions::Args),
    Man(man::Args),
}
