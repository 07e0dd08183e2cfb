//! The decompressor, and the picture being read with it.

use std::{ffi::c_long, marker::PhantomData, ptr};

use mozjpeg_sys::{
    J_COLOR_SPACE, JDIMENSION, boolean, jpeg_abort_decompress, jpeg_create_decompress,
    jpeg_decompress_struct, jpeg_destroy_decompress, jpeg_error_mgr, jpeg_finish_decompress,
    jpeg_read_header, jpeg_read_scanlines, jpeg_resync_to_restart, jpeg_source_mgr,
    jpeg_start_decompress,
};

use super::{Error, Pixels, error_callbacks, protect};

/// What the library reads where the picture's bytes end. A picture that lacks only its EOI is
/// whole with it; one that lacks more makes the library warn that it met a marker too early.
static END: [u8; 2] = [0xFF, 0xD9];

/// A decompressor of the library, to be used for picture after picture.
pub struct Decompressor {
    /// Made by `Box::into_raw`, freed in `drop`: the library keeps pointers into it.
    state: *mut State,
}

// SAFETY: the state belongs to this value alone, and the library keeps nothing of it by thread
// (its one thread-local caches what the processor can do).
unsafe impl Send for Decompressor {}

/// What the library points to.
struct State {
    codec: jpeg_decompress_struct,
    errors: jpeg_error_mgr,
    source: jpeg_source_mgr,
}

impl Decompressor {
    /// A decompressor.
    pub fn new() -> Self {
        let source = jpeg_source_mgr {
            next_input_byte: ptr::null(),
            bytes_in_buffer: 0,
            init_source: Some(ignore),
            fill_input_buffer: Some(end),
            skip_input_data: Some(skip),
            resync_to_restart: Some(jpeg_resync_to_restart),
            term_source: Some(ignore),
        };
        let state = Box::into_raw(Box::new(State {
            // SAFETY: plain C data, whose enumerations all have a variant 0.
            codec: unsafe { std::mem::zeroed() },
            errors: error_callbacks(),
            source,
        }));
        // SAFETY: `state` is live and in place until `drop`, so the pointers into it stay valid.
        unsafe { create(state) };
        Self { state }
    }

    pub(super) fn codec(&mut self) -> &mut jpeg_decompress_struct {
        // SAFETY: `state` is live, and `&mut self` makes this the only reference from Rust.
        unsafe { &mut (*self.state).codec }
    }

    /// Begins to read a picture, at its size divided by `divisor` (1, 2, 4 or 8), rounded up.
    /// `fits` says whether the picture's full width and height are acceptable, before anything
    /// is allocated for them.
    ///
    /// # Errors
    /// If the header is broken, or of a kind that the library cannot read.
    pub fn begin<'a>(
        &'a mut self,
        jpeg: &'a [u8],
        divisor: u32,
        fits: impl FnOnce(u32, u32) -> bool,
    ) -> Result<Reading<'a>, Error> {
        self.open(jpeg);
        let mut reading = Reading {
            decompressor: self,
            pixels: Pixels::YCbCr,
            inks: None,
            inks_are_light: true,
            source: PhantomData,
        };
        reading.start(divisor, fits)?;
        Ok(reading)
    }
}

impl Decompressor {
    /// Points the library at a picture, which must stay until [`Decompressor::close`].
    pub(super) fn open(&mut self, jpeg: &[u8]) {
        // SAFETY: `state` is live, and no call of the library is under way. The library would keep
        // the tables of the picture before for one that has none, so it begins afresh.
        unsafe {
            jpeg_destroy_decompress(&mut (*self.state).codec);
            create(self.state);
            (*self.state).source.next_input_byte = jpeg.as_ptr();
            (*self.state).source.bytes_in_buffer = jpeg.len();
        }
    }

    /// Reads the header of the picture.
    pub(super) fn header(&mut self) -> Result<&mut jpeg_decompress_struct, Error> {
        let codec = self.codec();
        // SAFETY: the source is set to bytes that last until the picture is closed.
        protect(|| unsafe { jpeg_read_header(codec, 1) })?;
        Ok(codec)
    }

    /// Whether all that was read so far was sound.
    pub(super) fn is_sound(&mut self) -> bool {
        // SAFETY: `state` is live, and no call of the library is under way.
        unsafe { (*self.state).errors.num_warnings == 0 }
    }

    /// Forgets the picture.
    pub(super) fn close(&mut self) {
        // SAFETY: allowed in every state of a live codec; it forgets the source's bytes.
        unsafe { jpeg_abort_decompress(self.codec()) };
    }
}

/// Makes a decompressor of zeros, or of one that was destroyed.
///
/// # Safety
/// `state` is live, and stays where it is until the decompressor is destroyed.
unsafe fn create(state: *mut State) {
    // SAFETY: the caller's promise. Creating fails only if the struct's size or version differs
    // from the library's, which the bindings and the library, being one crate, rule out.
    unsafe {
        (*state).codec.common.err = &raw mut (*state).errors;
        jpeg_create_decompress(&raw mut (*state).codec);
        (*state).codec.src = &raw mut (*state).source;
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: `state` came from `Box::into_raw` and is freed once; the codec was created.
        unsafe {
            jpeg_destroy_decompress(&mut (*self.state).codec);
            drop(Box::from_raw(self.state));
        }
    }
}

/// A picture being read.
pub struct Reading<'a> {
    decompressor: &'a mut Decompressor,
    pixels: Pixels,
    /// A row of inks, on its way to colours, where the picture is made of inks.
    inks: Option<Vec<u8>>,
    inks_are_light: bool,
    /// The picture's bytes, to which the library's source points.
    source: PhantomData<&'a [u8]>,
}

