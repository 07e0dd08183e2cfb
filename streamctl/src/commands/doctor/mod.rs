//! `streamctl doctor`: looks at all that a camera's way to its viewers depends on, and says for
//! each what is wrong and what to do.
//!
//! Each area is a file and one function from the [`Scene`] to [`Finding`]s. It needs no daemon:
//! what one would say is then read from the configuration file, `/proc` and the service manager.

mod account;
mod cameras;
mod clock;
mod configuration;
mod devices;
mod finding;
mod holders;
mod hook;
mod link;
mod ports;
mod program;
mod scene;
mod socket;
mod unit;

use std::{path::PathBuf, process::ExitCode};

use serde_json::json;

use self::{
    finding::{Finding, Status, render},
    scene::Scene,
};
use crate::{failure::Failure, session::Session};

/// An error was found.
const UNWELL: u8 = 1;

/// Look at everything that streamd needs, and say what is wrong and what to do about it
///
/// Looks at the configuration, permissions, devices and who holds them, ports, the service, the
/// control socket, the cameras, the viewers' links and the clock. It changes nothing, and needs no
/// running streamd. As root it sees more: which programs of others hold a device or a port. Exit
/// codes: 0 without an error (there may be warnings), 1 with one. With --json:
/// {"healthy","errors","warnings","findings":[{"area","status","message","advice"}]}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file, where no streamd runs that says which it is
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
}

/// What is looked at, in the order in which one thing needs another.
const AREAS: [fn(&Scene) -> Vec<Finding>; 10] = [
    configuration::look,
    account::look,
    devices::look,
    ports::look,
    unit::look,
    hook::look,
    socket::look,
    cameras::look,
    link::look,
    clock::look,
];

/// Looks at everything, and tells by the exit code whether something is wrong.
///
/// # Errors
/// When it can't be printed.
pub fn run(args: Args, session: &Session) -> Result<ExitCode, Failure> {
    let scene = Scene::of(args.config, session);
    let findings: Vec<_> = AREAS.iter().flat_map(|look| look(&scene)).collect();
    let count = |status| {
        findings
            .iter()
            .filter(|found| found.status == status)
            .count()
    };
    let (errors, warnings) = (count(Status::Error), count(Status::Warning));
    let value = json!({
        "healthy": errors == 0,
        "errors": errors,
        "warnings": warnings,
        "findings": findings,
    });
    session.print(&value, |screen| render(&findings, screen))?;
    Ok(match errors {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(UNWELL),
    })
}
