//! One HTTP connection: requests are answered one after the other until it is closed, or until one
//! of them asks for a stream or a WebSocket. Its response is the last one: hyper ends after it and
//! gives the bare socket back, and pictures go the same way as over raw TCP. hyper would keep
//! pictures in a buffer of its own, where they grow old.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Semaphore,
};
use tokio_io_timeout::TimeoutWriter;

use super::{
    room::Seat,
    site::Site,
    visitor::{Newcomer, Next, Visitor, Waiting},
};
use crate::viewer::tcp::log_refused;

/// For the head of a request, and between two requests. Long enough for a phone on a bad network.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// For a response that the other side does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a request's head at most; cookies of other servers on the same host come along.
const MAX_HEAD: usize = 16 * 1024;

/// Header lines of a request at most.
const MAX_HEADERS: usize = 100;

/// After the last response, so long and so many bytes of what is still being sent are read: a
/// socket that is closed with unread bytes resets the connection, and the response is lost.
const LINGER: (Duration, u64) = (Duration::from_secs(1), 256 * 1024);

/// hyper closes a connection whose request comes too slowly without a word; this is the word.
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What a connection is told that there is no place for, or that has lost it before it said anything.
pub const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\
    Retry-After: 2\r\nContent-Length: 0\r\n\r\n";

/// Connections that linger at once before they are closed; the rest are closed there and then.
const MAX_LINGERING: usize = 256;

static LINGERING: Semaphore = Semaphore::const_new(MAX_LINGERING);

/// What a connection has become.
pub enum Became {
    /// A viewer.
    Viewer(Newcomer),
    /// A WebSocket whose owner is still to show a token.
    Waiting(Waiting),
}

/// Marks a response that goes on for as long as its reader likes: its connection waits for no
/// request, and does not give way.
#[derive(Debug, Clone, Copy)]
pub struct Lasting;

/// A place for a connection from `peer`; none where there are too many.
pub fn enter(site: &Site, peer: &str) -> Option<Seat> {
    let seat = site.room.enter(site.state.viewers.address_of(peer));
    if seat.is_none() {
        log_refused(&"there are too many connections", peer, "");
    }
    seat
}

/// Answers the requests of a connection from `peer`, plain or encrypted, that has a place. Returns
/// the viewer that it has become, and what that has sent beyond its request; `None` when the
/// connection is over.
pub async fn serve<T>(
    site: &Arc<Site>,
    peer: Arc<str>,
    seat: Seat,
    is_encrypted: bool,
    socket: &mut T,
) -> Option<(Became, BytesMut)>
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut visitor = Visitor::new(peer);
    visitor.is_encrypted = is_encrypted;
    visitor.is_crowded = seat.is_spare;
    match answer_all(site, &visitor, &seat, socket).await {
        Ended::Displaced { unheard: true } => dismiss(socket, NO_PLACE).await,
        Ended::Displaced { unheard: false } => {}
        Ended::Itself(ended, rest) => match (ended, visitor.next()) {
            (Ok(()), Some(Next::Viewer(newcomer))) => {
                return Some((Became::Viewer(newcomer), BytesMut::from(rest)));
            }
            (Ok(()), Some(Next::AtTheDoor(waiting))) => {
                return Some((Became::Waiting(waiting), BytesMut::from(rest)));
            }
            (Ok(()), Some(Next::LastWords(words))) => close(socket, &words).await,
            (Err(error), _) if error.is_timeout() && !rest.is_empty() => {
                dismiss(socket, TOO_SLOW).await;
            }
            (Ok(()), None) => close(socket, b"").await,
            (Err(_), _) => dismiss(socket, b"").await,
        },
    }
    None
}

/// How the answering ended.
enum Ended {
    /// The last response is out; what was read and is no part of a request that was answered.
    Itself(hyper::Result<()>, Bytes),
    /// It had to give way to another connection, perhaps before it was heard.
    Displaced { unheard: bool },
}

/// Answers until hyper has written its last response.
async fn answer_all<T>(site: &Arc<Site>, visitor: &Visitor, seat: &Seat, socket: &mut T) -> Ended
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut socket = TimeoutWriter::new(socket);
    socket.set_timeout(Some(WRITE_TIMEOUT));
    let socket: Pin<&mut _> = pin!(socket);
    let unheard = AtomicBool::new(true);
    let service = service_fn(|request| {
        let (site, visitor) = (Arc::clone(site), visitor.clone());
        unheard.store(false, Ordering::Relaxed);
        seat.answer();
        Box::pin(async move {
            let Ok(answer) = site.answer(visitor, request).await;
            if answer.extensions().get::<Lasting>().is_none() {
                seat.wait();
            }
            Ok::<_, Infallible>(answer)
        })
    });
    let mut connection = limits().serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
            Ended::Itself(ended, connection.into_parts().read_buf)
        }
        () = seat.to_leave() => Ended::Displaced { unheard: unheard.into_inner() },
    }
}

/// Closes a connection that is not served any more, so that `words` arrive, as long as not too many
/// are closed at once.
pub async fn dismiss(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), words: &[u8]) {
    match LINGERING.try_acquire() {
        Ok(_lingers) => close(socket, words).await,
        // What fits into a socket that nothing was written to.
        Err(_) => drop(socket.write_all(words).now_or_never()),
    }
}

fn limits() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        // Small devices compare names byte for byte, in the spelling of the standards.
        .title_case_headers(true)
        // A viewer may close its sending side after the request and still read.
        .half_close(true);
    builder
}

/// Closes a connection so that its last response arrives, and `words` after it.
async fn close(socket: &mut (impl AsyncRead + AsyncWrite + Unpin), words: &[u8]) {
    let _ = tokio::time::timeout(LINGER.0, async {
        socket.write_all(words).await?;
        socket.shutdown().await?;
        let mut rest = socket.take(LINGER.1);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    })
    .await;
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
