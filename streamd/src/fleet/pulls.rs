//! How many pictures are asked for at a time: so many that the path is full, and no queue.
//!
//! A picture is sent when it is there and somebody has asked for it; the question takes half a round
//! trip to get there, and the picture another half to come back. So to miss none, as many have to be
//! asked for as come in a round trip, and one more. On a path that does not carry them all, each of
//! those would wait in a queue: it shows by pictures that take longer than the quickest one of late,
//! by more than the gap to the one before, and then so many less are asked for as wait.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use crate::media::Timestamp;

/// At most, whatever the path.
const MOST: usize = 64;

/// At least: one that comes, and one that is asked for.
const LEAST: usize = 2;

/// The server forgets what was asked for after so long; and we, a while later.
pub const EXPIRES: Duration = Duration::from_secs(5);
const FORGOTTEN: Duration = Duration::from_secs(6);

/// A picture may be late by so many times the gap to the one before: more of them is a queue.
const QUEUED: f64 = 1.5;

/// A link that does not carry all pictures brings none sooner after another than this part of their
/// interval.
const BEHIND: f64 = 0.8;

/// After so long without a queue one more may be asked for.
const CLEAR: Duration = Duration::from_secs(1);

/// The quickest of so long count.
const QUICKEST_OF: Duration = Duration::from_secs(10);

/// The least of late of something that is measured again and again.
#[derive(Debug, Default)]
pub struct Least(VecDeque<(Timestamp, i64)>);

impl Least {
    /// One more; by how much it is above the least of late.
    pub fn add(&mut self, value: i64, now: Timestamp) -> Duration {
        self.0
            .retain(|(then, other)| now.since(*then) < QUICKEST_OF && *other < value);
        self.0.push_back((now, value));
        let least = self.0.front().map_or(value, |(_, least)| *least);
        Duration::from_nanos(value.saturating_sub(least).max(0) as u64)
    }

    /// The least of late.
    pub fn get(&self) -> Option<i64> {
        self.0.front().map(|(_, least)| *least)
    }
}

/// What is asked for.
#[derive(Debug)]
pub struct Pulls {
    asked: VecDeque<(u64, Timestamp)>,
    number: u64,
    /// Round trips to the server, ns.
    round_trips: Least,
    /// How long pictures were on their way from there, by both clocks, ns.
    ways: Least,
    /// So many less than the round trip would have.
    less: usize,
    /// When one less was asked for, and when there was a queue, or one more was asked for, last.
    lessened: Timestamp,
    queued: Timestamp,
    /// When the last one came.
    came: Timestamp,
}

impl Pulls {
    /// Nothing is known of the path yet.
    pub fn new(now: Timestamp) -> Self {
        Self {
            asked: VecDeque::new(),
            number: 0,
            round_trips: Least::default(),
            ways: Least::default(),
            less: 0,
            lessened: now,
            queued: now,
            came: now,
        }
    }

    /// Something small was answered after so long.
    pub fn round_trip(&mut self, took: Duration, now: Timestamp) {
        self.round_trips.add(took.as_nanos() as i64, now);
    }

    /// So many may be asked for at a time.
    fn window(&self, interval: Duration) -> usize {
        let round_trip = self.round_trips.get().unwrap_or(0) as f64;
        let fills = (round_trip / interval.as_nanos().max(1) as f64).ceil() as usize;
        (fills + LEAST)
            .min(MOST)
            .saturating_sub(self.less)
            .max(LEAST)
    }

    /// The number of the next picture to ask for, if one may be.
    pub fn next(&mut self, interval: Duration, now: Timestamp) -> Option<u64> {
        self.asked.retain(|(_, then)| now.since(*then) < FORGOTTEN);
        if now.since(self.queued) >= CLEAR && self.less > 0 {
            self.less -= 1;
            self.queued = now;
        }
        if self.asked.len() >= self.window(interval) {
            return None;
        }
        self.number += 1;
        self.asked.push_back((self.number, now));
        Some(self.number)
    }

    /// What was asked for by this number will not come.
    pub fn refused(&mut self, number: u64) {
        self.asked.retain(|(asked, _)| *asked != number);
    }

