//! HTTP: the page, pictures, state, and the requests that become viewers.

mod answer;
pub mod connection;
mod guarded;
pub mod listener;
pub mod origin;
pub mod page;
pub mod parameters;
mod refusal;
pub mod routes;
pub mod ustreamer;
pub mod websocket;
