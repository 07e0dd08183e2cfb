//! Any bytes as what a proxy sends first.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::proxied::run(bytes));
