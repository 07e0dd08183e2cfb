//! Planes in memory: made of rows of pixels, or of strips that are turned on their way.

use crate::{
    config::values::{Arrangement, Chroma},
    encode::{
        Error, check,
        jpeg::{
            levels::stretch_luma,
            planes::{Cut, Strip},
            source::Source,
        },
    },
    media::{Colour, Layout, Packing, PixelFormat, Range, RawFrame},
};

/// A picture in planes without padding.
pub struct Picture {
    /// YU12, 422P or GREY.
    pub layout: Layout,
    /// Plane after plane.
    pub bytes: Vec<u8>,
}

impl Picture {
    fn new(format: PixelFormat, (width, height): (u32, u32)) -> Self {
        let layout = Layout {
            format,
            width,
            height,
            stride: match format {
                PixelFormat::Grey => width,
                _ => width.next_multiple_of(2),
            },
            colour: Colour::JFIF,
        };
        let bytes = vec![0; format.picture_bytes(layout.stride, height)];
        Self { layout, bytes }
    }

    /// The planes, each with its bytes from line to line; those of a grey picture's chroma are empty.
    pub fn planes(&mut self) -> [(&mut [u8], usize); 3] {
        let (stride, height) = (self.layout.stride as usize, self.layout.height as usize);
        let half = stride.div_ceil(2);
        let (luma, chroma) = self.bytes.split_at_mut(stride * height);
        let (u, v) = chroma.split_at_mut(chroma.len() / 2);
        [(luma, stride), (u, half), (v, half)]
    }
}

/// A frame of red, green and blue as one of luma and chroma at half width.
pub fn from_rgb(raw: &RawFrame) -> Result<RawFrame, Error> {
    let Packing::Rgb { bytes: step, at } = raw.layout.format.packing() else {
        unreachable!("only frames of red, green and blue are given")
    };
    check(raw.layout, raw.bytes())?;
    let step = step as usize;
    let width = raw.layout.width as usize;
    let stretched = raw.layout.colour.range == Range::Limited;
    let mut line = vec![0; width * step];
    let lines = raw.bytes().chunks_exact(raw.layout.stride as usize);
    let ycbcr = lines.take(raw.layout.height as usize).flat_map(|source| {
        line.copy_from_slice(&source[..width * step]);
        if stretched {
            stretch_luma(&mut line);
        }
        let pixels = line.chunks_exact(step);
        let pixels: Vec<u8> = pixels
            .flat_map(|pixel| ycbcr(at.map(|at| pixel[at])))
            .collect();
        pixels
    });
    let rows: Vec<u8> = ycbcr.collect();
    Ok(from_ycbcr(
        raw,
        (raw.layout.width, raw.layout.height),
        &rows,
    ))
}

/// By JFIF (ITU-T T.871), with 16 bits behind the point.
fn ycbcr(rgb: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = rgb.map(i32::from);
    let half = 1 << 15;
    [
        (19_595 * r + 38_470 * g + 7_471 * b + half) >> 16,
        (-11_058 * r - 21_710 * g + 32_768 * b + half + (128 << 16) - 1) >> 16,
        (32_768 * r - 27_439 * g - 5_329 * b + half + (128 << 16) - 1) >> 16,
    ]
    .map(|x| x as u8)
}

/// Rows of Y, Cb and Cr as planes at half width.
pub fn from_ycbcr(raw: &RawFrame, size: (u32, u32), rows: &[u8]) -> RawFrame {
    let width = size.0 as usize;
    let mut picture = Picture::new(PixelFormat::Yuv422p, size);
    let [(luma, stride), (u, half), (v, _)] = picture.planes();
    for (row, line) in rows.chunks_exact(width * 3).enumerate() {
        let pixels = line.as_chunks::<3>().0;
        for (out, pixel) in luma[row * stride..].iter_mut().zip(pixels) {
            *out = pixel[0];
        }
        let places = u[row * half..].iter_mut().zip(&mut v[row * half..]);
        for ((u, v), pair) in places.zip(pixels.chunks(2)) {
            let (first, last) = (pair[0], pair[pair.len() - 1]);
            let mean = |n: usize| ((u16::from(first[n]) + u16::from(last[n]) + 1) >> 1) as u8;
            (*u, *v) = (mean(1), mean(2));
        }
    }
    super::replaced(raw, picture.layout, picture.bytes)
}

