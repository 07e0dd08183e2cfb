//! What all renditions of a frame have in common, done once before any is encoded: rare formats
//! made common, the picture cut and turned, the line of text written into it.

mod planes;
mod text;

#[cfg(feature = "h264")]
pub(super) use planes::from_rgb;

use super::{
    Broken, Error, GreyLevels,
    check::{Check, Past, Whole},
    jpeg::{
        libjpeg::{Compressor, Decompressor, Pixels, Turn, turn},
        planes::Strip,
    },
    plain::{is_plain, plain},
};
use crate::{
    config::values::{Arrangement, Chroma, GrayRange},
    media::{Layout, Origin, Packing, PixelFormat, RawFrame},
};

/// What a camera's pictures are to be like.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// How they are cut and turned.
    pub arrangement: Arrangement,
    /// The line of text, if there is one.
    pub text: Option<String>,
    /// Which values of deep grey are black and white.
    pub gray_range: GrayRange,
    /// How much chroma is kept where a picture is made anew.
    pub chroma: Chroma,
}

/// Prepares the frames of one camera.
#[derive(Default)]
pub struct Preparer {
    check: Check,
    levels: GreyLevels,
    strip: Strip,
    codecs: Option<(Decompressor, Compressor)>,
}

impl Preparer {
    /// The frame as it is to be shown. What needs nothing is handed back as it came; the buffer of
    /// any other is let go. A "no signal" picture is drawn in the right size, and only gets no text.
    /// A camera's JPEG picture may be of another size than the layout says; `past` is what is
    /// known of that camera.
    ///
    /// # Errors
    /// If the frame is shorter than its layout says, or a camera's JPEG picture is broken.
    pub fn prepare(&mut self, raw: RawFrame, look: &Look, past: &Past) -> Result<RawFrame, Error> {
        let nothing = look.arrangement.is_none() && look.text.is_none();
        let plain_already = is_plain(raw.layout.format);
        if raw.origin == Origin::Blank || nothing && plain_already {
            return Ok(raw);
        }
        if raw.layout.format == PixelFormat::Mjpg {
            return self.jpeg(&raw, look, past);
        }
        let raw = match plain_already {
            true => raw,
            false => plain(&raw, look.gray_range, &mut self.levels)?,
        };
        if nothing {
            return Ok(raw);
        }
        self.planes(&raw, look)
    }

    /// A camera's JPEG: turned without loss where that can be, else decoded.
    fn jpeg(&mut self, raw: &RawFrame, look: &Look, past: &Past) -> Result<RawFrame, Error> {
        let whole = self.check.look(raw.bytes(), Some(past))?;
        let jpeg = whole.file(raw.bytes(), &[], true);
        let (width, height) = whole.size;
        let (decompressor, compressor) = self
            .codecs
            .get_or_insert_with(|| (Decompressor::new(), Compressor::new()));
        if look.text.is_none() && whole.is_common {
            let (swapped, mirrored) = look.arrangement.steps();
            let wanted = Turn {
                part: look.arrangement.crop.within(width, height),
                swapped,
                mirrored,
            };
            if let Some(pixels) = turn(decompressor, compressor, &jpeg, wanted)? {
                let (width, height) = look.arrangement.size(width, height);
                let layout = Layout {
                    width,
                    height,
                    ..raw.layout
                };
                return Ok(replaced(raw, layout, pixels));
            }
        }
        let decoded = decoded(decompressor, raw, &whole, &jpeg)?;
        self.planes(&decoded, look)
    }

    /// Raw pixels, cut, turned and written upon.
    fn planes(&mut self, raw: &RawFrame, look: &Look) -> Result<RawFrame, Error> {
        let converted;
        let raw = match raw.layout.format.packing() {
            Packing::Rgb { .. } => {
                converted = planes::from_rgb(raw)?;
                &converted
            }
            _ => raw,
        };
        let mut picture = planes::turned(raw, look.arrangement, look.chroma, &mut self.strip)?;
        if let Some(line) = &look.text {
            text::write(&mut picture, line);
        }
        let layout = picture.layout;
        Ok(replaced(raw, layout, picture.bytes))
    }
}

/// The frame with other pixels.
fn replaced(raw: &RawFrame, layout: Layout, pixels: Vec<u8>) -> RawFrame {
    RawFrame {
        layout,
        pixels: Box::new(pixels),
        ..*raw
    }
}

/// A JPEG picture as planes at half width, as grey, or as RGB.
pub(super) fn decoded(
    decompressor: &mut Decompressor,
    raw: &RawFrame,
    whole: &Whole,
    jpeg: &[u8],
) -> Result<RawFrame, Error> {
    let mut reading = decompressor
        .begin(jpeg, 1, |w, h| (w, h) == whole.size)
        .map_err(Broken::from)?;
    reading.take_inks_for_light(whole.is_adobe());
    let (pixels, stride) = (reading.pixels(), reading.row_bytes());
    let mut rows = vec![0; stride * whole.size.1 as usize];
    let mut done = 0;
    while done < rows.len() {
        match reading.rows(&mut rows[done..]).map_err(Broken::from)? {
            0 => return Err(Broken::Missing.into()),
            count => done += count * stride,
        }
    }
    if !reading.finish().map_err(Broken::from)? {
        return Err(Broken::Warned.into());
    }
    Ok(match pixels {
        Pixels::Grey => planes::interleaved(raw, whole.size, PixelFormat::Grey, rows),
        Pixels::Rgb => planes::interleaved(raw, whole.size, PixelFormat::Rgb24, rows),
        _ => planes::from_ycbcr(raw, whole.size, &rows),
    })
}
