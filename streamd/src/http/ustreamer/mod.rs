//! What tools made for µStreamer and mjpg-streamer ask for: MJPEG, snapshots, the state.

pub mod listing;
pub mod mjpeg;
pub mod snapshot;
pub mod state;
