//! `streamctl completions`: what a shell needs to complete streamctl's words.

use clap::Command;
use clap_complete::Shell;

use crate::{failure::Failure, session};

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which
    shell: Shell,
}

/// Prints them.
pub fn run(args: Args, mut command: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "streamctl", &mut script);
    session::write(&script)
}
