//! Benchmarks of streamd that anyone can run: fan-out to many clients, and fresh frames over a bad
//! link, from host to host. See `README.md` beside this crate.

mod args;
mod client;
mod clock;
mod fanout;
mod figures;
mod fleet;
mod flood;
mod floor;
mod framing;
mod kernel;
mod link;
mod load;
mod process;
mod restart;
mod soak;
mod summary;
mod table;
mod whep;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser;
use process::Stop;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("streamd-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    match &arguments.command {
        Command::Load(load) => fanout::run(load, &stop),
        Command::Link(link) => link::run(link, &stop),
        Command::Fleet(fleet) => fleet::run(fleet, &stop),
        Command::Soak(soak) => soak::run(soak, &stop),
        Command::Restart(restart) => restart::run(restart, &stop),
        Command::Flood(flood) => flood::run(flood, &stop),
        Command::Floor(floor) => floor::serve(floor, &stop),
    }
}
