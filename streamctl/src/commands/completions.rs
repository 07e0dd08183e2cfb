//! `streamctl completions`: what a shell needs to complete streamctl's words.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{failure::Failure, session};

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which
    shell: Shell,
}

/// Prints them.
pub fn run(args: Args, _: &session::Session) -> Result<(), Failure> {
    let mut script = Vec::new();
    let mut command = crate::args::Args::command();
    clap_complete::generate(args.shell, &mut command, "streamctl", &mut script);
    session::write(&script)
}
