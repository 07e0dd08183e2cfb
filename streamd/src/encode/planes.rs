//! From a raw frame to the planes the compressor reads, a few rows at a time: the rows stay in
//! the processor's first cache between being unpacked and being compressed.

use super::{
    Error,
    libjpeg::Plane,
    unpack::{
        add_pairs, even_bytes, mean, mean_of_packed, mean_of_pairs, means, means_of_pairs,
        odd_bytes,
    },
};
use crate::{
    config::values::Chroma,
    frame::{Layout, PixelFormat, Scale},
};

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
        let Layout {
            format,
            width,
            height,
            stride,
        } = layout;
        if width == 0 || height == 0 {
            return Err(Error::Size { width, height });
        }
        let least = format.min_stride(width);
        if stride < least {
            return Err(Error::Stride {
                have: stride,
                need: least,
            });
        }
        let need = format.picture_bytes(stride, height);
        if bytes.len() < need {
            return Err(Error::Short {
                have: bytes.len(),
                need,
            });
        }
        Ok(Self { layout, bytes })
    }

    /// The rows of the first plane, and the bytes from one to the next.
    pub const fn rows(&self) -> Plane<'a> {
        Plane {
            bytes: self.bytes,
            stride: self.layout.stride as usize,
        }
    }

    /// Chroma samples per line, and chroma lines.
    fn chroma_size(&self) -> (usize, usize) {
        let Layout {
            format,
            width,
            height,
            stride,
        } = self.layout;
        let (width, height) = (width.div_ceil(2) as usize, height as usize);
        match format {
            // At an odd width, a line without padding has no room for the last pair.
            PixelFormat::Nv12 => (width.min(stride as usize / 2), height.div_ceil(2)),
            PixelFormat::Nv16 => (width.min(stride as usize / 2), height),
            PixelFormat::Yu12 => (width, height.div_ceil(2)),
            _ => (width, height),
        }
    }

    /// Whether the source has a line of chroma for two lines of luma.
    const fn halves_lines(&self) -> bool {
        matches!(self.layout.format, PixelFormat::Nv12 | PixelFormat::Yu12)
    }

    fn line(&self, start: usize, stride: usize, row: usize) -> &'a [u8] {
        let start = start + row * stride;
        &self.bytes[start..start + stride]
    }

    /// Line `row` of luma, into the width of the picture.
    fn luma(&self, row: usize, out: &mut [u8]) {
        let line = self.line(0, self.layout.stride as usize, row);
        match self.layout.format {
            PixelFormat::Yuyv => even_bytes(line, out),
            PixelFormat::Uyvy => odd_bytes(line, out),
            _ => out.copy_from_slice(&line[..out.len()]),
        }
    }

    /// The mean of two lines of chroma; they may be the same one.
    fn chroma(&self, rows: [usize; 2], u: &mut [u8], v: &mut [u8]) {
        let stride = self.layout.stride as usize;
        let luma = stride * self.layout.height as usize;
        match self.layout.format {
            PixelFormat::Yuyv => {
                let [a, b] = rows.map(|row| self.line(0, stride, row));
                mean_of_packed::<8>(a, b, u, v);
            }
            PixelFormat::Uyvy => {
                let [a, b] = rows.map(|row| self.line(0, stride, row));
                mean_of_packed::<0>(a, b, u, v);
            }
            PixelFormat::Nv12 | PixelFormat::Nv16 => {
                let [a, b] = rows.map(|row| self.line(luma, stride, row));
                mean_of_pairs(a, b, u, v);
            }
            PixelFormat::Yu12 => {
                let stride = stride.div_ceil(2);
                let second = luma + stride * self.chroma_size().1;
                for (start, out) in [(luma, u), (second, v)] {
                    let [a, b] = rows.map(|row| self.line(start, stride, row));
                    mean(a, b, out);
                }
            }
            // These have no planes of chroma: no caller asks.
            PixelFormat::Grey | PixelFormat::Rgb24 | PixelFormat::Bgr24 | PixelFormat::Mjpg => {}
        }
    }
}

/// Which rows a [`Strip`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Width of the picture that is made, in pixels.
    pub width: usize,
    /// Its height.
    pub height: usize,
    /// Its size against the source's.
    pub scale: Scale,
    /// Its chroma subsampling.
    pub chroma: Chroma,
    /// Whether there is only luma.
    pub grey: bool,
}

impl Cut {
    /// Rows of luma in a strip: one row of the picture's coding units.
    pub const fn rows(&self) -> usize {
        match (self.grey, self.chroma) {
            (false, Chroma::Yuv420) => 16,
            _ => 8,
        }
    }

    /// Lines of luma to one line of chroma.
    const fn chroma_lines(&self) -> usize {
        match self.chroma {
            Chroma::Yuv420 => 2,
            Chroma::Yuv422 => 1,
        }
    }
}

/// A few rows of a picture as planes, edges filled up to whole blocks by repeating the last pixel.
#[derive(Debug, Default)]
pub struct Strip {
    planes: [Vec<u8>; 3],
    strides: [usize; 3],
    boxes: [Boxes; 2],
}

/// Where boxes of pixels are averaged, when the picture is smaller than the source.
#[derive(Debug, Default)]
struct Boxes {
    /// A line of the source.
    line: Vec<u8>,
    /// Each two neighbours of it, summed over the lines of a box.
    sums: Vec<u16>,
}

/// Rows of chroma in a strip, in both subsamplings.
const CHROMA_ROWS: usize = 8;

