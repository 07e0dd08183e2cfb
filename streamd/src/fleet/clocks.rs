//! How far another machine's clock is ahead of ours, by questions that it answers with its time: of
//! late ones the quickest is the best, since both ways of it were the shortest. No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use crate::media::Timestamp;

/// So many questions count.
const KEPT: usize = 8;

/// A clock is known by one quick answer, or by so many: a single one may have waited on one of its ways.
const QUICK: Duration = Duration::from_millis(20);
const SEVERAL: usize = 3;

/// Questions whose answer is awaited at most.
const AWAITED: usize = 64;

/// Questions on their way: on a long path the next one goes before the last one is answered.
#[derive(Debug, Default)]
pub struct Asked {
    number: u64,
    sent: VecDeque<(u64, Timestamp)>,
}

impl Asked {
    /// The number of the next question, which goes now.
    pub fn next(&mut self, now: Timestamp) -> u64 {
        if self.sent.len() == AWAITED {
            self.sent.pop_front();
        }
        self.number += 1;
        self.sent.push_back((self.number, now));
        self.number
    }

    /// This one is answered: how long that took, unless it is not awaited.
    pub fn answered(&mut self, number: u64, now: Timestamp) -> Option<Duration> {
        let at = self.sent.iter().position(|(sent, _)| *sent == number)?;
        let (_, then) = self.sent.remove(at)?;
        Some(now.since(then))
    }
}

/// What is known of another machine's clock.
#[derive(Debug, Default)]
pub struct Clocks(VecDeque<(Duration, i64)>);

impl Clocks {
    /// A question took so long and was answered at `there`; it was answered for us at `here`. Both
    /// in µs since the epoch.
    pub fn answered(&mut self, took: Duration, there: u64, here: u64) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let half = (took.as_micros() / 2) as i64;
        let ahead = (there as i64).wrapping_add(half).wrapping_sub(here as i64);
        self.0.push_back((took, ahead));
    }

    /// Whether that is enough to say how old a picture is.
    pub fn are_known(&self) -> bool {
        self.0.len() >= SEVERAL || self.0.iter().any(|(took, _)| *took <= QUICK)
    }

    /// By how many µs its clock is ahead of ours; `None` before the first answer.
    pub fn ahead(&self) -> Option<i64> {
        let quickest = self.0.iter().min_by_key(|(took, _)| *took);
        quickest.map(|(_, ahead)| *ahead)
    }

    /// A time of its clock by ours; `None` before the first answer.
    pub fn ours(&self, there: u64) -> Option<u64> {
        Some(there.saturating_add_signed(self.ahead()?.checked_neg()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_longer_than_the_time_between_questions_is_measured() {
        let at = |ms: u64| Timestamp::from_nanos(ms * 1_000_000);
        let mut asked = Asked::default();
        let first = asked.next(at(1000));
        let second = asked.next(at(1100));
        assert_eq!(
            asked.answered(first, at(1200)),
            Some(Duration::from_millis(200))
        );
        assert_eq!(asked.answered(first, at(1210)), None, "once");
        (0..AWAITED).for_each(|_| {
            asked.next(at(1300));
        });
        assert_eq!(asked.answered(second, at(1400)), None, "too long ago");
    }

    #[test]
    fn the_quickest_answer_tells_the_clock() {
        let mut clocks = Clocks::default();
        assert_eq!(clocks.ours(5), None);
        let ms = Duration::from_millis;
        // It is 1 s ahead. The way there took 10 ms, the way back 190 ms, then 10 ms.
        clocks.answered(ms(200), 2_010_000, 1_200_000);
        assert_eq!((clocks.ahead(), clocks.are_known()), (Some(910_000), false));
        clocks.answered(ms(20), 3_010_000, 2_020_000);
        assert!(clocks.are_known());
        assert_eq!(clocks.ahead(), Some(1_000_000));
        assert_eq!(clocks.ours(5_000_000), Some(4_000_000));
        // Its clock was set; the old answers are forgotten in time.
        for _ in 0..KEPT {
            clocks.answered(ms(30), 15_000, 1_030_000);
        }
        assert_eq!(clocks.ahead(), Some(-1_000_000));
    }
}