/// Rows without padding, of luma or of RGB.
pub fn interleaved(
    raw: &RawFrame,
    (width, height): (u32, u32),
    format: PixelFormat,
    rows: Vec<u8>,
) -> RawFrame {
    let layout = Layout {
        format,
        width,
        height,
        stride: format.min_stride(width),
        colour: Colour::JFIF,
    };
    super::replaced(raw, layout, rows)
}

/// The part of a frame that is used, turned, with the levels of JFIF.
///
/// A picture whose rows become columns has chroma at half height as well: what it had across is
/// down now.
pub fn turned(
    raw: &RawFrame,
    arrangement: Arrangement,
    chroma: Chroma,
    strip: &mut Strip,
) -> Result<Picture, Error> {
    let source = Source::new(raw.layout, raw.bytes())?;
    let (width, height) = (raw.layout.width, raw.layout.height);
    let (swapped, _) = arrangement.steps();
    let cut = Cut::whole(raw.layout, if swapped { Chroma::Yuv420 } else { chroma });
    let format = match (cut.grey, cut.chroma) {
        (true, _) => PixelFormat::Grey,
        (_, Chroma::Yuv420) => PixelFormat::Yu12,
        (_, Chroma::Yuv422) => PixelFormat::Yuv422p,
    };
    let mut picture = Picture::new(format, arrangement.size(width, height));
    let [left, top, used, lines] = arrangement.crop.within(width, height).map(|n| n as usize);
    strip.prepare(&cut);
    let begin = top & !1;
    let size = (
        picture.layout.width as usize,
        picture.layout.height as usize,
    );
    for first in (begin..top + lines).step_by(cut.rows()) {
        strip.fill(&source, &cut, first);
        let strips = strip.planes();
        for (n, (plane, stride)) in picture.planes().into_iter().enumerate() {
            if n > 0 && cut.grey {
                break;
            }
            // Pixels to a sample, across and down.
            let (across, down) = match n {
                0 => (1, 1),
                _ => (2, cut.chroma_lines()),
            };
            let place = Place {
                arrangement,
                stride,
                size: (size.0.div_ceil(across), size.1.div_ceil(down)),
                row: (first / down) as isize - (top / down) as isize,
                left: left / across,
                used: used.div_ceil(across),
                lines: lines.div_ceil(down),
            };
            let (rows, step) = (strips[n].bytes, strips[n].stride);
            place.put(rows, step, cut.rows() / down, plane);
        }
    }
    Ok(picture)
}

/// Where the rows of a strip go in a plane.
struct Place {
    arrangement: Arrangement,
    /// Bytes from line to line of the plane.
    stride: usize,
    /// Of the plane, in samples.
    size: (usize, usize),
    /// The strip's first row in the part that is used; it may lie above it.
    row: isize,
    /// The first sample of a row that is used, and how many are.
    left: usize,
    used: usize,
    /// Rows that are used.
    lines: usize,
}

impl Place {
    fn put(&self, rows: &[u8], stride: usize, count: usize, plane: &mut [u8]) {
        let skipped = (-self.row).max(0) as usize;
        let row = self.row.max(0) as usize;
        let count = count
            .saturating_sub(skipped)
            .min(self.lines.saturating_sub(row));
        let line = |n: usize| &rows[(skipped + n) * stride + self.left..][..self.used];
        let (swapped, [across, down]) = self.arrangement.steps();
        let (width, height) = self.size;
        if swapped {
            // Row `row + n` becomes column; its samples go down the plane.
            let first = if across { width - row - count } else { row };
            for x in 0..self.used {
                let y = if down { height - 1 - x } else { x };
                let out = &mut plane[y * self.stride + first..][..count];
                for (n, out) in out.iter_mut().enumerate() {
                    let n = if across { count - 1 - n } else { n };
                    *out = rows[(skipped + n) * stride + self.left + x];
                }
            }
            return;
        }
        for n in 0..count {
            let y = if down { height - 1 - row - n } else { row + n };
            let out = &mut plane[y * self.stride..][..width];
            out.copy_from_slice(line(n));
            if across {
                out.reverse();
            }
        }
    }
}
