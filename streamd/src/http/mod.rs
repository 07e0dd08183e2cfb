//! HTTP: the page, pictures, the state, and the requests that become viewers.
//!
//! ```text
//! listener ──socket──▶ connection ──request──▶ site ──▶ routes ──▶ page · ustreamer · websocket
//!                          │
//!                          └──socket, newcomer──▶ viewer, as over raw TCP
//! ```

mod api;
mod chosen;
pub mod connection;
mod credentials;
pub mod guard;
pub mod h264;
pub mod host;
pub mod listener;
mod login;
pub mod origin;
pub mod page;
pub mod query;
mod refusal;
pub mod room;
pub mod routes;
pub mod served;
pub mod site;
pub mod ustreamer;
pub mod visitor;
pub mod websocket;

pub use self::{routes::router, served::Served, site::Site};

use serde_json::Value;
use streamd_protocol::stats::Transport;

use crate::viewer::{framing::Framing, tcp::Tcp};

/// The framing of a viewer that another process served, by its [`Framing::state`].
///
/// # Errors
/// When `state` is none of this transport's.
pub fn resumed(
    transport: Transport,
    state: Value,
    viewer: u64,
    served: &Served,
) -> serde_json::Result<Box<dyn Framing>> {
    Ok(match transport {
        Transport::Tcp => Box::new(Tcp),
        Transport::Websocket => Box::new(serde_json::from_value::<websocket::WebSocket>(state)?),
        Transport::H264 => Box::new(h264::ByteStream),
        Transport::Mjpeg => Box::new(ustreamer::mjpeg::Multipart::resumed(
            state,
            viewer,
            &served.listing,
        )?),
    })
}
