//! `streamctl log-level`: changes what the daemon logs.

use serde_json::json;
use streamd_protocol::control::SetLogLevel;

use crate::{failure::Failure, session::Session};

/// Change what the daemon logs, until the next restart or reload
///
/// With --json: {"filter":LEVEL}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// error, warn, info, debug, trace, or a list such as info,streamd::capture=debug
    level: String,
}

/// Changes it.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    session.call(&SetLogLevel {
        filter: args.level.clone(),
    })?;
    session.print(&json!({ "filter": args.level }), |_| {
        format!("logging {}", args.level)
    })
}
