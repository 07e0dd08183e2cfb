//! How a transport wraps pictures and messages: the one thing in which TCP, WebSocket and MJPEG differ.

use bytes::BytesMut;
use streamd_protocol::{stats::Transport, stream::FromClient};

use crate::media::{Packet, Timestamp};

/// What a framing may tell a client of its own connection.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    /// The client's number.
    pub client: u64,
    /// Frames a second over the last few seconds.
    pub fps: f64,
    /// Frames this client did not get.
    pub dropped: u64,
    /// Now, when the send begins.
    pub now: Timestamp,
}

/// What a client said.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A message of the protocol.
    Message(FromClient),
    /// A whole message that can't be understood; the text says why. It is counted and answered.
    Bad(String),
    /// It is done.
    Close,
}

/// Input after which the framing is lost: the client is dropped, for this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// For the log.
    pub reason: String,
    /// The WebSocket close code, RFC 6455 section 7.4.1.
    pub code: u16,
}

/// Why we end a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goodbye {
    /// An administrator disconnects it; the reason given.
    Kicked(String),
    /// The daemon stops.
    Stopping,
    /// The daemon restarts, and the next one goes on with the connection.
    Kept,
    /// It broke the protocol.
    Violation(Violation),
    /// It has taken nothing for `client-timeout`.
    TimedOut,
    /// It closed the connection itself.
    Closed,
}

/// How a transport wraps pictures and messages. The bytes around a picture are produced here; the
/// picture itself is never copied.
pub trait Framing: Send + 'static {
    /// Which transport this is.
    fn transport(&self) -> Transport;

    /// Whether [`Sending::fps`] is of use to it; computing it is not free.
    fn wants_fps(&self) -> bool {
        false
    }

    /// Whether the picture itself is sent, between what goes before and after it.
    fn carries_pictures(&self) -> bool {
        true
    }

    /// Appends the bytes that go before a picture.
    fn before(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>);

    /// Appends the bytes that go after it.
    fn after(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>);

    /// Appends a JSON message, if the transport carries any.
    fn message(&mut self, json: &str, out: &mut Vec<u8>);

    /// Takes the next whole message from `input`; `None` when there is none yet. Replies that the
    /// transport itself owes (a pong, a close) are appended to `out`.
    ///
    /// # Errors
    /// When the framing is lost or a limit is exceeded.
    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> Result<Option<Received>, Violation>;

    /// Whether a viewer that closes its sending side may still want to read.
    fn may_half_close(&self) -> bool {
        false
    }

    /// What it must know to go on where it is in another process.
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Appends the transport's last words.
    fn farewell(&mut self, why: &Goodbye, out: &mut Vec<u8>);
}
