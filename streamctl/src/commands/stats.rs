//! `streamctl stats`: the daemon, its cameras and its clients.

use std::time::Duration;

use streamd_protocol::{
    control::{GetStats, INTERVAL_MS},
    stats::{CameraState, CameraStats, RecordingState, SoundStats, Stats},
};

use super::clients;
use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units, watched,
};

/// Show the daemon, its cameras and its clients
///
/// With --json: a Stats object; with --follow, one per line.
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
        table::line(units::brief(&stats.status)),
    );
    for camera in stats
        .cameras
        .iter()
        .filter(|c| c.state == CameraState::Lost)
    {
        let (name, reason) = (table::clean(&camera.name), table::line(&camera.reason));
        page += &table::alarm(&format!("NO SIGNAL: {name}: {reason}"), screen);
        page += "\n";
    }
    if !stats.stuck.is_empty() {
        let parts = stats.stuck.join(", ");
        page += &table::alarm(
            &format!("STUCK: {} does not move", table::line(&parts)),
            screen,
        );
        page += "\n";
    }
    if let Some(nats) = &stats.nats {
        let (servers, reason) = (table::clean(&nats.servers), table::line(&nats.reason));
        page += &match (nats.connected, reason.is_empty()) {
            (true, true) => format!("NATS: connected ({servers})\n"),
            (true, false) => table::alarm(&format!("NATS: {reason}"), screen) + "\n",
            (false, _) => table::alarm(&format!("NATS: not connected: {reason}"), screen) + "\n",
        };
    }
    if stats.refused > 0 {
        let refused = units::count(stats.refused, "client");
        page += &format!("{refused} refused: max-clients was reached\n");
    }
    if stats.dropped_clients > 0 {
        let dropped = units::count(stats.dropped_clients, "client");
        page += &format!("{dropped} dropped: the log says why\n");
    }
    page += "\n";
    if stats.cameras.is_empty() {
        page += "no cameras\n";
    } else {
        page += &table::render(CAMERAS, &stats.cameras, screen);
    }
    // Why one is lost stands above.
    let others = stats
        .cameras
        .iter()
        .filter(|c| c.state != CameraState::Lost);
    for camera in others.filter(|c| !c.reason.is_empty()) {
        page += &format!("{}: {}\n", camera.name, table::line(&camera.reason));
    }
    for camera in &stats.cameras {
        if let Some(sound) = &camera.sound {
            page += &format!("{}: {}\n", table::clean(&camera.name), heard(sound));
        }
    }
    page.extend(stats.cameras.iter().filter_map(recorded));
    page += "\n";
    page + &clients::render(&stats.clients, screen)
}

/// How the recording of a camera goes, where there is something to say of it.
fn recorded(camera: &CameraStats) -> Option<String> {
    let recording = camera.recording.as_ref()?;
    let says = match recording.state {
        RecordingState::Off => return None,
        RecordingState::Armed => "the last seconds are kept for an event".into(),
        RecordingState::Waiting => "to be recorded, and no picture comes".into(),
        RecordingState::Failed => format!("not recorded: {}", table::line(&recording.reason)),
        RecordingState::Recording => {
            let (bytes, lost) = (units::bytes(recording.bytes), recording.lost);
            let lost = match lost {
                0 => String::new(),
                lost => format!(", {} lost", units::count(lost, "picture")),
            };
            let directory = table::line(&recording.directory);
            format!("recorded in {directory}, {bytes}{lost}")
        }
    };
    Some(format!("{}: {says}\n", camera.name))
}

