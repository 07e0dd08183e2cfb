//! What is computed from the frames that came: percentiles, gaps, ages, fairness.

/// A frame that a client had whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// When, in µs since the epoch.
    pub at_us: u64,
    /// When it was captured, in µs since the epoch, if that is known.
    pub captured_us: Option<u64>,
    /// Its number, if it says one.
    pub sequence: Option<u64>,
    /// Its size.
    pub bytes: usize,
}

impl Arrival {
    /// From the capture to the whole frame, in ms.
    pub fn latency_ms(&self) -> Option<f64> {
        Some(millis(self.at_us, self.captured_us?))
    }
}

fn millis(later_us: u64, earlier_us: u64) -> f64 {
    (later_us as f64 - earlier_us as f64) / 1000.0
}

/// Many values of one kind, which can be asked for any percentile.
#[derive(Debug, Default)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// Of these values.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The smallest value that `percent` of them do not exceed (nearest rank); `None` of none.
    pub fn at(&self, percent: f64) -> Option<f64> {
        let rank = (percent / 100.0 * self.0.len() as f64).ceil() as usize;
        let last = self.0.len().checked_sub(1)?;
        self.0.get(rank.saturating_sub(1).min(last)).copied()
    }

    /// The largest.
    pub fn max(&self) -> Option<f64> {
        self.0.last().copied()
    }
}

/// How old the newest frame is that the client has, in ms, at each millisecond from `from_us` to
/// `to_us`. This counts latency and missing frames in one figure: what a viewer feels. Empty while
/// there is no frame yet, or where the frames don't say when they were captured.
pub fn ages(arrivals: &[Arrival], from_us: u64, to_us: u64) -> Vec<f64> {
    let mut next = 0;
    let mut newest = None;
    let mut ages = Vec::new();
    for now in (from_us..to_us).step_by(1000) {
        while let Some(arrival) = arrivals.get(next).filter(|arrival| arrival.at_us <= now) {
            newest = newest.max(arrival.captured_us);
            next += 1;
        }
        ages.extend(newest.map(|captured| millis(now, captured)));
    }
    ages
}

/// The times between a frame and the next, in ms.
pub fn gaps(arrivals: &[Arrival]) -> impl Iterator<Item = f64> {
    arrivals
        .windows(2)
        .map(|pair| millis(pair[1].at_us, pair[0].at_us))
}

/// Frames left out between the first and the last that came, by their numbers.
pub fn missing(arrivals: &[Arrival]) -> u64 {
    let numbers = || arrivals.iter().filter_map(|arrival| arrival.sequence);
    match (numbers().next(), numbers().next_back()) {
        (Some(first), Some(last)) => (last + 1)
            .saturating_sub(first)
            .saturating_sub(numbers().count() as u64),
        _ => 0,
    }
}

/// Jain's index of fairness (Jain, Chiu, Hawe, DEC-TR-301, 1984): 1 if all have the same, 1/n if
/// one of n has all. `None` if nobody has anything.
pub fn jain(shares: &[f64]) -> Option<f64> {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    (squares > 0.0).then(|| sum * sum / (shares.len() as f64 * squares))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrival(at_ms: u64, captured_ms: u64, sequence: u64) -> Arrival {
        Arrival {
            at_us: at_ms * 1000,
            captured_us: Some(captured_ms * 1000),
            sequence: Some(sequence),
            bytes: 1,
        }
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let spread = Spread::new((1..=100).rev().map(f64::from));
        assert_eq!(spread.at(50.0), Some(50.0));
        assert_eq!(spread.at(95.0), Some(95.0));
        assert_eq!((spread.at(0.0), spread.at(100.0)), (Some(1.0), Some(100.0)));
        assert_eq!(Spread::new([7.0]).at(99.0), Some(7.0));
        assert_eq!(
            (Spread::default().at(50.0), Spread::default().max()),
            (None, None)
        );
    }

    #[test]
    fn the_age_grows_until_a_newer_frame_is_whole() {
        let arrivals = [arrival(102, 100, 1), arrival(106, 103, 2)];
        let ages = ages(&arrivals, 100_000, 108_000);
        assert_eq!(ages, [2.0, 3.0, 4.0, 5.0, 3.0, 4.0]);
    }

    #[test]
    fn frames_without_a_time_have_no_age() {
        let arrivals = [Arrival {
            captured_us: None,
            ..arrival(102, 0, 1)
        }];
        assert_eq!(ages(&arrivals, 100_000, 108_000), Vec::<f64>::new());
        assert_eq!(arrivals[0].latency_ms(), None);
    }

    #[test]
    fn gaps_and_missing_frames() {
        let arrivals = [arrival(10, 1, 5), arrival(43, 2, 6), arrival(110, 3, 9)];
        assert_eq!(gaps(&arrivals).collect::<Vec<_>>(), [33.0, 67.0]);
        assert_eq!(missing(&arrivals), 2);
        assert_eq!(missing(&[]), 0);
    }

    #[test]
    fn jain_of_equals_and_of_one_who_has_all() {
        assert_eq!(jain(&[3.0, 3.0, 3.0]), Some(1.0));
        assert_eq!(jain(&[8.0, 0.0, 0.0, 0.0]), Some(0.25));
        assert_eq!(jain(&[0.0]), None);
    }

    proptest! {
        #[test]
        fn jain_lies_between_one_nth_and_one(shares in prop::collection::vec(0.001..1e6, 1..20)) {
            let index = jain(&shares).unwrap();
            prop_assert!(index <= 1.0 + 1e-9 && index >= 1.0 / shares.len() as f64 - 1e-9);
        }

        /// The age is never below the latency of the frame that it is of.
        #[test]
        fn an_age_is_at_least_the_smallest_latency(
            frames in prop::collection::vec((1u64..100, 0u64..300), 1..30),
        ) {
            let mut now = 1_000_000;
            let mut arrivals: Vec<Arrival> = frames.iter().map(|(gap, latency)| {
                now += gap;
                arrival(now + latency, now, now)
            }).collect();
            arrivals.sort_by_key(|arrival| arrival.at_us);
            let least = arrivals.iter().filter_map(Arrival::latency_ms).fold(f64::MAX, f64::min);
            let ages = ages(&arrivals, 1_000_000_000, now * 1000 + 400_000);
            prop_assert!(ages.iter().all(|age| *age >= least));
        }
    }
}
