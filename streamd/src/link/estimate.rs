//! What a client's link carries, learnt from when its frames were acknowledged.
//!
//! A frame is a train of packets. The bottleneck works on it from the moment it can have reached
//! it, or has finished with the frame before, until the last byte is through; the acknowledgement
//! of the last byte tells that moment, a round trip late. Bytes over that busy time is the rate:
//! packet-train dispersion (Dovrolis et al., IEEE/ACM ToN 12(6), 2004), which unlike the kernel's
//! delivery rate holds when we send less than the link could carry.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use crate::media::Timestamp;

/// Samples kept: two seconds at 30 fps.
const KEPT: usize = 64;

/// The rate of the moment is over this many frames: few enough to follow a fall within some
/// frames, enough that one delayed acknowledgement is not a fall.
const RECENT: usize = 4;

/// A frame can't be told to have taken less than this: the clocks and the scheduler are no better.
const FINEST: Duration = Duration::from_micros(200);

/// Receivers may hold back the acknowledgement of a single segment for up to 41 ms (Linux's delayed
/// ACK).
const DELAYED: Duration = Duration::from_millis(45);

/// The round trips of so long count: a path changes, and the kernel's minimum forgets only after
/// five minutes.
const WINDOW: Duration = Duration::from_secs(10);

/// Our round trips hold a segment's transfer and the receiver's time; only when the least of them is
/// so much above the kernel's minimum, in all and in part, has the path really become longer.
const LONGER: (f64, Duration) = (1.25, Duration::from_millis(8));

/// A frame that was delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delivery {
    /// Its bytes on the wire.
    pub bytes: usize,
    /// When its first byte was handed to the kernel.
    pub sent: Timestamp,
    /// When its last byte was acknowledged.
    pub acknowledged: Timestamp,
    /// The connection's smallest round trip time.
    pub min_rtt: Duration,
    /// Bytes of a full segment.
    pub segment: u32,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Timestamp,
    bytes: f64,
    busy: f64,
}

/// One connection's link.
#[derive(Debug, Default)]
pub struct Estimate {
    samples: VecDeque<Sample>,
    last: Timestamp,
    /// Round trips of the last [`WINDOW`], each shorter than those before it.
    round_trips: VecDeque<(Timestamp, Duration)>,
}

impl Estimate {
    /// Takes a delivered frame.
    pub fn delivered(&mut self, delivery: &Delivery) {
        let begin = (delivery.sent + delivery.min_rtt).max(self.last);
        let mut busy = delivery.acknowledged.since(begin).max(FINEST);
        self.last = delivery.acknowledged;
        // A frame of one segment, as on loopback, may have been there long before the receiver said
        // so. It counts as prompt: a step up that must be taken back costs less than a good picture
        // withheld.
        if delivery.bytes <= delivery.segment as usize && busy < DELAYED {
            busy = FINEST;
        }
        if self.samples.len() == KEPT {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            at: delivery.acknowledged,
            bytes: delivery.bytes as f64,
            busy: busy.as_secs_f64(),
        });
    }

    /// A frame's first segment was acknowledged after so long.
    pub fn round_trip(&mut self, at: Timestamp, took: Duration) {
        self.round_trips
            .retain(|(then, other)| at.since(*then) < WINDOW && *other < took);
        self.round_trips.push_back((at, took));
    }

    /// The path's bare round trip: the kernel's minimum, unless the last seconds say that the path
    /// has become longer since.
    pub fn min_rtt(&self, kernel: Duration) -> Duration {
        let (factor, more) = LONGER;
        match self.round_trips.front() {
            Some((_, least)) if *least > kernel.mul_f64(factor) + more => *least,
            _ => kernel,
        }
    }

    /// A frame was acknowledged whose time on the way says nothing of the link.
    pub fn disturbed(&mut self, acknowledged: Timestamp) {
        self.last = acknowledged;
    }

    /// Bytes a second over the last few frames; `None` before the first.
    pub fn rate(&self) -> Option<f64> {
        let recent = self.samples.iter().rev().take(RECENT);
        let (bytes, busy) = recent.fold((0.0, 0.0), |(b, t), s| (b + s.bytes, t + s.busy));
        (busy > 0.0).then(|| bytes / busy)
    }

    /// Bytes a second that nine in ten of the frames since `since` had; `None` with fewer than
    /// [`RECENT`] of them.
    pub fn sure_rate(&self, since: Timestamp) -> Option<f64> {
        let mut rates: Vec<f64> = self
            .samples
            .iter()
            .filter(|s| s.at >= since)
            .map(|s| s.bytes / s.busy)
            .collect();
        if rates.len() < RECENT {
            return None;
        }
        rates.sort_by(f64::total_cmp);
        Some(rates[rates.len() / 10])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_late_acknowledgement_of_a_single_segment_says_nothing() {
        let mut estimate = Estimate::default();
        for (i, took) in [0.1, 0.1, 0.1, 40.0, 40.0, 40.0].into_iter().enumerate() {
            let sent = 1000.0 + i as f64 * 100.0;
            estimate.delivered(&Delivery {
                bytes: 17_000,
                sent: at(sent),
                acknowledged: at(sent + took),
                min_rtt: Duration::from_micros(30),
                segment: 65_483,
            });
        }
        assert!(
            estimate.rate().is_some_and(|rate| rate > 50e6),
            "{:?}",
            estimate.rate()
        );
    }

    #[test]
    fn a_longer_path_is_believed_when_the_old_one_is_forgotten() {
        let ms = Duration::from_millis;
        let mut estimate = Estimate::default();
        assert_eq!(estimate.min_rtt(ms(20)), ms(20));
        estimate.round_trip(at(0.0), ms(22));
        estimate.round_trip(at(1000.0), ms(120));
        estimate.round_trip(at(2000.0), ms(100));
        assert_eq!(
            estimate.min_rtt(ms(20)),
            ms(20),
            "22 ms were seen two seconds ago"
        );
        estimate.round_trip(at(10_500.0), ms(130));
        assert_eq!(estimate.min_rtt(ms(20)), ms(100));
        estimate.round_trip(at(11_000.0), ms(21));
        assert_eq!(estimate.min_rtt(ms(20)), ms(20), "it is short again");
    }

    fn at(ms: f64) -> Timestamp {
        Timestamp::from_nanos((ms * 1e6) as u64)
    }

    proptest! {
        /// Frames of any size over an ideal link of any rate and delay: the rate is found,
        /// whether the link is full or mostly idle.
        #[test]
        fn finds_the_rate_of_an_ideal_link(
            rate in 50_000.0..5_000_000.0f64,
            rtt in 1.0..300.0f64,
            sizes in prop::collection::vec(6_000usize..60_000, 8..40),
            interval in 10.0..100.0f64,
        ) {
            let mut estimate = Estimate::default();
            let mut free = 0.0f64;
            for (i, bytes) in sizes.iter().enumerate() {
                let sent = 1000.0 + i as f64 * interval;
                free = free.max(sent) + *bytes as f64 / rate * 1e3;
                estimate.delivered(&Delivery {
                    bytes: *bytes,
                    sent: at(sent),
                    acknowledged: at(free + rtt),
                    min_rtt: Duration::from_secs_f64(rtt / 1e3),
                    segment: 1448,
                });
            }
            let found = estimate.rate().unwrap();
            prop_assert!((found / rate - 1.0).abs() < 0.05, "{found} for {rate}");
            let sure = estimate.sure_rate(at(0.0)).unwrap();
            prop_assert!((sure / rate - 1.0).abs() < 0.05, "{sure} for {rate}");
        }
    }
}
