//! The clients: listeners, transports, and one task a client that decides what it gets and when.

pub mod accept;
pub mod adapt;
pub mod client;
pub mod delivery;
pub mod feed;
pub mod framing;
pub mod gate;
pub mod link;
pub mod readiness;
pub mod registry;
pub mod socket;
pub mod stage;
pub mod tcp;
