//! What a client's link carries, learnt from when its frames were acknowledged.
//!
//! A frame is a train of packets. The bottleneck works on it from the moment it can have reached
//! it, or has finished with the frame before, until the last byte is through; the acknowledgement
//! of the last byte tells that moment, a round trip late. Bytes over that busy time is the rate:
//! packet-train dispersion (Dovrolis et al., IEEE/ACM ToN 12(6), 2004), which unlike the kernel's
//! delivery rate holds when we send less than the link could carry.
//!
//! A link that serves in bursts gives every train another rate. So bytes and busy time are summed
//! over the last moments, not averaged by frame, and how far the forecasts were off is remembered:
//! a frame's time is predicted with its uncertainty (Fugu: Yan et al., NSDI 2020).
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use crate::media::Timestamp;

/// What was seen so long ago counts 1/e in the rate: a rate follows a fall within some frames, and
/// is still that of many bursts.
const MEMORY: f64 = 0.3;

/// The same for how uneven the link is, which changes more slowly. Seconds.
const LONG_MEMORY: f64 = 2.0;

/// A frame that took so much longer than forecast, as a part of its bytes and in standard
/// deviations, is a surprise. A second one after it tells that the link is another one now, and
/// what was before counts so much; a single one may be a hiccup of ours.
const SURPRISE: (f64, f64) = (1.0, 4.0);
const AFTER_SURPRISE: f64 = 0.2;

/// A pause of the stream makes its last rate no older than this. Seconds.
const LONGEST_GAP: f64 = 0.15;

/// A frame can't be told to have taken less than this: the clocks and the scheduler are no better.
const FINEST: Duration = Duration::from_micros(200);

/// Receivers may hold back the acknowledgement of a single segment for up to 41 ms (Linux's delayed
/// ACK).
const DELAYED: Duration = Duration::from_millis(45);

/// Segments at least so large are those of loopback.
const LOCAL_SEGMENT: u32 = 16 * 1024;

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

/// How far the oldest frame on its way has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// When its first byte was handed to the kernel.
    pub sent: Timestamp,
    /// Bytes acknowledged of it, and of those after it.
    pub bytes: f64,
    /// The connection's smallest round trip time.
    pub min_rtt: Duration,
}

/// What a link is expected to do with the next bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Bytes a second.
    pub rate: f64,
    /// How uneven it is: what passes while `n` bytes are expected to has a standard deviation of
    /// `sqrt(n × lump)` bytes, as if the link served lumps of this size at random. Bytes.
    pub lump: f64,
    /// Bytes a second that may be sent, whatever the link carries; infinite for any amount.
    pub most: f64,
}

impl Forecast {
    /// What is known of a link, if anything, where so many bytes a second may be sent at most.
    #[cfg(any(feature = "nats", feature = "rtsp", feature = "whep"))]
    pub fn within(known: Option<Self>, most: f64) -> Option<Self> {
        match known {
            Some(forecast) => Some(Self { most, ..forecast }),
            None => most.is_finite().then_some(Self {
                rate: most,
                lump: 0.0,
                most,
            }),
        }
    }

    /// Seconds that a frame of so many bytes takes, with `sure` standard deviations added.
    pub fn time(&self, bytes: f64, sure: f64) -> f64 {
        let on_the_link = (bytes + sure * (bytes * self.lump).sqrt()) / self.rate;
        on_the_link.max(bytes / self.most)
    }

    /// Whether it is not the link that says what may be sent.
    pub fn is_limited(&self) -> bool {
        self.most < self.rate
    }
}

/// A sum that forgets.
#[derive(Debug, Default)]
struct Fading {
    amount: f64,
    per: f64,
}

impl Fading {
    fn add(&mut self, amount: f64, per: f64, keep: f64) {
        self.amount = self.amount * keep + amount;
        self.per = self.per * keep + per;
    }

    fn ratio(&self) -> Option<f64> {
        (self.per > 0.0).then(|| self.amount / self.per)
    }
}

/// One connection's link.
#[derive(Debug, Default)]
pub struct Estimate {
    /// Bytes by busy seconds.
    carried: Fading,
    /// Squared error of each forecast in bytes, by byte.
    errors: Fading,
    surprised: bool,
    last: Timestamp,
    /// Round trips of the last [`WINDOW`], each shorter than those before it.
    round_trips: VecDeque<(Timestamp, Duration)>,
}