const CAMERAS: &[Column<CameraStats>] = &[
    Column::text("CAMERA", 0, |c| (c.name.clone(), Tone::Plain)),
    Column::text("STATE", 0, |c| state(c.state)),
    Column::text("DEVICE", 9, |c| (units::text(&c.path), Tone::Plain)),
    Column::text("CARD", 10, |c| (units::text(&c.card), Tone::Plain)),
    Column::text("REQUESTED", 2, |c| (c.requested.clone(), Tone::Plain)),
    Column::text("GRANTED", 0, |c| (granted(c), Tone::Plain)),
    Column::number("FPS", 0, |c| (units::fps(c.fps), Tone::Plain)),
    Column::number("Q", 0, |c| (c.quality.to_string(), Tone::Plain)),
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

/// A line on a camera's sound.
fn heard(sound: &SoundStats) -> String {
    let device = table::line(&sound.device);
    match sound.state {
        CameraState::Lost => format!("sound lost: {}", table::line(&sound.reason)),
        CameraState::Idle => format!("sound of {device} off: nobody listens"),
        CameraState::Starting => format!("sound of {device} starting"),
        CameraState::Streaming => format!(
            "sound of {device} ({}), {:.0} dB, peak {:.0} dB, {}",
            table::line(&sound.card),
            sound.level_db.unwrap_or(-100.0),
            sound.peak_db.unwrap_or(-100.0),
            units::count(sound.listeners, "listener"),
        ),
    }
}

/// What a camera does.
pub fn state(state: CameraState) -> (String, Tone) {
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

/// What the driver gave: `640x480@30 YUYV`.
fn granted(camera: &CameraStats) -> String {
    if camera.format.is_empty() {
        return units::UNKNOWN.into();
    }
    let size = units::size(camera.width, camera.height);
    let fps = match camera.driver_fps {
        fps if fps > 0.0 => units::set_fps(fps),
        _ => "?".into(),
    };
    format!("{size}@{fps} {}", camera.format)
}

/// The renditions in use: `q80 640x480 ×3, q40 320x240 ×1`.
fn renditions(camera: &CameraStats) -> String {
    let one = |r: &streamd_protocol::stats::RenditionStats| {
        let size = units::size(r.width, r.height);
        let coding = watched::coding(r.codec, r.quality, r.bit_rate);
        format!("{coding} {size} ×{}", r.clients)
    };
    let all: Vec<_> = camera.renditions.iter().map(one).collect();
    units::text(&all.join(", "))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    const WIDE: Screen = Screen {
        width: None,
        colour: false,
    };

    fn stats() -> Stats {
        serde_json::from_str(include_str!("../../tests/stats.json")).unwrap()
    }

    fn at(width: usize) -> Screen {
        Screen {
            width: Some(width),
            colour: false,
        }
    }

    #[test]
    fn into_a_pipe_goes_everything() {
        assert_snapshot!(render(&stats(), WIDE));
    }

    #[test]
    fn at_80_columns_goes_what_fits() {
        let page = render(&stats(), at(80));
        for line in page.lines().filter(|l| !l.starts_with("side: ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_snapshot!(page);
    }

    #[test]
    fn with_colours_only_states_and_faults_have_one() {
        let screen = Screen {
            width: Some(80),
            colour: true,
        };
        assert_snapshot!(render(&stats(), screen).replace('\u{1b}', "ESC"));
    }

    #[test]
    fn nothing_is_shown_in_words() {
        let mut stats = stats();
        (stats.cameras, stats.clients) = (vec![], vec![]);
        (stats.healthy, stats.stuck) = (true, vec![]);
        (stats.refused, stats.dropped_clients) = (0, 0);
        stats.nats = None;
        assert_snapshot!(render(&stats, at(80)), @r"
        streamd 0.1.0, pid 812, up 2h 03m: 2 cameras, 3 clients, 30.0 fps

        no cameras

        no clients
        ");
    }

    #[test]
    fn a_clients_name_can_not_play_with_the_terminal() {
        let mut stats = stats();
        stats.clients[0].name = "\u{1b}]0;owned\u{7}\n\u{9b}31m".into();
        stats.clients[0].feeds[0].reason = "x".repeat(500);
        stats.status = "\u{1b}[2J".into();
        let page = render(&stats, WIDE);
        let played = page.chars().any(|c| c.is_control() && c != '\n');
        assert!(!played, "{page:?}");
        assert!(page.contains("…"));
    }
}
