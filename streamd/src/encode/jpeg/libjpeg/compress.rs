//! The compressor, and the picture being written with it.

use std::ptr;

use mozjpeg_sys::{
    J_COLOR_SPACE, JCP_FASTEST, JDIMENSION, JINT_COMPRESS_PROFILE, boolean, jpeg_abort_compress,
    jpeg_c_set_int_param, jpeg_compress_struct, jpeg_create_compress, jpeg_destination_mgr,
    jpeg_destroy_compress, jpeg_error_mgr, jpeg_finish_compress, jpeg_set_colorspace,
    jpeg_set_defaults, jpeg_set_quality, jpeg_start_compress, jpeg_write_raw_data,
    jpeg_write_scanlines,
};

use super::{Error, error_callbacks, protect};
use crate::config::values::Chroma;

/// Rows of pixel data handed over in one call: two block rows, as much as 4:2:0 needs.
const ROWS: usize = 16;

/// Bytes of room that the library is always given: it writes before it looks whether there is any.
const MIN_SPARE: usize = 4096;

/// What the pixels handed over mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// Planes Y, Cb, Cr, the latter subsampled already.
    Planes,
    /// One plane.
    GreyPlane,
    /// Rows of R, G, B.
    Rgb,
    /// Rows of B, G, R.
    Bgr,
    /// Rows of R, G, B and a byte that is skipped.
    Rgbx,
    /// Rows of B, G, R and a byte that is skipped.
    Bgrx,
    /// Rows of a byte that is skipped, R, G, B.
    Xrgb,
    /// Rows of a byte that is skipped, B, G, R.
    Xbgr,
    /// Rows of Y, Cb, Cr.
    YCbCr,
    /// Rows of luma.
    Grey,
}

impl Pixels {
    const fn is_planar(self) -> bool {
        matches!(self, Self::Planes | Self::GreyPlane)
    }

    const fn color_space(self) -> J_COLOR_SPACE {
        match self {
            Self::Planes | Self::YCbCr => J_COLOR_SPACE::JCS_YCbCr,
            Self::GreyPlane | Self::Grey => J_COLOR_SPACE::JCS_GRAYSCALE,
            Self::Rgb => J_COLOR_SPACE::JCS_EXT_RGB,
            Self::Bgr => J_COLOR_SPACE::JCS_EXT_BGR,
            Self::Rgbx => J_COLOR_SPACE::JCS_EXT_RGBX,
            Self::Bgrx => J_COLOR_SPACE::JCS_EXT_BGRX,
            Self::Xrgb => J_COLOR_SPACE::JCS_EXT_XRGB,
            Self::Xbgr => J_COLOR_SPACE::JCS_EXT_XBGR,
        }
    }

    /// Bytes of a pixel in a row.
    const fn bytes(self) -> usize {
        match self {
            Self::Rgbx | Self::Bgrx | Self::Xrgb | Self::Xbgr => 4,
            other => other.components(),
        }
    }

    /// Colours of a pixel, or planes.
    pub const fn components(self) -> usize {
        match self {
            Self::GreyPlane | Self::Grey => 1,
            _ => 3,
        }
    }
}

/// What is to be written. The tables are kept as long as it stays the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// What goes in.
    pub pixels: Pixels,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1–100.
    pub quality: u8,
    /// What comes out; without meaning for grey.
    pub chroma: Chroma,
}

/// Rows of one component: `stride` bytes from one to the next.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The first row begins here.
    pub bytes: &'a [u8],
    /// Bytes.
    pub stride: usize,
}

/// A compressor of the library, to be used for picture after picture.
pub struct Compressor {
    /// Made by `Box::into_raw`, freed in `drop`: the library keeps pointers into it.
    state: *mut State,
    shape: Option<Shape>,
}

// SAFETY: the state belongs to this value alone, and the library keeps nothing of it by thread
// (its one thread-local caches what the processor can do).
unsafe impl Send for Compressor {}

/// What the library points to.
struct State {
    codec: jpeg_compress_struct,
    errors: jpeg_error_mgr,
    destination: jpeg_destination_mgr,
    /// Filled through `destination`, which knows its real length while a picture is written.
    out: Vec<u8>,
}

impl Compressor {
    /// A compressor with no tables yet.
    pub fn new() -> Self {
        let destination = jpeg_destination_mgr {
            next_output_byte: ptr::null_mut(),
            free_in_buffer: 0,
            init_destination: Some(open_buffer),
            empty_output_buffer: Some(grow_buffer),
            term_destination: Some(close_buffer),
        };
        let state = Box::into_raw(Box::new(State {
            // SAFETY: plain C data, whose enumerations all have a variant 0.
            codec: unsafe { std::mem::zeroed() },
            errors: error_callbacks(),
            destination,
            out: Vec::new(),
        }));
        // SAFETY: `state` is live and in place until `drop`, so the pointers into it stay valid.
        // Creating fails only if the struct's size or version differs from the library's, which
        // the bindings and the library, being one crate, rule out.
        unsafe {
            (*state).codec.common.err = &raw mut (*state).errors;
            jpeg_create_compress(&raw mut (*state).codec);
            (*state).codec.dest = &raw mut (*state).destination;
            (*state).codec.common.client_data = state.cast();
        }
        Self { state, shape: None }
    }

