//! How much a link carries at which moment: constant, in steps, by a trace, or by chance.
//!
//! Times are in nanoseconds from the beginning of the profile.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};

/// A second.
pub const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Megabits a second that can be asked for: more is no bad link, and less carries no TCP.
const RATES: std::ops::RangeInclusive<f64> = 0.05..=1000.0;

/// Bytes of a delivery opportunity in a trace file.
const OPPORTUNITY: f64 = 1500.0;

/// A rate until a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    until: u64,
    /// Bytes a nanosecond.
    rate: f64,
}

/// The rate of a link over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// In order of time. After the last one it begins again, if it repeats; else that one stays.
    pieces: Vec<Piece>,
    repeats: bool,
}

impl Profile {
    /// Always the same.
    pub fn constant(megabits: f64) -> Self {
        Self::steps(&[(megabits, 0)])
    }

    /// Rates in Mb/s, each from a second on; the first from 0 on.
    pub fn steps(steps: &[(f64, u64)]) -> Self {
        let ends = steps.iter().skip(1).map(|(_, second)| second * SECOND);
        let pieces = steps
            .iter()
            .zip(ends.chain([u64::MAX]))
            .map(|((megabits, _), until)| Piece {
                until,
                rate: per_nanosecond(*megabits),
            })
            .collect();
        Self {
            pieces,
            repeats: false,
        }
    }

    /// A mobile link: the rate walks at random between 0.5 and 20 Mb/s in steps of 20 ms, and
    /// every ten seconds or so there is nothing at all for 0.2 to 1.2 seconds. A seed always gives
    /// the same minute, which then repeats.
    pub fn mobile(seed: u64) -> Self {
        let mut chance = Chance(seed);
        // In octaves: a link of 1 Mb/s varies by less than one of 10.
        let (low, high) = (0.5f64.log2(), 20f64.log2());
        let mut octave = 6f64.log2();
        let mut outage = 0;
        let piece = |n: u64| {
            octave += 0.3 * (chance.next() + chance.next() + chance.next() - 1.5);
            // Off the ends it comes back, and does not stick to them.
            octave = if octave > high {
                2.0 * high - octave
            } else {
                octave
            };
            octave = if octave < low {
                2.0 * low - octave
            } else {
                octave
            };
            if outage == 0 && chance.next() < 0.002 {
                outage = 10 + (50.0 * chance.next()) as u64;
            }
            let rate = if outage > 0 { 0.0 } else { octave.exp2() };
            outage = outage.saturating_sub(1);
            Piece {
                until: (n + 1) * 20 * MS,
                rate: per_nanosecond(rate),
            }
        };
        Self {
            pieces: (0..3000).map(piece).collect(),
            repeats: true,
        }
    }

    /// `8`, or `10:0,2:10,10:20`, or the path of a trace file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        if text.contains('/') || Path::new(text).exists() {
            return Self::read(Path::new(text));
        }
        let mut steps = Vec::new();
        for part in text.split(',') {
            let (rate, second) = part.split_once(':').unwrap_or((part, "0"));
            let rate = rate.parse().ok().filter(|rate| RATES.contains(rate));
            match (rate, second.parse::<u32>()) {
                (Some(rate), Ok(second)) => steps.push((rate, u64::from(second))),
                _ => bail!(
                    "{part:?} in link {text:?}: allowed are megabits a second from 0.05 to 1000, as in 8; steps as in 10:0,2:10,10:20; the path of a trace file"
                ),
            }
        }
        ensure!(
            steps[0].1 == 0 && steps.is_sorted_by(|a, b| a.1 < b.1),
            "link {text:?}: the steps begin at second 0, and each is later than the one before"
        );
        Ok(Self::steps(&steps))
    }

    /// The trace in this file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = || format!("trace {}", path.display());
        let trace = fs::read_to_string(path).with_context(shown)?;
        Self::trace(&trace).with_context(shown)
    }

    /// A trace in the format of Mahimahi (Netravali et al., USENIX ATC 2015): each line is a
    /// millisecond at which 1500 bytes may pass; it repeats. What a millisecond carries is spread
    /// evenly over it, and a small packet takes only its share of an opportunity.
    pub fn trace(text: &str) -> anyhow::Result<Self> {
        let mut counts: Vec<u32> = Vec::new();
        for (n, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
        {
            let ms: usize = line
                .trim()
                .parse()
                .ok()
                .filter(|ms| *ms < 24 * 3_600_000)
                .with_context(|| format!("line {}: {line:?} is no millisecond of a day", n + 1))?;
            ensure!(
                ms + 1 >= counts.len(),
                "line {}: {ms} is earlier than the line before",
                n + 1
            );
            counts.resize(ms + 1, 0);
            counts[ms] += 1;
        }
        ensure!(!counts.is_empty(), "no line");
        let pieces = (1..).zip(counts).map(|(ms, count)| Piece {
            until: ms * MS,
            rate: f64::from(count) * OPPORTUNITY / MS as f64,
        });
        Ok(Self {
            pieces: pieces.collect(),
            repeats: true,
        })
    }

    /// When so many bytes, begun at `from`, have been carried.
    pub fn finish(&self, from: u64, bytes: f64) -> u64 {
        let mut left = bytes;
        for (begin, end, rate) in self.from(from) {
            let carried = rate * (end - begin) as f64;
            if carried >= left && rate > 0.0 {
                return begin + (left / rate).round() as u64;
            }
            left -= carried;
        }
        u64::MAX
    }

    /// Bytes that can be carried between two moments.
    pub fn capacity(&self, from: u64, to: u64) -> f64 {
        self.from(from)
            .take_while(|(begin, _, _)| *begin < to)
            .map(|(begin, end, rate)| rate * (end.min(to) - begin) as f64)
            .sum()
    }

    /// Begin, end and rate of each piece from this moment on.
    fn from(&self, from: u64) -> impl Iterator<Item = (u64, u64, f64)> {
        let period = self.pieces[self.pieces.len() - 1].until;
        let (mut round, at) = if self.repeats {
            (from - from % period, from % period)
        } else {
            (0, from)
        };
        let mut n = self.pieces.partition_point(|piece| piece.until <= at);
        let mut begin = from;
        std::iter::from_fn(move || {
            if n == self.pieces.len() {
                if !self.repeats {
                    return None;
                }
                (n, round) = (0, round + period);
            }
            let Piece { until, rate } = self.pieces[n];
            let end = round.saturating_add(until);
            let piece = (begin, end, rate);
            (n, begin) = (n + 1, end);
            Some(piece)
        })
    }
}

