//! H.264 of raw frames, by openh264: constrained baseline, no picture held back, in two temporal
//! layers of which the upper may be left out.
//!
//! openh264 bounds no single picture. A picture after a cut, or after a key was asked for, would
//! take several frame times on a link that carries the stream just so. So no picture is larger than
//! [`MOST`] times what one has on average: one that would be is encoded again as a key at a fraction
//! of the rate; the pictures after it bring the quality back.

mod given;
mod library;
mod planes;
mod units;

pub use self::given::{Eye, Given};

use self::{
    library::{Encoder, Shape},
    planes::Maker,
};
use super::{Error, Picture};
use crate::media::{RawFrame, Scale};

/// Times the bytes that a picture has on average which one has at most.
const MOST: f64 = 1.5;

/// The part of the bit rate at which a picture is encoded that must be a key, and that at which it
/// is if it is still too large.
const DIPS: [u32; 3] = [1, 8, 32];

/// Bits a second at least; less is no picture.
pub const LEAST_BIT_RATE: u32 = 50_000;

/// How a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Its size against the frame's.
    pub scale: Scale,
    /// Pictures a second of the stream.
    pub fps: f64,
    /// Bits a second of the stream.
    pub bit_rate: u32,
    /// It is to need no picture before it.
    pub key: bool,
    /// No picture may be much larger than one is on average: it is on its way to somebody.
    pub is_even: bool,
}

/// One stream's encoder: each picture builds on those before.
#[derive(Default)]
pub struct Stream {
    maker: Maker,
    encoder: Option<Encoder>,
}

impl Stream {
    /// Encodes a frame; `head` goes before it. Of another size or rate than the last one, it begins
    /// the stream anew.
    ///
    /// # Errors
    /// If the frame is broken or shorter than its layout says, or the library fails.
    pub fn encode(
        &mut self,
        raw: &RawFrame,
        wanted: &Wanted,
        head: &[u8],
    ) -> Result<Picture, Error> {
        let (planes, frame) = self.maker.planes(raw, wanted.scale)?;
        let (width, height) = planes.size();
        let bit_rate = wanted.bit_rate.max(LEAST_BIT_RATE);
        let shape = Shape {
            width,
            height,
            fps: wanted.fps,
        };
        let encoder = match &mut self.encoder {
            Some(encoder) if encoder.shape() == shape => encoder,
            other => other.insert(Encoder::new(shape, bit_rate)?),
        };
        encoder.set_bit_rate(bit_rate)?;
        let most = match wanted.is_even {
            true => f64::from(bit_rate) / 8.0 / wanted.fps * MOST,
            false => f64::INFINITY,
        };
        let mut unit = encoder.encode(planes, raw.captured, wanted.key, head)?;
        for dip in DIPS {
            if unit.bytes.len() as f64 <= most {
                break;
            }
            encoder.set_bit_rate(bit_rate / dip)?;
            unit = encoder.encode(planes, raw.captured, true, head)?;
        }
        Ok(Picture {
            bytes: unit.bytes,
            key: unit.key,
            droppable: unit.droppable,
            width,
            height,
            frame,
        })
    }
}

impl From<library::Error> for Error {
    fn from(error: library::Error) -> Self {
        Self::Library(format!("openh264: {error}"))
    }
}

#[cfg(test)]
mod tests;
