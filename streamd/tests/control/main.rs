//! The control socket from outside: our own client, a foreign Varlink client, and bytes by hand.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod daemon;
mod foreign;
mod limits;
mod methods;
