//! Any bytes as what a client of raw TCP sends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::stream_message::run(bytes));
