//! The clients: listeners, transports, and one task a client that decides what it gets and when.

pub mod accept;
pub mod adapt;
mod answer;
pub mod client;
pub mod delivery;
pub mod feed;
pub mod framing;
pub mod gate;
mod guarded;
pub mod http;
pub mod link;
pub mod listing;
pub mod mjpeg;
pub mod origin;
pub mod page;
pub mod parameters;
pub mod readiness;
mod refusal;
pub mod registry;
pub mod request;
pub mod snapshot;
pub mod socket;
pub mod stage;
pub mod state;
pub mod tcp;
pub mod web;
pub mod websocket;
