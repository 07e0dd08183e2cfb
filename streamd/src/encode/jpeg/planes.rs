//! From a raw frame to the planes the compressor reads, a few rows at a time: the rows stay in
//! the processor's first cache between being unpacked and being compressed.

use super::{
    levels::{Levels, stretch_luma},
    libjpeg::Plane,
    source::{Rows, Source},
    unpack::{Which, even_bytes, means, odd_bytes},
};
use crate::{
    config::values::Chroma,
    media::{Layout, Packing, PixelFormat, Range, Scale},
};

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
    /// Of a whole frame in its own size.
    pub fn whole(layout: Layout, chroma: Chroma) -> Self {
        Self {
            width: layout.width as usize,
            height: layout.height as usize,
            scale: Scale::Full,
            chroma,
            grey: layout.format == PixelFormat::Grey,
        }
    }

    /// Rows of luma in a strip: one row of the picture's coding units.
    pub const fn rows(&self) -> usize {
        match (self.grey, self.chroma) {
            (false, Chroma::Yuv420) => 16,
            _ => 8,
        }
    }

    /// Lines of luma to one line of chroma.
    pub const fn chroma_lines(&self) -> usize {
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
    /// Columns of the source, summed over the lines of a box, when the picture is smaller.
    sums: Vec<u16>,
    /// Means of U and V, still interleaved.
    pairs: Vec<u8>,
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

    /// Unpacks the rows from `first` on, in the levels of JFIF; below the picture, the last row is
    /// repeated.
    pub fn fill(&mut self, source: &Source<'_>, cut: &Cut, first: usize) {
        self.fill_luma(source, cut, first);
        if cut.grey {
            if source.layout.colour.range == Range::Limited {
                stretch_luma(&mut self.planes[0]);
            }
            return;
        }
        self.fill_chroma(source, cut, first);
        self.convert(Levels::from(source.layout.colour), cut);
    }

    fn fill_luma(&mut self, source: &Source<'_>, cut: &Cut, first: usize) {
        let lines = self.planes[0].chunks_exact_mut(self.strides[0]);
        for (index, out) in lines.enumerate() {
            let row = (first + index).min(cut.height - 1);
            match cut.scale {
                Scale::Full => source.luma(row, &mut out[..cut.width]),
                _ => small_luma(source, cut, row, &mut self.sums, &mut out[..cut.width]),
            }
            repeat_last(out, cut.width);
        }
    }

    fn fill_chroma(&mut self, source: &Source<'_>, cut: &Cut, first: usize) {
        let [_, mut u, mut v] = self.planes.each_mut();
        if source.layout.format.packing().is_swapped() {
            std::mem::swap(&mut u, &mut v);
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
                _ => {
                    let room = (&mut self.sums, &mut self.pairs);
                    small_chroma(source, cut, row, room, [&mut u[..width], &mut v[..width]]);
                }
            }
            repeat_last(u, width);
            repeat_last(v, width);
        }
    }

    /// Gives the planes the levels of JFIF.
    fn convert(&mut self, levels: Levels, cut: &Cut) {
        if levels == Levels::Kept {
            return;
        }
        let [luma, u, v] = &mut self.planes;
        let whole = |width: usize| width.next_multiple_of(8);
        let (width, half) = (whole(cut.width), whole(cut.width.div_ceil(2)));
        for (row, luma) in luma.chunks_exact_mut(self.strides[0]).enumerate() {
            let row = row / cut.chroma_lines();
            let at = |stride| row * stride..row * stride + half;
            let (u, v) = (&u[at(self.strides[1])], &v[at(self.strides[2])]);
            levels.luma(&mut luma[..width], u, v);
        }
        let lines = u
            .chunks_exact_mut(self.strides[1])
            .zip(v.chunks_exact_mut(self.strides[2]));
        for (u, v) in lines {
            levels.chroma(&mut u[..half], &mut v[..half]);
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
fn small_luma(source: &Source<'_>, cut: &Cut, row: usize, sums: &mut Vec<u16>, out: &mut [u8]) {
    let side = cut.scale.divisor() as usize;
    let width = source.layout.width as usize;
    sums.resize(out.len() * side, 0);
    let rows = Rows::of(row, side, source.layout.height as usize);
    source.sum_luma(rows, &mut sums[..width]);
    repeat_pixel::<1>(sums, width);
    means::<1>(sums, side, (side * side).ilog2(), out);
}

/// Line `row` of chroma of a picture smaller than the source.
fn small_chroma(
    source: &Source<'_>,
    cut: &Cut,
    row: usize,
    (sums, pairs): (&mut Vec<u16>, &mut Vec<u8>),
    [u, v]: [&mut [u8]; 2],
) {
    let side = cut.scale.divisor() as usize;
    let (samples, lines) = source.chroma_size();
    let height = side * cut.chroma_lines() / if source.halves_lines() { 2 } else { 1 };
    let shift = (side * height).ilog2();
    let rows = Rows::of(row, height, lines);
    if matches!(source.layout.format.packing(), Packing::Planar { .. }) {
        for (plane, out) in [u, v].into_iter().enumerate() {
            sums.resize(out.len() * side, 0);
            let line = |row| source.chroma_plane(plane, row);
            rows.sum(Which::All, &mut sums[..samples], line);
            repeat_pixel::<1>(sums, samples);
            means::<1>(sums, side, shift, out);
        }
        return;
    }
    sums.resize(u.len() * side * 2, 0);
    source.sum_chroma(rows, &mut sums[..samples * 2]);
    repeat_pixel::<2>(sums, samples);
    pairs.resize(u.len() * 2, 0);
    means::<2>(sums, side, shift, pairs);
    even_bytes(pairs, u);
    odd_bytes(pairs, v);
}

/// Fills the sums behind the first `pixels` with the last pixel's.
pub fn repeat_pixel<const CHANNELS: usize>(sums: &mut [u16], pixels: usize) {
    let (pixels, rest) = sums.as_chunks_mut::<CHANNELS>().0.split_at_mut(pixels);
    if let Some(last) = pixels.last() {
        rest.fill(*last);
    }
}
