//! A viewer's connection: what the kernel is asked, and what is decided from its answers.
//!
//! Kernel: [`bound`], [`listener`], [`socket`], [`readiness`]; TLS between it and a viewer:
//! [`channel`]. Deciding, without I/O or a clock:
//! [`estimate`], [`gate`], [`reader`], [`adapt`], [`bit_rate`], [`delivery`], [`receipts`]; of datagrams,
//! `feedback`; of the server of a stream, `acks`.

#[cfg(feature = "nats")]
pub mod acks;
pub mod adapt;
mod bind;
pub mod bit_rate;
pub mod bound;
pub mod budget;
pub mod channel;
pub mod delivery;
pub mod descriptors;
pub mod estimate;
#[cfg(feature = "whep")]
pub mod feedback;
pub mod gate;
pub mod listener;
pub mod proxied;
pub mod reader;
pub mod readiness;
pub mod receipts;
#[cfg(test)]
mod simulation;
pub mod socket;
pub mod tls;
#[cfg(feature = "whep")]
mod twice;
