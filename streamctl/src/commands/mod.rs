//! The verbs, one file each: `Args` is what the verb takes, `run` does it.

mod audit;
mod certificate;
mod clients;
mod completions;
mod controls;
mod devices;
mod doctor;
mod events;
mod get;
mod hosts;
mod kick;
mod log_level;
mod man;
mod nats;
mod record;
mod reload;
mod set;
mod snapshot;
mod stats;
mod token;
mod top;
mod watch;

use std::process::ExitCode;

use clap::{Command, Subcommand};

use crate::{failure::Failure, session::Session};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Stats(stats::Args),
    Clients(clients::Args),
    Get(get::Args),
    Set(set::Args),
    Kick(kick::Args),
    Devices(devices::Args),
    Hosts(hosts::Args),
    Controls(controls::Args),
    Snapshot(snapshot::Args),
    Record(record::Args),
    Reload(reload::Args),
    LogLevel(log_level::Args),
    Token(token::Args),
    Audit(audit::Args),
    Certificate(certificate::Args),
    Nats(nats::Args),
    Top(top::Args),
    Events(events::Args),
    Watch(Box<watch::Args>),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Does what the command line says, which `command` describes.
pub fn run(verb: Verb, session: &Session, command: Command) -> Result<ExitCode, Failure> {
    let done = match verb {
        Verb::Stats(args) => stats::run(args, session),
        Verb::Clients(args) => clients::run(args, session),
        Verb::Get(args) => get::run(args, session),
        Verb::Set(args) => set::run(args, session),
        Verb::Kick(args) => kick::run(args, session),
        Verb::Devices(args) => devices::run(args, session),
        Verb::Hosts(args) => hosts::run(args, session),
        Verb::Controls(args) => controls::run(args, session),
        Verb::Snapshot(args) => snapshot::run(args, session),
        Verb::Record(args) => record::run(args, session),
        Verb::Reload(args) => reload::run(args, session),
        Verb::LogLevel(args) => log_level::run(args, session),
        Verb::Token(args) => token::run(args, session),
        Verb::Audit(args) => audit::run(args, session),
        Verb::Certificate(args) => certificate::run(&args, session),
        Verb::Nats(args) => nats::run(args, session),
        Verb::Completions(args) => completions::run(args),
        Verb::Top(args) => top::run(args, session),
        Verb::Events(args) => events::run(args, session),
        Verb::Man(args) => man::run(args, command),
        // Its exit code tells what the stream was like.
        Verb::Watch(args) => return watch::run(*args, session),
        // So does that of this one, of all that streamd needs.
        Verb::Doctor(args) => return doctor::run(args, session),
    };
    done.map(|()| ExitCode::SUCCESS)
}
