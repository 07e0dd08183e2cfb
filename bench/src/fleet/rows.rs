//! The rows of the table, and what is promised of each.

use std::time::Duration;

use super::check::Bound;
use crate::{
    args,
    link::{profile::Profile, rows::Path},
};

/// One row.
#[derive(Debug)]
pub struct Row {
    pub name: &'static str,
    pub case: Case,
}

/// What is measured.
#[derive(Debug)]
pub enum Case {
    /// The whole way on loopback, to one viewer.
    Chain,
    /// A hundred viewers, of the relay and of the host.
    Crowd,
    /// What a link from the host carries for one viewer, for fifty, and for nobody.
    Uplink,
    /// Over a link: from the host up to the server, or from there down to the relay.
    Over {
        path: Path,
        up: bool,
        promise: Promise,
    },
    /// The server is away for a while.
    Outage(Fault),
}

/// What each camera promises.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    pub cameras: usize,
    /// Of its age, p95 in ms.
    pub age: Bound,
    /// Of its frames a second.
    pub fps: Bound,
}

/// What happens to the server.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// SIGKILL; later it is started again.
    Killed,
    /// SIGSTOP; later SIGCONT.
    Stopped,
}

fn path(profile: Profile, rtt_ms: u64, queue_ms: u64) -> Path {
    Path {
        profile,
        rtt: Duration::from_millis(rtt_ms),
        queue: Duration::from_millis(queue_ms),
        loss: 0.0,
    }
}

/// The table; that of a trace where there is one.
fn table(trace: Option<Profile>) -> Vec<Row> {
    let promise = |cameras, age_ms, fps| Promise {
        cameras,
        age: Bound::AtMost(age_ms),
        fps: Bound::AtLeast(fps),
    };
    let three = Promise {
        fps: Bound::Told,
        ..promise(3, 150.0, 0.0)
    };
    let told = Promise {
        cameras: 1,
        age: Bound::Told,
        fps: Bound::Told,
    };
    let over = |name, path, up, promise| Row {
        name,
        case: Case::Over { path, up, promise },
    };
    let row = |name, case| Row { name, case };
    let slow = |megabits| path(Profile::constant(megabits), 40, 500);
    let far = || path(Profile::constant(100.0), 200, 500);
    let mut rows = vec![
        row("camera → engine → relay → 1 viewer, loopback", Case::Chain),
        row("100 viewers at the relay, and direct", Case::Crowd),
        row("uplink bytes: 1 and 50 relay viewers, nobody", Case::Uplink),
        over(
            "8 Mb/s, RTT 40 ms, up",
            slow(8.0),
            true,
            promise(1, 95.0, 29.0),
        ),
        over(
            "8 Mb/s, RTT 40 ms, down",
            slow(8.0),
            false,
            promise(1, 95.0, 29.0),
        ),
        // Less than the 5 Mb/s of the best pictures. Upwards the ladder follows the link; downwards it
        // does not, and there are fewer pictures.
        over("4 Mb/s, RTT 40 ms, up", slow(4.0), true, told),
        over("4 Mb/s, RTT 40 ms, down", slow(4.0), false, told),
        over(
            "100 Mb/s, RTT 200 ms, up",
            far(),
            true,
            promise(1, 150.0, 29.5),
        ),
        over(
            "100 Mb/s, RTT 200 ms, down",
            far(),
            false,
            promise(1, 150.0, 29.5),
        ),
        over("three cameras on one 8 Mb/s uplink", slow(8.0), true, three),
        row("engine SIGKILL, 10 s", Case::Outage(Fault::Killed)),
        row("engine SIGSTOP, 10 s", Case::Outage(Fault::Stopped)),
    ];
    if let Some(trace) = trace {
        let path = path(trace, 40, 3000);
        rows.push(over(
            "the trace, RTT 40 ms, queue 3 s, up",
            path,
            true,
            promise(1, 200.0, 27.0),
        ));
    }
    rows
}

/// The rows that are asked for.
pub fn chosen(arguments: &args::Fleet) -> anyhow::Result<Vec<Row>> {
    let trace = arguments.trace.as_deref().map(Profile::read).transpose()?;
    let mut rows = table(trace);
    let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
    let names = names.join("; ");
    if !arguments.row.is_empty() {
        rows.retain(|row| arguments.row.iter().any(|text| row.name.contains(text)));
    }
    anyhow::ensure!(!rows.is_empty(), "no such row; there are: {names}");
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Command};

    fn rows(words: &[&str]) -> anyhow::Result<Vec<Row>> {
        let words = ["b", "fleet"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Fleet(fleet) => chosen(&fleet),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_chosen_by_a_part_of_their_name() {
        let names = |rows: Vec<Row>| rows.iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(
            names(rows(&["--row", "SIGSTOP"]).unwrap()),
            ["engine SIGSTOP, 10 s"]
        );
        let said = rows(&["--row", "5G"]).unwrap_err().to_string();
        assert!(
            said.starts_with("no such row; there are: camera → engine"),
            "{said}"
        );
    }

    #[test]
    fn a_trace_is_one_more_row_and_must_be_one() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        let count = rows(&[]).unwrap().len();
        std::io::Write::write_all(&mut file, b"0\n5\n").unwrap();
        assert_eq!(rows(&["--trace", &path]).unwrap().len(), count + 1);
        std::io::Write::write_all(&mut file, b"x\n").unwrap();
        let said = format!("{:#}", rows(&["--trace", &path]).unwrap_err());
        assert!(said.contains(&path) && said.contains("line 3"), "{said}");
    }
}
