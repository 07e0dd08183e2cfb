//! When samples were captured: the device's own clock, held against that of the pictures. No I/O.
//!
//! A device counts samples by a clock of its own, which runs a little faster or slower than the
//! machine's, and is looked at with some jitter. The times of samples follow the looks slowly, so
//! that they are as even as the sound is.

use std::time::Duration;

use super::RATE;
use crate::media::Timestamp;

/// The part of a difference that is made good at each look.
const GAIN: f64 = 0.02;

/// The part of it that the rate is changed by.
const RATE_GAIN: f64 = GAIN * GAIN / 4.0;

/// A clock is no further off than this.
const MOST_DRIFT: f64 = 1e-3;

/// A difference that is no jitter: sound was lost, or the machine slept.
const JUMP: Duration = Duration::from_millis(60);

/// The times of the samples of one device since it was opened.
#[derive(Debug, Default)]
pub(super) struct Clock {
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    /// Samples that were counted at the last look.
    samples: u64,
    /// When the sample with that number was captured, ns.
    at: f64,
    /// By how much a sample takes longer than it should, of its whole.
    drift: f64,
}

/// Nanoseconds of a sample.
const SAMPLE: f64 = 1e9 / RATE as f64;

impl Clock {
    /// The sample with this number was captured `at` about that time. True if what came before it
    /// does not fit to that at all.
    pub fn look(&mut self, samples: u64, at: Timestamp) -> bool {
        let at = at.as_nanos() as f64;
        let Some(known) = &mut self.known else {
            self.known = Some(Known {
                samples,
                at,
                drift: 0.0,
            });
            return false;
        };
        let passed = samples.saturating_sub(known.samples) as f64 * SAMPLE;
        let expected = known.at + passed * (1.0 + known.drift);
        let off = at - expected;
        known.samples = samples;
        if off.abs() > JUMP.as_nanos() as f64 {
            (known.at, known.drift) = (at, 0.0);
            return true;
        }
        known.at = expected + off * GAIN;
        if passed > 0.0 {
            let drift = known.drift + off / passed * RATE_GAIN;
            known.drift = drift.clamp(-MOST_DRIFT, MOST_DRIFT);
        }
        false
    }

    /// When the sample with this number was captured; `None` before the first look.
    pub fn time(&self, sample: u64) -> Option<Timestamp> {
        let known = self.known.as_ref()?;
        let samples = sample as f64 - known.samples as f64;
        let at = known.at + samples * SAMPLE * (1.0 + known.drift);
        Some(Timestamp::from_nanos(at.max(0.0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each 20 ms at a device that is off by `drift`, with jitter; how far times are off at the
    /// end, and how unevenly packets lie, in µs.
    fn followed(drift: f64, jitter: f64, late: bool) -> (f64, f64) {
        let mut clock = Clock::default();
        let (start, mut noise) = (1e12, 1u32);
        let (mut off, mut uneven, mut last) = (0.0f64, 0.0f64, None::<f64>);
        for n in 0..6000u64 {
            let sample = n * 960;
            let real = start + sample as f64 * SAMPLE * (1.0 + drift);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let random = f64::from(noise >> 8) / f64::from(1 << 24);
            let random = if late { random } else { random * 2.0 - 1.0 };
            let seen = Timestamp::from_nanos((real + random * jitter * 1e6) as u64);
            assert!(!clock.look(sample, seen), "{n}");
            let time = clock.time(sample).unwrap().as_nanos() as f64;
            if n > 3000 {
                off = off.max((time - real).abs() / 1e3);
                let step = last.map_or(2e7, |last| time - last);
                uneven = uneven.max((step - 2e7).abs() / 1e3);
            }
            last = Some(time);
        }
        (off, uneven)
    }

    #[test]
    fn times_follow_a_clock_that_drifts_and_are_even() {
        for drift in [0.0, 1e-4, -3e-4] {
            let (off, uneven) = followed(drift, 3.0, false);
            assert!(off < 1500.0, "{drift}: {off} µs");
            assert!(uneven < 150.0, "{drift}: {uneven} µs");
            let (off, _) = followed(drift, 0.0, false);
            assert!(off < 300.0, "{drift}: {off} µs without jitter");
        }
        let (off, _) = followed(1e-4, 10.0, true);
        assert!(off < 8000.0, "late looks, by 5 ms at the mean: {off} µs");
    }

    #[test]
    fn lost_sound_is_noticed_and_times_go_on_where_it_does() {
        let mut clock = Clock::default();
        assert_eq!(clock.time(0), None);
        let at = |ms: u64| Timestamp::from_nanos(ms * 1_000_000);
        assert!(!clock.look(0, at(1000)));
        assert_eq!(clock.time(960), Some(at(1020)));
        assert!(!clock.look(960, at(1021)));
        assert!(clock.look(1920, at(1540)), "half a second is missing");
        assert_eq!(clock.time(1920), Some(at(1540)));
    }
}
