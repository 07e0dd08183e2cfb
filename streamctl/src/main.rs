//! Controls and watches streamd.
//!
//! [`args`] is the command line; each verb is one file in [`commands`]; [`session`] is what all
//! verbs share: the socket, and how to print.

mod args;
mod charset;
mod commands;
mod complete;
mod configuration;
mod failure;
mod session;
mod table;
mod terminal;
mod units;
mod watched;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

fn main() -> ExitCode {
    match complete::run(args::Args::command) {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(e) => return failure::usage(&e),
    }
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(e) => return failure::usage(&e),
    };
    let session = session::Session::new(args.socket, args.timeout, args.json);
    match commands::run(args.verb, &session, args::Args::command()) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
