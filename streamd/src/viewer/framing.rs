//! How a transport wraps pictures and messages: the one thing in which TCP, WebSocket, MJPEG and RTSP differ.

use std::{ops::Range, time::Duration};

use bytes::BytesMut;
use streamd_protocol::{stats::Transport, stream::FromClient};

use crate::{
    media::{Packet, Timestamp},
    sound,
};

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
    /// It has read as far as this question.
    Answer(u64),
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
    /// Its token was revoked or is over, or the rules have changed.
    Revoked,
    /// It was paused, and somebody who watches needs its place.
    GaveWay,
    /// The daemon stops.
    Stopping,
    /// The daemon restarts, and the next one goes on with the connection.
    Kept,
    /// It broke the protocol.
    Violation(Violation),
    /// It has taken nothing for `client-timeout`.
    TimedOut,
    /// It has not said for so long that it is still there.
    Silent(Duration),
    /// It closed the connection itself.
    Closed,
}

/// A part of what goes out for a picture: bytes of the transport, then bytes of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// So many of the bytes that [`Framing::before`] has written and no cut before this has taken.
    pub own: usize,
    /// These of the picture, behind them.
    pub picture: Range<usize>,
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

    /// Appends the bytes that go before a picture, or before the parts of it.
    fn before(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>);

    /// Appends the parts in which the picture goes out, once `before` bytes have been written that
    /// go before it: all of it behind them, unless the transport sends less of it, or cuts it.
    fn cuts(&mut self, frame: &Packet, before: usize, out: &mut Vec<Cut>) {
        out.push(Cut {
            own: before,
            picture: 0..frame.bytes.len(),
        });
    }

    /// Appends the bytes that go after it.
    fn after(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>);

    /// Appends a question that the receiver answers once it has read so far; false where the transport
    /// has none.
    fn ask(&mut self, _question: u64, _out: &mut Vec<u8>) -> bool {
        false
    }

    /// Whether it carries the sound of its camera.
    fn has_sound(&self) -> bool {
        false
    }

    /// Appends a packet of sound.
    fn sound(&mut self, _packet: &sound::Packet, _now: Timestamp, _out: &mut Vec<u8>) {}

    /// Appends a JSON message, if the transport carries any; unless it says otherwise, none.
    fn message(&mut self, _json: &str, _out: &mut Vec<u8>) {}

    /// Takes the next whole message from `input`; `None` when there is none yet. Replies that the
    /// transport itself owes (a pong, a close) are appended to `out`. Unless the transport says
    /// otherwise, what a viewer sends means nothing, and is not kept.
    ///
    /// # Errors
    /// When the framing is lost or a limit is exceeded.
    fn receive(
        &mut self,
        input: &mut BytesMut,
        _out: &mut Vec<u8>,
    ) -> Result<Option<Received>, Violation> {
        input.clear();
        Ok(None)
    }

    /// Whether a viewer that closes its sending side may still want to read.
    fn may_half_close(&self) -> bool {
        false
    }

    /// How often one picture of a stream is to be a key; `None` where it need not be.
    fn keys_every(&self) -> Option<Duration> {
        None
    }

    /// What it must know to go on where it is in another process.
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Appends the transport's last words, if it has any.
    fn farewell(&mut self, _why: &Goodbye, _out: &mut Vec<u8>) {}
}
