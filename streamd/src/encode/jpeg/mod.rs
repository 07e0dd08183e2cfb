//! The encoder: raw frames, or a camera's JPEG pictures, to JPEG pictures of any rendition.

pub(super) mod levels;
pub(super) mod libjpeg;
pub(super) mod planes;
pub(super) mod source;
mod unpack;

use bytes::Bytes;

pub use libjpeg::simd;

use self::{
    levels::stretch_luma,
    libjpeg::{Compressor, Decompressor, Pixels, Plane, Shape, Writing},
    planes::{Cut, Strip, repeat_pixel},
    source::{Rows, Source},
    unpack::{Which, means},
};
use super::{
    Broken, Error, GreyLevels, Picture,
    check::{Check, Past, Whole},
    passthrough::passthrough,
    plain,
};
use crate::{
    config::values::{Chroma, GrayRange},
    media::{Packing, PixelFormat, Range, RawFrame, Rendition, Scale},
};

/// The longest side of a JPEG picture that mozjpeg writes, in pixels (`JPEG_MAX_DIMENSION`).
const MAX_SIDE: u32 = 65_500;

/// An encoder, one per thread. It keeps its tables and row buffers from picture to picture, and of
/// whole frames only the data of a camera's own picture.
pub struct Encoder {
    check: Check,
    compressor: Compressor,
    decompressor: Decompressor,
    strip: Strip,
    /// Rows of interleaved pixels, on their way from one step to the next.
    rows: Vec<u8>,
    sums: Vec<u16>,
    /// Bytes of the last picture of each [`Scale`]: the next one will need about as many.
    last: [usize; 3],
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder with no tables yet.
    pub fn new() -> Self {
        Self {
            check: Check::default(),
            compressor: Compressor::new(),
            decompressor: Decompressor::new(),
            strip: Strip::default(),
            rows: Vec::new(),
            sums: Vec::new(),
            last: [0; 3],
        }
    }

    /// Encodes a frame. `app` are whole APP segments, JFIF the first, which begin the picture
    /// (`AppSegment::head`); `chroma` is without meaning for grey frames, which stay grey. A
    /// camera's JPEG picture may be of another size than the layout says.
    ///
    /// # Errors
    /// If the frame is shorter than its layout says, or a camera's JPEG picture is broken.
    pub fn encode(
        &mut self,
        raw: &RawFrame,
        rendition: Rendition,
        chroma: Chroma,
        app: &[u8],
    ) -> Result<Picture, Error> {
        if raw.layout.format == PixelFormat::Mjpg {
            let whole = self.check.look(raw.bytes(), None)?;
            return self.transcode(raw.bytes(), &whole, rendition, chroma, app);
        }
        if !plain::is_plain(raw.layout.format) {
            let plain = plain::plain(raw, GrayRange::WHOLE, &mut GreyLevels::default())?;
            return self.encode(&plain, rendition, chroma, app);
        }
        let (width, height) = (raw.layout.width, raw.layout.height);
        if width.max(height) > MAX_SIDE {
            return Err(Error::Size { width, height });
        }
        let job = Job::new((width, height), rendition, chroma, app);
        match raw.layout.format.packing() {
            Packing::Rgb { bytes: 3, .. } => self.interleaved::<3>(raw, job),
            Packing::Rgb { .. } => self.interleaved::<4>(raw, job),
            _ => self.planar(raw, job),
        }
    }

    /// Hands a camera's own JPEG picture on as it is; one of a kind that not every viewer shows is
    /// encoded anew, in this quality. `past` is what is known of the camera.
    ///
    /// # Errors
    /// If the picture is broken.
    pub fn hand_on(
        &mut self,
        raw: &RawFrame,
        (rendition, chroma): (Rendition, Chroma),
        app: &[u8],
        past: &Past,
    ) -> Result<Picture, Error> {
        let whole = self.check.look(raw.bytes(), Some(past))?;
        match whole.is_common {
            true => Ok(passthrough(raw.bytes(), &whole, app)),
            false => self.transcode(raw.bytes(), &whole, rendition, chroma, app),
        }
    }

    /// What was written, and how large it is.
    fn picture(&mut self, bytes: Vec<u8>, job: &Job<'_>) -> Picture {
        self.last[job.scale as usize] = bytes.len();
        Picture {
            bytes: trimmed(bytes),
            key: true,
            droppable: false,
            width: job.shape.width,
            height: job.shape.height,
            frame: job.frame,
        }
    }

    /// YUV in any arrangement: unpacked into planes, a strip at a time.
    fn planar(&mut self, raw: &RawFrame, mut job: Job<'_>) -> Result<Picture, Error> {
        let source = Source::new(raw.layout, raw.bytes())?;
        let cut = Cut {
            width: job.shape.width as usize,
            height: job.shape.height as usize,
            scale: job.scale,
            chroma: job.shape.chroma,
            grey: raw.layout.format == PixelFormat::Grey,
        };
        if cut.grey {
            job.shape.pixels = Pixels::GreyPlane;
        }
        self.strip.prepare(&cut);
        let components = if cut.grey { 1 } else { 3 };
        let mut writing = job.begin(&mut self.compressor, self.last)?;
        for first in (0..cut.height).step_by(cut.rows()) {
            self.strip.fill(&source, &cut, first);
            writing.planes(&self.strip.planes()[..components])?;
        }
        let bytes = writing.finish()?;
        Ok(self.picture(bytes, &job))
    }

