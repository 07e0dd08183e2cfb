//! The terminal itself, for `watch` and `top`: raw mode and its restoring, keys, signals, waking.

pub mod input;
pub mod keyboard;
pub mod raw;
pub mod wake;
