//! streamd: live video from V4L2 cameras, never late.
//!
//! The way of a frame, and the rooms it passes:
//!
//! ```text
//! capture ──RawFrame──▶ encode ──JpegFrame──▶ hub ──▶ serve ──▶ TCP · WebSocket · HTTP
//! ```
//!
//! [`control`] and [`supervise`] stand beside the way: the first answers `streamctl`, the second
//! speaks with systemd. [`daemon`] starts and stops all of them, and says in which order and why.

pub mod args;
pub mod camera;
pub mod capture;
pub mod config;
pub mod control;
pub mod daemon;
pub mod encode;
pub mod events;
#[cfg(test)]
mod fixtures;
pub mod frame;
pub mod hub;
pub mod metrics;
pub mod report;
pub mod running;
pub mod serve;
pub mod stats;
pub mod supervise;
