//! RTSP: from a connection to a conversation about streams, and from there to a viewer like any
//! other, or one by datagrams.
//!
//! ```text
//! listener ──▶ connection ──request──▶ conversation ──PLAY──▶ interleaved: a framing of a viewer
//!                  ▲                        │            └──▶ datagrams: a viewer of its own
//!                  └────────answer──────────┘
//!        payload (jpeg, h264) ──pieces──▶ rtp: headers, rtcp: reports
//! ```

pub mod address;
mod answer;
mod connection;
mod conversation;
mod datagrams;
mod description;
pub mod h264;
mod interleaved;
pub mod jpeg;
pub mod listener;
mod listening;
pub mod payload;
pub mod request;
pub mod rtcp;
mod rtp;
mod session;
mod sockets;
pub mod transport;

use serde_json::Value;

use crate::viewer::framing::Framing;

/// The framing of a viewer that another process served, by its [`Framing::state`].
///
/// # Errors
/// When `state` is none of RTSP.
pub fn resumed(state: Value) -> serde_json::Result<Box<dyn Framing>> {
    Ok(Box::new(
        serde_json::from_value::<interleaved::Interleaved>(state)?,
    ))
}
