//! The test tone: a short beep at each full second of the clock that the test pattern shows.

use std::time::Duration;

use super::{FRAME, RATE};
use crate::media::Timestamp;

/// A beep.
const LENGTH: u64 = 100_000_000;
const SECOND: u64 = 1_000_000_000;
const HERTZ: f64 = 1000.0;
const LOUD: f64 = 0.25 * 32767.0;

/// Its first and last moments fade, so that it does not click.
const FADE: f64 = 3_000_000.0;

/// The tone, from a moment on.
#[derive(Debug)]
pub(super) struct Tone {
    start: Timestamp,
    /// Nanoseconds of the second on the wall clock at the start.
    phase: u64,
    sample: u64,
}

impl Tone {
    /// One that begins now.
    pub fn new(start: Timestamp) -> Self {
        Self {
            start,
            phase: start.unix_micros() * 1000 % SECOND,
            sample: 0,
        }
    }

    /// The next frame of it on each of so many channels, with the number of its first sample.
    pub fn next(&mut self, channels: usize, out: &mut Vec<i16>) -> u64 {
        let first = self.sample;
        out.clear();
        for sample in first..first + FRAME as u64 {
            let value = self.at(sample);
            out.extend(std::iter::repeat_n(value, channels));
        }
        self.sample += FRAME as u64;
        first
    }

    /// When the sample with this number is heard.
    pub fn time(&self, sample: u64) -> Timestamp {
        self.start + nanos(sample)
    }

    fn at(&self, sample: u64) -> i16 {
        let within = (self.phase + nanos(sample).as_nanos() as u64) % SECOND;
        if within >= LENGTH {
            return 0;
        }
        let (into, left) = (within as f64, (LENGTH - within) as f64);
        let loud = (into / FADE).min(left / FADE).min(1.0);
        let turn = into / SECOND as f64 * HERTZ * std::f64::consts::TAU;
        (turn.sin() * loud * LOUD) as i16
    }
}

fn nanos(sample: u64) -> Duration {
    let rate = u64::from(RATE);
    Duration::from_nanos(sample / rate * SECOND + sample % rate * SECOND / rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beeps_at_full_seconds() {
        let mut tone = Tone {
            start: Timestamp::from_nanos(5_000_000_000),
            phase: 700_000_000,
            sample: 0,
        };
        let (mut all, mut frame) = (Vec::new(), Vec::new());
        for n in 0..100 {
            assert_eq!(tone.next(2, &mut frame), n * FRAME as u64);
            all.extend(frame.chunks(2).map(|pair| {
                assert_eq!(pair[0], pair[1]);
                pair[0]
            }));
        }
        let loud = |ms: usize| all[ms * 48..(ms + 10) * 48].iter().any(|s| s.abs() > 4000);
        assert!(!loud(0) && !loud(289) && loud(310) && loud(380) && !loud(401));
        assert!(!loud(1289) && loud(1310) && !loud(1401));
        let at = tone.time(48_000);
        assert_eq!(at, Timestamp::from_nanos(6_000_000_000));
    }
}
