//! Any bytes as what a client of HTTP sends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::http::run(bytes));
