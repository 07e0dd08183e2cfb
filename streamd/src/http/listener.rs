//! Web listeners: from a bound socket to HTTP, and from HTTP to a viewer like any other.

use std::{io, os::fd::OwnedFd, sync::Arc};

use bytes::BytesMut;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::either::Either;

use super::{
    connection::{self, Became, NO_PLACE},
    site::Site,
    visitor::{Newcomer, Waiting},
    websocket::{WebSocket, close_code::CloseCode, codec::write_close},
};
use crate::{
    access::{
        counts::Share,
        role::{Identity, Shown},
    },
    link::{
        channel::Channel,
        listener::{Listener, Taken, say},
        socket::Socket,
        tls::{self, Secure, Tls},
    },
    state::State,
    viewer::{Arrival, Viewer, door, tcp::log_refused, viewers::Viewers},
};

/// A connection to a web listener, plain or encrypted.
type Connection = Either<Plain, Secure>;

type Plain = Either<TcpStream, UnixStream>;

/// Serves a site on a listener, whose connections are taken so.
pub async fn serve(listener: Listener, site: Arc<Site>, taken: Taken) {
    let serve = |connection: OwnedFd| {
        let (site, tls) = (Arc::clone(&site), taken.tls.as_deref().map(Tls::http));
        if !taken.proxied {
            match open(connection) {
                Ok((stream, peer)) => drop(tokio::spawn(answer(stream, peer, tls, site))),
                Err(error) => unserved(&error),
            }
            return;
        }
        tokio::spawn(async move {
            let introduced = door::introduced(&site.state.viewers, connection, "").await;
            let Some((connection, peer)) = introduced else {
                return;
            };
            match open(connection) {
                Ok((stream, _)) => Box::pin(answer(stream, peer.into(), tls, site)).await,
                Err(error) => unserved(&error),
            }
        });
    };
    listener.run(NO_PLACE, serve).await;
}

fn unserved(error: &io::Error) {
    tracing::debug!(%error, "a connection ended before it was served");
}

/// What is said to plain HTTP where TLS is wanted.
const ENCRYPTED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\
    Content-Type: text/plain\r\nContent-Length: 49\r\n\r\n\
    HTTPS is spoken here: ask for https:// instead.\r\n";

/// Agrees on TLS, where that is wanted and the connection comes by the network. Nothing is left of
/// a connection that speaks plain HTTP.
async fn secure(
    stream: Plain,
    tls: Option<TlsAcceptor>,
    viewers: &Viewers,
    peer: &str,
) -> io::Result<Option<Connection>> {
    let (mut tcp, tls) = match (stream, tls) {
        (Either::Left(tcp), Some(tls)) => (tcp, tls),
        (plain, _) => return Ok(Some(Either::Left(plain))),
    };
    if !tls::is_spoken(&tcp).await? {
        connection::dismiss(&mut tcp, ENCRYPTED).await;
        return Ok(None);
    }
    viewers.handshake(peer, "")?;
    let secure = tls::agree(tls, tcp).await?;
    Ok(Some(Either::Right(secure)))
}

fn open(connection: OwnedFd) -> io::Result<(Plain, Arc<str>)> {
    let socket = Socket::new(connection)?;
    let peer = socket.peer().into();
    let stream = if socket.is_tcp() {
        let stream = TcpStream::from_std(OwnedFd::from(socket).into())?;
        stream.set_nodelay(true)?;
        Either::Left(stream)
    } else {
        Either::Right(UnixStream::from_std(OwnedFd::from(socket).into())?)
    };
    Ok((stream, peer))
}

/// Answers a connection. It has its places before TLS is agreed on, and gives way meanwhile like any
/// other that waits.
async fn answer(mut stream: Plain, peer: Arc<str>, tls: Option<TlsAcceptor>, site: Arc<Site>) {
    let places =
        share(&site, &peer).and_then(|share| Some((share, connection::enter(&site, &peer)?)));
    let Some((share, seat)) = places else {
        if tls.is_none() {
            connection::dismiss(&mut stream, NO_PLACE).await;
        }
        return;
    };
    let agreed = tokio::select! {
        agreed = secure(stream, tls, &site.state.viewers, &peer) => agreed,
        () = seat.to_leave() => return,
    };
    let mut stream = match agreed {
        Ok(Some(stream)) => stream,
        Ok(None) => return,
        Err(error) => return unserved(&error),
    };
    let is_encrypted = matches!(stream, Either::Right(_));
    let became = connection::serve(&site, peer, seat, is_encrypted, &mut stream).await;
    // On the heap, so that the many that are only answered stay small.
    match became {
        Some((Became::Viewer(newcomer), input)) => {
            match viewer(stream, newcomer, input, share, &site.state) {
                Ok(viewer) => Box::pin(viewer.run()).await,
                Err(error) => unserved(&error),
            }
        }
        Some((Became::Waiting(waiting), input)) => {
            let opened = Box::pin(open_door(stream, waiting, input, share, &site));
            if let Err(error) = opened.await {
                unserved(&error);
            }
        }
        None => {}
    }
}

