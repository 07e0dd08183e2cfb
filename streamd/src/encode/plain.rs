//! Formats that are rarer than the encoder knows, made into the nearest one that it does: deep grey
//! into bytes, mosaics and short words into RGB, full chroma into half.

use super::{Error, levels::GreyLevels, mosaic};
use crate::{
    config::values::GrayRange,
    media::{Layout, Packing, PixelFormat, RawFrame},
};

/// Whether the encoder takes the format as it is.
pub fn is_plain(format: PixelFormat) -> bool {
    match format.packing() {
        Packing::SemiPlanar { per_chroma, .. } => per_chroma.0 == 2,
        Packing::Rgb565 | Packing::Deep(_) | Packing::Mosaic(..) => false,
        _ => true,
    }
}

/// Makes a frame plain that is not; `levels` remembers what the frames before spanned.
///
/// # Errors
/// If the buffer is shorter than its layout says.
pub fn plain(raw: &RawFrame, range: GrayRange, levels: &mut GreyLevels) -> Result<RawFrame, Error> {
    let Layout {
        format,
        width,
        height,
        stride,
        colour,
    } = raw.layout;
    let bytes = raw.bytes();
    super::check(raw.layout, bytes)?;
    let lines = || bytes.chunks_exact(stride as usize).take(height as usize);
    let (format, pixels) = match format.packing() {
        Packing::Deep(bits) => {
            let lines = || lines().map(|line| words(line, width));
            (PixelFormat::Grey, levels.bytes(lines, bits, range))
        }
        Packing::Rgb565 => {
            let pixels = lines().flat_map(|line| words(line, width)).flat_map(rgb565);
            (PixelFormat::Rgb24, pixels.collect())
        }
        Packing::Mosaic(corner, depth) => {
            let pixels = mosaic::rgb(lines(), corner, depth, width as usize);
            (PixelFormat::Rgb24, pixels)
        }
        Packing::SemiPlanar { swapped, .. } => {
            let format = match swapped {
                true => PixelFormat::Nv61,
                false => PixelFormat::Nv16,
            };
            (format, halved(raw.layout, bytes))
        }
        _ => (format, bytes.to_vec()),
    };
    let stride = match format {
        PixelFormat::Nv16 | PixelFormat::Nv61 => width.next_multiple_of(2),
        _ => format.min_stride(width),
    };
    Ok(RawFrame {
        layout: Layout {
            format,
            width,
            height,
            stride,
            colour,
        },
        pixels: Box::new(pixels),
        ..*raw
    })
}

/// The little-endian words of a line.
fn words(line: &[u8], width: u32) -> impl Iterator<Item = u16> {
    let words = line.as_chunks::<2>().0.iter();
    words
        .take(width as usize)
        .map(|word| u16::from_le_bytes(*word))
}

/// Fewer bits are widened by repeating the upper ones, so that the brightest is 255.
fn rgb565(word: u16) -> [u8; 3] {
    let (red, green, blue) = (word >> 11, word >> 5 & 0x3F, word & 0x1F);
    [
        (red << 3 | red >> 2) as u8,
        (green << 2 | green >> 4) as u8,
        (blue << 3 | blue >> 2) as u8,
    ]
}

/// The luma as it is, and the mean of two pixels' chroma.
fn halved(layout: Layout, bytes: &[u8]) -> Vec<u8> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let stride = layout.stride as usize;
    let even = width.next_multiple_of(2);
    let mut out = Vec::with_capacity(2 * even * height);
    let (luma, chroma) = bytes.split_at(stride * height);
    for line in luma.chunks_exact(stride) {
        out.extend_from_slice(&line[..width]);
        out.resize(out.len() + even - width, 0);
    }
    let mean = |a: u8, b: u8| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    for line in chroma.chunks_exact(stride * 2).take(height) {
        let (pairs, rest) = line[..width * 2].as_chunks::<4>();
        out.extend(
            pairs
                .iter()
                .flat_map(|[u, v, u2, v2]| [mean(*u, *u2), mean(*v, *v2)]),
        );
        out.extend_from_slice(rest);
    }
    out
}
