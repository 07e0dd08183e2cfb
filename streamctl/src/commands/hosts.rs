//! `streamctl hosts`: the other machines that have cameras.

use streamd_protocol::control::{Host, HostCamera, ListHosts};

use super::stats;
use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// List the machines that are heard of on NATS, and their cameras
///
/// For a relay: its [nats] must name a server. With --json: an array of Host.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Shows them.
pub fn run(_: Args, session: &Session) -> Result<(), Failure> {
    let hosts = session.call(&ListHosts {})?.hosts;
    session.print(&hosts, |screen| render(&hosts, screen))
}

/// A line of the table: a host, and one of its cameras if it has any.
type Row<'h> = (&'h Host, Option<&'h HostCamera>);

fn render(hosts: &[Host], screen: Screen) -> String {
    let columns: &[Column<Row<'_>>] = &[
        Column::text("HOST", 0, |(host, _)| {
            (table::clean(&host.name), Tone::Plain)
        }),
        Column::text("HEARD", 1, |(host, _)| heard(host)),
        Column::text("CAMERA", 0, |(_, camera)| {
            let name = camera.map_or("", |camera| &camera.name);
            (units::text(&table::clean(name)), Tone::Plain)
        }),
        Column::text("STATE", 1, |(host, camera)| state(host, *camera)),
        Column::text("HERE", 2, |(_, camera)| {
            let name = camera.map_or("", |camera| &camera.taken_as);
            (units::text(&table::clean(name)), Tone::Plain)
        }),
    ];
    let rows: Vec<Row<'_>> = hosts.iter().flat_map(rows).collect();
    match rows.as_slice() {
        [] => "no host has been heard of yet; each says every 2 s that it is there".into(),
        rows => table::render(columns, rows, screen),
    }
}

fn rows(host: &Host) -> Vec<Row<'_>> {
    match host.cameras.as_slice() {
        [] => vec![(host, None)],
        cameras => cameras.iter().map(|camera| (host, Some(camera))).collect(),
    }
}

fn heard(host: &Host) -> (String, Tone) {
    let time = units::duration(host.seconds);
    match host.heard {
        true => (format!("for {time}"), Tone::Plain),
        false => (format!("not for {time}"), Tone::Bad),
    }
}

/// What was heard of the camera of a machine that is gone is not so any more.
fn state(host: &Host, camera: Option<&HostCamera>) -> (String, Tone) {
    let state = camera.and_then(|camera| camera.state);
    let unknown = (units::text(""), Tone::Plain);
    state.filter(|_| host.heard).map_or(unknown, stats::state)
}

#[cfg(test)]
mod tests {
    use streamd_protocol::stats::CameraState;

    use super::*;

    #[test]
    fn a_host_that_is_gone_says_nothing_of_its_cameras() {
        let camera = HostCamera {
            name: "main".into(),
            state: Some(CameraState::Streaming),
            taken_as: "robot7-main".into(),
        };
        let host = |name: &str, heard| Host {
            name: name.into(),
            heard,
            seconds: 75.0,
            cameras: vec![camera.clone()],
        };
        let screen = Screen {
            width: None,
            colour: false,
        };
        let table = render(&[host("robot7", true), host("robot8", false)], screen);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert!(lines[1].contains("for 1m 15s") && lines[1].contains("streaming"));
        assert!(lines[2].contains("not for 1m 15s") && !lines[2].contains("streaming"));
        assert!(render(&[], screen).starts_with("no host"));
    }
}
