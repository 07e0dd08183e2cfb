//! Any bytes as a picture, and any segment in one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::app_segment::run(bytes));
