//! A picture as payload of RTP packets, whatever its coding.

use std::ops::Range;

use super::{h264, jpeg};
use crate::media::{Codec, Packet};

/// One packet's payload: bytes of the payload's own header, then these of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where its header is in [`Pieces::heads`].
    pub head: Range<usize>,
    /// Where its part of the picture is.
    pub picture: Range<usize>,
}

impl Piece {
    /// Bytes of payload.
    pub fn length(&self) -> usize {
        self.head.len() + self.picture.len()
    }
}

/// A picture in pieces. The picture itself is not copied.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pieces {
    /// The headers, one behind the other.
    pub heads: Vec<u8>,
    /// The pieces, in order; the last one is the last of its picture.
    pub all: Vec<Piece>,
}

impl Pieces {
    /// Appends a piece.
    pub fn push(&mut self, head: &[u8], picture: Range<usize>) {
        let start = self.heads.len();
        self.heads.extend_from_slice(head);
        let head = start..self.heads.len();
        self.all.push(Piece { head, picture });
    }

    /// Cuts a picture in pieces of `most` bytes at most, in place of what was here. There are none
    /// where it can't be sent.
    ///
    /// # Errors
    /// Why it can't be sent.
    pub fn cut(&mut self, packet: &Packet, most: usize) -> Result<(), jpeg::NotCarried> {
        self.heads.clear();
        self.all.clear();
        match packet.track.codec() {
            Codec::Jpeg => jpeg::Scan::read(&packet.bytes)?.cut(most, self),
            Codec::H264 => h264::cut(&packet.bytes, most, self),
        }
        Ok(())
    }
}

/// The number of Opus: another free one.
pub const OPUS: u8 = 97;

/// The number of a payload in this coding: a fixed one for JPEG, one of the free ones for H.264
/// (RFC 3551, section 6).
pub const fn kind(codec: Codec) -> u8 {
    match codec {
        Codec::Jpeg => 26,
        Codec::H264 => 96,
    }
}
