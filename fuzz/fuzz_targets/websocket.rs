//! Any bytes as what a WebSocket client sends.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::websocket::run(bytes));
