//! From a [`RawFrame`](crate::media::RawFrame) to JPEG pictures, and to streams of H.264 ([`h264`]).
//!
//! [`prepare`] does once what all renditions need; [`jpeg`] encodes raw pixels, and cameras' own
//! JPEG pictures at a lower quality or size; [`passthrough`] hands the latter on as they are,
//! repaired where they need it; [`check`] says of them whether they are whole.

pub mod check;
#[cfg(feature = "h264")]
pub mod h264;
pub mod jpeg;
mod levels;
mod mosaic;
mod plain;
pub mod prepare;

pub mod huffman;
mod passthrough;

#[cfg(test)]
mod prepare_tests;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::media::Layout;

pub use check::Broken;
pub use jpeg::simd;
use levels::GreyLevels;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Of JPEG from SOI to EOI; of H.264 its units, each behind a start code.
    pub bytes: Bytes,
    /// It needs no picture before it.
    pub key: bool,
    /// [`Packet::droppable`](crate::media::Packet::droppable).
    pub droppable: bool,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Width and height of the frame that it was made of, pixels.
    pub frame: (u32, u32),
}

/// Why a frame could not be encoded. The next one may well be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The buffer ends before the picture does.
    #[error("the frame has {have} bytes, its layout needs {need}")]
    Short {
        /// Bytes in the buffer.
        have: usize,
        /// Bytes that the layout asks for.
        need: usize,
    },
    /// The lines are shorter than the picture is wide.
    #[error("the frame's lines have {have} bytes, its width needs {need}")]
    Stride {
        /// Bytes of a line.
        have: u32,
        /// Bytes that the width asks for.
        need: u32,
    },
    /// No JPEG picture has this size.
    #[error("a picture of {width}x{height} cannot be encoded")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// The camera's own JPEG picture is broken.
    #[error("the camera sends broken pictures: {0}")]
    Broken(#[from] Broken),
    /// The stream of a camera that makes H.264 itself is broken.
    #[error("the camera's H.264 {0}")]
    Stream(&'static str),
    /// The JPEG or H.264 library failed; which, and why.
    #[error("{0}")]
    Library(String),
}

impl From<jpeg::libjpeg::Error> for Error {
    fn from(error: jpeg::libjpeg::Error) -> Self {
        Self::Library(format!("mozjpeg: {error}"))
    }
}

/// Checks a raw frame's buffer against its layout: the buffer, or a line of it, may be too short,
/// or the picture without pixels.
fn check(layout: Layout, bytes: &[u8]) -> Result<(), Error> {
    let (width, height, stride) = (layout.width, layout.height, layout.stride);
    if width == 0 || height == 0 {
        return Err(Error::Size { width, height });
    }
    let least = layout.format.min_stride(width);
    if stride < least {
        return Err(Error::Stride {
            have: stride,
            need: least,
        });
    }
    let need = layout.format.picture_bytes(stride, height);
    if bytes.len() < need {
        let have = bytes.len();
        return Err(Error::Short { have, need });
    }
    Ok(())
}
