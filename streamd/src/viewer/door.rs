//! The door of raw TCP, WebSocket and RTSP: who has a place; who shows no token before may show one in `hello`, and gets
//! nothing until then.

use std::{future::poll_fn, io, os::fd::OwnedFd, task::Poll, time::Duration};

use bytes::BytesMut;
use streamd_protocol::stream::FromClient;
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_rustls::TlsAcceptor;

use super::{
    framing::{Framing, Received},
    tcp::log_refused,
    viewers::Viewers,
};
use crate::{
    access::{
        counts::Share,
        role::{Identity, Shown},
    },
    link::{
        channel::{Channel, Received as Got},
        proxied,
        readiness::{READABLE, Registration},
        socket::Socket,
        tls,
    },
};

/// For the `hello`, from the connection on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is at the door at once: beyond it, the next are sent away.
const MAX_WAITING: usize = 1024;

/// Why a connection to a listener for proxies is refused.
const NOT_TRUSTED: &str =
    "this listener is for proxies (proxy-protocol), and it is none that is in trusted-proxies";

/// Who agrees on TLS at once: beyond it, the next are sent away.
const MAX_AGREEING: usize = 1024;

static AGREEING: Semaphore = Semaphore::const_new(MAX_AGREEING);

static WAITING: Semaphore = Semaphore::const_new(MAX_WAITING);

/// Bytes before an accepted `hello`: that and some pings.
const MAX_BYTES: usize = 4 * 1024;

/// Why somebody does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// There are too many others at the door.
    #[error("too many wait to show a token")]
    Crowded,
    /// Nothing that was accepted came in time.
    #[error("no hello with a token within {} s", PATIENCE.as_secs())]
    TooLate,
    /// What came is no token, or no longer one.
    #[error("the token is none, or no longer one")]
    Wrong,
    /// What came is a token that is for something else.
    #[error("the token is not good for this camera")]
    MayNot,
    /// It went away, or said something else.
    #[error("no hello with a token came first")]
    NoHello,
}

/// Whose connection this is: where it comes by a listener for proxies, by the word that a trusted
/// one begins it with. `None`, and a line in the log, where there is none.
pub async fn introduced(
    viewers: &Viewers,
    connection: OwnedFd,
    camera: &str,
) -> Option<(OwnedFd, String)> {
    let socket = Socket::new(connection).ok()?;
    let proxy = socket.peer();
    if !viewers.rules.proxies().trust(&proxy) {
        log_refused(&NOT_TRUSTED, &proxy, camera);
        return None;
    }
    match proxied::client(socket).await {
        Ok((connection, client)) => {
            let peer = client.map_or(proxy, |client| client.to_string());
            Some((connection, peer))
        }
        Err(error) => {
            log_refused(&error, &proxy, camera);
            None
        }
    }
}

/// Somebody who has come.
pub struct Come {
    /// Their connection.
    pub channel: Channel,
    /// Where they are.
    pub peer: String,
    /// Their place among the connections of their address.
    pub share: Share,
    /// Who they are, by what they have shown.
    pub who: Shown,
    /// What was read already.
    pub input: BytesMut,
}

/// Counts a connection of this address, and agrees on TLS where that is wanted; then they have
/// `come`. Who has no place is sent away, and the log says so.
///
/// # Errors
/// When the connection fails at once.
pub fn admit(
    socket: Socket,
    peer: String,
    (viewers, camera): (&Viewers, &str),
    tls: Option<TlsAcceptor>,
    come: impl FnOnce(Come) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let Some(share) = viewers.connect(viewers.address_of(&peer)) else {
        log_refused(&viewers.too_many(), &peer, camera);
        return Ok(());
    };
    let tls = tls.filter(|_| socket.is_tcp());
    if tls.is_some() {
        viewers.handshake(&peer, camera)?;
    }
    let Ok(agrees) = tls.as_ref().map(|_| AGREEING.try_acquire()).transpose() else {
        log_refused(&"too many agree on TLS at once", &peer, camera);
        return Ok(());
    };
    let comes = |channel, input| Come {
        channel,
        peer,
        share,
        who: Shown::default(),
        input,
    };
    let Some(tls) = tls else {
        return come(comes(socket.into(), BytesMut::new()));
    };
    let stream = TcpStream::from_std(OwnedFd::from(socket).into())?;
    tokio::spawn(async move {
        let mut input = BytesMut::new();
        let agreed = tls::agree(tls, stream).await;
        drop(agrees);
        let channel = agreed.and_then(|stream| tls::channel(stream, &mut input));
        if let Err(error) = channel.and_then(|channel| come(comes(channel, input))) {
            tracing::debug!(%error, "a connection ended before it was served");
        }
    });
    Ok(())
}

/// Waits for a `hello` from this peer whose token is of somebody who is `good` for what begins with
/// this camera; says in the log why none came. What was read is left in
/// `input`, for the viewer; `framing` is one of its kind, and not the viewer's own.
///
/// # Errors
/// When none comes.
pub async fn knock(
    viewers: &Viewers,
    (peer, camera): (&str, &str),
    good: impl Fn(&Identity) -> bool,
    channel: &mut Channel,
    mut framing: impl Framing,
    input: &mut BytesMut,
) -> Result<Identity, Closed> {
    let _waiting = WAITING.try_acquire().map_err(|_| Closed::Crowded)?;
    let listen = async {
        let ready = viewers.readiness.register(channel);
        let ready = ready.map_err(|_| Closed::Crowded)?;
        let mut ahead = input.clone();
        loop {
            match framing.receive(&mut ahead, &mut Vec::new()) {
                Ok(Some(Received::Message(FromClient::Hello {
                    token: Some(token), ..
                }))) => {
                    let who = viewers.rules.known(&token).ok_or(Closed::Wrong)?;
                    return good(&who).then_some(who).ok_or(Closed::MayNot);
                }
                Ok(None) => {}
                _ => return Err(Closed::NoHello),
            }
            if input.len() > MAX_BYTES {
                return Err(Closed::NoHello);
            }
            let before = input.len();
            read(channel, &ready, input)
                .await
                .map_err(|_| Closed::NoHello)?;
            ahead.extend_from_slice(&input[before..]);
        }
    };
    let heard = tokio::time::timeout(PATIENCE, listen).await;
    let heard = heard.unwrap_or(Err(Closed::TooLate));
    if let Err(closed) = &heard {
        closed.say(viewers, peer, camera).await;
    }
    heard
}

impl Closed {
    /// Says it in the log, and comes back when it may be told to who is sent away.
    async fn say(&self, viewers: &Viewers, peer: &str, camera: &str) {
        match self {
            Self::Wrong => {
                let _at_once = viewers.refuse_token(peer).await;
            }
            _ => log_refused(self, peer, camera),
        }
    }
}

/// Reads what comes next.
async fn read(channel: &mut Channel, ready: &Registration, input: &mut BytesMut) -> io::Result<()> {
    loop {
        match channel.receive(input) {
            Ok(Got::End) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Got::Bytes(_)) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        poll_fn(|cx| match ready.take(cx.waker()) & READABLE {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }
}
