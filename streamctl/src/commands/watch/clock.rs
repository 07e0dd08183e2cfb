//! The client's clock, and how far the server's is from it.
//!
//! Cristian's estimate: a server's time that arrives `rtt` after it was asked for was read about
//! `rtt / 2` ago, and is wrong by `rtt / 2` at most. Of the last eight answers the one with the
//! shortest round trip counts, as in NTP's clock filter (RFC 5905, section 10): an answer that
//! stood in a queue behind a picture tells little.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Answers that are looked back on.
const SAMPLES: usize = 8;

/// Asked this often until [`SAMPLES`] answers are there, so that the first figures are good.
const EAGER: Duration = Duration::from_millis(50);

/// Asked this often afterwards: two crystals part by 0.1 ms in that time at the very most.
const STEADY: Duration = Duration::from_secs(1);

/// An answer this late says nothing about the clock.
const MAX_ROUND_TRIP: u64 = 10_000_000;

/// The client's own clock: µs since the epoch at the start, counted on by the monotonic clock,
/// so that an administrator who sets the time does not bend the figures.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch_us: u64,
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn new() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            epoch_us: since_epoch.map_or(0, |time| time.as_micros() as u64),
            start: Instant::now(),
        }
    }

    /// µs since the epoch at `instant`.
    pub fn micros(&self, instant: Instant) -> u64 {
        self.epoch_us + instant.saturating_duration_since(self.start).as_micros() as u64
    }
}

/// How far the server's clock is ahead of ours.
#[derive(Debug, Default)]
pub struct Offset {
    /// (round trip, offset) in µs, oldest first.
    samples: VecDeque<(u64, i64)>,
}

impl Offset {
    /// Takes an answer: asked at `sent` and arrived at `now` on our clock, `server` on the
    /// server's; µs since the epoch. An answer that cannot be is left out.
    pub fn answer(&mut self, sent: u64, server: u64, now: u64) {
        let Some(round_trip) = now.checked_sub(sent) else {
            return;
        };
        if round_trip > MAX_ROUND_TRIP {
            return;
        }
        let ours = sent + round_trip / 2;
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples
            .push_back((round_trip, server.wrapping_sub(ours) as i64));
    }

    /// What to add to our clock to have the server's, µs; `None` while nothing was answered.
    pub fn micros(&self) -> Option<i64> {
        let best = self
            .samples
            .iter()
            .min_by_key(|(round_trip, _)| *round_trip);
        best.map(|(_, offset)| *offset)
    }

    /// How long to wait before asking again.
    pub fn next_question(&self) -> Duration {
        if self.samples.len() < SAMPLES {
            EAGER
        } else {
            STEADY
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_error_is_half_the_shortest_round_trip_at_most(
            ahead in -1_000_000_000_i64..1_000_000_000,
            trips in prop::collection::vec((0_u64..500_000, 0_u64..500_000), 1..8),
        ) {
            let mut offset = Offset::default();
            let mut now = 1_700_000_000_000_000_u64;
            for (there, back) in &trips {
                let server = (now + there).checked_add_signed(ahead).unwrap();
                offset.answer(now, server, now + there + back);
                now += 1_000_000;
            }
            let shortest = trips.iter().map(|(there, back)| there + back).min().unwrap();
            let error = offset.micros().unwrap().abs_diff(ahead);
            prop_assert!(error <= shortest / 2 + 1, "{error} µs off, round trip {shortest} µs");
        }

        #[test]
        fn any_answer_is_no_panic(answers: Vec<(u64, u64, u64)>) {
            let mut offset = Offset::default();
            for (sent, server, now) in answers {
                offset.answer(sent, server, now);
            }
            prop_assert!(offset.samples.len() <= SAMPLES);
        }
    }

    #[test]
    fn old_answers_are_forgotten() {
        let mut offset = Offset::default();
        offset.answer(1_000, 5_000, 1_000);
        for n in 0..SAMPLES as u64 {
            offset.answer(n * 1_000, n * 1_000 + 150, n * 1_000 + 100);
        }
        assert_eq!(offset.micros(), Some(100));
    }

    #[test]
    fn an_impossible_answer_is_left_out() {
        let mut offset = Offset::default();
        offset.answer(2_000, 1_000, 1_999);
        offset.answer(0, 1_000, MAX_ROUND_TRIP + 1);
        assert_eq!(offset.micros(), None);
        assert_eq!(offset.next_question(), EAGER);
    }
}
