//! streamd: live video from V4L2 cameras, never late.
//!
//! The way of a frame, and the rooms it passes:
//!
//! ```text
//! capture ──RawFrame──▶ encode ──Packet──▶ hub ──▶ viewer ──▶ link ──▶ TCP · WebSocket · HTTP
//! ```
//!
//! [`camera`] joins the first half of the way, [`state`] is what all doors that stand beside it
//! hold: [`http`], [`control`], [`metrics`]; `rtsp` and `whep` are doors too, and `fleet` is the way to other machines. What can be asked for through them is in [`calls`]. [`supervise`] speaks with systemd. [`daemon`] starts
//! and stops all of them, and says in which order and why.

pub mod access;
#[cfg(feature = "mdns")]
pub mod announce;
pub mod args;
pub mod calls;
pub mod camera;
pub mod capture;
pub mod config;
pub mod control;
pub mod daemon;
pub mod encode;
pub mod events;
#[cfg(test)]
mod fixtures;
#[cfg(feature = "nats")]
pub mod fleet;
pub mod hook;
pub mod hosts;
pub mod http;
pub mod hub;
pub mod link;
#[cfg(feature = "h264")]
pub mod m2m;
pub mod media;
pub mod meters;
pub mod metrics;
pub mod news;
#[cfg(feature = "record")]
pub mod record;
#[cfg(not(feature = "record"))]
#[path = "record/absent.rs"]
pub mod record;
pub mod report;
pub mod restart;
#[cfg(feature = "rtsp")]
pub mod rtsp;
pub mod sound;
pub mod state;
pub mod supervise;
pub mod viewer;
#[cfg(feature = "whep")]
pub mod whep;
