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
pub mod credentials;
pub mod guard;
pub mod h264;
pub mod host;
pub mod listener;
mod login;
pub mod origin;
pub mod page;
pub mod query;
mod recordings;
mod refusal;
pub mod room;
pub mod routes;
pub mod served;
pub mod site;
pub mod ustreamer;
pub mod visitor;
pub mod websocket;
#[cfg(feature = "whep")]
mod whep;

pub use self::{routes::router, served::Served, site::Site};
