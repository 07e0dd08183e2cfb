//! What is counted, and the one snapshot that control, HTTP, metrics and `STATUS=` all read.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is counted of a camera's capture.
#[derive(Debug, Default)]
pub struct CaptureCounters {
    /// Frames handed on, after pacing.
    pub captured: Counter,
    /// Frames the driver lost, by gaps in its sequence numbers.
    pub driver_lost: Counter,
    /// Frames that arrived broken (`V4L2_BUF_FLAG_ERROR`, truncated MJPG) and were dropped.
    pub corrupt: Counter,
    /// Times the device was lost.
    pub losses: Counter,
    /// Frames left out to keep the wanted rate, or overtaken by a newer one in the driver's queue.
    pub skipped: Counter,
}
