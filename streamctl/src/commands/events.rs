//! `streamctl events`: what happens in the daemon, as it happens.

use std::time::Duration;

use serde::Serialize;
use streamd_protocol::{
    client::Error,
    control::{EVENTS_ALIVE_S, Event, EventKind, WatchEvents},
};

use crate::{
    complete,
    failure::Failure,
    session::Session,
    table::{self, Screen, Tone},
    units,
};

/// Print what happens, as it happens: cameras lost and back, clients come and gone, changes
///
/// Until interrupted, or until streamd ends. With --json: an Event a line, with "lost", the number
/// of events before it that were not read in time. To run a program on events without a shell that
/// waits for them, see [hook] in the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these kinds, separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(EventKind::ALL.map(EventKind::name)))]
    only: Vec<String>,

    /// Only what is about this camera
    #[arg(long, value_name = "NAME", add = complete::cameras())]
    camera: Option<String>,

    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// A line for programs.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    lost: i64,
}

/// Prints event after event.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let alive = Duration::from_secs(EVENTS_ALIVE_S);
    let (mut lost, mut printed) = (0, 0);
    for reply in client.stream(&WatchEvents {}, alive)? {
        let reply = reply.map_err(ended)?;
        lost += reply.lost;
        let Some(event) = reply.event.filter(|event| wanted(event, &args)) else {
            continue;
        };
        let line = Line {
            event: &event,
            lost: std::mem::take(&mut lost),
        };
        session.print(&line, |screen| render(&line, screen))?;
        printed += 1;
        if args.count == Some(printed) {
            break;
        }
    }
    Ok(())
}

/// A daemon that ends closes the stream: it has not failed to answer.
fn ended(error: Error) -> Failure {
    match error {
        Error::Closed => Failure::Gone("streamd has ended".into()),
        error => error.into(),
    }
}

fn wanted(event: &Event, args: &Args) -> bool {
    let kind = args.only.is_empty() || args.only.iter().any(|name| name == event.kind.name());
    kind && args
        .camera
        .as_ref()
        .is_none_or(|camera| event.cameras.contains(camera))
}

/// A line for people: when, what kind, and in words; before it, what was lost.
fn render(line: &Line<'_>, screen: Screen) -> String {
    let event = line.event;
    let missed = match line.lost {
        0 => String::new(),
        n => format!("({} lost: not read in time)\n", units::count(n, "event")),
    };
    let tone = match event.kind {
        EventKind::CameraLost | EventKind::SoundLost | EventKind::ReloadFailed => Tone::Bad,
        EventKind::CameraBack | EventKind::SoundBack => Tone::Good,
        _ => Tone::Plain,
    };
    let kind = table::toned(&format!("{:<19}", event.kind.name()), tone, screen);
    let name = match event.name.as_str() {
        "" => String::new(),
        name => format!(" ({})", table::clean(name)),
    };
    format!(
        "{missed}{}  {kind} {}{name}\n",
        units::utc(event.time),
        table::line(&event.text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, text: &str) -> Event {
        Event {
            kind,
            time: 1_795_656_011.25,
            text: text.into(),
            cameras: vec!["main".into()],
            client: 7,
            name: "\u{1b}[2Jrobot".into(),
            peer: "10.0.0.9:4".into(),
            reason: String::new(),
            method: String::new(),
            parameters: String::new(),
            uid: -1,
            applied: Vec::new(),
            needs_restart: Vec::new(),
        }
    }

    #[test]
    fn a_line_says_when_what_and_what_was_lost_before() {
        let event = event(EventKind::ClientConnected, "client 7 has come: 10.0.0.9:4");
        let line = Line {
            event: &event,
            lost: 3,
        };
        let screen = Screen {
            width: None,
            colour: false,
        };
        assert_eq!(
            render(&line, screen),
            "(3 events lost: not read in time)\n2026-11-26 01:20:11Z  client-connected    \
             client 7 has come: 10.0.0.9:4 (\u{FFFD}[2Jrobot)\n"
        );
        let json = serde_json::to_value(&line).unwrap();
        assert_eq!(
            (&json["kind"], &json["lost"]),
            (&"clientConnected".into(), &3.into())
        );
    }

    #[test]
    fn kinds_and_cameras_are_picked() {
        let args = |only: &[&str], camera: Option<&str>| Args {
            only: only.iter().map(ToString::to_string).collect(),
            camera: camera.map(Into::into),
            count: None,
        };
        let lost = event(EventKind::CameraLost, "");
        assert!(wanted(&lost, &args(&[], None)));
        assert!(wanted(
            &lost,
            &args(&["camera-back", "camera-lost"], Some("main"))
        ));
        assert!(!wanted(&lost, &args(&["camera-back"], None)));
        assert!(!wanted(&lost, &args(&[], Some("rear"))));
    }
}
