//! What a fake camera films: pictures that tell which one they are, and whether they are whole.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, LazyLock},
};

use mozjpeg::{ColorSpace, Compress};
use openh264::{
    OpenH264API,
    encoder::{BitRate, Encoder, EncoderConfig},
    formats::YUVBuffer,
};
use parking_lot::Mutex;

use crate::picture::Picture;

/// Pictures of a film, which is repeated.
pub const PICTURES: u32 = 8;

/// Cells in the band above and the band below: a bright one, then the number of the picture.
const CELLS: u32 = 4;

/// By how much the average of a block of pixels may differ from what was filmed, of 255: more than
/// any quality of coding makes it differ, and less than grey or garbage instead of a picture does.
const TOLERANCE: u8 = 40;

/// The side of such a block, pixels.
const BLOCK: u32 = 8;

/// A picture of the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Filmed {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// From 0 to below [`PICTURES`].
    pub number: u32,
    /// The number in the lower band is not the complement of the one in the upper band: the camera
    /// knows that this picture is damaged, and nobody is to see it.
    pub damaged: bool,
}

impl Filmed {
    /// Luma and chroma of a pixel, full range, as JFIF has them.
    fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let band = self.height / 5;
        let cell = CELLS - 1 - x * CELLS / self.width;
        let bit = (1 << (CELLS - 1) | self.number) >> cell & 1 == 1;
        let upper = y < band;
        if upper || y >= self.height - band {
            let bright = bit == (upper || self.damaged);
            return [if bright { 220 } else { 40 }, 128, 128];
        }
        let share = |at: u32, of: u32, range: u32| (at * range / of) as u8;
        [
            70 + share(x, self.width, 110),
            70 + share(y, self.height, 110),
            180 - share(x, self.width, 110),
        ]
    }

    /// The bytes of a frame.
    ///
    /// # Panics
    /// If the format is none that fake cameras have.
    pub fn frame(&self, fourcc: &str) -> Vec<u8> {
        match fourcc {
            "YUYV" => self.yuyv(),
            "GREY" => self.plane(0, 1),
            "NV12" | "NM12" => {
                let (blue, red) = (self.plane(1, 2), self.plane(2, 2));
                let chroma = blue.into_iter().zip(red);
                let mut bytes = self.plane(0, 1);
                bytes.extend(chroma.flat_map(|(blue, red)| [blue, red]));
                bytes
            }
            "YM12" => [self.plane(0, 1), self.plane(1, 2), self.plane(2, 2)].concat(),
            "MJPG" => self.jpeg(|coder| coder.set_chroma_sampling_pixel_sizes((2, 1), (2, 1))),
            other => panic!("no fake camera has {other}"),
        }
    }

    /// One component, of each `step`th pixel in each `step`th line.
    fn plane(&self, component: usize, step: u32) -> Vec<u8> {
        let lines = (0..self.height / step).map(|y| y * step);
        let pixels = lines.flat_map(|y| (0..self.width / step).map(move |x| (x * step, y)));
        pixels.map(|(x, y)| self.pixel(x, y)[component]).collect()
    }

    fn yuyv(&self) -> Vec<u8> {
        let pairs = (0..self.height).flat_map(|y| (0..self.width / 2).map(move |x| (x * 2, y)));
        let bytes = pairs.flat_map(|(x, y)| {
            let ([first, blue, red], [second, ..]) = (self.pixel(x, y), self.pixel(x + 1, y));
            [first, blue, second, red]
        });
        bytes.collect()
    }

    /// The same as JPEG, of whatever kind the coder is set to.
    pub fn jpeg(&self, set: impl FnOnce(&mut Compress)) -> Vec<u8> {
        let lines = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let pixels: Vec<u8> = lines.flat_map(|(x, y)| self.pixel(x, y)).collect();
        let coded = || -> io::Result<Vec<u8>> {
            let mut coder = Compress::new(ColorSpace::JCS_YCbCr);
            coder.set_size(self.width as usize, self.height as usize);
            coder.set_fastest_defaults();
            coder.set_color_space(ColorSpace::JCS_YCbCr);
            coder.set_quality(85.0);
            set(&mut coder);
            let mut coder = coder.start_compress(Vec::new())?;
            coder.write_scanlines(&pixels)?;
            coder.finish()
        };
        coded().expect("memory takes a picture")
    }

    /// What a viewer should see of it, block by block.
    fn averages(&self, grey: bool) -> Arc<Vec<[u8; 3]>> {
        type Known = HashMap<(Filmed, bool), Arc<Vec<[u8; 3]>>>;
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock();
        let averages = known.entry((*self, grey)).or_insert_with(|| {
            let pixels = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
            let colours = pixels.map(|(x, y)| match (self.pixel(x, y), grey) {
                ([luma, ..], true) => [luma; 3],
                (pixel, false) => colour(pixel),
            });
            Arc::new(averages(&colours.collect::<Vec<_>>(), self.width))
        });
        Arc::clone(averages)
    }
}

