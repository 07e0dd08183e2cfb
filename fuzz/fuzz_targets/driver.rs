//! Any bytes as what is wrong with the answers of a camera's driver.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| streamd_fuzz::driver::run(bytes));
