//! The door of raw TCP and WebSocket: who shows no token before may show one in `hello`, and gets
//! nothing until then.

use std::{future::poll_fn, io, os::fd::OwnedFd, task::Poll, time::Duration};

use bytes::BytesMut;
use streamd_protocol::stream::FromClient;
use tokio::sync::Semaphore;

use super::{
    framing::{Framing, Received},
    tcp::log_refused,
    viewers::Viewers,
};
use crate::{
    access::role::Identity,
    link::{
        channel::{Channel, Received as Got},
        proxied,
        readiness::{READABLE, Registration},
        socket::Socket,
    },
};

/// For the `hello`, from the connection on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is at the door at once: beyond it, the next are sent away.
const MAX_WAITING: usize = 1024;

/// Why a connection to a listener for proxies is refused.
const NOT_TRUSTED: &str =
    "this listener is for proxies (proxy-protocol), and it is none that is in trusted-proxies";

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
