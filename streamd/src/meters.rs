//! What is counted: the meters, and what a camera and a client keep of themselves. The one
//! [`Stats`](streamd_protocol::stats::Stats) that control, HTTP, metrics and `STATUS=` all read is
//! put together from these in [`daemon`](crate::daemon).

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use streamd_protocol::stats::LatencyStats;

use crate::{hosts::Hosts, media::Timestamp};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted of a camera's capture.
#[derive(Debug, Default)]
pub struct CaptureCounters {
    /// Frames handed on, after pacing.
    pub captured: Counter,
    /// The number of the last frame handed on, the daemon's own pictures counted.
    pub sequence: Counter,
    /// Numbers that were left out before frames of another machine came here.
    pub elsewhere: Counter,
    /// Frames the driver lost, by gaps in its sequence numbers.
    pub driver_lost: Counter,
    /// Frames that arrived broken (`V4L2_BUF_FLAG_ERROR`, truncated MJPG) and were dropped.
    pub corrupt: Counter,
    /// Times the device was lost.
    pub losses: Counter,
    /// Capture threads that were given up, since a call of the driver did not return.
    pub given_up: Counter,
    /// Frames left out to keep the wanted rate, or overtaken by a newer one in the driver's queue.
    pub skipped: Counter,
}

/// What is counted and known of NATS.
#[derive(Debug, Default)]
pub struct NatsMeters {
    /// The servers of the configuration.
    pub servers: String,
    /// Messages on our subjects that are none of ours.
    pub foreign: Counter,
    /// Pictures that came too late to be shown.
    pub stale: Counter,
    /// Pictures that are larger than the server takes.
    pub too_large: Counter,
    /// Who else is there.
    pub hosts: Hosts,
    condition: Mutex<NatsCondition>,
}

/// How the connection to NATS is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NatsCondition {
    /// It is there.
    pub connected: bool,
    /// Why it is not; empty where it is.
    pub away: String,
    /// What is wrong beside that, by topic; else empty.
    pub trouble: [String; 3],
}

/// What may be wrong with NATS beside the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatsTopic {
    /// The server, or its stream.
    Stream,
    /// The machine's name.
    Name,
    /// The pictures that are published.
    Pictures,
}

impl NatsMeters {
    /// For these servers.
    pub fn new(servers: &[impl ToString]) -> Self {
        let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
        Self {
            servers: servers.join(", "),
            ..Self::default()
        }
    }

    /// The connection is there, or is not for this reason.
    pub fn set_connection(&self, connected: bool, why: &str) {
        let mut condition = self.condition.lock();
        condition.connected = connected;
        condition.away = why.into();
    }

    /// What is wrong beside the connection; empty for nothing. True if that is news.
    pub fn complain(&self, topic: NatsTopic, what: &str) -> bool {
        let place = &mut self.condition.lock().trouble[topic as usize];
        let news = place != what;
        what.clone_into(place);
        news
    }

    /// How it is.
    pub fn condition(&self) -> NatsCondition {
        self.condition.lock().clone()
    }
}

/// The upper bounds of the encode-time buckets, seconds: from a quarter of VGA to 4K.
pub const ENCODE_BUCKETS: [f64; 10] = [
    0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128,
];

/// The upper bounds of the delivery-latency buckets, seconds: from loopback to a stalled link.
pub const LATENCY_BUCKETS: [f64; 12] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048,
];

/// Durations by bucket, for metrics.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [f64; N],
    /// Counts of the buckets, the last for what is over all bounds.
    counts: Vec<Counter>,
    nanos: Counter,
}

impl<const N: usize> Histogram<N> {
    /// An empty one.
    pub fn new(bounds: &'static [f64; N]) -> Self {
        Self {
            bounds,
            counts: (0..=N).map(|_| Counter::default()).collect(),
            nanos: Counter::default(),
        }
    }

    /// Adds a duration.
    pub fn add(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = self.bounds.iter().position(|b| seconds <= *b).unwrap_or(N);
        self.counts[bucket].add(1);
        self.nanos.add(duration.as_nanos() as u64);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(Counter::get).sum()
    }

    /// All together.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos.get())
    }

    /// Each bucket's upper bound in seconds (the last is infinite) and its own count.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().map(Counter::get))
    }

    /// The mean; zero while there is none.
    pub fn mean(&self) -> Duration {
        let count = u32::try_from(self.count()).unwrap_or(u32::MAX);
        self.sum().checked_div(count).unwrap_or_default()
    }
}

