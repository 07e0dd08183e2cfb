//! One HTTP connection: requests are answered one after the other until one of them asks for a
//! stream or a WebSocket. Then the bare socket is handed over, and its pictures go the same way as
//! over raw TCP: hyper would keep pictures in a buffer of its own, where they grow old.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use bytes::BytesMut;
use hyper::{Request, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use streamd_protocol::stream::Want;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::{
    camera::Place,
    http::{
        answer,
        guarded::{Guarded, Watch},
        ustreamer::listing::Listing,
    },
    state::State,
    viewer::framing::Framing,
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

/// What all HTTP connections share.
pub struct Shared {
    /// The rest of the daemon.
    pub state: Arc<State>,
    /// The MJPEG clients.
    pub listing: Listing,
}

/// A connection that has become a client's.
pub struct Handover {
    /// Its place at the camera.
    pub place: Place,
    /// How pictures are wrapped; its greeting is the head of the response.
    pub framing: Box<dyn Framing>,
    /// The limits in its address.
    pub want: Want,
    /// What it calls itself, by its `key` or its `User-Agent`; may be empty.
    pub name: String,
}

/// What a request leads to, other than an answer.
pub(super) enum Taken {
    /// The connection becomes a client's.
    Client(Handover),
    /// These are the last bytes of the connection.
    LastWords(Vec<u8>),
}

/// What a connection ended in.
pub enum End<S> {
    /// It is closed.
    Closed,
    /// A client: its socket, and what it has sent beyond its request.
    Client(S, BytesMut, Handover),
}

/// Where the service leaves what is to become of the connection.
pub(super) type Cell = Mutex<Option<Taken>>;

/// Answers the requests of a connection until it is closed or handed over. `peer` is its address.
pub async fn serve<T>(shared: Arc<Shared>, peer: Arc<str>, socket: T) -> End<T>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let watch = Arc::new(Watch::default());
    let cell: Arc<Cell> = Arc::default();
    let service = service_fn({
        let (watch, cell) = (Arc::clone(&watch), Arc::clone(&cell));
        move |request: Request<_>| {
            watch.request_begins();
            let (shared, cell, peer) = (Arc::clone(&shared), Arc::clone(&cell), Arc::clone(&peer));
            Box::pin(answer::answer(shared, cell, peer, request))
        }
    });
    let guarded = Guarded::new(socket, Arc::clone(&watch), WRITE_TIMEOUT);
    let mut connection = limits().serve_connection(TokioIo::new(guarded), service);
    let take = || cell.lock().unwrap_or_else(PoisonError::into_inner).take();
    // The service runs inside the connection's poll, so that the cell is never missed. Responses
    // to earlier requests must have left hyper's buffer before the socket is taken away.
    let ended = poll_fn(|cx| match connection.poll_without_shutdown(cx) {
        Poll::Ready(result) => Poll::Ready(Err(result)),
        Poll::Pending if watch.flushed() => match take() {
            Some(taken) => Poll::Ready(Ok(taken)),
            None => Poll::Pending,
        },
        Poll::Pending => Poll::Pending,
    })
    .await;
    let parts = connection.into_parts();
    let socket = parts.io.into_inner().into_inner();
    match ended {
        Ok(Taken::Client(handover)) => {
            return End::Client(socket, BytesMut::from(&parts.read_buf[..]), handover);
        }
        Ok(Taken::LastWords(words)) => close(socket, &words).await,
        Err(Err(error)) if error.is_timeout() && watch.mid_request() => {
            close(socket, TOO_SLOW).await;
        }
        Err(_) => close(socket, b"").await,
    }
    End::Closed
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
async fn close(mut socket: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) {
    let _ = tokio::time::timeout(LINGER.0, async {
        socket.write_all(words).await?;
        socket.shutdown().await?;
        let mut rest = pin!(socket.take(LINGER.1));
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    })
    .await;
}

#[cfg(any())]
#[path = "connection_tests.rs"]
mod tests;
