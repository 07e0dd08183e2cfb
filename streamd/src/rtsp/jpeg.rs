//! JPEG pictures as payload (RFC 2435): the receiver makes their headers anew, so only what it can
//! make is carried.

use std::ops::Range;

use super::payload::Pieces;
use crate::encode::huffman;

/// The longest side that can be said: 255 times 8 pixels.
pub const MOST_SIDE: u32 = 2040;

/// Says that the quantisation tables are in the first packet of each picture.
const TABLES_WITHIN: u8 = 255;

/// Bytes of a quantisation table.
const TABLE: usize = 64;

/// Why a picture can't be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// It is no whole picture.
    #[error("a picture is broken")]
    Broken,
    /// It is of another kind than the one that is.
    #[error("its pictures are not baseline JPEG in one scan")]
    NotBaseline,
    /// It has one component, or more than three.
    #[error("its pictures are grey, and RTP carries JPEG in colour only")]
    NoColour,
    /// Its chroma has another resolution.
    #[error("its pictures are neither 4:2:0 nor 4:2:2 (`chroma`)")]
    Sampling,
    /// It is too large.
    #[error("its pictures have more than {MOST_SIDE} pixels in a line or column")]
    Large,
    /// It is coded by tables of its own.
    #[error(
        "the camera's own pictures have Huffman tables of their own (`passthrough = false` makes new ones)"
    )]
    Huffman,
    /// Its quantisation tables have 16 bits, or are too many.
    #[error("its pictures have quantisation tables that RTP does not carry")]
    Quantisation,
}

/// What is carried of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// 0 for 4:2:2, 1 for 4:2:0.
    kind: u8,
    /// In blocks of 8 pixels.
    width: u8,
    height: u8,
    /// MCUs from one restart marker to the next; 0 if there are none.
    restart: u16,
    /// The quantisation tables of luma and chroma.
    tables: [u8; 2 * TABLE],
    /// Where the coded data is.
    data: Range<usize>,
}

/// What the walk through the segments has found.
struct Found<'a> {
    /// Number of each quantisation table, and the table.
    tables: [Option<&'a [u8]>; 4],
    /// Kind, width, height; numbers of the tables of luma and chroma.
    frame: Option<(u8, u8, u8, [usize; 2])>,
    restart: u16,
}

impl Scan {
    /// Looks through a picture's header.
    ///
    /// # Errors
    /// Why it can't be carried.
    pub fn read(bytes: &[u8]) -> Result<Self, NotCarried> {
        let mut found = Found {
            tables: [None; 4],
            frame: None,
            restart: 0,
        };
        let mut at = 2;
        loop {
            let [0xFF, marker, high, low] = *chunk(bytes, at)? else {
                return Err(NotCarried::Broken);
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let body = bytes.get(at + 4..at + 2 + length);
            let body = body.ok_or(NotCarried::Broken)?;
            at += 2 + length;
            match marker {
                0xDA => return found.scan(at..end(bytes, at)?),
                _ => found.take(marker, body)?,
            }
        }
    }

    /// Appends it in pieces of `most` bytes at most.
    pub fn cut(&self, most: usize, out: &mut Pieces) {
        let mut head = Vec::with_capacity(16 + self.tables.len());
        let mut start = self.data.start;
        while start < self.data.end {
            let offset = start - self.data.start;
            head.clear();
            // The offset has 24 bits, and the byte before them is free.
            head.extend((offset as u32).to_be_bytes());
            let with_restarts = if self.restart > 0 { 64 } else { 0 };
            head.extend([self.kind + with_restarts, TABLES_WITHIN]);
            head.extend([self.width, self.height]);
            if self.restart > 0 {
                head.extend(self.restart.to_be_bytes());
                // The pieces mean something as a whole only.
                head.extend([0xFF, 0xFF]);
            }
            if offset == 0 {
                head.extend([0, 0]);
                head.extend((self.tables.len() as u16).to_be_bytes());
                head.extend(self.tables);
            }
            let room = most.saturating_sub(head.len()).max(1);
            let end = self.data.end.min(start + room);
            out.push(&head, start..end);
            start = end;
        }
    }
}

/// Bytes at this place.
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Result<&[u8; N], NotCarried> {
    let rest = bytes.get(at..).and_then(|rest| rest.first_chunk());
    rest.ok_or(NotCarried::Broken)
}

/// Where the data ends that begins at `start`.
fn end(bytes: &[u8], start: usize) -> Result<usize, NotCarried> {
    /// What is behind it: the marker of the end.
    const END: &[u8] = &[0xFF, 0xD9];
    let end = bytes.strip_suffix(END).map(<[u8]>::len);
    // 24 bits say where a piece belongs.
    let fits = |end: &usize| (start + 1..start + (1 << 24)).contains(end);
    end.filter(fits).ok_or(NotCarried::Broken)
}

impl<'a> Found<'a> {
    fn take(&mut self, marker: u8, body: &'a [u8]) -> Result<(), NotCarried> {
        match marker {
            0xDB => self.take_tables(body),
            0xC4 => check_huffman(body),
            0xDD => {
                self.restart = u16::from_be_bytes(*chunk(body, 0)?);
                Ok(())
            }
            0xC0 => {
                self.frame = Some(frame(body)?);
                Ok(())
            }
            0xC1..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCF => Err(NotCarried::NotBaseline),
            _ => Ok(()),
        }
    }