fn per_nanosecond(megabits: f64) -> f64 {
    megabits * 1e6 / 8.0 / SECOND as f64
}

/// Random numbers: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same on every machine.
pub struct Chance(pub u64);

impl Chance {
    /// From 0 up to 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as f64 / 2f64.powi(64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_constant_link_takes_its_time() {
        let link = Profile::constant(8.0);
        assert_eq!(link.finish(5 * SECOND, 1e6), 6 * SECOND);
        assert_eq!(link.capacity(0, 2 * SECOND), 2e6);
    }

    #[test]
    fn steps_hold_from_their_second_on() {
        let link = Profile::parse("8:0,4:1,16:2").unwrap();
        assert_eq!(link.capacity(0, 3 * SECOND), 1e6 + 0.5e6 + 2e6);
        assert_eq!(link.finish(0, 1.25e6), SECOND * 3 / 2);
    }

    #[test]
    fn a_trace_carries_1500_bytes_a_line_and_repeats() {
        let link = Profile::trace("0\n0\n5\n9\n").unwrap();
        assert_eq!(link.capacity(0, 10 * MS), 6000.0);
        assert_eq!(link.capacity(0, 100 * MS), 60_000.0);
        assert_eq!(link.finish(0, 4500.0), 6 * MS);
        assert_eq!(link.finish(6 * MS, 4500.0), 11 * MS);
    }

    #[test]
    fn what_is_no_link_is_refused_with_the_place() {
        for text in ["", "fast", "0", "8:x", "10:0,2:20,10:10", "10:5", "nan"] {
            assert!(Profile::parse(text).is_err(), "{text}");
        }
        let said = |text| Profile::trace(text).unwrap_err().to_string();
        assert_eq!(said("1\nx\n"), "line 2: \"x\" is no millisecond of a day");
        assert_eq!(said("5\n3\n"), "line 2: 3 is earlier than the line before");
        assert_eq!(said("\n"), "no line");
    }

    #[test]
    fn the_mobile_link_has_outages_and_stays_in_its_range() {
        let link = Profile::mobile(1);
        assert_eq!(link, Profile::mobile(1));
        assert_ne!(link, Profile::mobile(2));
        let rates = || link.pieces.iter().map(|piece| piece.rate);
        assert!(rates().any(|rate| rate == 0.0));
        let (low, high) = (per_nanosecond(0.499), per_nanosecond(20.01));
        assert!(rates().all(|rate| rate == 0.0 || (low..=high).contains(&rate)));
    }

    proptest! {
        /// To carry what fits between two moments takes until the second one.
        #[test]
        fn finish_is_the_inverse_of_capacity(seed: u64, from in 0..300 * SECOND, bytes in 1.0..1e7) {
            let link = Profile::mobile(seed);
            let to = link.finish(from, bytes);
            prop_assert!((link.capacity(from, to) - bytes).abs() < 1.0);
        }
    }
}
