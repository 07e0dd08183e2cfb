//! What a driver's sequence numbers and time stamps can be trusted with. No I/O.

use std::time::Duration;

use crate::media::Timestamp;

/// A larger jump is a driver that counts anew or nonsense, not thousands of lost frames.
const LARGEST_GAP: u32 = 1000;

/// A stamp older than this when its buffer is taken is wrong: the stream has not stood for so long.
const OLDEST_STAMP: Duration = Duration::from_secs(2);

/// Follows the sequence numbers of one stream.
#[derive(Debug, Default)]
pub struct Continuity {
    last: Option<u32>,
}

impl Continuity {
    /// How many frames of the driver lie between the last one seen and this one, itself included:
    /// 1 where nothing is missing, where the driver begins anew, and where it does not count.
    pub fn advance(&mut self, sequence: u32) -> u64 {
        let gap = match self.last.replace(sequence) {
            Some(last) => sequence.wrapping_sub(last),
            None => 1,
        };
        match gap {
            1..=LARGEST_GAP => gap.into(),
            _ => 1,
        }
    }
}

/// When the frame was captured: the driver's stamp if it is one of `CLOCK_MONOTONIC`, can be true
/// and is later than that of the frame `before`, else the moment its buffer was taken.
pub fn captured(stamp: Option<Timestamp>, taken: Timestamp, before: Timestamp) -> Timestamp {
    match stamp {
        Some(stamp) if stamp > before && stamp <= taken && taken.since(stamp) <= OLDEST_STAMP => {
            stamp
        }
        _ => taken,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_are_counted_and_new_beginnings_are_none() {
        let mut continuity = Continuity::default();
        let advances: Vec<_> = [7, 8, 11, 0, 1, u32::MAX, 1, 1, 50_000]
            .map(|sequence| continuity.advance(sequence))
            .into();
        assert_eq!(advances, [1, 1, 3, 1, 1, 1, 2, 1, 1]);
    }

    proptest! {
        #[test]
        fn a_frame_is_never_from_the_future_nor_older_than_two_seconds(
            stamp in proptest::option::of(any::<u64>()), taken in any::<u64>(),
        ) {
            let taken = Timestamp::from_nanos(taken);
            let at = captured(stamp.map(Timestamp::from_nanos), taken, Timestamp::default());
            prop_assert!(at <= taken && taken.since(at) <= OLDEST_STAMP);
        }

        #[test]
        fn a_stamp_that_can_be_true_is_kept(taken in 2_000_000_000u64.., age in 0u64..=2_000_000_000) {
            let stamp = Timestamp::from_nanos(taken - age);
            let before = Timestamp::from_nanos(taken - age - 1);
            prop_assert_eq!(captured(Some(stamp), Timestamp::from_nanos(taken), before), stamp);
        }

        #[test]
        fn time_never_goes_back_whatever_the_driver_says(
            frames in proptest::collection::vec((any::<bool>(), 0u64..3_000_000_000), 1..50),
        ) {
            let mut before = Timestamp::default();
            for (n, (stamped, age)) in (3u64..).zip(frames) {
                let taken = Timestamp::from_nanos(n * 33_000_000 + 3_000_000_000);
                let stamp = stamped.then(|| Timestamp::from_nanos(taken.as_nanos() - age));
                let at = captured(stamp, taken, before);
                prop_assert!(before < at && at <= taken);
                before = at;
            }
        }
    }
}
