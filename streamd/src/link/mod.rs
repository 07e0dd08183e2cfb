//! A viewer's connection: what the kernel is asked, and what is decided from its answers.
//!
//! Kernel: [`bound`], [`listener`], [`socket`], [`readiness`]. Deciding, without I/O or a clock:
//! [`estimate`], [`gate`], [`adapt`], [`delivery`], [`receipts`].

pub mod adapt;
mod bind;
pub mod bound;
pub mod delivery;
pub mod estimate;
pub mod gate;
pub mod listener;
pub mod readiness;
pub mod receipts;
#[cfg(test)]
mod simulation;
pub mod socket;
