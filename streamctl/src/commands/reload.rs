//! `streamctl reload`: has the daemon read its configuration file again.

use streamd_protocol::control::{Reload, ReloadReply};

use crate::{failure::Failure, session::Session, table};

/// Have the daemon read its configuration file again
///
/// With --json: {"applied":[KEY…],"needsRestart":[KEY…]}.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Reloads, and says what that did.
pub fn run(_: Args, session: &Session) -> Result<(), Failure> {
    let reply = session.call(&Reload {})?;
    session.print(&reply, |_| render(&reply))
}

fn render(reply: &ReloadReply) -> String {
    let mut lines = Vec::new();
    if !reply.applied.is_empty() {
        lines.push(format!("applied: {}", reply.applied.join(", ")));
    }
    if !reply.needs_restart.is_empty() {
        lines.push(format!(
            "needs a restart: {}",
            reply.needs_restart.join(", ")
        ));
    }
    if lines.is_empty() {
        lines.push("nothing has changed".into());
    }
    table::lines(&lines.join("\n"))
}