    pub(super) fn codec(&mut self) -> &mut jpeg_compress_struct {
        // SAFETY: `state` is live, and `&mut self` makes this the only reference from Rust.
        unsafe { &mut (*self.state).codec }
    }

    /// Begins a picture: SOI and `app` are written at once. `capacity` is how many bytes the
    /// picture is expected to need.
    ///
    /// # Errors
    /// If the library does not take the size.
    pub fn begin(
        &mut self,
        shape: Shape,
        app: &[u8],
        capacity: usize,
    ) -> Result<Writing<'_>, Error> {
        if self.shape != Some(shape) {
            self.shape = None;
            self.configure(shape)?;
            self.shape = Some(shape);
        }
        self.room(capacity);
        let mut writing = Writing {
            compressor: self,
            shape,
        };
        writing.start()?;
        writing.append(app);
        Ok(writing)
    }

    fn room(&mut self, capacity: usize) {
        // SAFETY: `state` is live, and the library writes through it only inside its functions.
        unsafe { (*self.state).out = Vec::with_capacity(capacity.max(MIN_SPARE)) };
    }

    /// Room for a picture that is not written by [`Compressor::begin`]; the tables are forgotten.
    pub(super) fn make_room(&mut self, capacity: usize) {
        self.shape = None;
        self.room(capacity);
    }

    /// The bytes of a picture that is finished.
    pub(super) fn take(&mut self) -> Vec<u8> {
        // SAFETY: `state` is live; `close_buffer` has set the length of `out`.
        std::mem::take(unsafe { &mut (*self.state).out })
    }

    /// Throws away what is being written; of a whole picture there is nothing.
    pub(super) fn close(&mut self) {
        // SAFETY: allowed in every state of a live codec.
        unsafe { jpeg_abort_compress(self.codec()) };
    }

    /// Tables and sampling: the fastest profile, baseline, the standard Huffman tables.
    fn configure(&mut self, shape: Shape) -> Result<(), Error> {
        let codec = self.codec();
        codec.image_width = shape.width;
        codec.image_height = shape.height;
        codec.input_components = shape.pixels.bytes() as i32;
        codec.in_color_space = shape.pixels.color_space();
        // SAFETY: plain calls on a live codec that is between pictures.
        protect(|| unsafe {
            jpeg_c_set_int_param(codec, JINT_COMPRESS_PROFILE, JCP_FASTEST as i32);
            jpeg_set_defaults(codec);
            let out = match shape.pixels.components() {
                1 => J_COLOR_SPACE::JCS_GRAYSCALE,
                _ => J_COLOR_SPACE::JCS_YCbCr,
            };
            jpeg_set_colorspace(codec, out);
            jpeg_set_quality(codec, shape.quality.into(), 1);
        })?;
        // Whoever hands in the segments at the beginning has it among them.
        codec.write_JFIF_header = 0;
        codec.raw_data_in = shape.pixels.is_planar().into();
        if shape.pixels.components() == 3 {
            // SAFETY: `jpeg_set_defaults` has allocated `comp_info`.
            let luma = unsafe { &mut *codec.comp_info };
            luma.h_samp_factor = 2;
            luma.v_samp_factor = if shape.chroma == Chroma::Yuv420 { 2 } else { 1 };
        }
        Ok(())
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        // SAFETY: `state` came from `Box::into_raw` and is freed once; the codec was created.
        unsafe {
            jpeg_destroy_compress(&mut (*self.state).codec);
            drop(Box::from_raw(self.state));
        }
    }
}

/// A picture being written; dropped before its end, it is thrown away.
pub struct Writing<'a> {
    compressor: &'a mut Compressor,
    shape: Shape,
}

