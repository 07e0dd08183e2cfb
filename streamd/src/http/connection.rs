//! One HTTP connection: requests are answered one after the other until it is closed, or until one
//! of them asks for a stream or a WebSocket. Its response is the last one: hyper ends after it and
//! gives the bare socket back, and pictures go the same way as over raw TCP. hyper would keep
//! pictures in a buffer of its own, where they grow old.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_io_timeout::TimeoutWriter;

use super::{
    site::Site,
    visitor::{Newcomer, Next, Visitor},
};

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

/// Answers the requests of a connection from `peer`. Returns the viewer that it has become, and
/// what that has sent beyond its request; `None` when the connection is over.
pub async fn serve<T>(
    site: &Arc<Site>,
    peer: Arc<str>,
    socket: &mut T,
) -> Option<(Newcomer, BytesMut)>
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let visitor = Visitor::new(peer);
    let (ended, rest) = answer_all(site, &visitor, socket).await;
    match (ended, visitor.next()) {
        (Ok(()), Some(Next::Viewer(newcomer))) => return Some((newcomer, BytesMut::from(rest))),
        (Ok(()), Some(Next::LastWords(words))) => close(socket, &words).await,
        (Err(error), _) if error.is_timeout() && !rest.is_empty() => close(socket, TOO_SLOW).await,
        _ => close(socket, b"").await,
    }
    None
}

/// Answers until hyper has written its last response. Returns also what was read and is no part of
/// a request that was answered.
async fn answer_all<T>(
    site: &Arc<Site>,
    visitor: &Visitor,
    socket: &mut T,
) -> (hyper::Result<()>, Bytes)
where
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut socket = TimeoutWriter::new(socket);
    socket.set_timeout(Some(WRITE_TIMEOUT));
    let socket: Pin<&mut _> = pin!(socket);
    let service = service_fn(|request| {
        let (site, visitor) = (Arc::clone(site), visitor.clone());
        Box::pin(async move { site.answer(visitor, request).await })
    });
    let mut connection = limits().serve_connection(TokioIo::new(socket), service);
    let ended = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    (ended, connection.into_parts().read_buf)
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
