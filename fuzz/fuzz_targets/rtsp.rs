//! Any bytes as what a client of RTSP sends, over its connection and in datagrams.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::rtsp::run(bytes));
