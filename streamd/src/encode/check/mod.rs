//! Whether a camera's own JPEG picture is whole: its header, and each symbol of its data.
//!
//! A damaged picture mostly ends as it should: packets are lost from its middle, a bit flips, a
//! buffer holds the rest of the picture before. So its data is read symbol by symbol, as a decoder
//! would, but nothing is computed of it: that costs a fraction of a decode.

mod broken;
mod data;
mod header;
mod past;
mod scan;
mod tables;

#[cfg(test)]
pub(super) mod tests;

use std::ops::Range;

use self::{
    data::Data,
    header::{Component, Frame, Header, Quantisation, Scanned},
    scan::Blocks,
    tables::Pair,
};
use super::huffman;

pub use self::{broken::Broken, header::START, past::Past};

/// What ends a picture.
pub const END: [u8; 2] = [0xFF, 0xD9];

/// The most blocks of an MCU (T.81, B.2.3).
const MAX_BLOCKS: u32 = 10;

/// The most pixels of a picture that has to be decoded: as a progressive one, it takes 6 bytes a
/// pixel meanwhile, whether or not its data is there.
const MAX_DECODED: u64 = 32 << 20;

/// Tables that are kept for the pictures that follow: a camera repeats its own two pairs.
const MAX_KEPT: usize = 4;

/// A picture that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Width and height, pixels.
    pub size: (u32, u32),
    /// It is of a kind that every viewer shows; else it has to be encoded anew.
    pub is_common: bool,
    /// Huffman tables that it uses are missing, and have a standard.
    needs_tables: bool,
    header: Header,
    /// The data of its scans, without stray bytes.
    data: Vec<Range<usize>>,
}

impl Whole {
    /// Whether it has a segment of Adobe.
    pub fn is_adobe(&self) -> bool {
        self.header.adobe.is_some()
    }

    /// The picture as a file, with `app` behind SOI. With `labels`, its segments that say how its
    /// colours are to be understood are kept; without, `app` has to say so.
    pub fn file(&self, bytes: &[u8], app: &[u8], labels: bool) -> Vec<u8> {
        /// All coefficients in one scan, whatever the camera has written there.
        const SPECTRUM: [u8; 3] = [0, 63, 0];
        let segments = self.header.segments.iter();
        let kept = segments.filter(|segment| labels || !segment.is_label);
        let mut out = Vec::with_capacity(bytes.len() + app.len() + huffman::SEGMENT.len() + 4);
        out.extend_from_slice(&START);
        out.extend_from_slice(app);
        if self.needs_tables {
            out.extend_from_slice(&huffman::SEGMENT);
        }
        for segment in kept {
            out.extend_from_slice(&bytes[segment.bytes.clone()]);
        }
        if self.is_common {
            out.truncate(out.len() - SPECTRUM.len());
            out.extend_from_slice(&SPECTRUM);
        }
        for data in &self.data {
            out.extend_from_slice(&bytes[data.clone()]);
        }
        out.extend_from_slice(&END);
        out
    }
}

/// Looks through pictures. It keeps the tables of those before.
#[derive(Default)]
pub struct Check {
    pairs: Vec<Kept>,
    /// The data between two markers, without stuffed bytes.
    scratch: Vec<u8>,
}

impl Check {
    /// Looks through the first picture in `bytes`. `past` is what is known of the camera; without
    /// it, any ending that a camera may have is one, and one picture says nothing of another.
    ///
    /// # Errors
    /// If the picture is not whole, nothing can show it, or it is not to be trusted.
    pub fn look(&mut self, bytes: &[u8], past: Option<&Past>) -> Result<Whole, Broken> {
        let found = self.read(bytes);
        match past {
            Some(past) => past.judge(found),
            None => found.map(|(whole, _)| whole),
        }
    }

    /// Reads a picture; says also whether its data ends as it should.
    fn read(&mut self, bytes: &[u8]) -> Result<(Whole, bool), Broken> {
        let header = Header::read(bytes)?;
        if blocks(header.frame()) > MAX_BLOCKS {
            return Err(Broken::Sampling);
        }
        let is_common = is_common(&header);
        let mut whole = Whole {
            size: header.frame().size,
            is_common,
            needs_tables: false,
            header,
            data: Vec::new(),
        };
        if !is_common {
            let (width, height) = whole.size;
            if u64::from(width) * u64::from(height) > MAX_DECODED {
                return Err(Broken::Size { width, height });
            }
            // The decoder looks for itself; what it does not need is the filling at the end.
            let filling = bytes.iter().rev().take_while(|byte| **byte == 0).count();
            let start = whole.header.data;
            whole.data.push(start..start.max(bytes.len() - filling));
            return Ok((whole, true));
        }
        let codes = codes(&mut whole, bytes)?;
        self.keep(&codes)?;
        let is_regular = self.read_data(bytes, &mut whole, &codes)?;
        Ok((whole, is_regular))
    }

