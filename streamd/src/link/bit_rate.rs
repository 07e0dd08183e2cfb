//! Which of a camera's streams a client gets, and how many bits a second of it: what its link carries
//! in time, with room for the link's own swings.
//!
//! A still scene has far smaller pictures than it might have, and from a few packets a link seems
//! narrower than it is: the receiver's own delays weigh most then. So where pictures use less than
//! half of the bit rate and come in time, the link is taken to carry more than it seems.
//!
//! Within a level the bit rate follows the link at no cost: the encoder changes it with any picture.
//! A change of level costs a key. So a level is left downwards as soon as the bit rate is one of the
//! level below, and upwards only when the link has carried more for a while.
//!
//! No I/O, no clock.

use std::time::Duration;

use super::{
    adapt::{Reason, kept_by},
    estimate::Forecast,
};
use crate::media::{Level, Scale, Timestamp};

/// Part of the link's rate that the stream may have.
const FILL: f64 = 0.7;

/// Standard deviations that are added to the time of a picture.
const SURE: f64 = 0.5;

/// By how much the bit rate grows at most, a second.
const GROWTH: f64 = 4.0;

/// The part of the way down that it goes with each picture, as long as pictures would still come
/// before the next one; else it goes all the way at once. A link that swings seems narrower for a
/// moment again and again.
const EASES: f64 = 0.15;

/// Where pictures use less than this part of the bit rate, the link is taken to carry so many times
/// what they tell of it.
const SPARE: (f64, f64) = (0.5, 4.0);

/// How fast the average size of a picture follows, by picture.
const FOLLOWS: f64 = 0.1;

/// What is left of the bit rate after pictures had to be left out.
const AFTER_LOSS: f64 = 0.7;

/// Less is no picture. Bits a second.
const LEAST: f64 = 60_000.0;

/// A level is left upwards when the bit rate has been above its most by so much for so long.
const ABOVE: f64 = 1.15;
const SETTLED: Duration = Duration::from_millis(1500);

/// After a change of level, so long until one upwards.
const HOLD: Duration = Duration::from_secs(4);

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Now.
    pub now: Timestamp,
    /// Bits a second of the camera's whole stream.
    pub whole: u32,
    /// The camera makes the best level itself: its bit rate can't be lowered.
    pub is_given: bool,
    /// Pictures a second.
    pub fps: f64,
    /// No larger pictures than this.
    pub largest: Scale,
    /// False where the camera's `adapt = false`: then only the limits count.
    pub adapts: bool,
    /// What the link is expected to do; `None` while unknown.
    pub forecast: Option<Forecast>,
}

/// One client's place among a camera's streams.
#[derive(Debug)]
pub struct BitRate {
    /// Bits a second that the link carries, as far as is known; of which level, they decide.
    bits: Option<f64>,
    level: Level,
    changed: Timestamp,
    decided: Timestamp,
    /// Since when there has been more than the level has.
    above: Option<Timestamp>,
    /// What the last forecast was limited by.
    kept_by: Option<Reason>,
    /// Recent average size of a picture, bytes; 0 before the first.
    size: f64,
}

impl BitRate {
    /// A client that has just come: it begins at the best.
    pub fn new(now: Timestamp) -> Self {
        Self {
            bits: None,
            level: Level::High,
            changed: now,
            decided: now,
            above: None,
            kept_by: None,
            size: 0.0,
        }
    }

    /// The level that it stands on.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Bits a second that it can take of a camera's stream that has so many in all.
    pub fn bits(&self, whole: u32) -> u32 {
        let most = f64::from(whole) * self.level.share();
        self.bits.map_or(most, |bits| bits.min(most)) as u32
    }

    /// What holds it below the whole stream, if that is the link or a bandwidth that is set.
    pub fn held_by(&self, whole: u32) -> Option<Reason> {
        let less = self.bits.is_some_and(|bits| bits < f64::from(whole));
        self.kept_by.filter(|_| less)
    }

