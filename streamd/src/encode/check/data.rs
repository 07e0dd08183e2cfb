//! The data of a picture between its markers: where each part ends, and whether as it should.

use std::ops::Range;

use super::{
    Broken,
    scan::{self, Blocks, SLACK},
};

/// Bytes that some cameras leave between the last block and the marker behind it: webcams of
/// Logitech up to 9.
const MAX_STRAY: usize = 16;

/// The data of a picture in one scan.
pub struct Data<'a> {
    /// The picture.
    pub bytes: &'a [u8],
    /// What an MCU is.
    pub mcu: &'a [Blocks<'a>],
    /// How many there are.
    pub mcus: usize,
    /// MCUs from one restart marker to the next; 0 if there are none.
    pub restart: usize,
}

/// Data up to a marker, or to the end of all bytes.
struct Part {
    /// Where its last byte ends, in the picture.
    end: usize,
    /// The marker behind it, and where what follows that begins.
    marker: Option<(u8, usize)>,
}

impl Data<'_> {
    /// Reads it all from `start` on. Gives where it is, less stray bytes, and whether it ends as it
    /// should.
    ///
    /// # Errors
    /// If it is damaged, or is not all there.
    pub fn read(
        &self,
        start: usize,
        scratch: &mut Vec<u8>,
    ) -> Result<(Vec<Range<usize>>, bool), Broken> {
        let mut kept = Vec::with_capacity(1);
        let mut is_regular = true;
        let (mut from, mut at, mut left) = (start, start, self.mcus);
        for number in 0_usize.. {
            let mcus = match self.restart {
                0 => left,
                restart => restart.min(left),
            };
            let part = unstuff(self.bytes, at, scratch)?;
            scratch.resize(scratch.len() + SLACK, 0);
            let taken = scan::segment(scratch, mcus, self.mcu)?;
            scratch.truncate(scratch.len() - SLACK);
            let end = self.end(at, &part, taken, scratch, &mut is_regular)?;
            left -= mcus;
            if left == 0 {
                kept.push(from..end);
                break;
            }
            let Some((marker, next)) = part.marker else {
                return Err(Broken::Missing);
            };
            match marker {
                0xD9 => return Err(Broken::Missing),
                marker if usize::from(marker) != 0xD0 + number % 8 => return Err(Broken::Restart),
                _ => {}
            }
            if end < part.end {
                kept.push(from..end);
                from = part.end;
            }
            at = next;
        }
        Ok((kept, is_regular))
    }

    /// Where a part ends of which so many bits were taken, and `scratch` is all.
    fn end(
        &self,
        start: usize,
        part: &Part,
        taken: usize,
        scratch: &[u8],
        is_regular: &mut bool,
    ) -> Result<usize, Broken> {
        let bytes = taken.div_ceil(8);
        let filled = scratch[..bytes].last().is_none_or(|last| {
            let unused = bytes * 8 - taken;
            last.trailing_ones() as usize >= unused
        });
        let stray = &scratch[bytes..];
        // A buffer whose end is missing may be filled up with zeros.
        let is_filling = part.marker.is_none() && stray.iter().all(|byte| *byte == 0);
        if stray.is_empty() || is_filling {
            *is_regular &= filled;
        } else if stray.len() <= MAX_STRAY {
            *is_regular = false;
        } else {
            return Err(Broken::Surplus);
        }
        Ok(match stray.is_empty() {
            true => part.end,
            false => start + stuffed(&self.bytes[start..part.end], bytes),
        })
    }
}

/// Copies the data from `at` up to the next marker, without the zeros that are stuffed behind FF.
fn unstuff(bytes: &[u8], at: usize, out: &mut Vec<u8>) -> Result<Part, Broken> {
    out.clear();
    let mut from = at;
    for found in memchr::memchr_iter(0xFF, &bytes[at..]) {
        let place = at + found;
        if place < from {
            continue;
        }
        out.extend_from_slice(&bytes[from..place]);
        let fill = bytes[place..].iter().take_while(|byte| **byte == 0xFF);
        let fill = fill.count();
        match bytes.get(place + fill) {
            Some(0) if fill == 1 => {
                out.push(0xFF);
                from = place + 2;
            }
            Some(0) => return Err(Broken::Code),
            marker => {
                let next = place + fill + 1;
                return Ok(Part {
                    end: place,
                    marker: marker.map(|marker| (*marker, next)),
                });
            }
        }
    }
    out.extend_from_slice(&bytes[from..]);
    Ok(Part {
        end: bytes.len(),
        marker: None,
    })
}

/// How many bytes of stuffed data so many bytes of it are without the stuffing.
fn stuffed(data: &[u8], bytes: usize) -> usize {
    let mut at = 0;
    for _ in 0..bytes {
        at += if data[at] == 0xFF { 2 } else { 1 };
    }
    at
}