    /// Builds the lookups of tables that were not in the pictures before.
    fn keep(&mut self, codes: &[Codes<'_>]) -> Result<(), Broken> {
        for code in codes {
            if self.pair(code).is_none() {
                let pair = Pair::new(code.dc, code.ac).ok_or(Broken::Code)?;
                if self.pairs.len() == MAX_KEPT {
                    self.pairs.remove(0);
                }
                let (dc, ac) = (code.dc.to_vec(), code.ac.to_vec());
                self.pairs.push(Kept { dc, ac, pair });
            }
        }
        Ok(())
    }

    fn pair(&self, code: &Codes<'_>) -> Option<&Pair> {
        let same = |kept: &&Kept| kept.dc == code.dc && kept.ac == code.ac;
        self.pairs.iter().find(same).map(|kept| &kept.pair)
    }

    /// Reads the data of a picture whose tables are kept; says whether it ends as it should.
    fn read_data(
        &mut self,
        bytes: &[u8],
        whole: &mut Whole,
        codes: &[Codes<'_>],
    ) -> Result<bool, Broken> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let header = &whole.header;
        let frame = header.frame();
        let is_interleaved = frame.components.len() > 1;
        let mut mcu = Vec::with_capacity(codes.len());
        for (scanned, code) in header.scan.iter().zip(codes) {
            let Component {
                across,
                down,
                quantisation,
                ..
            } = frame.components[scanned.component];
            let table = header.quantisation[usize::from(quantisation)];
            mcu.push(Blocks {
                count: if is_interleaved { across * down } else { 1 },
                pair: self.pair(code).expect("it was kept for this picture"),
                limit: table.map_or(0, limit),
            });
        }
        let data = Data {
            bytes,
            mcu: &mcu,
            mcus: mcus(frame),
            restart: header.restart,
        };
        let read = data.read(header.data, &mut scratch);
        drop(mcu);
        self.scratch = scratch;
        let (data, is_regular) = read?;
        whole.data = data;
        Ok(is_regular)
    }
}

/// The tables of a component of the scan, as they stand in DHT segments.
struct Codes<'a> {
    dc: &'a [u8],
    ac: &'a [u8],
}

/// Lookups, and what they were made of.
struct Kept {
    dc: Vec<u8>,
    ac: Vec<u8>,
    pair: Pair,
}

/// Which tables the scan is coded by; those that are missing are the standard's.
fn codes<'a>(whole: &mut Whole, bytes: &'a [u8]) -> Result<Vec<Codes<'a>>, Broken> {
    let Whole {
        header,
        needs_tables,
        ..
    } = whole;
    let mut table = |class: usize, number: u8| {
        let place = usize::from(number);
        match header.huffman[class].get(place) {
            Some(Some(range)) => Ok(&bytes[range.clone()]),
            _ => {
                *needs_tables = true;
                huffman::standard(class == 0, place).ok_or(Broken::NoHuffman(number))
            }
        }
    };
    let scanned = header.scan.iter();
    let of = |scanned: &Scanned| {
        Ok(Codes {
            dc: table(0, scanned.dc)?,
            ac: table(1, scanned.ac)?,
        })
    };
    scanned.map(of).collect()
}

/// Whether every viewer shows such a picture: sequential, Huffman coded, in one scan, grey or YCbCr
/// with the luma sampled at one, two or four times the chroma across, and once or twice down.
fn is_common(header: &Header) -> bool {
    let frame = header.frame();
    let wide = |component: &Component| {
        let table = header.quantisation[usize::from(component.quantisation)];
        table.is_none_or(|table| table.is_wide)
    };
    let is_sampled = match frame.components.as_slice() {
        // By some encoders 4:2:2 is 2x2, 1x2, 1x2.
        [luma, blue, red] => {
            let times = |luma: u32, chroma: u32| luma.is_multiple_of(chroma).then(|| luma / chroma);
            (blue.across, blue.down) == (red.across, red.down)
                && matches!(times(luma.across, blue.across), Some(1 | 2 | 4))
                && matches!(times(luma.down, blue.down), Some(1 | 2))
        }
        all => all.len() == 1,
    };
    matches!(frame.marker, 0xC0 | 0xC1)
        && header.scan.len() == frame.components.len()
        && is_sampled
        && !frame.components.iter().any(wide)
        && !header.is_rgb()
}

/// The blocks of an MCU in which all components take part.
fn blocks(frame: &Frame) -> u32 {
    match frame.components.as_slice() {
        [_] => 1,
        all => all.iter().map(|c| c.across * c.down).sum(),
    }
}

/// The MCUs of a picture in one scan (T.81, A.2).
fn mcus(frame: &Frame) -> usize {
    let most = |side: fn(&Component) -> u32| match frame.components.as_slice() {
        [_] => 1,
        all => all.iter().map(side).max().unwrap_or(1),
    };
    let (across, down) = (most(|c| c.across), most(|c| c.down));
    let (width, height) = frame.size;
    width.div_ceil(8 * across) as usize * height.div_ceil(8 * down) as usize
}

/// The largest DC value of 8-bit samples, coded with this table. What a camera rounds in its own
/// way is granted an eighth.
fn limit(table: Quantisation) -> u32 {
    1024 * 9 / 8 / u32::from(table.dc) + 1
}