    /// A picture of so many bytes was sent.
    pub fn sent(&mut self, bytes: usize) {
        let weight = if self.size == 0.0 { 1.0 } else { FOLLOWS };
        self.size += (bytes as f64 - self.size) * weight;
    }

    /// Pictures were left out before one that was sent, because older ones were on their way.
    pub fn skipped(&mut self) {
        self.bits = self.bits.map(|bits| (bits * AFTER_LOSS).max(LEAST));
    }

    /// Decides; true if the level has changed.
    pub fn decide(&mut self, view: &View) -> bool {
        let whole = f64::from(view.whole);
        let first = if view.largest == Scale::Full {
            Level::High
        } else {
            Level::Low
        };
        let passed = view
            .now
            .since(std::mem::replace(&mut self.decided, view.now));
        match view.forecast.filter(|_| view.adapts) {
            Some(forecast) => self.follow(&forecast, view, passed),
            None if !view.adapts => self.bits = None,
            None => {}
        }
        let bits = self.bits.unwrap_or(whole);
        let best = match view.is_given && bits < whole {
            true => Level::Medium,
            false => Level::High,
        };
        let target = level_for(bits / whole).max(best).max(first);
        if target > self.level || self.level < first {
            return self.go(target, view.now);
        }
        if target == self.level || bits < whole * self.level.share() * ABOVE {
            self.above = None;
            return false;
        }
        let since = *self.above.get_or_insert(view.now);
        let settled = view.now.since(since) >= SETTLED;
        settled && view.now.since(self.changed) >= HOLD && self.go(target, view.now)
    }

    /// Down at once, and up little by little.
    fn follow(&mut self, forecast: &Forecast, view: &View, passed: Duration) {
        self.kept_by = Some(kept_by(forecast));
        let bytes = forecast.rate * FILL / view.fps;
        let carried = bytes / forecast.time(bytes, SURE) * FILL * 8.0;
        let bits = self.bits.unwrap_or(carried.max(LEAST));
        let used = self.size * 8.0 * view.fps / bits.min(f64::from(view.whole));
        let in_time = forecast.time(self.size, SURE) * view.fps < 1.0;
        let is_still = self.size > 0.0 && used < SPARE.0 && in_time;
        let carried = if is_still { carried * SPARE.1 } else { carried };
        let carried = carried.min(forecast.most * 8.0);
        let most = bits * GROWTH.powf(passed.as_secs_f64().min(1.0));
        // Twice the whole stream is as good as any more.
        let most = most.min(f64::from(view.whole) * 2.0);
        let full = forecast.time(bits.min(f64::from(view.whole)) / 8.0 / view.fps, 0.0);
        let to = match carried < bits && full * view.fps <= 1.0 {
            true => bits + (carried - bits) * EASES,
            false => carried.min(most),
        };
        self.bits = Some(to.max(LEAST));
    }

    fn go(&mut self, level: Level, now: Timestamp) -> bool {
        self.above = None;
        if level == self.level {
            return false;
        }
        self.level = level;
        self.changed = now;
        true
    }
}

