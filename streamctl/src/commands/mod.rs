//! The verbs, one file each: `Args` is what the verb takes, `run` does it.

pub mod clients;
pub mod completions;
pub mod devices;
pub mod get;
pub mod kick;
pub mod log_level;
pub mod man;
pub mod reload;
pub mod set;
pub mod snapshot;
pub mod stats;
pub mod top;
pub mod watch;

use std::process::ExitCode;

use crate::{args::Verb, failure::Failure, session::Session};

/// Does what the command line says.
pub fn run(verb: Verb, session: &Session) -> Result<ExitCode, Failure> {
    let done = match verb {
        Verb::Stats(args) => stats::run(args, session),
        Verb::Clients(args) => clients::run(args, session),
        Verb::Get(args) => get::run(args, session),
        Verb::Set(args) => set::run(args, session),
        Verb::Kick(args) => kick::run(args, session),
        Verb::Devices(args) => devices::run(args, session),
        Verb::Snapshot(args) => snapshot::run(args, session),
        Verb::Reload(args) => reload::run(args, session),
        Verb::LogLevel(args) => log_level::run(args, session),
        Verb::Completions(args) => completions::run(args, session),
        Verb::Top(args) => top::run(args, session),
        Verb::Man(args) => man::run(args, session),
        // Its exit code tells what the stream was like.
        Verb::Watch(args) => return watch::run(args, session),
    };
    done.map(|()| ExitCode::SUCCESS)
}
