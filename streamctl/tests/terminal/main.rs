//! The real streamctl against servers that behave and that do not: its output and exit codes
//! without a terminal, and its screen in a pseudo-terminal.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed"
)]

mod daemon;
mod files;
mod headless;
mod pty;
mod screen;
mod server;
mod top;
mod web;
