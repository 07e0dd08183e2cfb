//! What a stream is like: rates, latency, frames that are missing. No I/O, no clock: the time
//! since the start of the session is handed in.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;

use super::spread::Spread;

/// "Current" figures are over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// Frames of the window that are kept; above any camera's rate.
const WINDOW_FRAMES: usize = 2048;

/// One frame, as it arrived.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival {
    /// When it was whole.
    pub at: Duration,
    /// Its number at the camera, where it says so.
    pub sequence: Option<u64>,
    /// From capture to being whole here, where both clocks are known; ms.
    pub latency_ms: Option<f64>,
}

/// Collects the figures of a session.
#[derive(Debug, Default)]
pub struct Measure {
    frames: u64,
    bytes: u64,
    dropped: u64,
    reconnections: u64,
    first: Option<Duration>,
    last: Option<Duration>,
    sequence: Option<u64>,
    step: u64,
    window: VecDeque<Arrival>,
    traffic: VecDeque<(Duration, u64)>,
    latency: Spread,
}

/// The figures at one moment. Names and units are those of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// Since the start of the session, seconds.
    pub seconds: f64,
    /// Frames received.
    pub frames: u64,
    /// Bytes received, all.
    pub bytes: u64,
    /// Frames a second over the last two seconds.
    pub fps: f64,
    /// Frames a second from the first frame on, interruptions included.
    pub average_fps: f64,
    /// Latency over the last two seconds, ms; absent while it cannot be known.
    pub latency_ms: Option<f64>,
    /// Latency over the session, ms.
    pub average_latency_ms: Option<f64>,
    /// 95th percentile over the session, ms.
    pub p95_latency_ms: Option<f64>,
    /// Frames that were captured and not received, by gaps in their numbers.
    pub dropped: u64,
    /// Since the last frame (or, before the first, since the start), seconds.
    pub frame_age_seconds: f64,
    /// Bits a second over the last two seconds.
    pub bits_per_second: f64,
    /// Bits a second over the session.
    pub average_bits_per_second: f64,
    /// Connections after the first.
    pub reconnections: u64,
}

impl Measure {
    /// Tells that every `step`-th frame at most is wanted (a limit on the frame rate): frames that
    /// are left out because of it are not dropped.
    pub fn expect_every(&mut self, step: u64) {
        self.step = step;
    }

    /// Takes bytes that arrived, of whatever kind.
    pub fn received(&mut self, at: Duration, bytes: usize) {
        let bytes = bytes as u64;
        self.bytes += bytes;
        match self.traffic.back_mut() {
            // Ten a second are enough for a rate over two.
            Some((since, sum)) if at.saturating_sub(*since) < WINDOW / 20 => *sum += bytes,
            _ => self.traffic.push_back((at, bytes)),
        }
        let old = at.saturating_sub(WINDOW);
        while self.traffic.front().is_some_and(|(since, _)| *since < old) {
            self.traffic.pop_front();
        }
    }

    /// Takes a picture.
    pub fn frame(&mut self, arrival: Arrival) {
        self.frames += 1;
        self.first.get_or_insert(arrival.at);
        self.last = Some(arrival.at);
        self.count_dropped(arrival.sequence);
        if let Some(ms) = arrival.latency_ms {
            self.latency.add(ms);
        }
        if self.window.len() == WINDOW_FRAMES {
            self.window.pop_front();
        }
        self.window.push_back(arrival);
        self.forget_before(arrival.at.saturating_sub(WINDOW));
    }

    /// The stream was interrupted on purpose or by a loss: the frames in between are not dropped.
    pub fn interrupted(&mut self) {
        self.sequence = None;
    }

    /// A connection was made again.
    pub fn reconnected(&mut self) {
        self.reconnections += 1;
    }

    /// Frames received so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The figures at the moment `at`.
    pub fn reading(&self, at: Duration) -> Reading {
        let since = at.saturating_sub(WINDOW);
        let recent = || self.window.iter().filter(|frame| frame.at >= since);
        let latencies = || recent().filter_map(|frame| frame.latency_ms);
        let current = latencies().count();
        let traffic = self.traffic.iter().filter(|(moment, _)| *moment >= since);
        let window = WINDOW.min(at).as_secs_f64();
        Reading {
            seconds: at.as_secs_f64(),
            frames: self.frames,
            bytes: self.bytes,
            fps: rate(
                recent().count() as u64,
                recent().next().map(|frame| frame.at),
                self.last,
                at,
            ),
            average_fps: rate(self.frames, self.first, self.last, at),
            latency_ms: (current > 0).then(|| latencies().sum::<f64>() / current as f64),
            average_latency_ms: self.latency.average(),
            p95_latency_ms: self.latency.percentile(95.0),
            dropped: self.dropped,
            frame_age_seconds: at
                .saturating_sub(self.last.unwrap_or_default())
                .as_secs_f64(),
            bits_per_second: per_second(traffic.map(|(_, sum)| sum * 8).sum(), window),
            average_bits_per_second: per_second(self.bytes * 8, at.as_secs_f64()),
            reconnections: self.reconnections,
        }
    }