impl Estimate {
    /// Takes a delivered frame; returns for how long the link was busy with it, unless its
    /// acknowledgement does not tell.
    pub fn delivered(&mut self, delivery: &Delivery) -> Option<Duration> {
        let begin = self.begin(delivery.sent, delivery.min_rtt);
        let mut busy = delivery.acknowledged.since(begin).max(FINEST);
        let gap = delivery.acknowledged.since(self.last).as_secs_f64();
        self.last = delivery.acknowledged;
        // A frame of one segment may have been there long before the receiver said so. On loopback,
        // where each is, it counts as prompt: a step up that must be taken back costs less than a
        // good picture withheld.
        if delivery.bytes <= delivery.segment as usize && busy < DELAYED {
            if delivery.segment < LOCAL_SEGMENT {
                return None;
            }
            busy = FINEST;
        }
        let (bytes, seconds) = (delivery.bytes as f64, busy.as_secs_f64());
        let mut keep = (-gap.min(LONGEST_GAP) / MEMORY).exp();
        if let Some(forecast) = self.forecast(delivery.acknowledged, None) {
            let error = seconds * forecast.rate - bytes;
            let surprises =
                error > SURPRISE.0 * bytes && error > SURPRISE.1 * (bytes * forecast.lump).sqrt();
            if surprises && self.surprised {
                keep = keep.min(AFTER_SURPRISE);
            }
            self.surprised = surprises;
            // One outage is not to count for all that comes after it.
            let error = error.clamp(-bytes, bytes);
            self.errors
                .add(error * error / bytes, 1.0, (-gap / LONG_MEMORY).exp());
        }
        self.carried.add(bytes, seconds, keep);
        Some(busy)
    }

    /// When the first of a frame's bytes could be acknowledged that was sent then: a round trip
    /// later, or when the frame before was through.
    pub fn begin(&self, sent: Timestamp, min_rtt: Duration) -> Timestamp {
        (sent + min_rtt).max(self.last)
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

    /// Bytes a second; `None` before the first frame.
    pub fn rate(&self) -> Option<f64> {
        self.carried.ratio()
    }

    /// What the next bytes may expect; `None` before the first frame. A frame on its way that has
    /// come less far by now than it should have tells of a fall before it arrives.
    pub fn forecast(&self, now: Timestamp, progress: Option<Progress>) -> Option<Forecast> {
        let mut rate = self.rate()?;
        if let Some(progress) = progress {
            let begin = self.begin(progress.sent, progress.min_rtt);
            let busy = now.since(begin).as_secs_f64();
            let so_far = (self.carried.amount + progress.bytes) / (self.carried.per + busy);
            rate = rate.min(so_far);
        }
        Some(Forecast {
            rate,
            lump: self.errors.ratio().unwrap_or(0.0),
            most: f64::INFINITY,
        })
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

    #[test]
    fn a_short_train_is_not_told_by_a_receiver_that_waits() {
        let mut estimate = Estimate::default();
        let single = |sent: f64, took: f64| Delivery {
            bytes: 1400,
            sent: at(sent),
            acknowledged: at(sent + took),
            min_rtt: Duration::from_millis(20),
            segment: 1448,
        };
        assert_eq!(estimate.delivered(&single(1000.0, 60.0)), None);
        assert_eq!(estimate.rate(), None, "40 ms may be the receiver's");
        let took = estimate.delivered(&single(1100.0, 160.0));
        assert_eq!(took, Some(Duration::from_millis(140)));
    }

    #[test]
    fn a_frame_that_does_not_come_on_tells_of_a_fall_before_it_arrives() {
        let mut estimate = Estimate::default();
        for i in 0..20 {
            let sent = 1000.0 + f64::from(i) * 33.0;
            estimate.delivered(&Delivery {
                bytes: 20_000,
                sent: at(sent),
                acknowledged: at(sent + 40.0),
                min_rtt: Duration::from_millis(20),
                segment: 1448,
            });
        }
        let progress = |bytes| {
            Some(Progress {
                sent: at(1660.0),
                bytes,
                min_rtt: Duration::from_millis(20),
            })
        };
        let rate = |forecast: Option<Forecast>| forecast.unwrap().rate;
        let before = rate(estimate.forecast(at(1700.0), None));
        assert!((before - 1e6).abs() < 1e3, "{before}");
        let on_time = rate(estimate.forecast(at(1690.0), progress(10_000.0)));
        assert!((on_time - before).abs() < 1.0, "{on_time}");
        let stuck = rate(estimate.forecast(at(1980.0), progress(1000.0)));
        assert!(stuck < before * 0.6, "{stuck}");
    }

    #[test]
    fn the_time_of_a_frame_is_less_sure_on_a_link_that_serves_in_bursts() {
        let lump = |took: fn(u32) -> f64| {
            let mut estimate = Estimate::default();
            for i in 0..60 {
                let sent = 1000.0 + f64::from(i) * 33.0;
                estimate.delivered(&Delivery {
                    bytes: 10_000,
                    sent: at(sent),
                    acknowledged: at(sent + 20.0 + took(i)),
                    min_rtt: Duration::from_millis(20),
                    segment: 1448,
                });
            }
            let forecast = estimate.forecast(at(3000.0), None).unwrap();
            assert!(forecast.time(10_000.0, 1.0) >= forecast.time(10_000.0, 0.0));
            forecast.lump
        };
        let even = lump(|_| 15.0);
        let bursts = lump(|i| if i % 2 == 0 { 5.0 } else { 25.0 });
        assert!(even < 50.0 && bursts > 1000.0, "{even} {bursts}");
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
            let forecast = estimate.forecast(at(0.0), None).unwrap();
            prop_assert!(forecast.lump < 300.0, "{forecast:?} for {rate}");
        }
    }
}
