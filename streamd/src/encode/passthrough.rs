//! A camera's own JPEG pictures, handed on as they are.
//!
//! Cameras are careless: Huffman tables left out (Motion JPEG allows it, browsers show nothing),
//! zeros or stale bytes after the end, the end itself missing, application segments with a
//! length that leads nowhere. What the picture survives is repaired; what it does not is refused,
//! so that no viewer ever sees half a picture.

use std::{borrow::Cow, ops::Range};

use super::{
    Picture, huffman,
    jpeg::libjpeg::{self, Decompressor},
};
use crate::media::RawFrame;

const START: [u8; 2] = [0xFF, 0xD8];
const END: [u8; 2] = [0xFF, 0xD9];

/// Places where the header may go on behind a broken application segment, that are tried at most:
/// a picture that is all such places must not cost a quadratic search.
const MAX_RETRIES: usize = 16;

/// Why a camera's picture cannot be handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The driver delivered no byte.
    #[error("it is empty")]
    Empty,
    /// It does not begin with SOI.
    #[error("it does not begin with FF D8")]
    NoStart,
    /// The chain of segments breaks off before the pixel data.
    #[error("its header breaks off at byte {at}")]
    Header {
        /// Where.
        at: usize,
    },
    /// Its quantisation tables are missing; unlike the Huffman tables they have no standard.
    #[error("it has no quantisation tables")]
    NoTables,
    /// It is coded in a way that viewers do not know.
    #[error("its coding (marker FF {0:02X}) is none that viewers know")]
    Coding(u8),
    /// It is not of the size that the driver named.
    #[error("it is {have:?} pixels, the driver said {want:?}")]
    Size {
        /// Width and height in the picture.
        have: (u32, u32),
        /// Width and height by the driver.
        want: (u32, u32),
    },
    /// Its pixel data ends early or is damaged.
    #[error("its pixel data is cut off or damaged")]
    Data,
    /// The decoder does not take it.
    #[error("{0}")]
    Decoder(String),
}

impl From<libjpeg::Error> for Broken {
    fn from(error: libjpeg::Error) -> Self {
        Self::Decoder(error.to_string())
    }
}

/// What of a camera's picture is handed on, and what is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clean {
    /// The bytes after SOI (or after segments that were given up) and before EOI.
    body: Range<usize>,
    /// Whether the Huffman tables are missing.
    needs_tables: bool,
}

impl Clean {
    /// The picture for a decoder that knows the standard tables and can do without EOI.
    pub(super) fn jpeg<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.body.start == START.len() {
            Cow::Borrowed(&bytes[..self.body.end])
        } else {
            Cow::Owned([&START, &bytes[self.body.clone()]].concat())
        }
    }
}

/// Looks through a camera's picture: its segments, and its end. `width` and `height` are what the
/// driver said, in pixels. The pixel data itself is looked through only if the end is missing.
///
/// # Errors
/// If the picture cannot be handed on.
pub fn check(bytes: &[u8], width: u32, height: u32) -> Result<Clean, Broken> {
    if bytes.is_empty() {
        return Err(Broken::Empty);
    }
    if !bytes.starts_with(&START) {
        return Err(Broken::NoStart);
    }
    let header = header(bytes)?;
    if header.size != (width, height) {
        return Err(Broken::Size {
            have: header.size,
            want: (width, height),
        });
    }
    let trimmed = bytes.len() - bytes.iter().rev().take_while(|b| **b == 0).count();
    let data = &bytes[header.data..trimmed.max(header.data)];
    let end = match data.strip_suffix(&END) {
        Some(data) => Some(data.len()),
        // Inside the data every FF is followed by 00 or a restart marker: the first FF D9 is the end.
        None => data.windows(2).position(|pair| pair == END),
    };
    let clean = |data_end| Clean {
        body: header.start..header.data + data_end,
        needs_tables: !header.has_huffman,
    };
    match end {
        Some(end) => Ok(clean(end)),
        None => {
            let half = data.strip_suffix(&END[..1]).unwrap_or(data);
            let clean = clean(half.len());
            decode(&clean.jpeg(bytes), header.size)?;
            Ok(clean)
        }
    }
}

/// Hands a camera's picture on: SOI, `app`, the Huffman tables if it has none, and the rest byte
/// for byte. One copy, so that the driver has its buffer back at once.
///
/// # Errors
/// If the picture is broken.
pub fn passthrough(raw: &RawFrame, app: &[u8]) -> Result<Picture, Broken> {
    let bytes = raw.bytes();
    let (width, height) = (raw.layout.width, raw.layout.height);
    let clean = check(bytes, width, height)?;
    let tables: &[u8] = if clean.needs_tables {
        &huffman::SEGMENT
    } else {
        &[]
    };
    let bytes = [&START, app, tables, &bytes[clean.body], &END].concat();
    Ok(Picture {
        bytes: bytes.into(),
        width,
        height,
    })
}

