//! The contract of streamd: what goes over its sockets, and what it means.
//!
//! - [`stream`]: the wire to a viewer (raw TCP and WebSocket).
//! - [`limits`]: what a viewer may be sent at most.
//! - [`stats`]: what the daemon counts.
//! - [`control`]: the control socket's methods, replies and errors.
//! - [`client`]: a blocking client of the control socket.
//! - [`fleet`]: what machines that share cameras on NATS agree on.
//! - [`recording`]: what recordings are, and how they are joined.
//! - [`printable`]: what of a foreign text may be shown.

pub mod client;
pub mod control;
pub mod fleet;
pub mod limits;
pub mod printable;
pub mod recording;
pub mod stats;
pub mod stream;

/// The example of the README holds.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
