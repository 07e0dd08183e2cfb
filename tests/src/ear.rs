//! Sound as a client gets it, looked at from outside.

use opus::{Channels, Decoder};

/// Samples a second.
const RATE: u32 = 48_000;

/// Samples of the longest packet.
const LONGEST: usize = 5760;

/// A sample so far from 0 is heard: a sixteenth of the loudest that the test tone has.
const HEARD: u16 = 512;

/// After so many quiet samples a sound begins anew.
const QUIET: usize = 4800;

/// What is heard of packets of Opus.
pub struct Ear {
    decoder: Decoder,
    quiet: usize,
}

impl Ear {
    /// Nothing is heard yet.
    ///
    /// # Panics
    /// If there is no decoder.
    #[track_caller]
    pub fn new() -> Self {
        Self {
            decoder: Decoder::new(RATE, Channels::Mono).expect("a decoder"),
            quiet: 0,
        }
    }

    /// Hears the packet after those before it, whose first sample was captured at this moment, in
    /// seconds; says when a sound begins in it.
    ///
    /// # Panics
    /// If it can't be decoded.
    #[track_caller]
    pub fn begins(&mut self, packet: &[u8], captured: f64) -> Option<f64> {
        let mut samples = [0; LONGEST];
        let decoded = self.decoder.decode(packet, &mut samples, false);
        let count = decoded.expect("a packet that can be decoded");
        let mut begins = None;
        for (n, sample) in samples[..count].iter().enumerate() {
            if sample.unsigned_abs() < HEARD {
                self.quiet += 1;
                continue;
            }
            if self.quiet >= QUIET {
                begins.get_or_insert(captured + n as f64 / f64::from(RATE));
            }
            self.quiet = 0;
        }
        begins
    }
}

impl Default for Ear {
    fn default() -> Self {
        Self::new()
    }
}
