//! What the end-to-end tests share: a running daemon, a client that reads frames.
