//! `streamctl clients`: who is connected, and what each gets.

use streamd_protocol::{control::ListClients, stats::ClientStats};

use crate::{
    complete,
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
    watched::{self, Watched},
};

/// Show who is connected, and what each gets
///
/// A client of several cameras has a row per camera. With --json: an array of ClientStats.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the clients of this camera
    #[arg(long, value_name = "NAME", add = complete::cameras())]
    camera: Option<String>,
}

/// Prints the clients.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let mut clients = session.call(&ListClients {})?.clients;
    if let Some(camera) = &args.camera {
        for client in &mut clients {
            client.feeds.retain(|feed| feed.camera == *camera);
        }
        clients.retain(|client| !client.feeds.is_empty());
    }
    session.print(&clients, |screen| render(&clients, screen))
}

/// The clients as a table, or a line that says that there are none.
pub fn render(clients: &[ClientStats], screen: Screen) -> String {
    if clients.is_empty() {
        return "no clients\n".into();
    }
    table::render(COLUMNS, &watched::rows(clients), screen)
}

const COLUMNS: &[Column<Watched>] = &[
    Column::number("ID", 0, |w| plain(w.client.id.to_string())),
    Column::text("CLIENT", 0, |w| plain(w.who())),
    Column::text("LOGIN", 13, |w| plain(units::text(&w.client.login))),
    Column::text("ADDRESS", 7, |w| plain(units::text(&w.client.peer))),
    Column::text("VIA", 5, |w| plain(w.via())),
    Column::text("CAMERA", 1, |w| plain(w.feed.camera.clone())),
    Column::number("FOR", 3, |w| {
        plain(units::duration(w.client.connected_seconds))
    }),
    Column::number("FRAMES", 8, |w| plain(w.feed.frames.to_string())),
    Column::number("FPS", 0, |w| plain(units::fps(w.feed.fps))),
    Column::number("AVG FPS", 9, |w| plain(units::fps(w.feed.average_fps))),
    Column::number("LATENCY", 0, |w| {
        plain(units::ms(w.feed.latency.average_ms))
    }),
    Column::number("P95", 4, |w| plain(units::ms(w.feed.latency.p95_ms))),
    Column::number("RTT", 10, |w| plain(units::ms(w.client.rtt_ms))),
    Column::number("LINK", 6, |w| plain(units::rate(w.client.link_rate))),
    Column::number("DROPS", 2, |w| plain(w.feed.dropped.total.to_string())),
    Column::number("ERRORS", 11, |w| {
        let tone = if w.client.errors > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        };
        (w.client.errors.to_string(), tone)
    }),
    Column::text("GETS", 0, |w| plain(w.gets())),
    Column::text("LIMITS", 12, |w| plain(w.limits())),
    Column::text("WHY", 0, |w| plain(w.why())),
];

fn plain(text: String) -> (String, Tone) {
    (text, Tone::Plain)
}
