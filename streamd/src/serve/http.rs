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
use streamd_protocol::{
    stats::{Stats, Transport},
    stream::Want,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    answer,
    framing::Framing,
    guarded::{Guarded, Watch},
    listing::Listing,
    origin::Origins,
};
use crate::frame::{JpegFrame, Timestamp};

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

const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What HTTP needs of the rest of the daemon.
pub trait Source: Send + Sync + 'static {
    /// A client's place at a camera, taken before its stream begins.
    type Place: Send + 'static;

    /// The cameras' names in the configuration's order; at least one.
    fn cameras(&self) -> Vec<String>;

    /// Everything that is counted, now.
    fn stats(&self) -> Stats;

    /// The first picture of a camera, in its top rendition, that was captured at `due` or later.
    /// `None` when the daemon stops or the camera is gone. However many wait, it is encoded once.
    fn picture(
        &self,
        camera: &str,
        due: Timestamp,
    ) -> impl Future<Output = Option<Arc<JpegFrame>>> + Send;

    /// A place for one more client at a camera, with its number.
    ///
    /// # Errors
    /// Says why there is none.
    fn admit(&self, camera: &str, transport: Transport) -> Result<(u64, Self::Place), String>;
}

/// What all HTTP connections share.
#[derive(Debug)]
pub struct Shared<S> {
    /// The rest of the daemon.
    pub source: S,
    /// Who may open a WebSocket.
    pub origins: Origins,
    /// The MJPEG clients.
    pub listing: Listing,
}

/// A connection that has become a client's.
pub struct Handover<P> {
    /// Its place at the camera.
    pub place: P,
    /// How pictures are wrapped.
    pub framing: Box<dyn Framing>,
    /// The head of the response, to be sent before anything else.
    pub head: String,
    /// The limits in its address.
    pub want: Want,
    /// What it calls itself, by its `key` or its `User-Agent`; may be empty.
    pub name: String,
}

/// What a connection ended in.
pub enum End<S, P> {
    /// It is closed.
    Closed,
    /// A client: its socket, and what it has sent beyond its request.
    Client(S, BytesMut, Handover<P>),
}

/// Where the service leaves a connection that is to be handed over.
pub(super) type Cell<P> = Mutex<Option<Handover<P>>>;

/// Answers the requests of a connection until it is closed or handed over.
pub async fn serve<S, T>(shared: Arc<Shared<S>>, socket: T) -> End<T, S::Place>
where
    S: Source,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let watch = Arc::new(Watch::default());
    let cell: Arc<Cell<S::Place>> = Arc::default();
    let service = service_fn({
        let (watch, cell) = (Arc::clone(&watch), Arc::clone(&cell));
        move |request: Request<_>| {
            watch.request_begins();
            Box::pin(answer::answer(
                Arc::clone(&shared),
                Arc::clone(&cell),
                request,
            ))
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
            Some(handover) => Poll::Ready(Ok(handover)),
            None => Poll::Pending,
        },
        Poll::Pending => Poll::Pending,
    })
    .await;
    let parts = connection.into_parts();
    let socket = parts.io.into_inner().into_inner();
    match ended {
        Ok(handover) => End::Client(socket, BytesMut::from(&parts.read_buf[..]), handover),
        Err(result) => {
            let slow = result.is_err_and(|error| error.is_timeout()) && watch.mid_request();
            close(socket, slow).await;
            End::Closed
        }
    }
}

fn limits() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        // A viewer may close its sending side after the request and still read.
        .half_close(true);
    builder
}

/// Closes a connection so that its last response arrives. hyper closes one whose request comes too
/// slowly without a word; `slow` says the word.
async fn close(mut socket: impl AsyncRead + AsyncWrite + Unpin, slow: bool) {
    let _ = tokio::time::timeout(LINGER.0, async {
        if slow {
            socket.write_all(TOO_SLOW).await?;
        }
        socket.shutdown().await?;
        let mut rest = pin!(socket.take(LINGER.1));
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    })
    .await;
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