    fn count_dropped(&mut self, sequence: Option<u64>) {
        let gap = match (self.sequence, sequence) {
            (Some(last), Some(now)) => now.saturating_sub(last),
            _ => 0,
        };
        let missing = gap.saturating_sub(self.step.max(1));
        self.dropped = self.dropped.saturating_add(missing);
        self.sequence = sequence;
    }

    fn forget_before(&mut self, moment: Duration) {
        while self.window.front().is_some_and(|frame| frame.at < moment) {
            self.window.pop_front();
        }
    }
}

fn per_second(sum: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        sum as f64 / seconds
    } else {
        0.0
    }
}

/// Frames a second from the first to the last of `frames` frames: a whole number of intervals.
/// Once the next one is overdue by an interval, the wait for it counts too.
fn rate(frames: u64, first: Option<Duration>, last: Option<Duration>, now: Duration) -> f64 {
    let (Some(first), Some(last)) = (first, last) else {
        return 0.0;
    };
    let intervals = frames.saturating_sub(1);
    let span = last.saturating_sub(first).as_secs_f64();
    let waited = now.saturating_sub(last).as_secs_f64();
    if intervals == 0 || waited > 2.0 * span / intervals as f64 {
        per_second(intervals, span + waited)
    } else {
        per_second(intervals, span)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn play(measure: &mut Measure, from: u64, sequences: impl IntoIterator<Item = u64>) -> u64 {
        let mut at = from;
        for sequence in sequences {
            measure.received(ms(at), 10_008);
            measure.frame(Arrival {
                at: ms(at),
                sequence: Some(sequence),
                latency_ms: Some(4.0),
            });
            at += 40;
        }
        at
    }

    #[test]
    fn a_steady_stream() {
        let mut measure = Measure::default();
        let end = play(&mut measure, 500, 0..250);
        let reading = measure.reading(ms(end));
        assert_eq!(reading.frames, 250);
        assert_eq!(reading.bytes, 2_502_000);
        assert!((reading.fps - 25.0).abs() < 0.01, "{}", reading.fps);
        assert!((reading.average_fps - 25.0).abs() < 0.01);
        assert!((reading.bits_per_second / 2_001_600.0 - 1.0).abs() < 0.06);
        assert_eq!(reading.latency_ms, Some(4.0));
        assert_eq!(reading.dropped, 0);
    }

    #[test]
    fn a_stream_that_stops_is_seen_to_stop() {
        let mut measure = Measure::default();
        let end = play(&mut measure, 0, 0..250);
        let reading = measure.reading(ms(end + 10_000));
        assert_eq!(reading.fps, 0.0);
        assert_eq!(reading.bits_per_second, 0.0);
        assert_eq!(reading.latency_ms, None);
        assert!(reading.average_fps < 13.0);
    }

    #[test]
    fn gaps_are_dropped_frames_and_interruptions_are_not() {
        let mut measure = Measure::default();
        let at = play(&mut measure, 0, [1, 2, 5, 6]);
        assert_eq!(measure.reading(ms(at)).dropped, 2);
        measure.interrupted();
        let at = play(&mut measure, at, [100, 101]);
        assert_eq!(measure.reading(ms(at)).dropped, 2);
        // A server that was restarted counts from the beginning again.
        let at = play(&mut measure, at, [1, 2]);
        assert_eq!(measure.reading(ms(at)).dropped, 2);
    }

    #[test]
    fn frames_over_ones_own_limit_are_not_dropped() {
        let mut measure = Measure::default();
        measure.expect_every(3);
        let at = play(&mut measure, 0, [0, 3, 6, 12, 15]);
        assert_eq!(measure.reading(ms(at)).dropped, 3);
    }

    proptest! {
        #[test]
        fn whatever_arrives_the_figures_are_sane(
            frames in prop::collection::vec((0_u64..500, any::<Option<u64>>(), prop::option::of(0.0..1e6_f64)), 0..300),
            after in 0_u64..5_000,
        ) {
            let mut measure = Measure::default();
            let mut at = 0;
            for (gap, sequence, latency_ms) in &frames {
                at += gap;
                measure.received(ms(at), 100);
                measure.frame(Arrival { at: ms(at), sequence: *sequence, latency_ms: *latency_ms });
            }
            let reading = measure.reading(ms(at + after));
            prop_assert_eq!(reading.frames, frames.len() as u64);
            prop_assert!(reading.fps.is_finite() && reading.average_fps.is_finite());
            prop_assert!(reading.bits_per_second.is_finite());
            if let (Some(average), Some(p95)) = (reading.average_latency_ms, reading.p95_latency_ms) {
                prop_assert!(average >= 0.0 && p95 >= 0.0);
            }
            prop_assert!(measure.traffic.len() <= 22);
        }
    }
}
