//! `streamctl clients`: who is connected, and what each gets.

use streamd_protocol::{
    control::ListClients,
    stats::{ClientStats, Transport},
};

use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show who is connected, and what each gets
///
/// With --json: an array of ClientStats.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the clients of this camera
    #[arg(long, value_name = "NAME")]
    camera: Option<String>,
}

/// Prints the clients.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let mut clients = session.call(&ListClients {})?.clients;
    if let Some(camera) = &args.camera {
        clients.retain(|c| &c.camera == camera);
    }
    session.print(&clients, |screen| render(&clients, screen))
}

/// The clients as a table, or a line that says that there are none.
pub fn render(clients: &[ClientStats], screen: Screen) -> String {
    if clients.is_empty() {
        return "no clients\n".into();
    }
    table::render(COLUMNS, clients, screen)
}

const COLUMNS: &[Column<ClientStats>] = &[
    Column::number("ID", 0, |c| plain(c.id.to_string())),
    Column::text("CLIENT", 0, |c| plain(who(c))),
    Column::text("ADDRESS", 7, |c| plain(units::text(&c.peer))),
    Column::text("VIA", 5, |c| plain(via(c.transport).into())),
    Column::text("CAMERA", 4, |c| plain(c.camera.clone())),
    Column::number("FOR", 3, |c| plain(units::duration(c.connected_seconds))),
    Column::number("FRAMES", 8, |c| plain(c.frames.to_string())),
    Column::number("FPS", 0, |c| plain(units::fps(c.fps))),
    Column::number("AVG FPS", 9, |c| plain(units::fps(c.average_fps))),
    Column::number("LATENCY", 0, |c| plain(units::ms(c.latency.average_ms))),
    Column::number("P95", 2, |c| plain(units::ms(c.latency.p95_ms))),
    Column::number("RTT", 10, |c| plain(units::ms(c.rtt_ms))),
    Column::number("LINK", 6, |c| plain(units::rate(c.link_rate))),
    Column::number("DROPS", 1, |c| plain(c.dropped.total.to_string())),
    Column::number("ERRORS", 11, |c| {
        let tone = if c.errors > 0 { Tone::Bad } else { Tone::Plain };
        (c.errors.to_string(), tone)
    }),
    Column::text("GETS", 0, |c| plain(gets(c))),
    Column::text("WHY", 0, |c| plain(why(c))),
];

fn plain(text: String) -> (String, Tone) {
    (text, Tone::Plain)
}

/// The name a client gave, else its address.
fn who(client: &ClientStats) -> String {
    let name = [&client.name, &client.peer]
        .into_iter()
        .find(|s| !s.is_empty());
    units::text(name.map_or("", String::as_str))
}

fn via(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Websocket => "websocket",
        Transport::Mjpeg => "mjpeg",
    }
}

/// The rendition: `640x480 q80`.
fn gets(client: &ClientStats) -> String {
    match units::size(client.width, client.height) {
        size if size == units::UNKNOWN => size,
        size => format!("{size} q{}", client.quality),
    }
}

fn why(client: &ClientStats) -> String {
    if client.paused {
        return "paused".into();
    }
    units::text(&client.reason)
}
