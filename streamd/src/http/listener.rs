//! Web listeners: from a bound socket to HTTP, and from HTTP to a client like any other.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, LazyLock},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::{
    http::{
        connection,
        connection::{End, Handover, Shared},
    },
    link::{listener::Listener, socket::Socket},
    metrics,
    state::State,
    viewer::{Arrival, Viewer},
};
use streamd_protocol::limits::Limits;

/// Connections that are being answered at once, over all listeners; streams and WebSockets are
/// counted by `max-clients` and not here. A thousand snapshots at once must fit.
const MAX_CONNECTIONS: usize = 4096;

static CONNECTIONS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(MAX_CONNECTIONS)));

/// What HTTP listeners serve.
pub type Daemon = Shared;

/// A connection to a web listener.
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Serves HTTP on a listener.
pub async fn serve(listener: Listener, daemon: Arc<Daemon>) {
    listener
        .run(|connection| match admit(connection) {
            Ok((Stream::Tcp(stream), peer, permit)) => {
                tokio::spawn(answer(stream, peer, permit, Arc::clone(&daemon), owned_tcp));
            }
            Ok((Stream::Unix(stream), peer, permit)) => {
                tokio::spawn(answer(
                    stream,
                    peer,
                    permit,
                    Arc::clone(&daemon),
                    owned_unix,
                ));
            }
            Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
        })
        .await;
}

/// Serves metrics on a listener.
pub async fn serve_metrics(listener: Listener, state: Arc<State>) {
    listener
        .run(|connection| match admit(connection) {
            Ok((Stream::Tcp(stream), _, permit)) => {
                tokio::spawn(scrape(stream, permit, Arc::clone(&state)));
            }
            Ok((Stream::Unix(stream), _, permit)) => {
                tokio::spawn(scrape(stream, permit, Arc::clone(&state)));
            }
            Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
        })
        .await;
}

fn admit(connection: OwnedFd) -> io::Result<(Stream, Arc<str>, OwnedSemaphorePermit)> {
    let permit = Arc::clone(&CONNECTIONS).try_acquire_owned();
    let permit = permit.map_err(|_| io::Error::other("too many connections at once"))?;
    let socket = Socket::new(connection)?;
    let peer = socket.peer().into();
    let stream = if socket.is_tcp() {
        let stream = TcpStream::from_std(OwnedFd::from(socket).into())?;
        stream.set_nodelay(true)?;
        Stream::Tcp(stream)
    } else {
        Stream::Unix(UnixStream::from_std(OwnedFd::from(socket).into())?)
    };
    Ok((stream, peer, permit))
}

fn owned_tcp(stream: TcpStream) -> io::Result<OwnedFd> {
    stream.into_std().map(OwnedFd::from)
}

fn owned_unix(stream: UnixStream) -> io::Result<OwnedFd> {
    stream.into_std().map(OwnedFd::from)
}

async fn answer<T>(
    stream: T,
    peer: Arc<str>,
    permit: OwnedSemaphorePermit,
    daemon: Arc<Daemon>,
    owned: fn(T) -> io::Result<OwnedFd>,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let end = connection::serve(Arc::clone(&daemon), peer, stream).await;
    drop(permit);
    if let End::Client(stream, input, handover) = end {
        match owned(stream).and_then(|fd| client(fd, input, handover, &daemon.state)) {
            // On the heap, so that the many that are only answered stay small.
            Ok(client) => Box::pin(client.run()).await,
            Err(error) => tracing::debug!(%error, "a connection ended before it was served"),
        }
    }
}

fn client(
    connection: OwnedFd,
    input: BytesMut,
    handover: Handover,
    state: &State,
) -> io::Result<Viewer> {
    let mut limits = Limits::default();
    limits.apply(&handover.want).map_err(io::Error::other)?;
    let arrival = Arrival {
        id: state.viewers.registry.reserve(),
        socket: Socket::new(connection)?,
        framing: handover.framing,
        place: handover.place,
        name: handover.name,
        input,
        limits,
        congestion: state.general(|config| config.http.congestion),
    };
    Viewer::new(Arc::clone(&state.viewers), arrival)
}

async fn scrape<T>(stream: T, permit: OwnedSemaphorePermit, state: Arc<State>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    metrics::listener::serve(state, stream).await;
    drop(permit);
}
