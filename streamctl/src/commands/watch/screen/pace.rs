//! When the next picture may be drawn. No I/O.
//!
//! A terminal behind a slow link takes pictures later than they are written: megabytes may wait
//! in between, and the picture would be seconds old. So each picture is followed by a question
//! that the terminal answers when it gets there, and only a few may be unanswered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Pictures that may be under way: one that the terminal draws, and the next behind it.
const UNDER_WAY: usize = 2;

/// A terminal that has not answered for this long does not answer this question at all.
const PATIENCE: Duration = Duration::from_secs(2);

/// Counts questions and answers.
#[derive(Debug, Default)]
pub struct Pace {
    asked: VecDeque<Instant>,
    answers: bool,
}

impl Pace {
    /// A picture and a question were written.
    pub fn drawn(&mut self, now: Instant) {
        if self.asked.len() <= UNDER_WAY {
            self.asked.push_back(now);
        }
    }

    /// The terminal answered one.
    pub fn answered(&mut self) {
        self.answers = true;
        self.asked.pop_front();
    }

    /// Whether another picture may be written. A terminal that never answers is not waited for.
    pub fn may_draw(&mut self, now: Instant) -> bool {
        let oldest = self.asked.front();
        if oldest.is_some_and(|asked| now.saturating_duration_since(*asked) >= PATIENCE) {
            self.asked.clear();
            self.answers = false;
        }
        !self.answers || self.asked.len() < UNDER_WAY
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_terminal_that_answers_has_few_pictures_under_way(events in prop::collection::vec(any::<bool>(), 0..200)) {
            let now = Instant::now();
            let mut pace = Pace::default();
            pace.answered();
            let mut under_way = 0;
            for answer in events {
                if answer && under_way > 0 {
                    pace.answered();
                    under_way -= 1;
                } else if pace.may_draw(now) {
                    pace.drawn(now);
                    under_way += 1;
                }
                prop_assert!(under_way <= UNDER_WAY);
                prop_assert_eq!(pace.may_draw(now), under_way < UNDER_WAY);
            }
        }
    }

    #[test]
    fn a_terminal_that_does_not_answer_is_not_waited_for() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..10 {
            assert!(pace.may_draw(now));
            pace.drawn(now);
        }
        pace.answered();
        assert!(!pace.may_draw(now));
        assert!(pace.may_draw(now + PATIENCE));
        pace.drawn(now + PATIENCE);
        assert!(pace.may_draw(now + PATIENCE));
    }
}
