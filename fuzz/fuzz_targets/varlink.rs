//! Any bytes as a message of the control socket.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::varlink::run(bytes));
