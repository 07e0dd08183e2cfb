//! The table of `streamd-bench link`.

use serde::Serialize;

use super::{
    notes,
    rows::{Look, Row},
    server::Kind,
    wire::Carried,
};
use crate::{
    load::Outcome,
    summary::Summary,
    table::{Table, figure, figures},
};

/// A measured row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    link: String,
    /// Congestion control; `None` on loopback.
    congestion: Option<String>,
    server: &'static str,
    refused: u32,
    dead: usize,
    #[serde(flatten)]
    figures: Summary,
    /// Part of what the link could have carried, in percent.
    used: Option<f64>,
    /// The same of an oracle that knows the link: in each interval a picture of as many bytes as
    /// pass within it, and no more than the largest that was sent.
    oracle: Option<f64>,
    /// Packets that the link's queue dropped.
    dropped: Option<u64>,
    /// Percent of a core that the server took.
    cpu: Option<f64>,
    notes: Vec<String>,
}

impl Report {
    /// Of a row.
    pub fn new(
        row: &Row,
        congestion: &str,
        kind: Kind,
        outcome: &Outcome,
        link: Option<(Carried, f64)>,
    ) -> Self {
        let figures = Summary::new(outcome, row.look == Look::Slow);
        let carried = link.map(|(carried, _)| carried);
        Self {
            link: row.name.clone(),
            congestion: row.link.as_ref().map(|_| congestion.into()),
            server: kind.name(),
            refused: outcome.refused,
            dead: outcome.dead(),
            notes: remarks(row, outcome, &figures),
            figures,
            used: carried.map(|c| c.bytes as f64 / c.capacity * 100.0),
            oracle: link.map(|(carried, oracle)| oracle / carried.capacity * 100.0),
            dropped: carried.map(|c| c.dropped),
            cpu: outcome.server.map(|cost| cost.cpu),
        }
    }
}

fn remarks(row: &Row, outcome: &Outcome, summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    match row.look {
        Look::Steps { drop, rise } => notes.extend(steps(outcome, drop, rise)),
        Look::Fairness => notes.push(format!(
            "Jain: frames {}, bytes {}",
            figure(summary.jain[0], 3),
            figure(summary.jain[1], 3)
        )),
        Look::Nothing if row.link.is_none() => {
            notes.push(format!("{} frames missed", summary.missing));
        }
        Look::Nothing | Look::Slow => {}
    }
    if let Some(client) = outcome.of(false).next()
        && !client.rungs.is_empty()
    {
        let (changes, swings) = notes::changes(client, outcome.from_us);
        notes.push(format!(
            "rendition changes {changes}, A-B-A within 4 s {swings}"
        ));
    }
    if outcome.refused > 0 || outcome.dead() > 0 {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        notes.push(format!(
            "refused {}, dead {}: {reason}",
            outcome.refused,
            outcome.dead()
        ));
    }
    notes
}

fn steps(outcome: &Outcome, drop: u64, rise: u64) -> Vec<String> {
    let Some(client) = outcome.of(false).next() else {
        return Vec::new();
    };
    let at = |second: u64| outcome.from_us + second * 1_000_000;
    let seconds = |time: Option<f64>| match time {
        Some(time) => format!("after {time:.1} s"),
        None => "never".into(),
    };
    let fresh = notes::fresh_again(&client.arrivals, at(drop), at(rise));
    let best = notes::best_again(&client.arrivals, at(drop), at(rise));
    vec![
        format!("age under 300 ms again {}", seconds(fresh)),
        format!("best size again {}", seconds(best)),
    ]
}

/// Prints the table in Markdown.
pub fn print(reports: &[Report]) {
    let mut table = Table::new(&[
        "link",
        "congestion",
        "server",
        "fps",
        "age p50 / p95 / max ms",
        "latency p50 / p95 / p99 ms",
        "kB a frame",
        "link used %",
        "by an oracle %",
        "CPU %",
        "notes",
    ]);
    for report in reports {
        let figures_of = &report.figures;
        table.row(vec![
            report.link.clone(),
            report.congestion.clone().unwrap_or("–".into()),
            report.server.into(),
            figure(figures_of.fps[1], 1),
            figures(&figures_of.age_ms, 0),
            figures(&figures_of.latency_ms[..3], 1),
            figure(figures_of.frame_bytes.map(|bytes| bytes / 1000.0), 1),
            figure(report.used, 0),
            figure(report.oracle, 0),
            figure(report.cpu, 1),
            report.notes.join("; "),
        ]);
    }
    print!("{table}");
}