/// Decodes a picture as coarsely as can be, only to know that its data is whole.
fn decode(jpeg: &[u8], size: (u32, u32)) -> Result<(), Broken> {
    /// The smallest size mozjpeg decodes at: one pixel a block.
    const DIVISOR: u32 = 8;
    let mut decompressor = Decompressor::new();
    let mut reading = decompressor.begin(jpeg, DIVISOR, |w, h| (w, h) == size)?;
    let mut row = vec![0; reading.row_bytes()];
    while reading.rows(&mut row)? > 0 {}
    if reading.is_sound() {
        Ok(())
    } else {
        Err(Broken::Data)
    }
}

/// What a header says.
#[derive(Debug)]
struct Header {
    /// The first segment that is kept.
    start: usize,
    /// The pixel data of the first scan.
    data: usize,
    size: (u32, u32),
    has_huffman: bool,
    has_quantisation: bool,
}

/// Walks through the segments; behind an application segment that leads nowhere, goes on at the
/// next quantisation table from which the walk succeeds.
fn header(bytes: &[u8]) -> Result<Header, Broken> {
    const DQT: [u8; 2] = [0xFF, 0xDB];
    match walk(bytes, START.len()) {
        Err(broken @ Broken::Header { .. }) => bytes
            .windows(2)
            .enumerate()
            .filter(|(_, pair)| **pair == DQT)
            .take(MAX_RETRIES)
            .find_map(|(at, _)| walk(bytes, at).ok())
            .ok_or(broken),
        found => found,
    }
}

