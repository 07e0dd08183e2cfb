//! The clients: listeners, transports, and one task a client that decides what it gets and when.

pub mod framing;
