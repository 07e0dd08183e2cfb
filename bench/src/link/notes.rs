//! What a row is looked at for besides its figures: recovery after steps, swings, fairness.

use crate::{
    client::{Client, Rung},
    figures::{Arrival, Spread, ages},
};

/// A picture that is older is not fresh.
const FRESH_MS: f64 = 300.0;

/// Freshness counts when it lasts so long.
const LASTING_US: u64 = 1_000_000;

/// The best pictures are back when frames have this part of their former size.
const BEST: f64 = 0.9;

/// A rung that is left and taken again within this time is a swing.
const SWING_US: u64 = 4_000_000;

/// How long after the rate's drop the age is below 300 ms again and stays so for a second, in
/// seconds; `None` if that does not happen until `to_us`.
pub fn fresh_again(arrivals: &[Arrival], drop_us: u64, to_us: u64) -> Option<f64> {
    let ages = ages(arrivals, drop_us, to_us);
    // The drop can't be seen at once: what counts is the last old picture.
    let stale = ages.iter().rposition(|age| *age > FRESH_MS);
    let fresh = stale.map_or(0, |n| n + 1) as u64;
    (drop_us + fresh * 1000 + LASTING_US <= to_us && !ages.is_empty())
        .then(|| fresh as f64 / 1000.0)
}

/// How long after the rate's rise frames are as large as before the drop, in seconds; `None` if
/// that does not happen.
pub fn best_again(arrivals: &[Arrival], drop_us: u64, rise_us: u64) -> Option<f64> {
    let before = arrivals.iter().filter(|arrival| arrival.at_us < drop_us);
    let best = Spread::new(before.map(|arrival| arrival.bytes as f64)).at(50.0)?;
    let back = arrivals
        .iter()
        .find(|arrival| arrival.at_us >= rise_us && arrival.bytes as f64 >= BEST * best)?;
    Some((back.at_us - rise_us) as f64 / 1e6)
}

/// Changes of the rendition since `from_us`, and how many of them went back within 4 s to the one
/// before.
pub fn changes(client: &Client, from_us: u64) -> (usize, usize) {
    count(&client.rungs, from_us)
}

fn count(rungs: &[Rung], from_us: u64) -> (usize, usize) {
    let first = rungs.partition_point(|rung| rung.at_us < from_us);
    let same = |a: &Rung, b: &Rung| (a.quality, a.width) == (b.quality, b.width);
    let swings = rungs.windows(3).filter(|three| {
        three[2].at_us >= from_us
            && same(&three[0], &three[2])
            && three[2].at_us - three[1].at_us < SWING_US
    });
    (rungs.len() - first, swings.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    /// A frame each 100 ms; `latency_ms` and `bytes` by its number.
    fn arrivals(frame: impl Fn(u64) -> (u64, usize)) -> Vec<Arrival> {
        let arrival = |n: u64| {
            let (latency_ms, bytes) = frame(n);
            Arrival {
                at_us: SECOND + n * 100_000,
                captured_us: Some(SECOND + n * 100_000 - latency_ms * 1000),
                sequence: Some(n),
                bytes,
            }
        };
        (0..100).map(arrival).collect()
    }

    #[test]
    fn freshness_returns_with_the_last_old_picture() {
        let frames = arrivals(|n| (if (20..25).contains(&n) { 500 } else { 50 }, 1));
        let fresh = fresh_again(&frames, 3 * SECOND, 8 * SECOND);
        assert_eq!(fresh, Some(0.5));
        assert_eq!(fresh_again(&frames, 4 * SECOND, 8 * SECOND), Some(0.0));
        assert_eq!(fresh_again(&frames, 3 * SECOND, 4 * SECOND), None);
    }

    #[test]
    fn the_best_is_back_when_frames_have_their_size() {
        let frames = arrivals(|n| (1, if (20..50).contains(&n) { 10 } else { 50 }));
        assert_eq!(best_again(&frames, 3 * SECOND, 5 * SECOND), Some(1.0));
        let never = arrivals(|n| (1, if n >= 20 { 10 } else { 50 }));
        assert_eq!(best_again(&never, 3 * SECOND, 5 * SECOND), None);
    }

    #[test]
    fn a_swing_goes_back_within_four_seconds() {
        let rung = |second, quality| Rung {
            at_us: second * SECOND,
            quality,
            width: 640,
        };
        let rungs = [
            rung(0, 80),
            rung(5, 60),
            rung(8, 80),
            rung(20, 60),
            rung(30, 80),
        ];
        assert_eq!(count(&rungs, SECOND), (4, 1));
        assert_eq!(count(&rungs, 9 * SECOND), (2, 0));
    }
}