/// The level that has this part of the whole bit rate in its range: from its own most down to that
/// of the level below.
fn level_for(part: f64) -> Level {
    let mut worst_first = Level::ALL.into_iter().rev();
    worst_first
        .find(|level| part <= level.share())
        .unwrap_or(Level::High)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    fn view(now: Timestamp, megabits: f64) -> View {
        View {
            now,
            whole: 2_500_000,
            is_given: false,
            fps: 30.0,
            largest: Scale::Full,
            adapts: true,
            forecast: Some(Forecast {
                rate: megabits * 1e6 / 8.0,
                lump: 1500.0,
                most: f64::INFINITY,
            }),
        }
    }

    /// Level and Mb/s after each second on a link whose rate changes.
    fn run(links: &[(f64, u32)]) -> Vec<(Level, f64)> {
        run_with(links, false)
    }

    fn run_with(links: &[(f64, u32)], is_given: bool) -> Vec<(Level, f64)> {
        let mut now = Timestamp::from_nanos(1_000_000_000);
        let mut rate = BitRate::new(now);
        let mut history = Vec::new();
        for megabits in links
            .iter()
            .flat_map(|(m, n)| std::iter::repeat_n(*m, *n as usize))
        {
            for _ in 0..30 {
                now = now + FRAME;
                rate.decide(&View {
                    is_given,
                    ..view(now, megabits)
                });
            }
            history.push((rate.level(), f64::from(rate.bits(2_500_000)) / 1e6));
        }
        history
    }

    #[test]
    fn a_wide_link_gets_the_whole_stream() {
        assert_eq!(run(&[(8.0, 3)]), [(Level::High, 2.5); 3]);
    }

    #[test]
    fn within_a_level_the_bit_rate_is_what_the_link_carries() {
        for (level, bits) in run(&[(2.0, 5)]) {
            assert_eq!(level, Level::High);
            assert!((1.1..1.4).contains(&bits), "{bits}");
        }
    }

    #[test]
    fn a_fall_is_followed_at_once_and_a_rise_by_and_by() {
        let history = run(&[(8.0, 2), (1.0, 3), (8.0, 10)]);
        let levels: Vec<_> = history.iter().map(|(level, _)| *level).collect();
        assert_eq!(levels[2..5], [Level::Medium; 3]);
        assert!(history[2].1 < 0.7, "{history:?}");
        assert_eq!(levels[14], Level::High);
        assert!(history[14].1 > 2.0, "{history:?}");
        let changes = levels.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 2, "{levels:?}");
    }

    #[test]
    fn a_stream_that_can_not_be_lowered_is_left_where_the_link_does_not_carry_it() {
        let links = [(8.0, 2), (2.5, 3), (8.0, 10)];
        let levels = |is_given| -> Vec<_> {
            let history = run_with(&links, is_given);
            history.iter().map(|(level, _)| *level).collect()
        };
        assert_eq!(levels(false)[2..5], [Level::High; 3]);
        let given = levels(true);
        assert_eq!(given[0..2], [Level::High; 2]);
        assert_eq!(given[2..5], [Level::Medium; 3]);
        assert_eq!(given[14], Level::High);
    }

    #[test]
    fn a_narrow_link_gets_the_small_stream_and_limits_hold() {
        assert_eq!(run(&[(0.3, 2)])[1].0, Level::Low);
        let now = Timestamp::from_nanos(1_000_000_000);
        let mut rate = BitRate::new(now);
        let small = View {
            largest: Scale::Half,
            ..view(now, 50.0)
        };
        assert!(rate.decide(&small));
        assert_eq!(rate.level(), Level::Low);
        let fixed = View {
            adapts: false,
            ..view(now + HOLD, 0.1)
        };
        rate.decide(&fixed);
        let later = View {
            now: now + HOLD * 2,
            ..fixed
        };
        assert!(rate.decide(&later));
        assert_eq!(
            (rate.level(), rate.bits(2_500_000)),
            (Level::High, 2_500_000)
        );
    }

    #[test]
    fn small_pictures_say_nothing_against_larger_ones() {
        let mut now = Timestamp::from_nanos(1_000_000_000);
        let mut rate = BitRate::new(now);
        for _ in 0..150 {
            now = now + FRAME;
            rate.decide(&view(now, 1.5));
            rate.sent(500);
        }
        assert_eq!(
            (rate.level(), rate.bits(2_500_000)),
            (Level::High, 2_500_000)
        );
        for _ in 0..30 {
            now = now + FRAME;
            rate.decide(&view(now, 1.5));
            rate.sent(9000);
        }
        assert!(rate.bits(2_500_000) < 900_000, "{rate:?}");
    }

    #[test]
    fn who_had_to_leave_out_pictures_gets_less() {
        let now = Timestamp::from_nanos(1_000_000_000);
        let mut rate = BitRate::new(now);
        rate.decide(&view(now, 2.0));
        let before = rate.bits(2_500_000);
        rate.skipped();
        assert!(rate.bits(2_500_000) < before);
        assert!(rate.held_by(2_500_000).is_some());
    }
}
