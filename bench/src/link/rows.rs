//! The rows of the table: which clients, over which link, for how long.

use std::time::Duration;

use super::profile::Profile;
use crate::args;

/// The seed of the mobile link in the table: any number, but always the same.
const SEED: u64 = 1;

/// When the steps of the table are, in seconds.
const DROP: u64 = 10;
const RISE: u64 = 20;

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    /// What it says in the table.
    pub name: String,
    /// The link; `None`: loopback.
    pub link: Option<Path>,
    /// Clients that read as fast as they can.
    pub clients: u32,
    /// Clients that read slowly, and bytes a second that each reads.
    pub slow: (u32, u32),
    /// Time of the measurement.
    pub secs: Duration,
    /// What is looked at besides.
    pub look: Look,
}

/// A link between server and clients.
#[derive(Debug, Clone)]
pub struct Path {
    /// Its rate.
    pub profile: Profile,
    /// Round trip time of an empty link.
    pub rtt: Duration,
    /// Longest wait in its queue.
    pub queue: Duration,
    /// Part of the packets that it loses, each way.
    pub loss: f64,
}

/// What is looked at besides the figures that every row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Nothing,
    /// How soon pictures are fresh after a drop of the rate, and best after a rise; seconds.
    Steps { drop: u64, rise: u64 },
    /// Whether all get the same.
    Fairness,
    /// The figures of the slow clients, and not of the others.
    Slow,
}

impl Row {
    fn over(name: &str, profile: Profile, queue_ms: u64) -> Self {
        Self {
            name: name.into(),
            link: Some(Path {
                profile,
                rtt: Duration::from_millis(40),
                queue: Duration::from_millis(queue_ms),
                loss: 0.0,
            }),
            clients: 1,
            slow: (0, 0),
            secs: Duration::from_secs(30),
            look: Look::Nothing,
        }
    }

    fn losing(mut self, loss: f64) -> Self {
        self.link = self.link.map(|path| Path { loss, ..path });
        self
    }

    fn on_loopback(name: &str, clients: u32, slow: (u32, u32)) -> Self {
        Self {
            link: None,
            clients,
            slow,
            secs: Duration::from_secs(15),
            ..Self::over(name, Profile::constant(1.0), 0)
        }
    }
}

/// The table.
pub fn table() -> Vec<Row> {
    let steps = Profile::steps(&[(10.0, 0), (2.0, DROP), (10.0, RISE)]);
    vec![
        Row::over(
            "8 Mb/s, RTT 40 ms, queue 500 ms",
            Profile::constant(8.0),
            500,
        ),
        Row::over(
            "4 Mb/s, RTT 40 ms, queue 500 ms",
            Profile::constant(4.0),
            500,
        ),
        Row::over("8 Mb/s, 1 % lost", Profile::constant(8.0), 500).losing(0.01),
        Row::over("8 Mb/s, 5 % lost", Profile::constant(8.0), 500).losing(0.05),
        Row {
            secs: Duration::from_secs(40),
            look: Look::Steps {
                drop: DROP,
                rise: RISE,
            },
            ..Row::over("steps 10, 2, 10 Mb/s", steps, 500)
        },
        Row {
            secs: Duration::from_secs(60),
            ..Row::over(
                "mobile, 0.5 to 20 Mb/s, queue 3 s",
                Profile::mobile(SEED),
                3000,
            )
        },
        Row {
            clients: 8,
            look: Look::Fairness,
            ..Row::over("8 clients over 16 Mb/s", Profile::constant(16.0), 500)
        },
        Row {
            look: Look::Slow,
            ..Row::on_loopback("reader of 0.5 MB/s, loopback", 0, (1, 500_000))
        },
        Row::on_loopback("50 clients, loopback", 50, (0, 0)),
        Row::on_loopback("50 clients and 50 stalled, loopback", 50, (50, 0)),
    ]
}

/// The rows that are asked for.
pub fn chosen(arguments: &args::Link) -> anyhow::Result<Vec<Row>> {
    let mut rows = match &arguments.link {
        Some(link) => vec![own(arguments, link)?],
        None => table(),
    };
    if !arguments.row.is_empty() {
        rows.retain(|row| arguments.row.iter().any(|text| row.name.contains(text)));
        let names: Vec<String> = table().into_iter().map(|row| row.name).collect();
        anyhow::ensure!(
            !rows.is_empty(),
            "no such row; there are: {}",
            names.join("; ")
        );
    }
    for row in &mut rows {
        // Rows that change with time take as long as they need.
        let needs = match row.look {
            Look::Steps { rise, .. } => Duration::from_secs(rise + 20),
            _ => Duration::ZERO,
        };
        row.secs = arguments.secs.unwrap_or(row.secs).max(needs);
    }
    Ok(rows)
}

fn own(arguments: &args::Link, link: &str) -> anyhow::Result<Row> {
    let rtt = Duration::from_millis(arguments.rtt.into());
    let profile = Profile::parse(link)?;
    let rate = std::path::Path::new(link).file_name().unwrap_or_default();
    let mut name = format!(
        "{}, RTT {} ms, queue {} ms",
        rate.display(),
        arguments.rtt,
        arguments.queue
    );
    if arguments.loss > 0.0 {
        name += &format!(", {} % lost", arguments.loss);
    }
    let row = Row::over(&name, profile.clone(), arguments.queue.into());
    let mut row = row.losing(arguments.loss / 100.0);
    row.link = row.link.map(|path| Path { rtt, ..path });
    row.clients = arguments.clients;
    if arguments.clients > 1 {
        row.look = Look::Fairness;
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Command};

    fn rows(words: &[&str]) -> anyhow::Result<Vec<Row>> {
        let words = ["b", "link"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Link(link) => chosen(&link),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_are_chosen_by_a_part_of_their_name() {
        assert_eq!(rows(&[]).unwrap().len(), table().len());
        let two = rows(&["--row", "4 Mb/s,", "--row", "stalled", "--secs", "3"]).unwrap();
        assert_eq!(two.len(), 2);
        assert!(two.iter().all(|row| row.secs == Duration::from_secs(3)));
        let said = rows(&["--row", "5G"]).unwrap_err().to_string();
        assert!(
            said.contains("no such row; there are: 8 Mb/s, RTT"),
            "{said}"
        );
    }

    #[test]
    fn steps_are_measured_to_their_end() {
        let row = &rows(&["--row", "steps", "--secs", "3"]).unwrap()[0];
        assert_eq!(row.secs, Duration::from_secs(40));
    }

    #[test]
    fn a_row_of_ones_own() {
        let words = [
            "--link",
            "2.5",
            "--rtt",
            "10",
            "--clients",
            "3",
            "--loss",
            "2",
        ];
        let row = &rows(&words).unwrap()[0];
        let link = row.link.as_ref().unwrap();
        assert_eq!((link.rtt, link.loss), (Duration::from_millis(10), 0.02));
        assert_eq!(row.name, "2.5, RTT 10 ms, queue 500 ms, 2 % lost");
        assert_eq!((row.clients, row.look), (3, Look::Fairness));
    }
}
