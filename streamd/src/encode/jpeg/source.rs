//! A raw frame that is read line by line, whatever its packing.

use super::{
    Error,
    libjpeg::Plane,
    unpack::{
        MAX_LINES, Which, even_bytes, mean, mean_of_packed, mean_of_pairs, odd_bytes, sum_lines,
    },
};
use crate::media::{Layout, Packing};

/// A raw frame whose buffer was found to be as long as its layout says.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// How the bytes are laid out.
    pub layout: Layout,
    bytes: &'a [u8],
}

impl<'a> Source<'a> {
    /// Checks the buffer against its layout.
    ///
    /// # Errors
    /// If the buffer, or a line of it, is too short, or the picture has no pixels.
    pub fn new(layout: Layout, bytes: &'a [u8]) -> Result<Self, Error> {
        super::super::check(layout, bytes)?;
        Ok(Self { layout, bytes })
    }

    /// The rows of the first plane, and the bytes from one to the next.
    pub const fn rows(&self) -> Plane<'a> {
        Plane {
            bytes: self.bytes,
            stride: self.layout.stride as usize,
        }
    }

    /// Row `row` of the first plane.
    pub fn row(&self, row: usize) -> &'a [u8] {
        self.line(0, self.layout.stride as usize, row)
    }

    /// Chroma samples per line, and chroma lines.
    pub fn chroma_size(&self) -> (usize, usize) {
        let Layout {
            format,
            width,
            height,
            stride,
            ..
        } = self.layout;
        let width = width.div_ceil(2) as usize;
        match format.packing() {
            // At an odd width, a line without padding has no room for the last pair.
            Packing::SemiPlanar { per_chroma, .. } => {
                let lines = height.div_ceil(per_chroma.1);
                (width.min(stride as usize / 2), lines as usize)
            }
            Packing::Planar { lines, .. } => (width, height.div_ceil(lines) as usize),
            _ => (width, height as usize),
        }
    }

    /// Whether the source has a line of chroma for two lines of luma.
    pub fn halves_lines(&self) -> bool {
        match self.layout.format.packing() {
            Packing::SemiPlanar { per_chroma, .. } => per_chroma.1 == 2,
            Packing::Planar { lines, .. } => lines == 2,
            _ => false,
        }
    }

    /// Bytes of the first plane.
    const fn luma_bytes(&self) -> usize {
        self.layout.stride as usize * self.layout.height as usize
    }

    fn line(&self, start: usize, stride: usize, row: usize) -> &'a [u8] {
        let start = start + row * stride;
        &self.bytes[start..start + stride]
    }

    /// Line `row` of luma, into the width of the picture.
    pub fn luma(&self, row: usize, out: &mut [u8]) {
        let line = self.line(0, self.layout.stride as usize, row);
        match self.layout.format.packing() {
            Packing::Packed { luma: 0, .. } => even_bytes(line, out),
            Packing::Packed { .. } => odd_bytes(line, out),
            _ => out.copy_from_slice(&line[..out.len()]),
        }
    }

    /// The mean of two lines of chroma; they may be the same one. Of a format that has V first,
    /// `u` gets V.
    pub fn chroma(&self, rows: [usize; 2], u: &mut [u8], v: &mut [u8]) {
        let stride = self.layout.stride as usize;
        match self.layout.format.packing() {
            Packing::Packed { luma, .. } => {
                let [a, b] = rows.map(|row| self.line(0, stride, row));
                match luma {
                    0 => mean_of_packed::<8>(a, b, u, v),
                    _ => mean_of_packed::<0>(a, b, u, v),
                }
            }
            Packing::SemiPlanar { .. } => {
                let [a, b] = rows.map(|row| self.line(self.luma_bytes(), stride, row));
                mean_of_pairs(a, b, u, v);
            }
            Packing::Planar { .. } => {
                for (plane, out) in [u, v].into_iter().enumerate() {
                    let [a, b] = rows.map(|row| self.chroma_plane(plane, row));
                    mean(a, b, out);
                }
            }
            // These have no planes of chroma: no caller asks.
            _ => {}
        }
    }

    /// Line `row` of a chroma plane of a planar format, which has two.
    pub fn chroma_plane(&self, plane: usize, row: usize) -> &'a [u8] {
        let (luma, stride) = (self.luma_bytes(), self.layout.stride.div_ceil(2) as usize);
        self.line(luma + plane * stride * self.chroma_size().1, stride, row)
    }

    /// Sums lines of luma, one sum a pixel.
    pub fn sum_luma(&self, rows: Rows, sums: &mut [u16]) {
        let which = match self.layout.format.packing() {
            Packing::Packed { luma: 0, .. } => Which::Even,
            Packing::Packed { .. } => Which::Odd,
            _ => Which::All,
        };
        self.sum(0, rows, which, sums);
    }

    /// Sums lines of interleaved or packed chroma, two sums a pair.
    pub fn sum_chroma(&self, rows: Rows, sums: &mut [u16]) {
        let (start, which) = match self.layout.format.packing() {
            Packing::Packed { luma: 0, .. } => (0, Which::Odd),
            Packing::Packed { .. } => (0, Which::Even),
            _ => (self.luma_bytes(), Which::All),
        };
        self.sum(start, rows, which, sums);
    }

    fn sum(&self, start: usize, rows: Rows, which: Which, sums: &mut [u16]) {
        rows.sum(which, sums, |row| {
            self.line(start, self.layout.stride as usize, row)
        });
    }
}

/// The lines of the source that one line of a smaller picture is made of.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    first: usize,
    count: usize,
    /// The source's last line, which is repeated.
    last: usize,
}

impl Rows {
    /// Box number `row` of boxes `count` lines high, in a source of `lines` lines.
    pub const fn of(row: usize, count: usize, lines: usize) -> Self {
        Self {
            first: row * count,
            count,
            last: lines - 1,
        }
    }

    /// Sums the lines.
    pub fn sum<'a>(self, which: Which, sums: &mut [u16], line: impl Fn(usize) -> &'a [u8]) {
        let lines: [&[u8]; MAX_LINES] =
            std::array::from_fn(|index| line((self.first + index).min(self.last)));
        sum_lines(&lines[..self.count], which, sums);
    }
}
