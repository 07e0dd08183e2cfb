//! The table of `streamd-bench link`.

use serde::Serialize;

use super::{
    notes,
    rows::{Look, Row},
    server::Kind,
    ssim,
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
    pub link: String,
    /// Congestion control; `None` on loopback.
    pub congestion: Option<String>,
    pub server: &'static str,
    pub refused: u32,
    pub dead: usize,
    /// `None` of what was not measured.
    #[serde(flatten)]
    pub figures: Option<Summary>,
    /// SSIM of what is on the screen against what is in front of the camera at that moment, the mean
    /// over time.
    pub ssim: Option<f64>,
    /// Part of what the link could have carried, in percent.
    pub used: Option<f64>,
    /// Packets that the link's queue dropped.
    pub dropped: Option<u64>,
    /// Percent of a core that the server took.
    pub cpu: Option<f64>,
    pub notes: Vec<String>,
}

impl Report {
    /// Of a row.
    pub fn new(
        row: &Row,
        congestion: &str,
        kind: Kind,
        outcome: &Outcome,
        carried: Option<Carried>,
    ) -> Self {
        let figures = Summary::new(outcome, row.look == Look::Slow);
        Self {
            refused: outcome.refused,
            dead: outcome.dead(),
            notes: remarks(row, outcome, &figures),
            figures: Some(figures),
            used: carried.map(|c| c.bytes as f64 / c.capacity * 100.0),
            dropped: carried.map(|c| c.dropped),
            cpu: outcome.server.map(|cost| cost.cpu),
            ..Self::nothing(row, congestion, kind, String::new())
        }
    }

    /// Of a row in which nothing was measured.
    pub fn nothing(row: &Row, congestion: &str, kind: Kind, note: String) -> Self {
        Self {
            link: row.name.clone(),
            congestion: row.link.as_ref().map(|_| congestion.into()),
            server: kind.name(),
            refused: 0,
            dead: 0,
            figures: None,
            ssim: None,
            used: None,
            dropped: None,
            cpu: None,
            notes: Some(note)
                .filter(|note| !note.is_empty())
                .into_iter()
                .collect(),
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
        "SSIM dB",
        "link used %",
        "CPU %",
        "notes",
    ]);
    for report in reports {
        let of = report.figures.as_ref();
        let bytes = of.and_then(|of| of.frame_bytes);
        table.row(vec![
            report.link.clone(),
            report.congestion.clone().unwrap_or("–".into()),
            report.server.into(),
            figure(of.and_then(|of| of.fps[1]), 1),
            figures(&of.map_or([None; 3], |of| of.age_ms), 0),
            figures(&of.map_or([None; 4], |of| of.latency_ms)[..3], 1),
            figure(bytes.map(|bytes| bytes / 1000.0), 1),
            figure(report.ssim.map(ssim::decibels), 1),
            figure(report.used, 0),
            figure(report.cpu, 1),
            report.notes.join("; "),
        ]);
    }
    print!("{table}");
}