    fn take_tables(&mut self, mut body: &'a [u8]) -> Result<(), NotCarried> {
        while let Some((&kind, rest)) = body.split_first() {
            let (is_wide, number) = (kind >> 4, usize::from(kind & 0x0F));
            if is_wide != 0 {
                return Err(NotCarried::Quantisation);
            }
            let table = rest.split_at_checked(TABLE).ok_or(NotCarried::Broken)?;
            let place = self.tables.get_mut(number).ok_or(NotCarried::Broken)?;
            (*place, body) = (Some(table.0), table.1);
        }
        Ok(())
    }

    fn scan(self, data: Range<usize>) -> Result<Scan, NotCarried> {
        let (kind, width, height, numbers) = self.frame.ok_or(NotCarried::Broken)?;
        let mut tables = [0; 2 * TABLE];
        for (to, number) in tables.chunks_mut(TABLE).zip(numbers) {
            let table = self.tables.get(number).copied().flatten();
            to.copy_from_slice(table.ok_or(NotCarried::Broken)?);
        }
        Ok(Scan {
            kind,
            width,
            height,
            restart: self.restart,
            tables,
            data,
        })
    }
}

/// Kind, size and tables by the frame header.
fn frame(body: &[u8]) -> Result<(u8, u8, u8, [usize; 2]), NotCarried> {
    let [precision, h1, h0, w1, w0, count] = *chunk(body, 0)?;
    let blocks = |side: [u8; 2]| {
        let side = u32::from(u16::from_be_bytes(side));
        let most = (1..=MOST_SIDE).contains(&side);
        // What is beyond a side that is no multiple of 8 is coded all the same.
        most.then(|| side.div_ceil(8) as u8)
            .ok_or(NotCarried::Large)
    };
    match (precision, count) {
        (8, 3) => {}
        (8, _) => return Err(NotCarried::NoColour),
        _ => return Err(NotCarried::NotBaseline),
    }
    let components: &[u8; 9] = chunk(body, 6)?;
    let [_, luma, luma_table, _, blue, blue_table, _, red, red_table] = *components;
    if (blue, red) != (0x11, 0x11) {
        return Err(NotCarried::Sampling);
    }
    let kind = match luma {
        0x21 => 0,
        0x22 => 1,
        _ => return Err(NotCarried::Sampling),
    };
    if blue_table != red_table {
        return Err(NotCarried::Quantisation);
    }
    let tables = [luma_table, blue_table].map(usize::from);
    Ok((kind, blocks([w1, w0])?, blocks([h1, h0])?, tables))
}

/// Whether the tables are those that a receiver knows.
fn check_huffman(mut body: &[u8]) -> Result<(), NotCarried> {
    /// Counts of codes by their length.
    const COUNTS: usize = 16;
    while let Some((&kind, rest)) = body.split_first() {
        let counts = rest.get(..COUNTS).ok_or(NotCarried::Broken)?;
        let symbols: usize = counts.iter().map(|count| usize::from(*count)).sum();
        let table = rest.split_at_checked(COUNTS + symbols);
        let (table, rest) = table.ok_or(NotCarried::Broken)?;
        let (class, number) = (kind >> 4, usize::from(kind & 0x0F));
        if number > 1 || huffman::standard(class == 0, number) != Some(table) {
            return Err(NotCarried::Huffman);
        }
        body = rest;
    }
    Ok(())
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
mod tests;
