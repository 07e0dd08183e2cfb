//! `streamctl stats`: the daemon, its cameras and its clients.

use std::time::Duration;

use streamd_protocol::{
    control::{GetStats, INTERVAL_MS},
    stats::{CameraState, CameraStats, Stats},
};

use super::clients;
use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show the daemon, its cameras and its clients
///
/// With --json: a Stats object; with --follow, one a line.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print again and again, until interrupted
    #[arg(short, long)]
    follow: bool,

    /// Between two prints of --follow, in ms, 100 to 60000
    #[arg(long, value_name = "MS", default_value_t = 1000, requires = "follow")]
    #[arg(value_parser = clap::value_parser!(i64).range(INTERVAL_MS))]
    interval: i64,
}

/// Prints the stats, once or for ever.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    if !args.follow {
        let stats = session.call(&GetStats::default())?.stats;
        return session.print(&stats, |screen| render(&stats, screen));
    }
    let mut client = session.connect()?;
    let call = GetStats {
        interval_ms: Some(args.interval),
    };
    let interval = Duration::from_millis(args.interval.unsigned_abs());
    for reply in client.stream(&call, interval)? {
        let stats = reply?.stats;
        session.print(&stats, |screen| render(&stats, screen) + "\n")?;
    }
    Ok(())
}

/// The whole page for people.
pub fn render(stats: &Stats, screen: Screen) -> String {
    let mut page = format!(
        "streamd {}, pid {}, up {}: {}\n",
        table::clean(&stats.version),
        stats.pid,
        units::duration(stats.uptime_seconds),
        stats.status,
    );
    if !stats.healthy {
        let parts = stats.stuck.join(", ");
        page += &table::alarm(&format!("STUCK: {} does not move", parts), screen);
        page += "\n";
    }
    if stats.refused > 0 {
        let refused = units::count(stats.refused, "client");
        page += &format!("{refused} refused: max-clients was reached\n");
    }
    page += "\n";
    page += &table::render(CAMERAS, &stats.cameras, screen);
    for camera in stats.cameras.iter().filter(|c| !c.reason.is_empty()) {
        page += &format!("{}: {}\n", camera.name, camera.reason);
    }
    page += "\n";
    page + &clients::render(&stats.clients, screen)
}

const CAMERAS: &[Column<CameraStats>] = &[
    Column::text("CAMERA", 0, |c| (c.name.clone(), Tone::Plain)),
    Column::text("STATE", 0, |c| state(c.state)),
    Column::text("DEVICE", 9, |c| (units::text(&c.path), Tone::Plain)),
    Column::text("CARD", 10, |c| (units::text(&c.card), Tone::Plain)),
    Column::text("REQUESTED", 2, |c| (c.requested.clone(), Tone::Plain)),
    Column::text("GRANTED", 0, |c| (granted(c), Tone::Plain)),
    Column::number("FPS", 0, |c| (units::fps(c.fps), Tone::Plain)),
    Column::number("QUALITY", 1, |c| (c.quality.to_string(), Tone::Plain)),
    Column::number("ENCODE", 3, |c| {
        (units::ms(c.encode_average_ms), Tone::Plain)
    }),
    Column::number("CLIENTS", 4, |c| (c.clients.to_string(), Tone::Plain)),
    Column::number("CAPTURED", 7, |c| (c.captured.to_string(), Tone::Plain)),
    Column::number("LOST", 0, |c| attention(c.driver_lost)),
    Column::number("CORRUPT", 5, |c| attention(c.corrupt)),
    Column::number("UNPLUGS", 8, |c| attention(c.losses)),
    Column::text("RENDITIONS", 11, |c| (renditions(c), Tone::Plain)),
];

fn state(state: CameraState) -> (String, Tone) {
    let (text, tone) = match state {
        CameraState::Starting => ("starting", Tone::Dim),
        CameraState::Streaming => ("streaming", Tone::Good),
        CameraState::Idle => ("idle", Tone::Dim),
        CameraState::Lost => ("lost", Tone::Bad),
    };
    (text.into(), tone)
}

/// A count that should be 0.
fn attention(n: i64) -> (String, Tone) {
    let tone = if n > 0 { Tone::Bad } else { Tone::Plain };
    (n.to_string(), tone)
}

/// What the driver gave: `640x480 30 fps YUYV`.
fn granted(camera: &CameraStats) -> String {
    if camera.format.is_empty() {
        return units::UNKNOWN.into();
    }
    let size = units::size(camera.width, camera.height);
    let fps = match camera.driver_fps {
        fps if fps > 0.0 => format!("{} fps", units::set_fps(fps)),
        _ => "? fps".into(),
    };
    format!("{size} {fps} {}", camera.format)
}

/// The renditions in use: `q80 640x480 ×3, q40 320x240 ×1`.
fn renditions(camera: &CameraStats) -> String {
    let one = |r: &streamd_protocol::stats::RenditionStats| {
        let size = units::size(r.width, r.height);
        format!("q{} {size} ×{}", r.quality, r.clients)
    };
    let all: Vec<_> = camera.renditions.iter().map(one).collect();
    units::text(&all.join(", "))
}
