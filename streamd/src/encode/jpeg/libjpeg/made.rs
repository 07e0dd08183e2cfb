//! Pictures of every kind that the library can write, for the tests of what reads them.

use std::ptr;

use mozjpeg_sys::{
    J_COLOR_SPACE, JCP_FASTEST, JINT_COMPRESS_PROFILE, jpeg_c_set_int_param, jpeg_compress_struct,
    jpeg_create_compress, jpeg_destroy_compress, jpeg_finish_compress, jpeg_mem_dest,
    jpeg_set_colorspace, jpeg_set_defaults, jpeg_set_quality, jpeg_simple_progression,
    jpeg_start_compress, jpeg_write_scanlines,
};

use super::error_callbacks;

/// What kind of picture.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub width: u32,
    pub height: u32,
    /// 1 grey, 3 YCbCr, 4 CMYK.
    pub colours: usize,
    /// Three colours are R, G, B as they are.
    pub is_rgb: bool,
    /// Sampling factors of the first component; the others have 1.
    pub sampling: (i32, i32),
    /// MCUs between restart markers; 0 for none.
    pub restart: u32,
    pub is_progressive: bool,
    /// Huffman tables of its own.
    pub is_optimised: bool,
    pub quality: i32,
}

/// A sound 4:2:0 picture of this size.
pub const PLAIN: Kind = Kind {
    width: 64,
    height: 48,
    colours: 3,
    is_rgb: false,
    sampling: (2, 2),
    restart: 0,
    is_progressive: false,
    is_optimised: false,
    quality: 80,
};

/// Makes a picture whose pixels are these, `colours` bytes each.
pub fn make(kind: Kind, pixels: &[u8]) -> Vec<u8> {
    use J_COLOR_SPACE::{JCS_CMYK, JCS_GRAYSCALE, JCS_RGB, JCS_YCbCr};
    let stride = kind.width as usize * kind.colours;
    assert_eq!(pixels.len(), stride * kind.height as usize);
    let mut errors = error_callbacks();
    let (mut out, mut length) = (ptr::null_mut(), 0);
    // SAFETY: the codec is created before it is used, its error callbacks and destination live
    // until it is destroyed, each row has the bytes that the size asks for, and the memory that
    // the library gives is copied before it is freed.
    unsafe {
        let mut codec: jpeg_compress_struct = std::mem::zeroed();
        codec.common.err = &raw mut errors;
        jpeg_create_compress(&mut codec);
        jpeg_mem_dest(&mut codec, &mut out, &mut length);
        (codec.image_width, codec.image_height) = (kind.width, kind.height);
        codec.input_components = kind.colours as i32;
        let (from, to) = match kind.colours {
            1 => (JCS_GRAYSCALE, JCS_GRAYSCALE),
            4 => (JCS_CMYK, JCS_CMYK),
            _ if kind.is_rgb => (JCS_RGB, JCS_RGB),
            _ => (JCS_YCbCr, JCS_YCbCr),
        };
        codec.in_color_space = from;
        jpeg_c_set_int_param(&mut codec, JINT_COMPRESS_PROFILE, JCP_FASTEST as i32);
        jpeg_set_defaults(&mut codec);
        jpeg_set_colorspace(&mut codec, to);
        jpeg_set_quality(&mut codec, kind.quality, 1);
        let first = &mut *codec.comp_info;
        (first.h_samp_factor, first.v_samp_factor) = kind.sampling;
        codec.restart_interval = kind.restart;
        codec.optimize_coding = kind.is_optimised.into();
        if kind.is_progressive {
            jpeg_simple_progression(&mut codec);
        }
        jpeg_start_compress(&mut codec, 1);
        for row in pixels.chunks(stride) {
            let row = row.as_ptr();
            jpeg_write_scanlines(&mut codec, &row, 1);
        }
        jpeg_finish_compress(&mut codec);
        jpeg_destroy_compress(&mut codec);
        let picture = std::slice::from_raw_parts(out, length as usize).to_vec();
        libc::free(out.cast());
        picture
    }
}
