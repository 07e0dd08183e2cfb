//! What tools made for µStreamer and mjpg-streamer ask for: MJPEG, snapshots, the state.

pub mod action;
pub mod listing;
pub mod mjpeg;
pub mod parameters;
pub mod snapshot;
pub mod state;
pub mod stream;