impl Reading<'_> {
    fn start(&mut self, divisor: u32, fits: impl FnOnce(u32, u32) -> bool) -> Result<(), Error> {
        let codec = self.decompressor.header()?;
        if !fits(codec.image_width, codec.image_height) {
            return Err(Error(format!(
                "unexpected size {}x{}",
                codec.image_width, codec.image_height
            )));
        }
        (self.pixels, codec.out_color_space) = match codec.jpeg_color_space {
            J_COLOR_SPACE::JCS_GRAYSCALE => (Pixels::Grey, J_COLOR_SPACE::JCS_GRAYSCALE),
            J_COLOR_SPACE::JCS_RGB => (Pixels::Rgb, J_COLOR_SPACE::JCS_RGB),
            J_COLOR_SPACE::JCS_CMYK | J_COLOR_SPACE::JCS_YCCK => {
                (Pixels::Rgb, J_COLOR_SPACE::JCS_CMYK)
            }
            _ => (Pixels::YCbCr, J_COLOR_SPACE::JCS_YCbCr),
        };
        codec.scale_num = 1;
        codec.scale_denom = divisor;
        // The chroma is subsampled again at once: interpolating it first would be wasted.
        codec.do_fancy_upsampling = 0;
        // SAFETY: the header is read.
        protect(|| unsafe { jpeg_start_decompress(codec) })?;
        if codec.out_color_space == J_COLOR_SPACE::JCS_CMYK {
            self.inks = Some(vec![0; codec.output_width as usize * 4]);
        }
        Ok(())
    }

    /// What the rows hold: [`Pixels::YCbCr`], [`Pixels::Grey`] or [`Pixels::Rgb`].
    pub const fn pixels(&self) -> Pixels {
        self.pixels
    }

    /// Width and height of what is read, in pixels.
    pub fn size(&mut self) -> (u32, u32) {
        let codec = self.decompressor.codec();
        (codec.output_width, codec.output_height)
    }

    /// Says what the numbers of a picture made of inks are: how much light each lets through, as
    /// pictures with a segment of Adobe have it, or how much ink there is.
    pub const fn take_inks_for_light(&mut self, is_light: bool) {
        self.inks_are_light = is_light;
    }

    /// Bytes of a row.
    pub fn row_bytes(&mut self) -> usize {
        let pixels = self.pixels;
        let codec = self.decompressor.codec();
        codec.output_width as usize * pixels.components()
    }

    /// Reads as many rows as `rows` holds, at most those that are left; says how many.
    ///
    /// # Errors
    /// If the library fails.
    pub fn rows(&mut self, rows: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.row_bytes();
        let codec = self.decompressor.codec();
        let mut count = 0;
        for row in rows.chunks_exact_mut(bytes) {
            if codec.output_scanline >= codec.output_height {
                break;
            }
            let inks = self.inks.as_deref_mut();
            let mut pointer = inks.map_or(row.as_mut_ptr(), <[u8]>::as_mut_ptr);
            // SAFETY: either row has room for `output_width` pixels of its own kind, and the
            // library writes no more.
            let read: JDIMENSION =
                protect(|| unsafe { jpeg_read_scanlines(codec, &raw mut pointer, 1) })?;
            if let Some(inks) = &self.inks {
                mix(inks, self.inks_are_light, row);
            }
            count += read as usize;
        }
        Ok(count)
    }

    /// Reads what is behind the last row, up to EOI; says whether all of the picture was sound.
    ///
    /// # Errors
    /// If rows are left, or the library fails.
    pub fn finish(mut self) -> Result<bool, Error> {
        let codec = self.decompressor.codec();
        // SAFETY: a picture is being read.
        protect(|| unsafe { jpeg_finish_decompress(codec) })?;
        Ok(self.is_sound())
    }

    /// Whether all that was read so far was sound.
    pub fn is_sound(&mut self) -> bool {
        self.decompressor.is_sound()
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.decompressor.close();
    }
}

/// Colours out of inks (C, M, Y, K).
fn mix(inks: &[u8], is_light: bool, colours: &mut [u8]) {
    let pixels = inks.as_chunks::<4>().0.iter();
    for ([inks @ .., black], colour) in pixels.zip(colours.as_chunks_mut::<3>().0) {
        let light = |ink: u8| u16::from(if is_light { ink } else { 255 - ink });
        *colour = inks.map(|ink| ((light(ink) * light(*black) + 127) / 255) as u8);
    }
}

extern "C-unwind" fn ignore(_: &mut jpeg_decompress_struct) {}

extern "C-unwind" fn end(codec: &mut jpeg_decompress_struct) -> boolean {
    // SAFETY: `src` points to the live source, which only the library uses while it runs.
    let source = unsafe { &mut *codec.src };
    source.next_input_byte = END.as_ptr();
    source.bytes_in_buffer = END.len();
    1
}

extern "C-unwind" fn skip(codec: &mut jpeg_decompress_struct, bytes: c_long) {
    // SAFETY: as above.
    let source = unsafe { &mut *codec.src };
    let bytes = usize::try_from(bytes)
        .unwrap_or(0)
        .min(source.bytes_in_buffer);
    // SAFETY: it stays inside the buffer, or at its end.
    source.next_input_byte = unsafe { source.next_input_byte.add(bytes) };
    source.bytes_in_buffer -= bytes;
}