impl Writing<'_> {
    fn start(&mut self) -> Result<(), Error> {
        let codec = self.compressor.codec();
        // SAFETY: the codec is configured, and its destination is set.
        protect(|| unsafe { jpeg_start_compress(codec, 1) })
    }

    /// Writes bytes as they are, between two calls of the library.
    fn append(&mut self, bytes: &[u8]) {
        let state = self.compressor.state;
        // SAFETY: `state` is live, and no call of the library is under way.
        unsafe {
            measure(state);
            let out = &mut (*state).out;
            out.extend_from_slice(bytes);
            out.reserve(MIN_SPARE);
            expose(state);
        }
    }

    /// Writes the next rows of blocks: 16 rows of luma with 8 of each chroma plane for 4:2:0,
    /// else 8 rows of each plane.
    ///
    /// # Panics
    /// If the planes are fewer or shorter than that, or the picture is not made of planes.
    ///
    /// # Errors
    /// If the library fails.
    pub fn planes(&mut self, planes: &[Plane<'_>]) -> Result<(), Error> {
        assert!(self.shape.pixels.is_planar() && planes.len() == self.shape.pixels.components());
        let codec = self.compressor.codec();
        let mut rows = [[ptr::null::<u8>(); ROWS]; 3];
        let mut luma_rows = 0;
        for (index, plane) in planes.iter().enumerate() {
            // SAFETY: `comp_info` has as many elements as there are components, at least.
            let component = unsafe { &*codec.comp_info.add(index) };
            let count = component.v_samp_factor as usize * 8;
            let bytes = component.width_in_blocks as usize * 8;
            assert!(
                plane.stride >= bytes && plane.bytes.len() >= plane.stride * (count - 1) + bytes
            );
            for (row, line) in rows[index][..count]
                .iter_mut()
                .zip(plane.bytes.chunks(plane.stride))
            {
                *row = line.as_ptr();
            }
            luma_rows = luma_rows.max(count);
        }
        let pointers = rows.each_ref().map(|plane| plane.as_ptr());
        // SAFETY: the library reads `width_in_blocks` whole blocks from the rows of each
        // component, and no more, which were found to be there.
        protect(|| unsafe {
            jpeg_write_raw_data(codec, pointers.as_ptr(), luma_rows as JDIMENSION);
        })
    }

    /// Writes `count` rows of interleaved pixels.
    ///
    /// # Panics
    /// If `rows` holds fewer, or the picture is made of planes.
    ///
    /// # Errors
    /// If the library fails.
    pub fn rows(&mut self, rows: Plane<'_>, count: usize) -> Result<(), Error> {
        let bytes = self.shape.width as usize * self.shape.pixels.bytes();
        assert!(!self.shape.pixels.is_planar() && rows.stride >= bytes);
        assert!(count == 0 || rows.bytes.len() >= rows.stride * (count - 1) + bytes);
        let codec = self.compressor.codec();
        let mut pointers = [ptr::null::<u8>(); ROWS];
        for first in (0..count).step_by(ROWS) {
            let here = ROWS.min(count - first);
            for (index, pointer) in pointers[..here].iter_mut().enumerate() {
                *pointer = rows.bytes[(first + index) * rows.stride..].as_ptr();
            }
            // SAFETY: each pointer has `bytes` readable bytes behind it; the library reads no more.
            protect(|| unsafe {
                jpeg_write_scanlines(codec, pointers.as_ptr(), here as JDIMENSION);
            })?;
        }
        Ok(())
    }

    /// Ends the picture, once all its rows are written.
    ///
    /// # Errors
    /// If rows are missing.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        let codec = self.compressor.codec();
        // SAFETY: a picture is being written.
        protect(|| unsafe { jpeg_finish_compress(codec) })?;
        Ok(self.compressor.take())
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.compressor.close();
    }
}

/// Lets the library write into the spare capacity of `out`, of which there must be some.
///
/// # Safety
/// `state` is live, and neither `out` nor `destination` is borrowed.
unsafe fn expose(state: *mut State) {
    // SAFETY: the caller's promise.
    let (out, destination) = unsafe { (&mut (*state).out, &mut (*state).destination) };
    let spare = out.spare_capacity_mut();
    destination.next_output_byte = spare.as_mut_ptr().cast();
    destination.free_in_buffer = spare.len();
}

/// Gives `out` the length that the library has written: all but the last `free_in_buffer` bytes
/// of its capacity.
///
/// # Safety
/// As for [`expose`], which came before.
unsafe fn measure(state: *mut State) {
    // SAFETY: the caller's promise; the library writes its buffer from front to back.
    unsafe {
        let out = &mut (*state).out;
        out.set_len(out.capacity() - (*state).destination.free_in_buffer);
    }
}

extern "C-unwind" fn open_buffer(codec: &mut jpeg_compress_struct) {
    // SAFETY: `client_data` is the live state; nothing of it but the codec is borrowed while the
    // library runs.
    unsafe { expose(codec.common.client_data.cast()) };
}

/// Called when the buffer is full to the last byte.
extern "C-unwind" fn grow_buffer(codec: &mut jpeg_compress_struct) -> boolean {
    let state: *mut State = codec.common.client_data.cast();
    // SAFETY: as in `open_buffer`; every byte up to the capacity is written.
    unsafe {
        (*state).destination.free_in_buffer = 0;
        measure(state);
        let out = &mut (*state).out;
        out.reserve(out.capacity().max(MIN_SPARE));
        expose(state);
    }
    1
}

extern "C-unwind" fn close_buffer(codec: &mut jpeg_compress_struct) {
    // SAFETY: as in `open_buffer`.
    unsafe { measure(codec.common.client_data.cast()) };
}
