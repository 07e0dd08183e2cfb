//! Why a connection could not be made or was lost.

use std::{io, time::Duration};

use super::{framing, target::Target};

/// Why there is no stream (any more). It is tried again, unless it [is for good](Loss::is_final).
#[derive(Debug, thiserror::Error)]
pub enum Loss {
    /// No connection could be made.
    #[error("cannot connect to {0}: {1}")]
    Unreachable(Target, #[source] io::Error),
    /// No host of this name is known.
    #[error("cannot find {0}: {1}")]
    NoHost(Target, #[source] io::Error),
    /// The camera that was asked for is not shown.
    #[error("{0}")]
    Refused(String),
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

impl Loss {
    /// Whether another attempt would come to the same.
    pub const fn is_final(&self) -> bool {
        matches!(
            self,
            Self::NoHost(..) | Self::NoStream(_) | Self::Refused(_)
        )
    }
}