/// ITU-T T.871, 7.
fn colour([luma, blue, red]: [u8; 3]) -> [u8; 3] {
    let (luma, blue, red) = (
        f32::from(luma),
        f32::from(blue) - 128.0,
        f32::from(red) - 128.0,
    );
    [
        luma + 1.402 * red,
        luma - 0.344_136 * blue - 0.714_136 * red,
        luma + 1.772 * blue,
    ]
    .map(|channel| channel.round().clamp(0.0, 255.0) as u8)
}

/// A whole film in a format and size.
pub fn film(fourcc: &str, (width, height): (u32, u32), damaged: bool) -> Vec<Vec<u8>> {
    let filmed = |number| Filmed {
        width,
        height,
        number,
        damaged,
    };
    let pictures = (0..PICTURES).map(filmed);
    match fourcc {
        "H264" => stream(pictures),
        _ => pictures.map(|filmed| filmed.frame(fourcc)).collect(),
    }
}

/// Pictures in H.264: the first one is a key, the others build on it.
///
/// # Panics
/// If the library fails.
pub fn stream(pictures: impl Iterator<Item = Filmed>) -> Vec<Vec<u8>> {
    let config = EncoderConfig::new().bitrate(BitRate::from_bps(4_000_000));
    let encoder = Encoder::with_api_config(OpenH264API::from_source(), config);
    let mut encoder = encoder.expect("the library has an encoder");
    let coded = pictures.map(|filmed| {
        let planes = [filmed.plane(0, 1), filmed.plane(1, 2), filmed.plane(2, 2)];
        let size = (filmed.width as usize, filmed.height as usize);
        let planes = YUVBuffer::from_vec(planes.concat(), size.0, size.1);
        encoder
            .encode(&planes)
            .expect("a picture is coded")
            .to_vec()
    });
    coded.collect()
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// A picture of the film, by its number.
    Film(u32),
    /// That there is no signal.
    Blank,
}

/// What a picture shows; an error says what it shows instead. A camera without colours is `grey`.
///
/// # Errors
/// If it is neither a whole picture of the film nor "no signal".
///
/// # Panics
/// If it can't be decoded.
#[track_caller]
pub fn shown(picture: &Picture, grey: bool) -> Result<Shows, String> {
    let pixels = picture.pixels();
    let (width, height) = picture.size;
    let bright = |x: u32, y: u32| pixels[(y * width + x) as usize][1] > 128;
    let cells = |y: u32| {
        (0..CELLS).fold(0, |number, cell| {
            number << 1 | u32::from(bright((2 * cell + 1) * width / (2 * CELLS), y))
        })
    };
    let (upper, lower) = (cells(height / 10), cells(height - 1 - height / 10));
    let mask = (1 << CELLS) - 1;
    if is_blank(&pixels) {
        return Ok(Shows::Blank);
    }
    let number = upper & (mask >> 1);
    if upper != !lower & mask || upper == number {
        return Err(format!(
            "cells {upper:04b} above and {lower:04b} below in {picture:?}"
        ));
    }
    let filmed = Filmed {
        width,
        height,
        number,
        damaged: false,
    };
    let seen = averages(&pixels, width);
    let wanted = filmed.averages(grey);
    let far = |(seen, wanted): (&[u8; 3], &[u8; 3])| {
        (0..3).any(|n| seen[n].abs_diff(wanted[n]) > TOLERANCE)
    };
    match seen.iter().zip(&*wanted).position(far) {
        Some(block) => Err(format!(
            "not what was filmed in block {block} of {picture:?}"
        )),
        None => Ok(Shows::Film(number)),
    }
}

