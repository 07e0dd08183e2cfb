//! Listeners: each connection that comes becomes a task, and no error of one connection ends the
//! listening.

use std::{io, os::fd::OwnedFd, time::Duration};

use tokio::net::{TcpListener, UnixListener};

use super::bound::Bound;

/// A wait after the process has run out of descriptors or memory: others may free some.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(100);

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

impl TryFrom<Bound> for Listener {
    type Error = io::Error;

    /// Hands a bound listener to the runtime that this is called in.
    fn try_from(bound: Bound) -> io::Result<Self> {
        match bound {
            Bound::Tcp(tcp) => TcpListener::from_std(tcp).map(Self::Tcp),
            Bound::Unix(unix) => UnixListener::from_std(unix).map(Self::Unix),
        }
    }
}

impl Listener {
    /// The next connection.
    ///
    /// # Errors
    /// Those of accept(2).
    pub async fn accept(&self) -> io::Result<OwnedFd> {
        Ok(match self {
            Self::Tcp(listener) => OwnedFd::from(listener.accept().await?.0.into_std()?),
            Self::Unix(listener) => OwnedFd::from(listener.accept().await?.0.into_std()?),
        })
    }

    /// Accepts for ever; `serve` is called with each connection and must not wait.
    pub async fn run(self, serve: impl Fn(OwnedFd)) {
        loop {
            match self.accept().await {
                Ok(connection) => serve(connection),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        tracing::warn!(%error, "a client could not be accepted (LimitNOFILE=)");
                        tokio::time::sleep(EXHAUSTED_WAIT).await;
                    }
                    // The peer was gone before we came to it: its affair.
                    _ => tracing::debug!(%error, "a connection ended before it was accepted"),
                },
            }
        }
    }
}
