//! The control socket: methods, replies and errors of the interface `io.streamd.Control`.
