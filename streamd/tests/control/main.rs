//! The control socket from outside: our own client, a foreign Varlink client, and bytes by hand.

mod daemon;
mod foreign;
mod limits;
mod methods;
