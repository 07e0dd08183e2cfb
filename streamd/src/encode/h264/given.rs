//! A stream that another encoder makes, a camera's own or one in hardware: made such as viewers get
//! it, and decoded for those who want something else.

use std::borrow::Cow;

use openh264::{decoder::Decoder, formats::YUVSource};

use super::{sps, units};
use crate::{
    encode::Error,
    media::{Layout, Origin, PixelFormat, RawFrame, Timestamp},
};

/// NAL unit types (ITU-T H.264, table 7-1).
const SPS: u8 = 7;
const PPS: u8 = 8;
/// What an encoder says beside its pictures.
const SEI: u8 = 6;
/// What says nothing that a viewer needs: delimiters, ends, filler.
const EMPTY: [u8; 4] = [9, 10, 11, 12];

/// What stands before each NAL unit.
const START: [u8; 4] = [0, 0, 0, 1];

/// What is remembered of a stream.
#[derive(Default)]
pub struct Given {
    /// Of an encoder of ours, the size of the pictures that it was given.
    of_ours: Option<(u32, u32)>,
    /// The last parameter sets, each behind a start code.
    sps: Vec<u8>,
    pps: Vec<u8>,
}

impl Given {
    /// The stream of an encoder that was given pictures of this size, with colours as JFIF has them:
    /// it is made to say both, and nothing else beside its pictures.
    pub fn of_ours(size: (u32, u32)) -> Self {
        Self {
            of_ours: Some(size),
            ..Self::default()
        }
    }

    /// A buffer of the encoder as one picture, without what no viewer needs and, if it is a key, with
    /// the parameter sets; `head` goes before it. `None` for a buffer of parameter sets alone.
    ///
    /// # Errors
    /// If it has no picture, or a key whose parameters never came.
    pub fn unit(&mut self, bytes: &[u8], head: &[u8]) -> Result<Option<units::Unit>, Error> {
        let mut rest = Vec::with_capacity(bytes.len());
        let mut sets = false;
        for unit in nal_units(bytes) {
            match unit[0] & 0x1F {
                // What holds for a new sequence begins with the first of them.
                SPS => {
                    let unit = match self.of_ours {
                        Some(size) => sps::described(unit, size).map(Cow::Owned),
                        None => Ok(Cow::Borrowed(unit)),
                    };
                    let unit = unit.map_err(Error::Stream)?;
                    if self.sps.get(START.len()..) != Some(&unit[..]) {
                        self.pps.clear();
                        self.sps.clear();
                        put(&mut self.sps, &unit);
                    }
                    sets = true;
                }
                PPS => {
                    let mut set = Vec::new();
                    put(&mut set, unit);
                    if !contains(&self.pps, &set) {
                        self.pps.extend(set);
                    }
                    sets = true;
                }
                kind if EMPTY.contains(&kind) => {}
                SEI if self.of_ours.is_some() => {}
                _ => put(&mut rest, unit),
            }
        }
        let found = units::unit(rest.clone());
        let has_picture = units::starts(&rest).any(|at| units::is_slice(&rest[at]));
        match (has_picture, sets) {
            (true, _) => {}
            (false, true) => return Ok(None),
            (false, false) => return Err(Error::Stream("has a buffer without a picture")),
        }
        if found.key && (self.sps.is_empty() || self.pps.is_empty()) {
            return Err(Error::Stream("has a key without parameter sets"));
        }
        let mut whole =
            Vec::with_capacity(head.len() + self.sps.len() + self.pps.len() + rest.len());
        whole.extend_from_slice(head);
        if found.key {
            whole.extend_from_slice(&self.sps);
            whole.extend_from_slice(&self.pps);
        }
        whole.extend_from_slice(&rest);
        Ok(Some(units::Unit {
            bytes: whole.into(),
            ..found
        }))
    }
}

fn put(to: &mut Vec<u8>, unit: &[u8]) {
    to.extend_from_slice(&START);
    to.extend_from_slice(unit);
}

fn contains(sets: &[u8], set: &[u8]) -> bool {
    sets.windows(set.len()).any(|at| at == set)
}

/// The NAL units, without start codes and without the zeros behind them.
fn nal_units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = units::starts(bytes).peekable();
    std::iter::from_fn(move || {
        let at = starts.next()?;
        let end = starts.peek().map_or(bytes.len(), |next| next - 3);
        let unit = &bytes[at..end];
        let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
        Some(&unit[..unit.len() - zeros])
    })
    .filter(|unit| !unit.is_empty())
}

/// Decodes a camera's stream, from a key on.
pub struct Eye(Decoder);