/// "No signal" is dark, with letters, and without colours. Of a film, no large part is dark.
fn is_blank(pixels: &[[u8; 3]]) -> bool {
    let coloured = |[r, g, b]: &[u8; 3]| r.max(g).max(b) - r.min(g).min(b) > 16;
    let sample = || pixels.iter().step_by(3);
    let dark = sample().filter(|pixel| pixel[1] < 50).count();
    (sample().len() / 2..sample().len()).contains(&dark) && !sample().any(coloured)
}

/// The average colours of all blocks, of a sample of the pixels of each.
fn averages(pixels: &[[u8; 3]], width: u32) -> Vec<[u8; 3]> {
    let (width, side) = (width as usize, BLOCK as usize);
    let height = pixels.len() / width;
    let corners = (0..height / side).flat_map(|y| (0..width / side).map(move |x| (x, y)));
    let average = |(x, y): (usize, usize)| {
        let mut sum = [0u32; 3];
        for line in (y * side..(y + 1) * side).step_by(2) {
            let start = line * width + x * side;
            for [r, g, b] in pixels[start..start + side].iter().step_by(2) {
                sum = [
                    sum[0] + u32::from(*r),
                    sum[1] + u32::from(*g),
                    sum[2] + u32::from(*b),
                ];
            }
        }
        sum.map(|sum| (sum * 4 / (BLOCK * BLOCK)) as u8)
    };
    corners.map(average).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamd_protocol::stream::AppSegment;

    const SIZE: (u32, u32) = (160, 120);

    fn received(filmed: Filmed) -> Picture {
        Picture {
            bytes: filmed.frame("MJPG"),
            app: AppSegment {
                sequence: 1,
                captured_us: 1,
                camera: "main".into(),
            },
            size: (filmed.width, filmed.height),
        }
    }

    fn filmed(number: u32) -> Filmed {
        let (width, height) = SIZE;
        Filmed {
            width,
            height,
            number,
            damaged: false,
        }
    }

    #[test]
    fn each_picture_is_known_and_a_damaged_one_is_not() {
        for number in 0..PICTURES {
            assert_eq!(
                shown(&received(filmed(number)), false),
                Ok(Shows::Film(number))
            );
        }
        let damaged = Filmed {
            damaged: true,
            ..filmed(3)
        };
        shown(&received(damaged), false).unwrap_err();
    }

    #[test]
    fn a_picture_that_lacks_a_part_is_not_whole() {
        let mut picture = received(filmed(5));
        let middle = picture.bytes.len() / 2;
        picture.bytes[middle..].fill(0);
        shown(&picture, false).unwrap_err();
    }

    #[test]
    fn frames_have_the_bytes_that_their_format_says() {
        let pixels = (SIZE.0 * SIZE.1) as usize;
        for (fourcc, bytes) in [
            ("YUYV", pixels * 2),
            ("GREY", pixels),
            ("NV12", pixels * 3 / 2),
            ("YM12", pixels * 3 / 2),
        ] {
            assert_eq!(filmed(0).frame(fourcc).len(), bytes, "{fourcc}");
        }
    }
}
