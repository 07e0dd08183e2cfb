//! The header of a camera's picture: its segments up to the data of the first scan.

use std::ops::Range;

use super::{Broken, tables};

/// What begins a picture, and the marker in it.
pub const START: [u8; 2] = [0xFF, 0xD8];

/// Places where the header may go on behind a broken segment, that are tried at most: a picture
/// that is all such places must not cost a quadratic search.
const MAX_RETRIES: usize = 16;

/// The longest side that the JPEG library reads, in pixels (`JPEG_MAX_DIMENSION`).
const MAX_SIDE: u32 = 65_500;

/// A component as the frame header has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    id: u8,
    /// Sampling factor across, 1–4.
    pub across: u32,
    /// Sampling factor down, 1–4.
    pub down: u32,
    /// The number of its quantisation table.
    pub quantisation: u8,
}

/// The frame header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// SOF0–SOF2: `C0`–`C2`.
    pub marker: u8,
    /// Width and height, pixels.
    pub size: (u32, u32),
    /// One to four.
    pub components: Vec<Component>,
}

/// A component of the first scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// Which of the frame's.
    pub component: usize,
    /// The number of its DC table.
    pub dc: u8,
    /// The number of its AC table.
    pub ac: u8,
}

/// A quantisation table, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantisation {
    /// What DC values are multiplied with.
    pub dc: u16,
    /// Its values have 16 bits.
    pub is_wide: bool,
}

/// A segment that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Marker included.
    pub bytes: Range<usize>,
    /// It says what JFIF says, or contradicts it.
    pub is_label: bool,
}

/// What a header says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Header {
    /// All segments that are kept, SOS the last.
    pub segments: Vec<Segment>,
    frame: Option<Frame>,
    /// By their numbers.
    pub quantisation: [Option<Quantisation>; 4],
    /// Where the tables are, by class (DC, AC) and number: 16 counts, then the symbols.
    pub huffman: [[Option<Range<usize>>; 4]; 2],
    /// MCUs from one restart marker to the next; 0 if there are none.
    pub restart: usize,
    is_jfif: bool,
    /// The colour transform of an Adobe segment.
    pub adobe: Option<u8>,
    /// What the first scan holds.
    pub scan: Vec<Scanned>,
    /// Where its data begins.
    pub data: usize,
}

impl Header {
    /// Reads the header of the first picture in `bytes`: what is before SOI, and stray bytes
    /// between segments, are left out. Behind a segment that leads nowhere, it goes on at the next
    /// quantisation table from which all is there.
    ///
    /// # Errors
    /// If it breaks off, or says what no decoder can do.
    pub fn read(bytes: &[u8]) -> Result<Self, Broken> {
        let Some(start) = memchr::memmem::find(bytes, &[0xFF, 0xD8, 0xFF]) else {
            return Err(match bytes {
                [] => Broken::Empty,
                _ if bytes.iter().all(|byte| *byte == 0) => Broken::Zeros,
                _ => Broken::NoStart,
            });
        };
        let first = start + START.len();
        match Self::walk(bytes, first) {
            Err(broken @ (Broken::Header { .. } | Broken::NoQuantisation(_))) => {
                memchr::memmem::find_iter(&bytes[first..], &[0xFF, 0xDB])
                    .take(MAX_RETRIES)
                    .find_map(|at| Self::walk(bytes, first + at).ok())
                    .ok_or(broken)
            }
            found => found,
        }
    }

    /// The frame header: always there once the header is read.
    pub fn frame(&self) -> &Frame {
        self.frame
            .as_ref()
            .expect("the walk ends at SOS, behind it")
    }

    /// Whether its three components are R, G, B, as libjpeg decides it.
    pub fn is_rgb(&self) -> bool {
        let ids = self.frame().components.iter().map(|component| component.id);
        !self.is_jfif
            && self
                .adobe
                .map_or_else(|| ids.eq(*b"RGB"), |transform| transform == 0)
    }

    fn walk(bytes: &[u8], start: usize) -> Result<Self, Broken> {
        let mut header = Self::default();
        let mut at = start;
        loop {
            let broken = Broken::Header { at };
            at = next_marker(bytes, at).ok_or(broken.clone())?;
            let marker = bytes[at + 1];
            // These stand alone, and mean nothing here.
            if matches!(marker, 0x01 | 0xD0..=0xD8) {
                at += 2;
                continue;
            }
            let length = bytes.get(at + 2..).and_then(|rest| rest.first_chunk());
            let length = length.map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
            let next = at + 2 + length;
            if length < 2 || next > bytes.len() || marker == 0xD9 {
                return Err(broken);
            }
            header.take(bytes, marker, at..next).ok_or(broken)??;
            at = next;
            if marker == 0xDA {
                header.data = at;
                return header.checked();
            }
        }
    }