/// Events a second over the last few seconds.
#[derive(Debug, Default, Clone)]
pub struct RateMeter {
    times: VecDeque<Timestamp>,
}

impl RateMeter {
    /// Over so long the rate is taken.
    const SPAN: Duration = Duration::from_secs(2);
    /// So many events are kept: more than 30 a second over the span need not be counted one by one.
    const KEPT: usize = 64;

    /// An event at this moment.
    pub fn add(&mut self, now: Timestamp) {
        if self.times.len() == Self::KEPT {
            self.times.pop_front();
        }
        self.times.push_back(now);
    }

    /// The rate, once it is that of so many events that it says how many will come: of half the span
    /// at least.
    pub fn settled(&self, now: Timestamp) -> Option<f64> {
        let mut recent = self.times.iter().filter(|t| now.since(**t) < Self::SPAN);
        let first = recent.next()?;
        (now.since(*first) >= Self::SPAN / 2).then(|| self.rate(now))
    }

    /// Events a second.
    pub fn rate(&self, now: Timestamp) -> f64 {
        let mut recent = self.times.iter().filter(|t| now.since(**t) < Self::SPAN);
        let Some(first) = recent.next() else {
            return 0.0;
        };
        let (count, last) = recent.fold((0u32, *first), |(n, _), t| (n + 1, *t));
        // An event that is overdue lowers the rate; one that is not yet due doesn't.
        let span = last.since(*first).as_secs_f64();
        let gap = now.since(last).as_secs_f64();
        let mean = if count > 0 {
            span / f64::from(count)
        } else {
            Self::SPAN.as_secs_f64()
        };
        match count {
            0 => 1.0 / mean.max(gap),
            _ if gap > 2.0 * mean => f64::from(count) / (span + gap),
            _ => f64::from(count) / span.max(1e-6),
        }
    }
}

/// Latency of a client's frames: the mean over its life, the percentiles of the last few hundred.
#[derive(Debug, Default, Clone)]
pub struct LatencyWindow {
    recent: VecDeque<u32>,
    sum_micros: u64,
    count: u64,
}

impl LatencyWindow {
    /// Frames of which percentiles are taken: 1 KiB a client.
    const KEPT: usize = 256;

    /// Adds a delivered frame's latency.
    pub fn add(&mut self, latency: Duration) {
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        if self.recent.len() == Self::KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(micros);
        self.sum_micros += u64::from(micros);
        self.count += 1;
    }

    /// Its figures, in ms.
    pub fn stats(&self) -> LatencyStats {
        let mut sorted: Vec<u32> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        let percentile = |p: f64| match sorted.len() {
            0 => 0.0,
            n => f64::from(sorted[((n - 1) as f64 * p).round() as usize]) / 1e3,
        };
        LatencyStats {
            average_ms: if self.count == 0 {
                0.0
            } else {
                self.sum_micros as f64 / self.count as f64 / 1e3
            },
            p50_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            measured: self.count as i64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    #[test]
    fn rate_of_a_steady_stream_and_of_its_end() {
        let mut meter = RateMeter::default();
        assert_eq!(meter.rate(at(0)), 0.0);
        for i in 0..100 {
            meter.add(at(i * 20));
        }
        assert!(
            (meter.rate(at(1990)) - 50.0).abs() < 0.01,
            "{}",
            meter.rate(at(1990))
        );
        assert!(meter.rate(at(2980)) < 40.0);
        assert_eq!(meter.rate(at(5000)), 0.0);
    }

    #[test]
    fn percentiles_and_mean() {
        let mut window = LatencyWindow::default();
        (1..=100).for_each(|ms| window.add(Duration::from_millis(ms)));
        let stats = window.stats();
        assert_eq!(
            (stats.p50_ms, stats.p95_ms, stats.measured),
            (51.0, 95.0, 100)
        );
        assert_eq!(stats.average_ms, 50.5);
    }

    #[test]
    fn histogram_counts_each_once() {
        let histogram = Histogram::new(&ENCODE_BUCKETS);
        for micros in [100, 700, 800, 500_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = histogram.buckets().map(|b| b.1).collect();
        assert_eq!(counts, [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(histogram.sum(), Duration::from_micros(501_600));
    }
}
