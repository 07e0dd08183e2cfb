//! Any raw frame as planes of luma and chroma at half width and height, at the size of a stream.

use std::sync::Arc;

use crate::{
    config::values::{Chroma, GrayRange},
    encode::{
        Error, GreyLevels,
        check::Check,
        jpeg::{
            libjpeg::Decompressor,
            planes::{Cut, Strip},
            source::Source,
        },
        plain::{is_plain, plain},
        prepare,
    },
    media::{Packing, PixelFormat, RawFrame, Scale},
};

/// Grey has chroma of its own here.
const NO_COLOUR: u8 = 128;

/// A picture in planes, with the levels of JFIF, and where its size is odd one line or column less:
/// chroma at half size has none for it.
#[derive(Default)]
pub struct Planes {
    size: (usize, usize),
    /// Plane after plane.
    bytes: Vec<u8>,
}

/// Makes planes of frames.
#[derive(Default)]
pub struct Maker {
    check: Check,
    decompressor: Option<Decompressor>,
    strip: Strip,
    planes: Arc<Planes>,
}

impl Planes {
    /// These, plane after plane.
    #[cfg(test)]
    pub fn of((width, height): (usize, usize), bytes: &[u8]) -> Self {
        Self {
            size: (width, height),
            bytes: bytes.into(),
        }
    }

    /// Luma and two planes of chroma, each with its bytes from line to line.
    pub fn planes(&self) -> [(&[u8], usize); 3] {
        let (width, height) = self.size;
        let (luma, chroma) = self.bytes.split_at(width * height);
        let (u, v) = chroma.split_at(chroma.len() / 2);
        [(luma, width), (u, width / 2), (v, width / 2)]
    }

    /// Pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.size.0 as u32, self.size.1 as u32)
    }

    fn resize(&mut self, (width, height): (usize, usize)) {
        self.size = (width, height);
        self.bytes.resize(width * height * 3 / 2, 0);
    }

    fn planes_mut(&mut self) -> [(&mut [u8], usize); 3] {
        let (width, height) = self.size;
        let (luma, chroma) = self.bytes.split_at_mut(width * height);
        let (u, v) = chroma.split_at_mut(chroma.len() / 2);
        [(luma, width), (u, width / 2), (v, width / 2)]
    }
}

impl Maker {
    /// The frame's planes, and the size of the frame itself.
    ///
    /// # Errors
    /// If the frame is shorter than its layout says, a camera's JPEG picture is broken, or it is
    /// too small to have planes.
    pub fn planes(
        &mut self,
        raw: &RawFrame,
        scale: Scale,
    ) -> Result<(&Arc<Planes>, (u32, u32)), Error> {
        let made;
        let raw = match raw.layout.format.packing() {
            // It is decoded before it comes here.
            Packing::Stream => return Err(Error::Stream("is not decoded")),
            Packing::Jpeg => {
                let whole = self.check.look(raw.bytes(), None)?;
                let jpeg = whole.file(raw.bytes(), &[], true);
                let decompressor = self.decompressor.get_or_insert_with(Decompressor::new);
                made = prepare::decoded(decompressor, raw, &whole, &jpeg)?;
                &made
            }
            _ if !is_plain(raw.layout.format) => {
                made = plain(raw, GrayRange::WHOLE, &mut GreyLevels::default())?;
                &made
            }
            _ => raw,
        };
        let converted;
        let raw = match raw.layout.format.packing() {
            Packing::Rgb { .. } => {
                converted = prepare::from_rgb(raw)?;
                &converted
            }
            _ => raw,
        };
        self.fill(raw, scale)?;
        Ok((&self.planes, (raw.layout.width, raw.layout.height)))
    }

    fn fill(&mut self, raw: &RawFrame, scale: Scale) -> Result<(), Error> {
        let source = Source::new(raw.layout, raw.bytes())?;
        let (width, height) = (raw.layout.width, raw.layout.height);
        let side = |pixels: u32| pixels.div_ceil(scale.divisor()) as usize;
        let cut = Cut {
            width: side(width),
            height: side(height),
            scale,
            chroma: Chroma::Yuv420,
            grey: raw.layout.format == PixelFormat::Grey,
        };
        let size = (cut.width & !1, cut.height & !1);
        if size.0 < LEAST_SIDE || size.1 < LEAST_SIDE {
            return Err(Error::Size { width, height });
        }
        // An encoder that does not answer may still have the last ones.
        if Arc::get_mut(&mut self.planes).is_none() {
            self.planes = Arc::default();
        }
        let planes = Arc::get_mut(&mut self.planes).expect("nobody else has them");
        planes.resize(size);
        self.strip.prepare(&cut);
        for first in (0..size.1).step_by(cut.rows()) {
            self.strip.fill(&source, &cut, first);
            let strips = self.strip.planes();
            let outs = planes.planes_mut().into_iter().enumerate();
            for (n, (out, line)) in outs {
                let shift = usize::from(n > 0);
                let from = (first >> shift) * line;
                let lines = (cut.rows() >> shift).min((size.1 - first) >> shift);
                let out = &mut out[from..from + lines * line];
                if n > 0 && cut.grey {
                    out.fill(NO_COLOUR);
                    continue;
                }
                let rows = strips[n].bytes.chunks_exact(strips[n].stride);
                for (out, row) in out.chunks_exact_mut(line).zip(rows) {
                    out.copy_from_slice(&row[..line]);
                }
            }
        }
        Ok(())
    }
}

/// The library encodes no smaller pictures, pixels.
const LEAST_SIDE: usize = 16;
