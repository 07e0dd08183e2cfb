//! H.264 of raw frames, by openh264: constrained baseline, no picture held back, in two temporal
//! layers of which the upper may be left out.
//!
//! openh264 bounds no single picture. A picture after a cut, or after a key was asked for, would
//! take several frame times on a link that carries the stream just so. So no picture is larger than
//! [`MOST`] times what one has on average: one that would be is encoded again as a key at a fraction
//! of the rate; the pictures after it bring the quality back.
//!
//! Another encoder may do its work while it can ([`Hardware`]).

mod given;
mod library;
mod planes;
mod sps;
mod units;

use std::sync::Arc;

pub use self::{
    given::{Eye, Given},
    planes::Planes,
    units::{Unit, is_slice, starts},
};

use self::{
    library::{Encoder, Shape},
    planes::Maker,
};
use super::{Error, Picture};
use crate::media::{RawFrame, Scale, Timestamp};

/// Times the bytes that a picture has on average which one has at most.
const MOST: f64 = 1.5;

/// The parts of the bit rate at which a picture that is too large is encoded again, as a key, one
/// after the other until it is not.
const DIPS: [u32; 3] = [1, 8, 32];

/// Bits a second at least; less is no picture.
pub const LEAST_BIT_RATE: u32 = 50_000;

/// How a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// Its size against the frame's.
    pub scale: Scale,
    /// Pictures a second of the stream at most.
    pub fps: f64,
    /// Those that really come: in the dark a camera may give half of what was asked for.
    pub real_fps: f64,
    /// Bits a second of the stream.
    pub bit_rate: u32,
    /// Those that it ever has.
    pub highest: u32,
    /// It is to need no picture before it.
    pub key: bool,
    /// No picture may be much larger than one is on average: it is on its way to somebody.
    pub is_even: bool,
}

/// How the next picture is to be encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    /// When it was captured.
    pub captured: Timestamp,
    /// Pictures a second at most.
    pub fps: f64,
    /// Those that really come.
    pub real_fps: f64,
    /// Bits a second.
    pub bit_rate: u32,
    /// Those that the stream ever has.
    pub highest: u32,
    /// It is to need no picture before it.
    pub key: bool,
    /// Bytes that it may have; infinite where it is on its way to nobody.
    pub most: f64,
}

/// What encodes a stream in the place of openh264, while it can.
pub trait Hardware: Send {
    /// Encodes a picture; `head` goes before it. `None` while it can't; the picture with which it
    /// comes back is a key.
    fn encode(&mut self, planes: &Arc<Planes>, order: &Order, head: &[u8]) -> Option<Unit>;
}

/// One stream's encoder: each picture builds on those before.
#[derive(Default)]
pub struct Stream {
    maker: Maker,
    hardware: Option<Box<dyn Hardware>>,
    encoder: Option<Encoder>,
}

impl Stream {
    /// A stream that this encodes while it can, and else openh264.
    pub fn by(hardware: Box<dyn Hardware>) -> Self {
        Self {
            hardware: Some(hardware),
            ..Self::default()
        }
    }

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
        let most = match wanted.is_even {
            true => f64::from(bit_rate) / 8.0 / wanted.real_fps * MOST,
            false => f64::INFINITY,
        };
        let order = Order {
            captured: raw.captured,
            fps: wanted.fps,
            real_fps: wanted.real_fps,
            bit_rate,
            highest: wanted.highest,
            key: wanted.key,
            most,
        };
        let hardware = self.hardware.as_mut();
        let unit = match hardware.and_then(|hardware| hardware.encode(planes, &order, head)) {
            Some(unit) => {
                // Its next picture, whenever that is, begins the stream anew.
                self.encoder = None;
                unit
            }
            None => {
                let shape = Shape {
                    width,
                    height,
                    fps: wanted.fps,
                };
                by_library(&mut self.encoder, shape, planes, &order, head)?
            }
        };
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

/// Encodes a picture by openh264.
fn by_library(
    encoder: &mut Option<Encoder>,
    shape: Shape,
    planes: &Planes,
    order: &Order,
    head: &[u8],
) -> Result<Unit, Error> {
    let encoder = match encoder {
        Some(encoder) if encoder.shape() == shape => encoder,
        other => other.insert(Encoder::new(shape, order.bit_rate)?),
    };
    encoder.set_bit_rate(order.bit_rate)?;
    let mut unit = encoder.encode(planes, order.captured, order.key, head)?;
    for dip in DIPS {
        if unit.bytes.len() as f64 <= order.most {
            break;
        }
        encoder.set_bit_rate(order.bit_rate / dip)?;
        unit = encoder.encode(planes, order.captured, true, head)?;
    }
    Ok(unit)
}

impl From<library::Error> for Error {
    fn from(error: library::Error) -> Self {
        Self::Library(format!("openh264: {error}"))
    }
}

#[cfg(test)]
mod tests;
