//! Why a connection could not be made or was lost.

use std::{io, time::Duration};

use super::{framing, target::Target};

/// Why there is no stream (any more). All of these are tried again.
#[derive(Debug, thiserror::Error)]
pub enum Loss {
    /// No connection could be made.
    #[error("cannot connect to {0}: {1}")]
    Unreachable(Target, #[source] io::Error),
    /// The server closed it between two frames.
    #[error("the server closed the connection")]
    Closed,
    /// The server said that it is stopping.
    #[error("the server ends the stream: {0}")]
    Stopping(String),
    /// The server closed it within a frame.
    #[error("the server closed the connection after {0} of the {1} bytes of a frame")]
    Half(usize, usize),
    /// Nothing came for too long.
    #[error("nothing has come for {} s", .0.as_secs_f64())]
    Stalled(Duration),
    /// What came was no stream.
    #[error("what comes is no stream: {0}")]
    NoStream(#[from] framing::Error),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
}