impl Strip {
    /// Makes room for strips of this cut.
    pub fn prepare(&mut self, cut: &Cut) {
        let chroma = if cut.grey { 0 } else { cut.width.div_ceil(2) };
        self.strides = [cut.width, chroma, chroma].map(stride);
        for (index, plane) in self.planes.iter_mut().enumerate() {
            let rows = if index == 0 { cut.rows() } else { CHROMA_ROWS };
            plane.resize(self.strides[index] * rows, 0);
        }
    }

    /// The planes, as filled last.
    pub fn planes(&self) -> [Plane<'_>; 3] {
        std::array::from_fn(|i| Plane {
            bytes: &self.planes[i],
            stride: self.strides[i],
        })
    }

    /// Unpacks the rows from `first` on; below the picture, the last row is repeated.
    pub fn fill(&mut self, source: &Source<'_>, cut: &Cut, first: usize) {
        let [luma, u, v] = &mut self.planes;
        for (index, out) in luma.chunks_exact_mut(self.strides[0]).enumerate() {
            let row = (first + index).min(cut.height - 1);
            match cut.scale {
                Scale::Full => source.luma(row, &mut out[..cut.width]),
                _ => small_luma(source, cut, row, &mut self.boxes[0], &mut out[..cut.width]),
            }
            repeat_last(out, cut.width);
        }
        if cut.grey {
            return;
        }
        let width = cut.width.div_ceil(2);
        let rows = cut.height.div_ceil(cut.chroma_lines());
        let lines = u
            .chunks_exact_mut(self.strides[1])
            .zip(v.chunks_exact_mut(self.strides[2]));
        for (index, (u, v)) in lines.enumerate() {
            let row = (first / cut.chroma_lines() + index).min(rows - 1);
            match cut.scale {
                Scale::Full => full_chroma(source, cut, row, u, v),
                _ => small_chroma(
                    source,
                    cut,
                    row,
                    &mut self.boxes,
                    [&mut u[..width], &mut v[..width]],
                ),
            }
            repeat_last(u, width);
            repeat_last(v, width);
        }
    }
}

/// Bytes from row to row: whole blocks, and an odd multiple of a cache line, so that the rows of
/// a block never compete for the same place in the cache.
fn stride(width: usize) -> usize {
    width.next_multiple_of(64) | 64
}

/// Fills a line up to whole blocks.
fn repeat_last(line: &mut [u8], width: usize) {
    let last = line[width - 1];
    line[width..width.next_multiple_of(8)].fill(last);
}

/// Line `row` of chroma of a picture of the source's size.
fn full_chroma(source: &Source<'_>, cut: &Cut, row: usize, u: &mut [u8], v: &mut [u8]) {
    let (samples, lines) = source.chroma_size();
    let rows = match (source.halves_lines(), cut.chroma) {
        (false, Chroma::Yuv420) => [row * 2, (row * 2 + 1).min(lines - 1)],
        (true, Chroma::Yuv422) => [row / 2; 2],
        _ => [row; 2],
    };
    source.chroma(rows, &mut u[..samples], &mut v[..samples]);
    let width = cut.width.div_ceil(2);
    for line in [u, v] {
        let last = line[samples - 1];
        line[samples..width].fill(last);
    }
}

/// Line `row` of luma of a picture smaller than the source.
fn small_luma(source: &Source<'_>, cut: &Cut, row: usize, boxes: &mut Boxes, out: &mut [u8]) {
    let side = cut.scale.divisor() as usize;
    let width = source.layout.width as usize;
    boxes.clear(out.len() * side);
    for line in 0..side {
        let line = (row * side + line).min(source.layout.height as usize - 1);
        source.luma(line, &mut boxes.line[..width]);
        boxes.add(width);
    }
    boxes.means(side, side, out);
}

/// Line `row` of chroma of a picture smaller than the source.
fn small_chroma(
    source: &Source<'_>,
    cut: &Cut,
    row: usize,
    [u, v]: &mut [Boxes; 2],
    [out_u, out_v]: [&mut [u8]; 2],
) {
    let side = cut.scale.divisor() as usize;
    let (samples, lines) = source.chroma_size();
    let height = side * cut.chroma_lines() / if source.halves_lines() { 2 } else { 1 };
    u.clear(out_u.len() * side);
    v.clear(out_v.len() * side);
    for line in 0..height {
        let line = (row * height + line).min(lines - 1);
        source.chroma([line; 2], &mut u.line[..samples], &mut v.line[..samples]);
        u.add(samples);
        v.add(samples);
    }
    u.means(side, height, out_u);
    v.means(side, height, out_v);
}

impl Boxes {
    /// Makes room for lines of `samples`, an even number, with all sums 0.
    fn clear(&mut self, samples: usize) {
        self.line.resize(samples, 0);
        self.sums.clear();
        self.sums.resize(samples / 2, 0);
    }

    /// Adds the line, of which the first `samples` are set, to the sums.
    fn add(&mut self, samples: usize) {
        let last = self.line[samples - 1];
        self.line[samples..].fill(last);
        add_pairs(&self.line, &mut self.sums);
    }

    /// The means of boxes of `width` (2 or 4) by `height` samples.
    fn means(&self, width: usize, height: usize, out: &mut [u8]) {
        let shift = (width * height).ilog2();
        match width {
            2 => means(&self.sums, shift, out),
            _ => means_of_pairs(&self.sums, shift, out),
        }
    }
}
