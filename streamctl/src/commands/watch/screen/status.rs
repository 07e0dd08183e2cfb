//! The words around the picture: the statistics line, the bottom line, the help.

use std::time::Duration;

use super::super::{
    figures,
    view::{State, View},
};
use crate::units;

/// Without a picture for this long, that is said.
const MISSING: Duration = Duration::from_secs(1);

/// What the bottom line says when there is nothing else to say.
pub const HINTS: &str = "s figures  w save  p pause  ? help  q quit";

/// The help, line by line.
pub const HELP: &[&str] = &[
    "streamctl watch",
    "",
    "s   figures on and off",
    "w   save this frame",
    "p   pause and go on",
    "?   this help on and off",
    "q   quit",
    "",
    "fps and latency: the last two seconds,",
    "the session's average in brackets;",
    "latency: capture to arrival here;",
    "dropped: captured and not received",
];

/// The statistics, wrapped to lines of at most `width` characters.
pub fn statistics(view: &View, paused: bool, width: usize) -> Vec<String> {
    let reading = &view.reading;
    let fields = [
        format!("{} {}", sign(view, paused), word(view, paused)),
        format!(
            "{} fps ({})",
            units::fps(reading.fps),
            units::fps(reading.average_fps)
        ),
        format!(
            "{} ({})",
            figures::latency(reading.latency_ms),
            figures::latency(reading.average_latency_ms)
        ),
        format!("{} dropped", reading.dropped),
        units::rate(reading.bits_per_second),
        format!(
            "{} frames, {}",
            reading.frames,
            figures::bytes(reading.bytes)
        ),
        units::count(reading.reconnections as i64, "reconnection"),
        figures::rendition(&view.rendition),
    ];
    wrap(fields.iter().filter(|field| !field.is_empty()), width)
}

/// The bottom line while there is no stream; `now` since the start of the session.
pub fn trouble(view: &View, paused: bool, target: &str, now: Duration) -> Option<String> {
    match &view.state {
        State::Live => {
            let age = view.reading.frame_age_seconds;
            let missing = age >= MISSING.as_secs_f64() && !paused;
            missing.then(|| format!("no picture for {age:.0} s"))
        }
        State::NoSignal => Some("no signal: the camera gives no picture".into()),
        State::Connected => Some(format!("connected to {target}, waiting for a picture")),
        State::Connecting if view.attempt.is_empty() => Some(format!("connecting to {target}")),
        State::Connecting => Some(format!("connecting to {target}, attempt {}", view.attempt)),
        State::Waiting { cause, until } => Some(format!(
            "attempt {} in {:.1} s: {cause}",
            view.attempt,
            until.saturating_sub(now).as_secs_f64()
        )),
    }
}

/// Cuts a line to `width` characters.
pub fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept = line.chars().take(width.saturating_sub(1));
    kept.chain(['…']).collect()
}

fn sign(view: &View, paused: bool) -> char {
    match view.state {
        State::Live if paused => '‖',
        State::Live => '●',
        _ => '○',
    }
}

fn word(view: &View, paused: bool) -> &'static str {
    match view.state {
        State::Live if paused => "paused",
        State::Live => "live",
        State::NoSignal => "no signal",
        State::Connected => "connected",
        State::Connecting => "connecting",
        State::Waiting { .. } => "reconnecting",
    }
}

fn wrap<'a>(fields: impl Iterator<Item = &'a String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for field in fields {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + field.chars().count() <= width => {
                line.push_str("  ");
                line.push_str(field);
            }
            _ => lines.push(field.clone()),
        }
    }
    lines.iter().map(|line| cut(line, width)).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{measure::Reading, view::Rendition},
        *,
    };

    fn view() -> View {
        View {
            state: State::Live,
            attempt: "2 of 5".into(),
            rendition: Rendition {
                camera: "main".into(),
                width: 640,
                height: 480,
                quality: 70,
                max_fps: 30.0,
                reason: "link 7.8 Mb/s".into(),
            },
            reading: Reading {
                seconds: 10.0,
                frames: 300,
                bytes: 15_600_000,
                fps: 29.97,
                average_fps: 29.5,
                latency_ms: Some(4.21),
                average_latency_ms: Some(4.5),
                dropped: 2,
                bits_per_second: 12.4e6,
                reconnections: 1,
                ..Reading::default()
            },
        }
    }

    #[test]
    fn every_figure_is_there_and_fits() {
        insta::assert_snapshot!(statistics(&view(), false, 80).join("\n"), @r"
        ● live  30.0 fps (29.5)  4.21 ms (4.50 ms)  2 dropped  12.4 Mb/s
        300 frames, 15.6 MB  1 reconnection  main 640x480 q70 link 7.8 Mb/s
        ");
        insta::assert_snapshot!(statistics(&view(), true, 200).join("\n"), @"‖ paused  30.0 fps (29.5)  4.21 ms (4.50 ms)  2 dropped  12.4 Mb/s  300 frames, 15.6 MB  1 reconnection  main 640x480 q70 link 7.8 Mb/s");
        for width in 1..200 {
            for line in statistics(&view(), false, width) {
                assert!(line.chars().count() <= width, "{line}");
            }
        }
    }

    #[test]
    fn a_server_that_does_not_talk_has_no_latency() {
        let silent = View {
            state: State::Live,
            reading: Reading {
                fps: 25.0,
                ..Reading::default()
            },
            ..View::default()
        };
        let lines = statistics(&silent, false, 200).join("\n");
        assert!(lines.contains("— (—)"), "{lines}");
        assert!(!lines.contains("0x0"), "{lines}");
    }

    #[test]
    fn trouble_says_what_is_being_done() {
        let mut view = view();
        assert_eq!(trouble(&view, false, "robot:8002", Duration::ZERO), None);
        view.state = State::Waiting {
            cause: "the server closed the connection".into(),
            until: Duration::from_millis(12_500),
        };
        assert_eq!(
            trouble(&view, false, "robot:8002", Duration::from_secs(11)).unwrap(),
            "attempt 2 of 5 in 1.5 s: the server closed the connection"
        );
        view.state = State::Live;
        view.reading.frame_age_seconds = 2.9;
        assert_eq!(
            trouble(&view, false, "robot:8002", Duration::ZERO).unwrap(),
            "no picture for 3 s"
        );
        assert_eq!(trouble(&view, true, "robot:8002", Duration::ZERO), None);
        view.state = State::Connecting;
        view.attempt.clear();
        assert_eq!(
            trouble(&view, false, "robot:8002", Duration::ZERO).unwrap(),
            "connecting to robot:8002"
        );
    }
}
