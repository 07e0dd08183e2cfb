//! Keeps a wanted frame rate by the frames' time stamps: which frames are taken, which left out.
//!
//! No I/O and no clock: stamps are handed in. Of a faster camera's frames the one nearest to each
//! slot of the wanted rate is taken, so that 30 → 20 is 20 on average and not, by leaving out every
//! second frame, 15.

use std::time::Duration;

use crate::{config::values::Fps, media::Timestamp};

/// A camera whose clock runs within this share of the wanted rate is followed, not paced: leaving
/// out one frame a minute because a crystal is 0.05 % fast would be seen as a stutter.
const FOLLOWED: f64 = 0.01;

/// Intervals the estimate of the camera's own is averaged over: enough to see 1 % through jitter.
const AVERAGED: f64 = 128.0;

/// What the driver says of its rate weighs as much as so many measured intervals.
const DRIVERS_WORD: f64 = 8.0;

/// Chooses the frames of one stream.
#[derive(Debug, Clone)]
pub struct Pacer {
    /// Between two wanted frames, ns.
    wanted: f64,
    /// Between two frames of the camera, ns; an estimate.
    offered: f64,
    /// The intervals that estimate rests on, up to [`AVERAGED`].
    measured: f64,
    /// The stamp of the frame seen last.
    last: Option<Timestamp>,
    /// Where the slots are counted from, and how many have been filled since. Counting slots, and
    /// not adding up intervals, keeps the rate exact however long the stream runs.
    origin: Timestamp,
    slots: u64,
}

impl Pacer {
    /// For a camera that says it delivers `driver_fps` frames a second; 0 if it does not say.
    pub fn new(wanted: Fps, driver_fps: f64) -> Self {
        let wanted = 1e9 / wanted.get();
        let (offered, measured) = if driver_fps > 0.0 {
            (1e9 / driver_fps, DRIVERS_WORD)
        } else {
            (wanted, 0.0)
        };
        Self {
            wanted,
            offered,
            measured,
            last: None,
            origin: Timestamp::default(),
            slots: 0,
        }
    }

    /// Whether to take the frame captured at `stamp`, the `periods`-th (1 or more) since the last
    /// one that was seen: more than 1 if the driver lost some.
    pub fn take(&mut self, stamp: Timestamp, periods: u64) -> bool {
        let Some(last) = self.last.replace(stamp) else {
            self.restart(stamp);
            return true;
        };
        self.learn(stamp.since(last), periods);
        let followed = (self.offered / self.wanted - 1.0).abs() < FOLLOWED;
        let due = self.slots as f64 * self.wanted;
        let now = stamp.since(self.origin).as_nanos() as f64;
        let tolerance = self.offered.min(self.wanted) / 2.0;
        if followed || now >= due + self.wanted {
            // In step with the camera, or the slot was missed: slots are counted anew from here.
            self.restart(stamp);
            true
        } else if now >= due - tolerance {
            self.slots += 1;
            true
        } else {
            false
        }
    }

    fn restart(&mut self, stamp: Timestamp) {
        self.origin = stamp;
        self.slots = 1;
    }

    fn learn(&mut self, gap: Duration, periods: u64) {
        let interval = gap.as_nanos() as f64 / periods.max(1) as f64;
        self.measured = (self.measured + 1.0).min(AVERAGED);
        self.offered += (interval - self.offered) / self.measured;
    }
}

/// The moments at which pictures drawn by ourselves are due: multiples of the interval, counted
/// from the start, so that no lateness adds up.
#[derive(Debug, Clone)]
pub struct Ticker {
    /// Between two pictures, ns.
    interval: f64,
    origin: Timestamp,
    ticks: u64,
}

impl Ticker {
    /// The first picture is due at `now`.
    pub fn new(fps: Fps, now: Timestamp) -> Self {
        Self {
            interval: 1e9 / fps.get(),
            origin: now,
            ticks: 0,
        }
    }

    /// When the next picture is due.
    pub fn due(&self) -> Timestamp {
        // Rounded up, so that the tick has come when the moment has.
        let nanos = (self.ticks as f64 * self.interval).ceil();
        self.origin + Duration::from_nanos(nanos as u64)
    }

