//! How loud the sound is.

/// What is shown where all is still: below what 16 bits can say.
pub const SILENCE: f64 = -100.0;

/// The part that a packet has in the mean: some 300 ms, as meters have it.
const SHARE: f64 = 0.07;

/// What is left of a peak after a packet: it falls by 20 dB in 1.7 s, as on programme meters.
const FALL: f64 = 0.973;

/// A meter. Levels are dB below the loudest that can be (dBFS).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Level {
    square: f64,
    peak: f64,
}

impl Level {
    /// Hears the samples of a packet.
    pub fn hear(&mut self, samples: &[i16]) {
        let (mut square, mut peak) = (0.0, 0.0f64);
        for sample in samples {
            let sample = f64::from(*sample) / 32768.0;
            square += sample * sample;
            peak = peak.max(sample.abs());
        }
        let square = square / samples.len().max(1) as f64;
        self.square += (square - self.square) * SHARE;
        self.peak = peak.max(self.peak * FALL);
    }

    /// Its mean.
    pub fn rms(&self) -> f64 {
        decibels(self.square.sqrt())
    }

    /// Its peak.
    pub fn peak(&self) -> f64 {
        decibels(self.peak)
    }
}

fn decibels(amplitude: f64) -> f64 {
    match amplitude > 0.0 {
        true => (20.0 * amplitude.log10()).clamp(SILENCE, 0.0),
        false => SILENCE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_its_level_and_silence_falls() {
        let mut level = Level::default();
        assert_eq!((level.rms(), level.peak()), (SILENCE, SILENCE));
        let tone: Vec<i16> = (0..960)
            .map(|n| ((f64::from(n) * std::f64::consts::TAU / 48.0).sin() * 16384.0) as i16)
            .collect();
        (0..200).for_each(|_| level.hear(&tone));
        assert!((level.peak() + 6.02).abs() < 0.1, "{}", level.peak());
        assert!((level.rms() + 9.03).abs() < 0.1, "{}", level.rms());
        (0..85).for_each(|_| level.hear(&[0; 960]));
        assert!((level.peak() + 26.0).abs() < 1.0, "{}", level.peak());
        level.hear(&[i16::MIN; 960]);
        assert_eq!(level.peak(), 0.0);
    }
}