/// Makes a viewer of who shows a good token over an open WebSocket; tells all others why not.
async fn open_door(
    stream: Connection,
    waiting: Waiting,
    mut input: BytesMut,
    share: Share,
    site: &Site,
) -> io::Result<()> {
    let mut channel = channel(stream, &mut input)?;
    let (peer, viewers) = (waiting.peer, &site.state.viewers);
    let framing = WebSocket::default();
    let wanted = &waiting.wanted;
    let good = |who: &Identity| wanted.has_any_for(who);
    let at = (&*peer, wanted.first());
    let heard = door::knock(viewers, at, good, &mut channel, framing, &mut input).await;
    let (code, why) = match heard {
        Err(closed) => (CloseCode::POLICY, closed.to_string()),
        Ok(who) => match wanted.admit(viewers, &who, &peer) {
            Ok(place) => {
                let newcomer = Newcomer {
                    id: viewers.registry.reserve(),
                    peer,
                    place,
                    framing: Box::new(WebSocket::default()),
                    who: Shown::of(&who),
                    limits: waiting.limits,
                    name: waiting.name,
                };
                let viewer = enter(channel, newcomer, input, share, &site.state)?;
                viewer.run().await;
                return Ok(());
            }
            Err(refusal) => (CloseCode::TRY_LATER, refusal.to_string()),
        },
    };
    let mut words = Vec::new();
    write_close(&mut words, code, &why);
    say(channel.into_socket().into(), &words);
    Ok(())
}

/// What a viewer's bytes go through from here on.
fn channel(stream: Connection, input: &mut BytesMut) -> io::Result<Channel> {
    let descriptor = match stream {
        Either::Right(secure) => return tls::channel(secure, input),
        Either::Left(Either::Left(tcp)) => OwnedFd::from(tcp.into_std()?),
        Either::Left(Either::Right(unix)) => OwnedFd::from(unix.into_std()?),
    };
    Socket::new(descriptor).map(Channel::from)
}

/// Counts a connection of this address. Where it has as many as it may have, the one that has
/// waited longest for a request gives way.
fn share(site: &Site, peer: &str) -> Option<Share> {
    let viewers = &site.state.viewers;
    let address = viewers.address_of(peer);
    let share = viewers.connect(address);
    if share.is_some() {
        return share;
    }
    if site.room.make_way_for(address) {
        return viewers.connections.take(address, usize::MAX);
    }
    log_refused(&viewers.too_many(), peer, "");
    None
}

fn viewer(
    stream: Connection,
    newcomer: Newcomer,
    mut input: BytesMut,
    share: Share,
    state: &State,
) -> io::Result<Viewer> {
    let channel = channel(stream, &mut input)?;
    enter(channel, newcomer, input, share, state)
}

fn enter(
    channel: Channel,
    newcomer: Newcomer,
    input: BytesMut,
    share: Share,
    state: &State,
) -> io::Result<Viewer> {
    let viewers = &state.viewers;
    let address = viewers.address_of(&newcomer.peer);
    let share = if share.address() == address {
        share
    } else {
        // From now on the connection is of who is behind the proxy.
        let Some(own) = viewers.connect(address) else {
            log_refused(&viewers.too_many(), &newcomer.peer, "");
            return Err(io::Error::other(viewers.too_many()));
        };
        own
    };
    let arrival = Arrival {
        id: newcomer.id,
        channel,
        peer: newcomer.peer.to_string(),
        framing: newcomer.framing,
        who: newcomer.who,
        share: Some(share),
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
        let bound = Bound::Tcp(bound).try_into().unwrap();
        let serving = tokio::spawn(serve(bound, site, Taken::default()));
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
            let request = b"GET /stream?key=me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
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
