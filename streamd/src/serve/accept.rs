//! Listeners: each connection that comes becomes a task, and no error of one connection ends the
//! listening.

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::net::{TcpListener, UnixListener};

use super::{
    client::{Arrival, Client},
    registry::Limits,
    socket::Socket,
    stage::{Refused, Stage},
    tcp::Tcp,
};
use crate::{events, supervise::sockets};

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

impl TryFrom<sockets::Listener> for Listener {
    type Error = io::Error;

    /// Hands a bound listener to the runtime that this is called in.
    fn try_from(bound: sockets::Listener) -> io::Result<Self> {
        match bound {
            sockets::Listener::Tcp(tcp) => TcpListener::from_std(tcp).map(Self::Tcp),
            sockets::Listener::Unix(unix) => UnixListener::from_std(unix).map(Self::Unix),
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

/// Serves raw TCP clients of a camera.
pub async fn raw(listener: Listener, stage: Arc<Stage>, camera: String) {
    let serve = |connection| {
        if let Err(error) = admit(connection, &stage, &camera) {
            tracing::debug!(%error, camera, "a connection ended before it was served");
        }
    };
    listener.run(serve).await;
}

fn admit(connection: OwnedFd, stage: &Arc<Stage>, camera: &str) -> io::Result<()> {
    let socket = Socket::new(connection)?;
    let place = match stage.admit(Some(camera)) {
        Ok(place) => place,
        Err(refused) => {
            log_refused(&refused, &socket.peer(), camera);
            return Ok(());
        }
    };
    let congestion = place.camera().live().config.congestion;
    let arrival = Arrival {
        socket,
        framing: Box::new(Tcp),
        place,
        name: String::new(),
        input: BytesMut::new(),
        limits: Limits::default(),
        talks: false,
        congestion,
    };
    tokio::spawn(Client::new(Arc::clone(stage), arrival)?.run());
    Ok(())
}

/// Says in the log that a client was refused.
pub fn log_refused(refused: &Refused, peer: &str, camera: &str) {
    tracing::warn!(
        message_id = events::CLIENT_REFUSED,
        peer,
        camera,
        "client refused: {refused}"
    );
}
