//! `streamctl man`: writes the man pages, for packages.

use std::path::PathBuf;

use clap::CommandFactory;

use crate::{failure::Failure, session::Session};

/// Write the man pages, one a verb
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct Args {
    /// The folder, which must exist
    directory: PathBuf,
}

/// Writes them.
pub fn run(args: Args, _: &Session) -> Result<(), Failure> {
    clap_mangen::generate_to(crate::args::Args::command(), &args.directory).map_err(|e| {
        Failure::File {
            path: args.directory,
            why: e.to_string(),
        }
    })
}