    /// RGB: mozjpeg converts and subsamples it, with SIMD, from the frame itself.
    fn interleaved<const BYTES: usize>(
        &mut self,
        raw: &RawFrame,
        mut job: Job<'_>,
    ) -> Result<Picture, Error> {
        let source = Source::new(raw.layout, raw.bytes())?;
        job.shape.pixels = match raw.layout.format {
            PixelFormat::Bgr24 => Pixels::Bgr,
            PixelFormat::Xbgr32 => Pixels::Bgrx,
            PixelFormat::Rgbx32 => Pixels::Rgbx,
            PixelFormat::Xrgb32 => Pixels::Xrgb,
            PixelFormat::Bgrx32 => Pixels::Xbgr,
            _ => Pixels::Rgb,
        };
        let mut writing = job.begin(&mut self.compressor, self.last)?;
        let limited = raw.layout.colour.range == Range::Limited;
        if job.scale == Scale::Full && !limited {
            writing.rows(source.rows(), job.shape.height as usize)?;
            let bytes = writing.finish()?;
            return Ok(self.picture(bytes, &job));
        }
        let side = job.scale.divisor() as usize;
        let (width, height) = (raw.layout.width as usize, raw.layout.height as usize);
        let stride = job.shape.width as usize * BYTES;
        self.rows.resize(stride, 0);
        for row in 0..job.shape.height as usize {
            self.sums.resize(stride * side, 0);
            let rows = Rows::of(row, side, height);
            rows.sum(Which::All, &mut self.sums[..width * BYTES], |row| {
                source.row(row)
            });
            repeat_pixel::<BYTES>(&mut self.sums, width);
            means::<BYTES>(&self.sums, side, (side * side).ilog2(), &mut self.rows);
            if limited {
                stretch_luma(&mut self.rows);
            }
            let bytes = &self.rows;
            writing.rows(Plane { bytes, stride }, 1)?;
        }
        let bytes = writing.finish()?;
        Ok(self.picture(bytes, &job))
    }

    /// A camera's JPEG picture, of whatever size: decoded at the wanted scale, and encoded again.
    fn transcode(
        &mut self,
        bytes: &[u8],
        whole: &Whole,
        rendition: Rendition,
        chroma: Chroma,
        app: &[u8],
    ) -> Result<Picture, Error> {
        /// Rows read and written at a time.
        const ROWS: usize = 16;
        let mut job = Job::new(whole.size, rendition, chroma, app);
        let jpeg = whole.file(bytes, &[], true);
        let mut reading = self
            .decompressor
            .begin(&jpeg, job.scale.divisor(), |w, h| (w, h) == whole.size)
            .map_err(Broken::from)?;
        reading.take_inks_for_light(whole.is_adobe());
        job.shape.pixels = reading.pixels();
        (job.shape.width, job.shape.height) = reading.size();
        let stride = reading.row_bytes();
        self.rows.resize(stride * ROWS, 0);
        let mut writing = job.begin(&mut self.compressor, self.last)?;
        loop {
            let count = reading.rows(&mut self.rows).map_err(Broken::from)?;
            if count == 0 {
                break;
            }
            let bytes = self.rows.as_slice();
            writing.rows(Plane { bytes, stride }, count)?;
        }
        if !reading.finish().map_err(Broken::from)? {
            return Err(Broken::Warned.into());
        }
        let bytes = writing.finish()?;
        Ok(self.picture(bytes, &job))
    }
}

/// What is asked for, with what each way to encode needs of it.
#[derive(Clone, Copy)]
struct Job<'a> {
    shape: Shape,
    /// Width and height of the frame, pixels.
    frame: (u32, u32),
    scale: Scale,
    app: &'a [u8],
}

impl<'a> Job<'a> {
    /// For a frame of this size; its pixels are planes.
    fn new(frame: (u32, u32), rendition: Rendition, chroma: Chroma, app: &'a [u8]) -> Self {
        let divisor = rendition.scale.divisor();
        let shape = Shape {
            pixels: Pixels::Planes,
            width: frame.0.div_ceil(divisor),
            height: frame.1.div_ceil(divisor),
            quality: rendition.quality,
            chroma,
        };
        Self {
            shape,
            frame,
            scale: rendition.scale,
            app,
        }
    }

    fn begin<'c>(
        &self,
        compressor: &'c mut Compressor,
        last: [usize; 3],
    ) -> Result<Writing<'c>, Error> {
        let capacity = match last[self.scale as usize] {
            // Film at quality 80 has about 1.4 bits a pixel.
            0 => self.shape.width as usize * self.shape.height as usize / 4,
            last => last + last / 8,
        };
        Ok(compressor.begin(self.shape, self.app, capacity)?)
    }
}

/// Gives back the memory of a guess that was far too high; a small rest is cheaper to keep.
fn trimmed(mut bytes: Vec<u8>) -> Bytes {
    if bytes.capacity() - bytes.len() > bytes.len() / 4 {
        bytes.shrink_to_fit();
    }
    bytes.into()
}
