//! A safe face of mozjpeg's C library: the only unsafe code of the encoder.
//!
//! The library reports a failure by a callback that must not return. Ours unwinds: mozjpeg-sys
//! compiles the C code with unwind tables (its feature `unwinding`) and declares every function
//! `C-unwind`, so that [`protect`] turns the failure into an [`Error`]. Nothing is ever printed.

mod compress;
mod decompress;
#[cfg(test)]
pub mod made;
mod turn;

use std::{
    ffi::c_int,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use mozjpeg_sys::{
    JWRN_ADOBE_XFORM, JWRN_JFIF_MAJOR, jpeg_common_struct, jpeg_error_mgr, jpeg_std_error,
};

pub use compress::{Compressor, Pixels, Plane, Shape, Writing};
pub use decompress::Decompressor;
pub use turn::{Turn, turn};

#[cfg(panic = "abort")]
compile_error!("a broken picture would end the daemon: build with panic = \"unwind\"");

/// What the library says of a picture that it cannot read or write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Whether the library computes with SIMD instructions: the two costliest steps are asked, the
/// DCT and the Huffman coder. In a build without nasm both are stubs that say no; in a full one
/// they look at the processor.
pub fn simd() -> bool {
    unsafe extern "C" {
        safe fn jsimd_can_fdct_islow() -> c_int;
        safe fn jsimd_can_huff_encode_one_block() -> c_int;
    }
    jsimd_can_fdct_islow() != 0 && jsimd_can_huff_encode_one_block() != 0
}

/// Runs calls into the library; a failure that it raises comes back as an error.
fn protect<T>(calls: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(calls)).map_err(|payload| match payload.downcast::<Error>() {
        Ok(error) => *error,
        Err(panic) => resume_unwind(panic),
    })
}

/// Callbacks that raise failures, count warnings and print nothing.
fn error_callbacks() -> jpeg_error_mgr {
    // SAFETY: the struct is plain C data: numbers, pointers and optional function pointers.
    let mut callbacks = unsafe { std::mem::zeroed::<jpeg_error_mgr>() };
    // SAFETY: it fills the struct it is given, and keeps no pointer to it.
    unsafe { jpeg_std_error(&mut callbacks) };
    callbacks.error_exit = Some(raise);
    callbacks.emit_message = Some(count);
    callbacks.output_message = Some(ignore);
    callbacks
}

extern "C-unwind" fn raise(cinfo: &mut jpeg_common_struct) {
    // Unlike a panic, this runs no hook: a broken picture is no defect of the program.
    resume_unwind(Box::new(Error(message(cinfo))));
}

extern "C-unwind" fn ignore(_: &mut jpeg_common_struct) {}

/// Counts what spoils the picture. What is odd in a label of its own (JFIF, Adobe) does not.
extern "C-unwind" fn count(cinfo: &mut jpeg_common_struct, level: c_int) {
    // SAFETY: the library only runs with `err` set to callbacks that outlive it.
    let callbacks = unsafe { &mut *cinfo.err };
    if level < 0 && !matches!(callbacks.msg_code, JWRN_JFIF_MAJOR | JWRN_ADOBE_XFORM) {
        callbacks.num_warnings += 1;
    }
}

/// The library's own words for what happened last.
fn message(cinfo: &mut jpeg_common_struct) -> String {
    /// `JMSG_LENGTH_MAX` of jpeglib.h, which `format_message` never exceeds.
    const LENGTH: usize = 200;
    type Format = unsafe extern "C-unwind" fn(*mut jpeg_common_struct, *mut u8);
    let mut text = [0_u8; LENGTH];
    // SAFETY: `err` is set as above; jpeglib.h declares the callback as taking a pointer to the
    // codec and one to LENGTH chars, which this type says, and the bindings' shorter array does not.
    unsafe {
        if let Some(format) = (*cinfo.err).format_message {
            let format = std::mem::transmute::<*const (), Format>(format as *const ());
            format(cinfo, text.as_mut_ptr());
        }
    }
    let end = text.iter().position(|b| *b == 0).unwrap_or(LENGTH);
    String::from_utf8_lossy(&text[..end]).into_owned()
}
