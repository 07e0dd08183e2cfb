//! What the end-to-end tests share: the real daemon, running by itself, and all that talks to it.
//!
//! - [`setup`]: what a daemon is started with; [`daemon`]: that daemon, running.
//! - [`viewer`]: a client of raw TCP; [`picture`]: what it gets; [`web`]: a client of HTTP;
//!   [`rtsp`]: one of RTSP; [`whep`]: one of WebRTC.
//! - [`unit`]: pictures in H.264; [`ear`]: sound; [`mp4`]: recordings of both.
//! - [`proxy`]: what may be between the two.
//! - [`device`]: cameras that do not exist, and misbehave as they are told; [`film`]: what they film.
//! - [`nats`]: a server of NATS.
//! - [`usage`]: what a process uses; [`said`]: what a process has said so far; [`binaries`]: where the programs are.
//!
//! A test waits for what is to happen and never for time to pass. Every wait ends after
//! [`PATIENCE`], and then shows what happened instead.

pub mod binaries;
pub mod daemon;
pub mod device;
pub mod ear;
pub mod film;
pub mod mp4;
pub mod nats;
pub mod picture;
pub mod proxy;
pub mod rtsp;
pub mod said;
pub mod setup;
pub mod tls;
pub mod unit;
pub mod usage;
pub mod viewer;
pub mod web;
pub mod whep;

use std::time::{Duration, Instant};

/// The longest wait for anything: far above what a busy machine needs, so that it means a fault.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks at something that can't be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Asks again and again until `look` gives what is wanted, and returns that.
///
/// # Panics
/// After [`PATIENCE`], with what `look` saw last instead.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(instead) if Instant::now() >= deadline => {
                panic!("not within {PATIENCE:?}: {what}; instead: {instead}")
            }
            Err(_) => std::thread::sleep(LOOK_EVERY),
        }
    }
}
