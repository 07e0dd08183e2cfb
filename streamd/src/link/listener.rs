//! Listeners: each connection that comes becomes a task, and no error of one connection ends the
//! listening.

use std::{
    io::{self, Write},
    net::TcpStream,
    os::fd::OwnedFd,
    sync::{Arc, LazyLock},
    time::Duration,
};

use tokio::net::{TcpListener, UnixListener};

use super::{
    bound::Bound,
    descriptors::{Shortage, is_kept},
    tls::Tls,
};

/// A wait after the process has run out of descriptors or memory: others may free some.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(100);

/// The process's, whichever listener feels it.
static SHORTAGE: LazyLock<Shortage> = LazyLock::new(Shortage::default);

/// How a listener takes its connections.
#[derive(Clone, Default)]
pub struct Taken {
    /// Each is a proxy's, and begins with whom it serves.
    pub proxied: bool,
    /// Each over the network is encrypted.
    pub tls: Option<Arc<Tls>>,
}

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

    /// Accepts for ever; `serve` is called with each connection and must not wait. One that there is
    /// no descriptor for is told `sorry` and closed, and those after it wait in the kernel.
    pub async fn run(self, sorry: &[u8], serve: impl Fn(OwnedFd)) {
        loop {
            match self.accept().await {
                Ok(connection) if is_kept(&connection) => {
                    SHORTAGE.felt("the last descriptors are kept for control and cameras");
                    say(connection, sorry);
                    tokio::time::sleep(EXHAUSTED_WAIT).await;
                }
                Ok(connection) => serve(connection),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                        SHORTAGE.felt(&error.to_string());
                        tokio::time::sleep(EXHAUSTED_WAIT).await;
                    }
                    // The peer was gone before we came to it: its affair.
                    _ => tracing::debug!(%error, "a connection ended before it was accepted"),
                },
            }
        }
    }
}

/// Says something to a connection that is closed with it, as far as it takes that at once.
pub fn say(connection: OwnedFd, words: &[u8]) {
    // Whatever family it is of: a stream that takes bytes.
    let mut stream = TcpStream::from(connection);
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(words);
}
