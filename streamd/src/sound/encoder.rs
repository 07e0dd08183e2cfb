//! Opus packets of samples.

use bytes::Bytes;
use opus::{Application, Bitrate, Channels};

use super::{FRAME, RATE};
use crate::config::{Audio, values::SoundChannels};

/// Bytes of a packet at most: 20 ms of the highest rate, in one datagram.
const MOST: usize = 1275;

/// An encoder.
pub(super) struct Encoder {
    opus: opus::Encoder,
    buffer: Vec<u8>,
    /// Samples by which what is decoded of a packet is behind those that it was made of.
    pub lag: u64,
}

impl Encoder {
    /// One for these settings.
    ///
    /// # Errors
    /// The library has no memory to spare.
    pub fn new(settings: &Audio) -> opus::Result<Self> {
        let channels = match settings.channels {
            SoundChannels::Mono => Channels::Mono,
            SoundChannels::Stereo => Channels::Stereo,
        };
        let mut opus = opus::Encoder::new(RATE, channels, Application::Audio)?;
        opus.set_bitrate(Bitrate::Bits(settings.bit_rate.get() as i32))?;
        Ok(Self {
            lag: u64::from(opus.get_lookahead()?.unsigned_abs()),
            opus,
            buffer: vec![0; MOST],
        })
    }

    /// A packet of [`FRAME`] samples on each channel.
    ///
    /// # Errors
    /// When they are not so many.
    pub fn encode(&mut self, samples: &[i16]) -> opus::Result<Bytes> {
        debug_assert_eq!(samples.len() % FRAME, 0);
        let length = self.opus.encode(samples, &mut self.buffer)?;
        Ok(Bytes::copy_from_slice(&self.buffer[..length]))
    }
}
