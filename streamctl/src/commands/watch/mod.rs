//! `streamctl watch`: a camera's live stream in the terminal, or its figures.
//!
//! [`follow`] is the life of a watch: [`connect`], [`receive`] (which cuts bytes into payloads by
//! [`framing`] and speaks by [`talk`]), and again by [`reconnect`]. What it learns goes to
//! [`measure`]; what it shows goes to a [`view::Front`]: the [`screen`], or [`headless`] lines.
//! [`verdict`] makes the exit code of it. The modules that say "No I/O" are tested by themselves.

mod args;
mod clock;
mod connect;
mod figures;
mod follow;
mod framing;
mod headless;
mod keep;
mod loss;
mod measure;
mod output;
mod picture;
mod receive;
mod reconnect;
mod save;
mod screen;
mod spread;
mod steering;
mod talk;
mod target;
mod tls;
mod verdict;
mod view;

use std::{
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
};

pub use args::Args;

use self::{
    follow::{Follower, Outcome},
    headless::Headless,
    keep::Keep,
    steering::Steering,
    verdict::Verdict,
};
use crate::{failure::Failure, session::Session};

/// Watches, and tells by the exit code whether the stream was as expected.
///
/// # Errors
/// When a file cannot be made or the terminal cannot be used.
pub fn run(args: Args, session: &Session) -> Result<ExitCode, Failure> {
    let keep = Keep::open(&args).map_err(|error| Failure::File {
        path: error.path,
        why: error.source.to_string(),
    })?;
    let to_stderr = args.output.as_deref() == Some(Path::new("-"));
    let target = args.target.to_string();
    let mut lines = Headless::new(target, args.stats_interval, session.json, to_stderr);
    let outcome = if session.json || args.headless || to_stderr || !on_terminal() {
        let steering = Steering::by_signals()?;
        Some(Follower::new(&args, &steering, &mut lines, keep).run())
    } else {
        let colour = session.screen.colour;
        screen::run(args.clone(), keep, colour)?
    };
    match outcome {
        Some(outcome) => report(&outcome, &args, &lines, session.json),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn on_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

fn report(
    outcome: &Outcome,
    args: &Args,
    lines: &Headless,
    json: bool,
) -> Result<ExitCode, Failure> {
    let verdict = Verdict::of(outcome, args);
    // Where no frame came there is nothing to count.
    let summary = match json || outcome.reading.frames > 0 {
        true => lines.summary(outcome, &verdict),
        false => Ok(()),
    };
    match summary {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    if !json {
        for reason in &verdict.reasons {
            eprintln!("streamctl: {}", crate::charset::fit(reason));
        }
    }
    Ok(verdict.exit_code())
}