    /// Takes a segment in; `None` if what is in it breaks off.
    fn take(
        &mut self,
        bytes: &[u8],
        marker: u8,
        segment: Range<usize>,
    ) -> Option<Result<(), Broken>> {
        let inside = segment.start + 4..segment.end;
        let body = &bytes[inside.clone()];
        let mut is_label = false;
        match marker {
            0xC0..=0xC2 if self.frame.is_none() => match Frame::read(marker, body)? {
                Ok(frame) => self.frame = Some(frame),
                Err(broken) => return Some(Err(broken)),
            },
            0xC4 => self.take_huffman(bytes, inside)?,
            0xDB => self.take_quantisation(body)?,
            0xDD => self.restart = usize::from(u16::from_be_bytes(body.try_into().ok()?)),
            0xDA => self.scan = self.scanned(body)?,
            0xE0 if body.starts_with(b"JFIF\0") || body.starts_with(b"JFXX\0") => {
                self.is_jfif |= body.starts_with(b"JFIF\0") && body.len() >= 14;
                is_label = true;
            }
            // Of the machine that the picture comes from: it gets a label of this one.
            streamd_protocol::stream::APP_MARKER
                if body.starts_with(streamd_protocol::stream::APP_NAME) =>
            {
                is_label = true;
            }
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => {
                self.adobe = Some(body[11]);
                is_label = true;
            }
            // The height once more, and what is for programs and people.
            0xDC | 0xE0..=0xEF | 0xFE => {}
            0xC3 | 0xC5..=0xCF => return Some(Err(Broken::Coding(marker))),
            _ => return None,
        }
        let bytes = segment;
        self.segments.push(Segment { bytes, is_label });
        Some(Ok(()))
    }

    fn take_huffman(&mut self, bytes: &[u8], segment: Range<usize>) -> Option<()> {
        let mut at = segment.start;
        while at < segment.end {
            let counts = bytes[at..segment.end].get(1..17)?;
            let end = at
                + 17
                + counts
                    .iter()
                    .map(|count| usize::from(*count))
                    .sum::<usize>();
            let number = bytes[at];
            let table = bytes[..segment.end].get(at + 1..end)?;
            let tables = self.huffman.get_mut(usize::from(number >> 4))?;
            let place = tables.get_mut(usize::from(number & 15))?;
            *place = tables::is_legal(table, number >> 4 == 0).then_some(at + 1..end);
            place.as_ref()?;
            at = end;
        }
        Some(())
    }

    fn take_quantisation(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&number, rest)) = body.split_first() {
            let is_wide = number >> 4 != 0;
            let (values, rest) = rest.split_at_checked(if is_wide { 128 } else { 64 })?;
            let dc = match is_wide {
                true => u16::from_be_bytes([values[0], values[1]]),
                false => values[0].into(),
            };
            // What is multiplied with 0 is lost.
            let is_legal = match is_wide {
                true => values
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .all(|value| *value != [0, 0]),
                false => !values.contains(&0),
            };
            let place = self.quantisation.get_mut(usize::from(number & 15))?;
            *place = is_legal.then_some(Quantisation { dc, is_wide });
            place.as_ref()?;
            body = rest;
        }
        Some(())
    }

    fn scanned(&self, body: &[u8]) -> Option<Vec<Scanned>> {
        let (&count, rest) = body.split_first()?;
        let (named, _) = rest.split_at_checked(usize::from(count) * 2)?;
        if rest.len() != named.len() + 3 || !(1..=4).contains(&count) {
            return None;
        }
        let frame = self.frame.as_ref()?;
        let mut scan: Vec<Scanned> = Vec::with_capacity(4);
        for [id, tables] in named.as_chunks::<2>().0 {
            let is_free = |place: usize| scan.iter().all(|other| other.component != place);
            let mut components = frame.components.iter().enumerate();
            let (component, _) = components.find(|(place, c)| c.id == *id && is_free(*place))?;
            scan.push(Scanned {
                component,
                dc: tables >> 4,
                ac: tables & 15,
            });
        }
        Some(scan)
    }

    /// Whether what is referred to is there.
    fn checked(self) -> Result<Self, Broken> {
        for component in &self.frame().components {
            let table = self.quantisation.get(usize::from(component.quantisation));
            if !matches!(table, Some(Some(_))) {
                return Err(Broken::NoQuantisation(component.quantisation));
            }
        }
        Ok(self)
    }
}

impl Frame {
    /// Reads it; `None` if it breaks off.
    fn read(marker: u8, body: &[u8]) -> Option<Result<Self, Broken>> {
        let (&[precision, h1, h0, w1, w0, count], rest) = body.split_first_chunk()?;
        let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
        let size = (side(w1, w0), side(h1, h0));
        if precision != 8 {
            return Some(Err(Broken::Precision(precision)));
        }
        if !matches!(count, 1 | 3 | 4) {
            return Some(Err(Broken::Components(count)));
        }
        if size.0.min(size.1) == 0 || size.0.max(size.1) > MAX_SIDE {
            let (width, height) = size;
            return Some(Err(Broken::Size { width, height }));
        }
        let (components, left) = rest.as_chunks::<3>();
        if components.len() != usize::from(count) || !left.is_empty() {
            return None;
        }
        let component = |&[id, sampling, quantisation]: &[u8; 3]| Component {
            id,
            across: u32::from(sampling >> 4),
            down: u32::from(sampling & 15),
            quantisation,
        };
        let components: Vec<_> = components.iter().map(component).collect();
        let legal = |c: &Component| (1..=4).contains(&c.across) && (1..=4).contains(&c.down);
        Some(match components.iter().all(legal) {
            true => Ok(Self {
                marker,
                size,
                components,
            }),
            false => Err(Broken::Sampling),
        })
    }
}

/// The next marker from `at` on. Stray bytes and any number of FF before it are passed over.
fn next_marker(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let found = |place: &usize| !matches!(rest.get(place + 1), None | Some(0 | 0xFF));
    memchr::memchr_iter(0xFF, rest)
        .find(found)
        .map(|place| at + place)
}