impl Eye {
    /// Nothing has been seen yet.
    ///
    /// # Errors
    /// If the library has no decoder to give.
    pub fn new() -> Result<Self, Error> {
        Decoder::new().map(Self).map_err(library)
    }

    /// The picture of a unit, as pixels; `None` where the decoder holds it back.
    ///
    /// # Errors
    /// If it can't be decoded after those before it.
    pub fn decode(&mut self, unit: &[u8], raw: &RawFrame) -> Result<Option<RawFrame>, Error> {
        let Some(shown) = self.0.decode(unit).map_err(library)? else {
            return Ok(None);
        };
        let (width, height) = shown.dimensions();
        let (across, down) = (width.div_ceil(2), height.div_ceil(2));
        let (y, u, v) = shown.strides();
        let mut pixels = Vec::with_capacity(width * height + 2 * across * down);
        for (plane, line, width, lines) in [
            (shown.y(), y, width, height),
            (shown.u(), u, across, down),
            (shown.v(), v, across, down),
        ] {
            let rows = plane.chunks(line.max(1)).take(lines);
            pixels.extend(rows.flat_map(|row| &row[..width.min(row.len())]));
        }
        Ok(Some(frame(raw, (width as u32, height as u32), pixels)))
    }
}

fn frame(raw: &RawFrame, (width, height): (u32, u32), pixels: Vec<u8>) -> RawFrame {
    let (sequence, captured): (u64, Timestamp) = (raw.sequence, raw.captured);
    RawFrame {
        sequence,
        captured,
        layout: Layout {
            format: PixelFormat::Yu12,
            width,
            height,
            stride: width,
            colour: raw.layout.colour,
        },
        origin: Origin::Camera,
        pixels: Box::new(pixels),
    }
}

fn library(error: openh264::Error) -> Error {
    Error::Library(format!("openh264: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = &[0, 0, 0, 1, 6, 5, 1];

    fn kinds(unit: &units::Unit) -> Vec<u8> {
        let starts = units::starts(&unit.bytes);
        starts.map(|at| unit.bytes[at] & 0x1F).collect()
    }

    fn buffer(units: &[&[u8]]) -> Vec<u8> {
        units
            .iter()
            .flat_map(|unit| [&[0, 0, 1], *unit].concat())
            .collect()
    }

    #[test]
    fn keys_have_their_parameter_sets_and_others_none() {
        let mut given = Given::default();
        let first = buffer(&[&[9, 16], &[0x67, 1], &[0x68, 2], &[0x65, 3]]);
        let unit = given.unit(&first, HEAD).unwrap().expect("a picture");
        assert_eq!((kinds(&unit), unit.key), (vec![6, 7, 8, 5], true));
        assert!(unit.bytes.starts_with(HEAD));
        // A camera that says them once, or with every picture.
        let unit = given.unit(&buffer(&[&[0x65, 4]]), HEAD).unwrap().unwrap();
        assert_eq!(kinds(&unit), [6, 7, 8, 5]);
        let unit = given.unit(&buffer(&[&[0x67, 1], &[0x68, 2], &[0x41, 4]]), HEAD);
        assert_eq!(kinds(&unit.unwrap().unwrap()), [6, 1]);
        // Several of the second kind; a new one of the first forgets them.
        let sets = buffer(&[&[0x67, 9], &[0x68, 2], &[0x68, 3], &[0x68, 3]]);
        assert_eq!(given.unit(&sets, HEAD).unwrap(), None);
        let unit = given.unit(&buffer(&[&[0x65, 4]]), HEAD).unwrap().unwrap();
        assert_eq!(kinds(&unit), [6, 7, 8, 8, 5]);
    }

    #[test]
    fn what_is_no_picture_is_refused_with_the_reason() {
        let mut given = Given::default();
        let refused = |given: &mut Given, units: &[&[u8]]| {
            given.unit(&buffer(units), HEAD).unwrap_err().to_string()
        };
        assert!(refused(&mut given, &[&[0x65, 1]]).contains("without parameter sets"));
        assert!(refused(&mut given, &[&[6, 1]]).contains("without a picture"));
        assert!(refused(&mut given, &[]).contains("without a picture"));
    }

    #[test]
    fn a_unit_that_may_be_left_out_is_known() {
        let mut given = Given::default();
        let unit = given
            .unit(&buffer(&[&[0x01, 1, 0, 0]]), &[])
            .unwrap()
            .unwrap();
        assert!(unit.droppable && !unit.key);
        assert_eq!(
            &unit.bytes[..],
            [0, 0, 0, 1, 1, 1],
            "trailing zeros are left out"
        );
    }
}