    /// A picture has come, the first one that was asked for: it was on its way from the server for
    /// so long, by both clocks.
    pub fn came(&mut self, way: i64, interval: Duration, now: Timestamp) {
        self.asked.pop_front();
        let gap = now.since(self.came);
        self.came = now;
        let waited = self.ways.add(way, now);
        // What comes right behind another was held up with it: the link carries it.
        if gap < interval.mul_f64(BEHIND) || waited < gap.max(interval).mul_f64(QUEUED) {
            return;
        }
        self.queued = now;
        // Those on their way now were asked for before this was seen, and wait as this one did.
        let round_trip = Duration::from_nanos(self.round_trips.get().unwrap_or(0).max(0) as u64);
        let room = self.window(interval) - LEAST;
        if now.since(self.lessened) >= round_trip + waited && room > 0 {
            // One may be in the queue, or the link has nothing to do now and then.
            let others = (waited.as_secs_f64() / gap.max(interval).as_secs_f64()) as usize;
            self.less += others.saturating_sub(1).clamp(1, room);
            self.lessened = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A camera of 30 fps, a server with its newest picture, and a link from there of this rate and
    /// delay; gives the pictures a second, and how long the last hundred took, ms.
    fn run(rate: f64, rtt: f64, bytes: f64) -> (f64, Vec<f64>) {
        let interval = 1000.0 / 30.0;
        let at = |ms: f64| Timestamp::from_nanos(((ms + 1000.0) * 1e6) as u64);
        let step = Duration::from_secs_f64(interval / 1e3);
        let mut pulls = Pulls::new(at(0.0));
        pulls.round_trip(Duration::from_secs_f64(rtt / 1e3), at(0.0));
        let (mut waiting, mut coming) = (VecDeque::new(), VecDeque::new());
        let (mut newest, mut made, mut free) = (None, 0.0f64, 0.0f64);
        let mut took = Vec::new();
        for tick in 0..40_000u32 {
            let now = f64::from(tick) * 0.5;
            while let Some(number) = pulls.next(step, at(now)) {
                waiting.push_back((now + rtt / 2.0, number));
            }
            if now >= made + interval {
                made += interval;
                newest = Some(made);
            }
            if let (Some(stored), Some((there, number))) = (newest, waiting.front().copied())
                && there <= now
            {
                waiting.pop_front();
                newest = None;
                free = free.max(now) + bytes / rate * 1e3;
                coming.push_back((free + rtt / 2.0, number, stored));
            }
            while let Some((came, number, stored)) = coming.front().copied()
                && came <= now
            {
                coming.pop_front();
                assert_eq!(pulls.asked.front().map(|(asked, _)| *asked), Some(number));
                pulls.came(((came - stored) * 1e6) as i64, step, at(now));
                took.push(came - stored);
            }
        }
        let fps = took.len() as f64 / 20.0;
        (fps, took.split_off(took.len().saturating_sub(100)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        /// A path that carries all pictures brings all of them at once; another one has a few
        /// pictures in its queue, and never more.
        #[test]
        fn all_come_or_few_wait(faster in 0.0..4.2f64, rtt in 0.2..300.0f64) {
            let (rate, bytes) = (300_000.0 * faster.exp(), 40_000.0);
            let (fps, took) = run(rate, rtt, bytes);
            let transfer = bytes / rate * 1e3;
            let worst = took.iter().copied().fold(0.0, f64::max);
            if transfer < 28.0 {
                prop_assert!(fps > 29.0, "{fps} fps");
                prop_assert!(worst <= rtt / 2.0 + transfer + 34.0, "{worst} ms");
            } else {
                prop_assert!(fps > 0.9 * 1e3 / transfer.max(33.4) * 0.8, "{fps} fps");
                let most = rtt / 2.0 + 4.0 * transfer + 67.0;
                prop_assert!(worst <= most, "{worst} ms, of {most}");
            }
        }
    }

    #[test]
    fn what_is_held_up_for_a_moment_is_no_queue() {
        let at = |ms: u64| Timestamp::from_nanos(ms * 1_000_000);
        let interval = Duration::from_millis(33);
        let mut pulls = Pulls::new(at(0));
        pulls.round_trip(Duration::from_millis(200), at(0));
        // All are 100 ms on their way; those of a fifth of a second come together.
        for n in 0..90 {
            let due = n * 33 + 100;
            let came = if (60..66).contains(&n) {
                65 * 33 + 100
            } else {
                due
            };
            pulls.came(
                (came as i64 - n as i64 * 33) * 1_000_000,
                interval,
                at(came),
            );
        }
        assert_eq!(pulls.less, 0);
    }

    #[test]
    fn what_is_never_answered_is_asked_for_again() {
        let at = |s: u64| Timestamp::from_nanos(s * 1_000_000_000);
        let interval = Duration::from_millis(33);
        let mut pulls = Pulls::new(at(1));
        assert_eq!(
            (pulls.next(interval, at(1)), pulls.next(interval, at(1))),
            (Some(1), Some(2))
        );
        assert_eq!(pulls.next(interval, at(5)), None);
        assert_eq!(pulls.next(interval, at(8)), Some(3));
    }
}
