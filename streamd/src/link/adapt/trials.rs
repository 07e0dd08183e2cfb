//! Trying whether a link carries more than it is given: what a stream of small frames cannot tell.

use std::time::Duration;

use crate::media::Timestamp;

/// So many trials in a row that came in time mean that the link carries that rung.
const TRIALS: u32 = 2;

/// Time between trials: after one that came in time, at first, and at most; it doubles with each
/// that was late.
const TRIAL_AGAIN: Duration = Duration::from_millis(100);
const TRIAL_GAP: Duration = Duration::from_millis(500);
const LONGEST_TRIAL_GAP: Duration = Duration::from_secs(8);

/// Single frames of better rungs that are sent to see whether the link carries them.
#[derive(Debug)]
pub(super) struct Trials {
    /// The one whose arrival is awaited: rung and number of the frame.
    awaited: Option<(usize, u64)>,
    last: Timestamp,
    gap: Duration,
    in_time: u32,
    /// The last one was not late.
    pub bold: bool,
    /// The rung that enough of them have shown to fit.
    pub proven: Option<usize>,
}

impl Trials {
    pub fn new(now: Timestamp) -> Self {
        Self {
            awaited: None,
            last: now,
            gap: TRIAL_GAP,
            in_time: 0,
            bold: true,
            proven: None,
        }
    }

    /// One whose arrival was never seen is forgotten after the longest gap.
    pub fn due(&self, now: Timestamp) -> bool {
        let since = now.since(self.last);
        since >= self.gap && (self.awaited.is_none() || since >= LONGEST_TRIAL_GAP)
    }

    pub fn sent(&mut self, rung: usize, sequence: u64, now: Timestamp) {
        self.awaited = Some((rung, sequence));
        self.last = now;
    }

    /// That frame has arrived, in time for its rung or not, if that is known.
    pub fn delivered(&mut self, sequence: u64, in_time: impl FnOnce(usize) -> Option<bool>) {
        let awaited = self.awaited.take_if(|(_, awaited)| *awaited == sequence);
        let Some((rung, in_time)) = awaited.and_then(|(rung, _)| Some((rung, in_time(rung)?)))
        else {
            return;
        };
        self.bold = in_time;
        if in_time {
            self.in_time += 1;
            self.gap = TRIAL_AGAIN;
            self.proven = (self.in_time >= TRIALS).then_some(rung);
        } else {
            self.in_time = 0;
            self.gap = (self.gap * 2).clamp(TRIAL_GAP, LONGEST_TRIAL_GAP);
        }
    }

    /// The present rung is another one.
    pub fn forget(&mut self) {
        self.awaited = None;
        self.in_time = 0;
        self.proven = None;
        self.gap = self.gap.max(TRIAL_GAP);
    }
}
