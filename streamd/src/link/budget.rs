//! When the next frame may be captured that a client may be sent, where that is limited.
//!
//! A frame that is too early is left out, and the next one is sent when it comes: nothing is late
//! because of a limit. No I/O, no clock.

use std::time::Duration;

use crate::media::Timestamp;

/// What may be sent at once beyond the limit, in seconds of it: single frames are larger than others.
const BURST: Duration = Duration::from_millis(250);

/// What a client was sent, against what it may be.
#[derive(Debug, Default)]
pub struct Budget {
    /// When all that was sent will have been allowed.
    even: Timestamp,
}

impl Budget {
    /// So much was sent, where so many bytes a second are allowed. No frame captured before the
    /// moment that is returned is to be sent.
    pub fn spend(&mut self, bytes: usize, most: f64, now: Timestamp) -> Timestamp {
        if most.is_infinite() {
            *self = Self::default();
            return Timestamp::default();
        }
        let takes = Duration::from_secs_f64(bytes as f64 / most);
        self.even = self.even.max(now) + takes;
        Timestamp::from_nanos(self.even.as_nanos().saturating_sub(BURST.as_nanos() as u64))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_a_limit_every_frame_may_be_sent() {
        let mut budget = Budget::default();
        let now = Timestamp::from_nanos(1_000_000_000);
        let free = Timestamp::default();
        assert_eq!(budget.spend(1 << 30, f64::INFINITY, now), free);
        assert!(budget.spend(1_000_000, 1e6, now) > now);
        assert_eq!(budget.spend(1 << 20, f64::INFINITY, now), free);
        assert!(
            budget.spend(1_000, 1e6, now) <= now,
            "what was before is forgotten"
        );
    }

    proptest! {
        /// Whatever the frames, all that is sent stays below the limit, but for the burst and one
        /// frame; and none is left out but while more than a burst is beyond what was allowed so far.
        #[test]
        fn a_limit_is_kept_and_used(
            sizes in prop::collection::vec(1_000usize..60_000, 50..300),
            most in 50_000.0..5_000_000.0f64,
        ) {
            let (mut budget, mut due) = (Budget::default(), Timestamp::default());
            let (mut sent, mut beyond) = (0, 0.0f64);
            let at = |i: usize| Timestamp::from_nanos(1_000_000_000 + i as u64 * 33_000_000);
            for (i, bytes) in sizes.iter().enumerate() {
                let captured = at(i);
                let allowed = (captured.since(at(0)) + BURST).as_secs_f64() * most;
                // What a quiet time leaves unused is not saved up.
                beyond = (beyond - most * 0.033).max(0.0);
                if captured < due {
                    prop_assert!(beyond + 1.0 >= most * BURST.as_secs_f64(), "{beyond}");
                    continue;
                }
                prop_assert!(f64::from(sent) <= allowed + 1.0, "{sent} of {allowed}");
                sent += *bytes as u32;
                beyond += *bytes as f64;
                due = budget.spend(*bytes, most, captured);
            }
        }
    }
}
