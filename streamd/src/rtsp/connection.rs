//! A connection while it is asked and answers, and shows no pictures.

use std::{future::poll_fn, io, task::Poll, time::Duration};

use bytes::BytesMut;

use super::request::{self, Broken, Said};
use crate::{
    link::{
        channel::{Channel, Received},
        readiness::{READABLE, Readiness, Registration, WRITABLE},
    },
    viewer::viewers::Viewers,
};

/// For the rest of a request that has begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The client has closed it, or it has failed.
    #[error("closed by the client")]
    Closed,
    /// It has sent what can't be understood.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A request has begun, and does not end.
    #[error("a request was not whole within {} s", PATIENCE.as_secs())]
    TooLate,
    /// It does not take its answers.
    #[error("it does not read its answers")]
    Unread,
}

/// A connection.
pub struct Connection {
    // Dropped before the socket that it watches.
    ready: Registration,
    channel: Channel,
    input: BytesMut,
    patience: Duration,
}

impl Connection {
    /// One of which `input` has been read.
    ///
    /// # Errors
    /// When the kernel can't watch its socket.
    pub fn new(viewers: &Viewers, channel: Channel, input: BytesMut) -> io::Result<Self> {
        let readiness: &Readiness = &viewers.readiness;
        Ok(Self {
            ready: readiness.register(&channel)?,
            channel,
            input,
            patience: viewers.client_timeout(),
        })
    }

    /// What goes through it from here on, and what was read and not understood yet.
    pub fn into_parts(self) -> (Channel, BytesMut) {
        let Self {
            ready,
            channel,
            input,
            ..
        } = self;
        drop(ready);
        (channel, input)
    }

    /// What the client says next. Nothing is lost when this is not waited for to its end.
    ///
    /// # Errors
    /// See [`Ended`].
    pub async fn said(&mut self) -> Result<Said, Ended> {
        loop {
            if let Some(said) = request::take(&mut self.input)? {
                return Ok(said);
            }
            match self.input.is_empty() {
                true => self.more().await?,
                false => {
                    let more = tokio::time::timeout(PATIENCE, self.more());
                    more.await.map_err(|_| Ended::TooLate)??;
                }
            }
        }
    }

    async fn more(&mut self) -> Result<(), Ended> {
        loop {
            match self.channel.receive(&mut self.input) {
                Ok(Received::End) => return Err(Ended::Closed),
                Ok(Received::Bytes(_)) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Err(Ended::Closed),
            }
            self.wait_for(READABLE).await;
        }
    }

    /// Sends bytes to the client.
    ///
    /// # Errors
    /// See [`Ended`].
    pub async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Ended> {
        let patience = self.patience;
        let send = async {
            loop {
                let sent = match bytes.is_empty() {
                    true => self.channel.flush().map(|()| None),
                    false => self.channel.send(&[bytes], false).map(Some),
                };
                match sent {
                    Ok(None) => return Ok(()),
                    Ok(Some(sent)) => bytes = &bytes[sent..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.wait_for(WRITABLE).await;
                    }
                    Err(_) => return Err(Ended::Closed),
                }
            }
        };
        let sent = tokio::time::timeout(patience, send).await;
        sent.unwrap_or(Err(Ended::Unread))
    }

    async fn wait_for(&self, what: u8) {
        poll_fn(|cx| match self.ready.take(cx.waker()) & what {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }
}