    /// How many ticks have come up to `now`: 0 before the next picture is due, and more than 1 if
    /// some were missed. The next one lies in the future then.
    pub fn pass(&mut self, now: Timestamp) -> u64 {
        if now < self.due() {
            return 0;
        }
        let come = (now.since(self.origin).as_nanos() as f64 / self.interval) as u64 + 1;
        let passed = come.saturating_sub(self.ticks).max(1);
        self.ticks += passed;
        passed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The stamps taken of `frames` frames at `offered` a second, each off by up to `jitter` of an interval.
    fn paced(wanted: f64, offered: f64, frames: u64, jitter: impl Fn(u64) -> f64) -> Vec<u64> {
        let mut pacer = Pacer::new(Fps::new(wanted), offered);
        (0..frames)
            .map(|n| ((n as f64 + 1.0 + jitter(n)) * 1e9 / offered) as u64)
            .filter(|stamp| pacer.take(Timestamp::from_nanos(*stamp), 1))
            .collect()
    }

    #[test]
    fn thirty_to_twenty_is_twenty() {
        let taken = paced(20.0, 30.0, 3000, |_| 0.0);
        assert_eq!(taken.len(), 2000);
    }

    #[test]
    fn a_camera_a_little_fast_loses_no_frame() {
        assert_eq!(paced(30.0, 30.1, 100_000, |_| 0.0).len(), 100_000);
    }

    #[test]
    fn a_slower_camera_loses_no_frame() {
        assert_eq!(paced(30.0, 25.0, 1000, |_| 0.0).len(), 1000);
    }

    #[test]
    fn a_driver_that_grants_less_than_it_delivers_is_paced() {
        let mut pacer = Pacer::new(Fps::new(30.0), 30.0);
        let taken = (0..6000u64)
            .filter(|n| pacer.take(Timestamp::from_nanos(n * 16_666_667), 1))
            .count();
        assert!((2995..3030).contains(&taken), "{taken}");
    }

    #[test]
    fn after_a_gap_the_next_frame_is_taken_and_no_burst_follows() {
        let mut pacer = Pacer::new(Fps::new(10.0), 30.0);
        let stamp = |ms: u64| Timestamp::from_nanos(ms * 1_000_000);
        assert!(pacer.take(stamp(0), 1));
        assert!(pacer.take(stamp(5000), 150));
        assert!(!pacer.take(stamp(5033), 1));
        assert!(!pacer.take(stamp(5066), 1));
        assert!(pacer.take(stamp(5100), 1));
    }

    proptest! {
        #[test]
        fn ticks_come_at_the_exact_rate_however_late_one_wakes(
            fps in 0.1f64..1000.0,
            late in proptest::collection::vec(0u64..5_000_000_000, 1..50),
        ) {
            let start = Timestamp::from_nanos(1_000_000_000);
            let mut ticker = Ticker::new(Fps::new(fps), start);
            let mut ticks = 0;
            for late in late {
                let now = ticker.due() + Duration::from_nanos(late);
                let passed = ticker.pass(now);
                prop_assert!(passed >= 1);
                prop_assert_eq!(ticker.pass(now), 0, "one picture a slot");
                ticks += passed;
                let expected = now.since(start).as_secs_f64() * fps;
                prop_assert!((ticks as f64 - expected).abs() <= 1.01, "{ticks} of {expected}");
            }
        }

        #[test]
        fn the_average_rate_is_exact_and_no_slot_gets_two(
            wanted in 0.1f64..120.0,
            ratio in 1.02f64..8.0,
            noise in proptest::collection::vec(-0.2f64..0.2, 64),
        ) {
            let offered = wanted * ratio;
            let frames = 4000;
            let taken = paced(wanted, offered, frames, |n| noise[n as usize % 64]);
            let seconds = (frames - 1) as f64 / offered;
            let expected = seconds * wanted;
            prop_assert!(
                (taken.len() as f64 - 1.0 - expected).abs() <= 2.0,
                "{} of {expected}", taken.len()
            );
            // Over any stretch no more than its slots, with one either side for the nearest frame.
            for stretch in taken.windows(20) {
                let slots = (stretch[19] - stretch[0]) as f64 * wanted / 1e9;
                prop_assert!(slots >= 19.0 - 2.0, "20 frames in {slots} slots");
            }
        }

        #[test]
        fn a_camera_no_faster_than_wanted_loses_nothing(
            wanted in 0.1f64..120.0,
            ratio in 0.05f64..1.0,
        ) {
            prop_assert_eq!(paced(wanted, wanted * ratio, 500, |_| 0.0).len(), 500);
        }
    }
}
