//! Any bytes as a picture of a camera that delivers JPEG.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::mjpeg_check::run(bytes));
