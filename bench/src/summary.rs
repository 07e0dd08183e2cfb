//! What is said of a group of clients after a measurement.

use serde::Serialize;

use crate::{
    figures::{Arrival, Spread, ages, gaps, jain, missing},
    load::Outcome,
};

/// Clients whose age is sampled: it is a thousand values a second for each.
const AGED: usize = 32;

/// A group of clients in figures. Times are in ms; what isn't known is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Those that had a connection.
    pub clients: usize,
    /// Frames a second of the client that had fewest, of the median one, of the one with most.
    pub fps: [Option<f64>; 3],
    /// Bytes of all frames.
    pub bytes: f64,
    /// Bytes of a frame, on average.
    pub frame_bytes: Option<f64>,
    /// From a frame to the next: p99 and the largest.
    pub gap_ms: [Option<f64>; 2],
    /// Capture to whole frame: p50, p95, p99 and the largest.
    pub latency_ms: [Option<f64>; 4],
    /// How old the newest picture is, at each millisecond: p50, p95 and the largest.
    pub age_ms: [Option<f64>; 3],
    /// Frames that were left out, by their numbers.
    pub missing: u64,
    /// Jain's index of frames, and of bytes.
    pub jain: [Option<f64>; 2],
}

impl Summary {
    /// Of the clients that read as fast as they can, or of the slow ones.
    pub fn new(outcome: &Outcome, slow: bool) -> Self {
        let clients: Vec<&[Arrival]> = outcome.of(slow).map(|c| &c.arrivals[..]).collect();
        Self::of(&clients, outcome.from_us, outcome.to_us)
    }

    /// Of what clients had between two moments, in µs since the epoch; what each had just before that
    /// may be the first.
    pub fn of(clients: &[&[Arrival]], from_us: u64, to_us: u64) -> Self {
        let seconds = (to_us - from_us) as f64 / 1e6;
        let measured: Vec<&[Arrival]> = clients
            .iter()
            .map(|arrivals| within(arrivals, from_us))
            .collect();
        let counts: Vec<f64> = measured.iter().map(|frames| frames.len() as f64).collect();
        let bytes: Vec<f64> = measured
            .iter()
            .map(|frames| frames.iter().map(|arrival| arrival.bytes as f64).sum())
            .collect();
        let frames: f64 = counts.iter().sum();
        let fps = Spread::new(counts.iter().map(|count| count / seconds));
        let gap = Spread::new(clients.iter().flat_map(|arrivals| gaps(arrivals)));
        let all = measured.iter().copied().flatten();
        let latency = Spread::new(all.filter_map(Arrival::latency_ms));
        let age = Spread::new(
            clients
                .iter()
                .take(AGED)
                .flat_map(|arrivals| ages(arrivals, from_us, to_us)),
        );
        Self {
            clients: clients.len(),
            fps: [fps.at(0.0), fps.at(50.0), fps.max()],
            bytes: bytes.iter().sum(),
            frame_bytes: (frames > 0.0).then(|| bytes.iter().sum::<f64>() / frames),
            gap_ms: [gap.at(99.0), gap.max()],
            latency_ms: [
                latency.at(50.0),
                latency.at(95.0),
                latency.at(99.0),
                latency.max(),
            ],
            age_ms: [age.at(50.0), age.at(95.0), age.max()],
            missing: clients.iter().map(|arrivals| missing(arrivals)).sum(),
            jain: [jain(&counts), jain(&bytes)],
        }
    }
}

/// The frames of the measurement: the first that is kept may be older.
fn within(arrivals: &[Arrival], from_us: u64) -> &[Arrival] {
    let first = arrivals.partition_point(|arrival| arrival.at_us < from_us);
    &arrivals[first..]
}
