//! Web listeners: from a bound socket to HTTP, and from HTTP to a viewer like any other.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, LazyLock},
};

use bytes::BytesMut;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::either::Either;

use super::{connection, site::Site, visitor::Newcomer};
use crate::{
    link::{listener::Listener, socket::Socket},
    state::State,
    viewer::{Arrival, Viewer},
};

/// Connections that are being answered at once, over all listeners; streams and WebSockets are
/// counted by `max-clients` and not here. A thousand snapshots at once must fit.
const MAX_CONNECTIONS: usize = 4096;

static CONNECTIONS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(MAX_CONNECTIONS)));

/// A connection to a web listener.
type Connection = Either<TcpStream, UnixStream>;

/// Serves a site on a listener.
pub async fn serve(listener: Listener, site: Arc<Site>) {
    listener
        .run(|connection| match admit(connection) {
            Ok((stream, peer, permit)) => {
                tokio::spawn(answer(stream, peer, permit, Arc::clone(&site)));
            }
            Err(error) => unserved(&error),
        })
        .await;
}

fn unserved(error: &io::Error) {
    tracing::debug!(%error, "a connection ended before it was served");
}

fn admit(connection: OwnedFd) -> io::Result<(Connection, Arc<str>, OwnedSemaphorePermit)> {
    let permit = Arc::clone(&CONNECTIONS).try_acquire_owned();
    let permit = permit.map_err(|_| io::Error::other("too many connections at once"))?;
    let socket = Socket::new(connection)?;
    let peer = socket.peer().into();
    let stream = if socket.is_tcp() {
        let stream = TcpStream::from_std(OwnedFd::from(socket).into())?;
        stream.set_nodelay(true)?;
        Either::Left(stream)
    } else {
        Either::Right(UnixStream::from_std(OwnedFd::from(socket).into())?)
    };
    Ok((stream, peer, permit))
}

async fn answer(
    mut stream: Connection,
    peer: Arc<str>,
    permit: OwnedSemaphorePermit,
    site: Arc<Site>,
) {
    let became = connection::serve(&site, peer, &mut stream).await;
    drop(permit);
    if let Some((newcomer, input)) = became {
        match viewer(stream, newcomer, input, &site.state) {
            // On the heap, so that the many that are only answered stay small.
            Ok(viewer) => Box::pin(viewer.run()).await,
            Err(error) => unserved(&error),
        }
    }
}

fn viewer(
    stream: Connection,
    newcomer: Newcomer,
    input: BytesMut,
    state: &State,
) -> io::Result<Viewer> {
    let connection = match stream {
        Either::Left(tcp) => OwnedFd::from(tcp.into_std()?),
        Either::Right(unix) => OwnedFd::from(unix.into_std()?),
    };
    let arrival = Arrival {
        id: newcomer.id,
        socket: Socket::new(connection)?,
        framing: newcomer.framing,
        place: newcomer.place,
        name: newcomer.name,
        input,
        limits: newcomer.limits,
        congestion: state.general(|config| config.http.congestion),
    };
    Ok(Viewer::new(Arc::clone(&state.viewers), arrival)?.announce())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{
        fixtures,
        http::{Served, router},
        link::bound::Bound,
    };

    /// Longer than any of this takes, and short enough for whoever waits for the tests.
    const PATIENCE: Duration = Duration::from_secs(60);

    async fn read_until(socket: &mut TcpStream, end: &[u8]) -> String {
        let mut got = Vec::new();
        while !got.ends_with(end) {
            got.push(socket.read_u8().await.unwrap());
        }
        String::from_utf8_lossy(&got).into_owned()
    }

    /// From the request to the picture, over a real socket; the cookie finds the viewer in `/state`.
    #[tokio::test]
    async fn a_stream_carries_pictures_and_is_listed_while_it_lives() {
        let state = fixtures::state("[camera.front]");
        let site = Site::new(Arc::clone(&state), router(Served::new(Arc::clone(&state))));
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = bound.local_addr().unwrap();
        bound.set_nonblocking(true).unwrap();
        let serving = tokio::spawn(serve(Bound::Tcp(bound).try_into().unwrap(), site));
        let listed = async || {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let request = b"GET /state HTTP/1.0\r\n\r\n";
            socket.write_all(request).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            let (_, json) = answer.split_once("\r\n\r\n").unwrap();
            let state: Value = serde_json::from_str(json).unwrap();
            state["result"]["stream"]["clients_stat"].clone()
        };
        let watch = async {
            let mut socket = TcpStream::connect(address).await.unwrap();
            let request = b"GET /stream?key=me HTTP/1.1\r\nHost: cam\r\n\r\n";
            socket.write_all(request).await.unwrap();
            // It has nothing more to say, and reads on.
            socket.shutdown().await.unwrap();
            let head = read_until(&mut socket, b"\r\n\r\n").await;
            let (_, cookie) = head.split_once("stream_client=me/").unwrap();
            let id = cookie.split(';').next().unwrap();
            for _ in 0..3 {
                let part = read_until(&mut socket, b"\xFF\xD9").await;
                assert!(
                    part.contains("--boundarydonotcross\r\nContent-Type: image/jpeg"),
                    "{part}"
                );
            }
            assert_eq!(listed().await[id]["key"], "me");
            drop(socket);
            while listed().await != serde_json::json!({}) {}
        };
        let publish = async {
            for sequence in 1.. {
                fixtures::publish(&state, "front", sequence);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            watched = tokio::time::timeout(PATIENCE, watch) => watched.unwrap(),
            () = publish => unreachable!(),
        }
        assert_eq!(state.cameras.find(None).unwrap().clients(), 0);
        serving.abort();
    }
}
