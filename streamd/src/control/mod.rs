//! The control socket: Varlink over a Unix socket, on a thread and a runtime of its own.

pub mod command;
