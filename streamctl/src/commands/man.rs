//! `streamctl man`: writes the man pages, for packages.

use std::path::PathBuf;

use clap::Command;

use crate::failure::Failure;

/// Write the man pages, one per verb
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    /// The folder, which must exist
    directory: PathBuf,
}

/// Writes them.
pub fn run(args: Args, command: Command) -> Result<(), Failure> {
    clap_mangen::generate_to(command, &args.directory).map_err(|e| Failure::File {
        path: args.directory,
        why: e.to_string(),
    })
}
