//! Who may come in: how many of one address, and as whom.
//!
//! Asked by every door (raw TCP, HTTP, WebSocket, metrics) before it does anything for a peer.

pub mod address;
pub mod attempts;
pub mod counts;
pub mod exposure;
pub mod proxies;
pub mod rates;
pub mod role;
pub mod rules;
pub mod token;
pub mod tokens;
