//! How latencies are spread, in bounded memory however long the session.

/// The lowest value that is told apart, ms.
const LOWEST: f64 = 0.01;

/// Each bucket is this much wider than the one before: a percentile is within 1 %.
const GROWTH: f64 = 1.02;

/// Buckets: up to a hundred seconds.
const BUCKETS: usize = 815;

/// A histogram with buckets of growing width.
#[derive(Debug)]
pub struct Spread {
    buckets: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            sum: 0.0,
        }
    }
}

impl Spread {
    /// Takes a value, ms. The error of the two clocks can make a tiny one negative: that is 0.
    pub fn add(&mut self, ms: f64) {
        let ms = ms.max(0.0);
        let bucket = ((ms / LOWEST).max(1.0).ln() / GROWTH.ln()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.count += 1;
        self.sum += ms;
    }

    /// The average, ms.
    pub fn average(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The value that `percent` of all are not above, ms, to within 1 %.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = (self.count as f64 * percent / 100.0).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(LOWEST * GROWTH.powf(bucket as f64 + 0.5))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_are_within_a_hundredth(
            mut values in prop::collection::vec(0.01..90_000.0_f64, 1..400),
            percent in 1.0..100.0_f64,
        ) {
            let mut spread = Spread::default();
            for value in &values {
                spread.add(*value);
            }
            values.sort_by(f64::total_cmp);
            let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
            let truth = values[rank - 1];
            let told = spread.percentile(percent).unwrap();
            prop_assert!((told / truth - 1.0).abs() < 0.0101, "{told} for {truth}");
        }
    }

    #[test]
    fn nothing_is_nothing() {
        let spread = Spread::default();
        assert_eq!(spread.average(), None);
        assert_eq!(spread.percentile(95.0), None);
    }
}
