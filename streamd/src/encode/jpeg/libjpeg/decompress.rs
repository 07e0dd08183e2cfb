//! The decompressor, and the picture being read with it.

use std::{ffi::c_long, marker::PhantomData, ptr};

use mozjpeg_sys::{
    J_COLOR_SPACE, JDIMENSION, boolean, jpeg_abort_decompress, jpeg_create_decompress,
    jpeg_decompress_struct, jpeg_destroy_decompress, jpeg_error_mgr, jpeg_read_header,
    jpeg_read_scanlines, jpeg_resync_to_restart, jpeg_source_mgr, jpeg_start_decompress,
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
    /// If the header is broken, or of a kind that cannot be read as YCbCr or grey.
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
        if codec.num_components == 1 {
            self.pixels = Pixels::Grey;
            codec.out_color_space = J_COLOR_SPACE::JCS_GRAYSCALE;
        } else {
            codec.out_color_space = J_COLOR_SPACE::JCS_YCbCr;
        }
        codec.scale_num = 1;
        codec.scale_denom = divisor;
        // The chroma is subsampled again at once: interpolating it first would be wasted.
        codec.do_fancy_upsampling = 0;
        // SAFETY: the header is read.
        protect(|| unsafe { jpeg_start_decompress(codec) })?;
        Ok(())
    }

    /// What the rows hold: [`Pixels::YCbCr`] or [`Pixels::Grey`].
    pub const fn pixels(&self) -> Pixels {
        self.pixels
    }

    /// Width and height of what is read, in pixels.
    pub fn size(&mut self) -> (u32, u32) {
        let codec = self.decompressor.codec();
        (codec.output_width, codec.output_height)
    }

    /// Bytes of a row.
    pub fn row_bytes(&mut self) -> usize {
        let codec = self.decompressor.codec();
        codec.output_width as usize * codec.output_components as usize
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
            let mut pointer = row.as_mut_ptr();
            // SAFETY: the row has room for `output_width` pixels, and the library writes no more.
            let read: JDIMENSION =
                protect(|| unsafe { jpeg_read_scanlines(codec, &raw mut pointer, 1) })?;
            count += read as usize;
        }
        Ok(count)
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
