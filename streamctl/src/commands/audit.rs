//! `streamctl audit`: who came in, who was refused, and who changed what.

use std::time::SystemTime;

use streamd_protocol::control::{AuditEntry, ListAudit};

use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show who came in with a token, who was refused, who changed what and who was disconnected
///
/// The last ones of this process, the oldest first; the journal has the rest. For root and the
/// daemon's own user. With --json: [{"at":SECONDS,"kind":…,"who":…,"from":…,"what":…},…].
#[derive(Debug, clap::Args)]
pub struct Args {
    /// So many at most
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..))]
    count: i64,
}

/// Shows them.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let count = Some(args.count);
    let reply = session.call(&ListAudit { count })?;
    session.print(&reply.entries, |screen| render(&reply.entries, screen))
}

fn render(entries: &[AuditEntry], screen: Screen) -> String {
    const COLUMNS: &[Column<AuditEntry>] = &[
        Column::text("AGO", 0, |e| (ago(e.at), Tone::Plain)),
        Column::text("KIND", 1, |e| (table::clean(&e.kind), tone(&e.kind))),
        Column::text("WHO", 2, |e| {
            (units::text(&table::clean(&e.who)), Tone::Plain)
        }),
        Column::text("FROM", 3, |e| {
            (units::text(&table::clean(&e.from)), Tone::Plain)
        }),
        Column::whole("WHAT", |e| (table::line(&e.what), Tone::Plain)),
    ];
    match entries {
        [] => "nothing has happened yet".into(),
        entries => table::render(COLUMNS, entries, screen),
    }
}

/// How long ago a moment was, in seconds since the epoch.
fn ago(at: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    units::duration(now.unwrap_or_default().as_secs_f64() - at as f64)
}

fn tone(kind: &str) -> Tone {
    match kind {
        "refusal" => Tone::Bad,
        _ => Tone::Plain,
    }
}
