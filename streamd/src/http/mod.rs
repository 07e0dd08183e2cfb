//! HTTP: the page, pictures, the state, and the requests that become viewers.
//!
//! ```text
//! listener ──socket──▶ connection ──request──▶ site ──▶ routes ──▶ page · ustreamer · websocket
//!                          │
//!                          └──socket, newcomer──▶ viewer, as over raw TCP
//! ```

mod chosen;
pub mod connection;
pub mod listener;
pub mod origin;
pub mod page;
pub mod query;
mod refusal;
pub mod routes;
mod served;
pub mod site;
pub mod ustreamer;
pub mod visitor;
pub mod websocket;

pub use self::{routes::router, site::Site};