fn walk(bytes: &[u8], start: usize) -> Result<Header, Broken> {
    let mut header = Header {
        start,
        data: 0,
        size: (0, 0),
        has_huffman: false,
        has_quantisation: false,
    };
    let mut at = start;
    loop {
        let broken = Broken::Header { at };
        // Any number of FF may precede a marker.
        while bytes.get(at..at + 2) == Some(&[0xFF, 0xFF]) {
            at += 1;
        }
        let Some([0xFF, marker, high, low]) = bytes.get(at..).and_then(|b| b.first_chunk()) else {
            return Err(broken);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let next = at + 2 + length;
        let Some(body) = bytes.get(at + 4..next) else {
            return Err(broken);
        };
        match (marker, body) {
            (0xC0..=0xC2, [_, h1, h0, w1, w0, ..]) => {
                let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                header.size = (side(*w1, *w0), side(*h1, *h0));
            }
            (0xC4, _) => header.has_huffman = true,
            (0xC3 | 0xC5..=0xCF, _) => return Err(Broken::Coding(*marker)),
            (0xDA, _) if !header.has_quantisation => return Err(Broken::NoTables),
            (0xDA, _) if header.size != (0, 0) => {
                header.data = next;
                return Ok(header);
            }
            (0xDB, _) => header.has_quantisation = true,
            (0xDD | 0xE0..=0xEF | 0xFE, _) => {}
            _ => return Err(broken),
        }
        at = next;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::values::Chroma,
        encode::jpeg::Encoder,
        media::{Layout, Origin, PixelFormat, Rendition, Scale, Timestamp},
    };

    const SIZE: (u32, u32) = (48, 32);

    fn frame(format: PixelFormat, stride: u32, bytes: Vec<u8>) -> RawFrame {
        let (width, height) = SIZE;
        RawFrame {
            sequence: 0,
            captured: Timestamp::now(),
            layout: Layout {
                format,
                width,
                height,
                stride,
                colour: crate::media::Colour::JFIF,
            },
            origin: Origin::Camera,
            pixels: Box::new(bytes),
        }
    }

    /// A sound picture, with a comment segment directly after SOI.
    fn picture() -> Vec<u8> {
        let bytes = (0..48 * 32 * 2)
            .map(|i: u32| (i * 37 % 251) as u8)
            .collect();
        let rendition = Rendition {
            quality: 90,
            scale: Scale::Full,
        };
        let comment = [0xFF, 0xFE, 0, 4, b'h', b'i'];
        Encoder::new()
            .encode(
                &frame(PixelFormat::Yuyv, 96, bytes),
                rendition,
                Chroma::Yuv422,
                &comment,
            )
            .unwrap()
            .bytes
            .to_vec()
    }

    /// The picture without its DHT segments, and what these held.
    pub(crate) fn without_tables(jpeg: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut bare, mut tables, mut at) = (START.to_vec(), Vec::new(), 2);
        while jpeg[at + 1] != 0xDA {
            let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
            match jpeg[at + 1] {
                0xC4 => tables.extend_from_slice(&jpeg[at + 4..end]),
                _ => bare.extend_from_slice(&jpeg[at..end]),
            }
            at = end;
        }
        bare.extend_from_slice(&jpeg[at..]);
        (bare, tables)
    }

    fn pass(bytes: &[u8]) -> Result<Vec<u8>, Broken> {
        passthrough(&frame(PixelFormat::Mjpg, 0, bytes.to_vec()), b"APP").map(|p| p.bytes.to_vec())
    }

    fn whole(jpeg: &[u8]) -> Vec<u8> {
        [&START, b"APP".as_slice(), &jpeg[2..]].concat()
    }

    #[test]
    fn a_sound_picture_passes_byte_for_byte() {
        assert_eq!(pass(&picture()), Ok(whole(&picture())));
    }

    #[test]
    fn missing_tables_are_inserted() {
        let (bare, _) = without_tables(&picture());
        let want = [&START, b"APP".as_slice(), &huffman::SEGMENT, &bare[2..]].concat();
        assert_eq!(pass(&bare), Ok(want));
    }

    #[test]
    fn what_follows_the_end_is_cut_off() {
        let jpeg = picture();
        assert_eq!(
            pass(&[&jpeg, [0; 500].as_slice()].concat()),
            Ok(whole(&jpeg))
        );
        let stale = [&jpeg, b"stale bytes".as_slice(), &jpeg[jpeg.len() - 40..]].concat();
        assert_eq!(pass(&[&stale, b"x".as_slice()].concat()), Ok(whole(&jpeg)));
    }

    #[test]
    fn a_missing_or_half_end_is_added() {
        let jpeg = picture();
        for cut in [1, 2] {
            assert_eq!(pass(&jpeg[..jpeg.len() - cut]), Ok(whole(&jpeg)));
        }
        let padded = [&jpeg[..jpeg.len() - 2], [0; 64].as_slice()].concat();
        assert_eq!(pass(&padded), Ok(whole(&jpeg)));
    }

    #[test]
    fn a_truncated_picture_is_broken() {
        let jpeg = picture();
        let data = header(&jpeg).unwrap().data;
        for end in [
            data,
            data + 20,
            data + (jpeg.len() - data) / 2,
            jpeg.len() - 40,
        ] {
            assert_eq!(pass(&jpeg[..end]), Err(Broken::Data), "cut at {end}");
        }
        for end in 2..data {
            assert!(
                matches!(pass(&jpeg[..end]), Err(Broken::Header { .. })),
                "cut at {end}"
            );
        }
    }

    #[test]
    fn an_application_segment_that_leads_nowhere_is_left_out() {
        let mut jpeg = picture();
        let rest = jpeg[8..].to_vec();
        for length in [0_u16, 1, 3, 9, 70, 0xFFFF] {
            jpeg[4..6].copy_from_slice(&length.to_be_bytes());
            assert_eq!(
                pass(&jpeg),
                Ok([&START, b"APP".as_slice(), &rest].concat()),
                "{length}"
            );
        }
    }

    #[test]
    fn each_other_defect_has_its_name() {
        let jpeg = picture();
        assert_eq!(pass(&[]), Err(Broken::Empty));
        assert_eq!(pass(&jpeg[2..]), Err(Broken::NoStart));
        let mut bare = jpeg.clone();
        while let Some(dqt) = bare.windows(2).position(|pair| pair == [0xFF, 0xDB]) {
            bare[dqt + 1] = 0xFE;
        }
        assert_eq!(pass(&bare), Err(Broken::NoTables));
        let have = SIZE;
        let error = check(&jpeg, 640, 480);
        assert_eq!(
            error,
            Err(Broken::Size {
                have,
                want: (640, 480)
            })
        );
        let mut lossless = jpeg;
        let sof = lossless
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC0])
            .unwrap();
        lossless[sof + 1] = 0xC3;
        assert_eq!(pass(&lossless), Err(Broken::Coding(0xC3)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = pass(&bytes);
            let framed = [&START, bytes.as_slice(), &END].concat();
            let _ = pass(&framed);
        }

        #[test]
        fn damaged_pictures_never_panic(
            spots in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
            end in any::<proptest::sample::Index>(),
            divisor in 0..3_usize,
        ) {
            let mut jpeg = picture();
            for (spot, byte) in spots {
                let spot = spot.index(jpeg.len());
                jpeg[spot] = byte;
            }
            jpeg.truncate(end.index(jpeg.len() * 4));
            if let Ok(passed) = pass(&jpeg) {
                prop_assert!(passed.starts_with(&whole(&START)) && passed.ends_with(&END));
            }
            let scale = [Scale::Full, Scale::Half, Scale::Quarter][divisor];
            let rendition = Rendition { quality: 50, scale };
            let raw = frame(PixelFormat::Mjpg, 0, jpeg);
            let _ = Encoder::new().encode(&raw, rendition, Chroma::Yuv420, &[]);
        }
    }
}
