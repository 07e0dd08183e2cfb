//! The socket under an HTTP connection, watched: has everything been flushed, has anything been
//! heard, and does the other side still read.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// What is known of a connection; shared with the service that answers on it.
#[derive(Debug, Default)]
pub struct Watch {
    /// All that was written has been handed to the kernel.
    flushed: AtomicBool,
    /// A request has begun to arrive.
    heard: AtomicBool,
}

impl Watch {
    /// A request has been read whole. What is flushed is counted from here.
    pub fn request_begins(&self) {
        self.heard.store(false, Ordering::Relaxed);
        self.flushed.store(false, Ordering::Relaxed);
    }

    /// Whether everything written so far is with the kernel.
    pub fn flushed(&self) -> bool {
        self.flushed.load(Ordering::Relaxed)
    }

    /// Whether a part of a request has come that is not whole.
    pub fn mid_request(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

/// A socket that gives up when nothing can be written for `patience`.
#[derive(Debug)]
pub struct Guarded<S> {
    socket: S,
    watch: Arc<Watch>,
    patience: Duration,
    /// Runs while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    /// Watches a socket.
    pub fn new(socket: S, watch: Arc<Watch>, patience: Duration) -> Self {
        Self {
            socket,
            watch,
            patience,
            deadline: None,
        }
    }

    /// The socket itself.
    pub fn into_inner(self) -> S {
        self.socket
    }

    /// Passes on what a write gave; when it waits for too long, it fails.
    fn patient<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.deadline = None;
            return result;
        }
        let until = Instant::now() + self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.heard.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.patient(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.patient(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes the socket only when its own buffer is empty: that is what is noted here.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        if matches!(result, Poll::Ready(Ok(()))) {
            self.watch.flushed.store(true, Ordering::Relaxed);
        }
        result
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
