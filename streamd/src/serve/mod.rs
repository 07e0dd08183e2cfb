//! The clients: listeners, transports, and one task a client that decides what it gets and when.

pub mod adapt;
pub mod framing;
pub mod gate;
pub mod link;
pub mod readiness;
pub mod socket;
