//! What a viewer says, and what it is told, on its way through the transport's framing.

use std::io;

use bytes::BytesMut;
use streamd_protocol::stream::{Event, ToClient};

use super::{
    framing::{Framing, Goodbye, Received, Violation},
    wire::closed,
};
use crate::{
    link::channel::{Channel, Received as Got},
    media::Timestamp,
};

/// Bytes of messages to a viewer that reads none of them: beyond this it is dropped.
const MAX_OUTBOX: usize = 64 * 1024;

/// Bytes of input without a whole message, for any framing: beyond this the viewer is dropped.
const MAX_INPUT: usize = 64 * 1024;

/// Reads of the socket in one turn, of 4 KiB each. A viewer that sends faster than it is heard must
/// not keep the thread that serves the others.
const READS_PER_TURN: usize = 4;

/// Messages in one turn.
const MESSAGES_PER_TURN: usize = 32;

/// Bytes that a viewer may send in a second. Receipts of nine cameras at 60 frames a second are a
/// fifth of that.
const BYTES_PER_SECOND: u64 = 256 * 1024;

/// Messages that a viewer may send in a second.
const MESSAGES_PER_SECOND: u64 = 2000;

/// Both directions of a viewer's messages.
pub(super) struct Talk {
    pub framing: Box<dyn Framing>,
    /// Received, and not yet understood.
    input: BytesMut,
    /// To be sent between two frames.
    pub outbox: Vec<u8>,
    /// Whether it is told anything: it said hello, or its transport says so.
    pub is_told: bool,
    bytes: Allowance,
    messages: Allowance,
}

/// How much of something a viewer may still send: a second's worth at most (a token bucket).
#[derive(Debug)]
struct Allowance {
    per_second: u64,
    left: f64,
    at: Timestamp,
}

impl Allowance {
    fn new(per_second: u64) -> Self {
        Self {
            per_second,
            left: per_second as f64,
            at: Timestamp::default(),
        }
    }

    /// Takes so much of it; false if there is not so much left.
    fn take(&mut self, amount: usize, now: Timestamp) -> bool {
        let most = self.per_second as f64;
        let earned = now.since(self.at).as_secs_f64() * most;
        self.at = now;
        self.left = (self.left + earned).min(most) - amount as f64;
        self.left >= 0.0
    }
}

fn violation(reason: String) -> Goodbye {
    Goodbye::Violation(Violation { reason, code: 1008 })
}

/// What a turn of reading leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// All that has come.
    All,
    /// There is more, for another turn.
    More,
    /// The viewer says nothing more, and reads on.
    HalfClosed,
}

impl Talk {
    /// `input` has been read from the connection already.
    pub fn new(framing: Box<dyn Framing>, input: BytesMut) -> Self {
        Self {
            framing,
            input,
            outbox: Vec::new(),
            is_told: false,
            bytes: Allowance::new(BYTES_PER_SECOND),
            messages: Allowance::new(MESSAGES_PER_SECOND),
        }
    }

    /// What was received and is not yet understood.
    pub fn input(&self) -> &[u8] {
        &self.input
    }

    /// Reads what has come and takes the messages out of it, up to a turn's worth of both.
    ///
    /// # Errors
    /// The connection's end, or what breaks the protocol.
    pub fn read(
        &mut self,
        channel: &mut Channel,
        said: &mut Vec<Received>,
        now: Timestamp,
    ) -> Result<Heard, Goodbye> {
        let mut heard = self.understand(said)?;
        for turn in 0.. {
            if heard == Heard::More {
                break;
            }
            if turn == READS_PER_TURN {
                heard = Heard::More;
                break;
            }
            match channel.receive(&mut self.input) {
                Ok(Got::End) if self.framing.may_half_close() => return Ok(Heard::HalfClosed),
                Ok(Got::End) => return Err(Goodbye::Closed),
                Ok(Got::Bytes(bytes)) => self.allow(bytes, 0, now)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(closed(&error)),
            }
            heard = self.understand(said)?;
        }
        self.allow(0, said.len(), now)?;
        if self.input.is_empty() {
            // An idle viewer keeps no buffer.
            self.input = BytesMut::new();
        }
        Ok(heard)
    }

    /// Takes the whole messages out of the input.
    fn understand(&mut self, said: &mut Vec<Received>) -> Result<Heard, Goodbye> {
        while said.len() < MESSAGES_PER_TURN {
            match self.framing.receive(&mut self.input, &mut self.outbox) {
                Ok(Some(received)) => said.push(received),
                Ok(None) => return self.check_lengths().map(|()| Heard::All),
                Err(violation) => return Err(Goodbye::Violation(violation)),
            }
        }
        self.check_lengths().map(|()| Heard::More)
    }

    /// Counts what was sent against what may be sent.
    fn allow(&mut self, bytes: usize, messages: usize, now: Timestamp) -> Result<(), Goodbye> {
        if self.bytes.take(bytes, now) && self.messages.take(messages, now) {
            return Ok(());
        }
        Err(violation(format!(
            "sends more than {} KiB or {MESSAGES_PER_SECOND} messages a second",
            BYTES_PER_SECOND / 1024
        )))
    }

    fn check_lengths(&self) -> Result<(), Goodbye> {
        let what = if self.input.len() > MAX_INPUT {
            "says too much at once"
        } else if self.outbox.len() > MAX_OUTBOX {
            "does not read its messages"
        } else {
            return Ok(());
        };
        Err(violation(what.into()))
    }

    /// Tells the viewer something, if it is told anything.
    pub fn say(&mut self, message: &ToClient) {
        if self.is_told {
            let json = serde_json::to_string(message).expect("our messages are plain JSON");
            self.framing.message(&json, &mut self.outbox);
        }
    }

    /// Tells the viewer of an event.
    pub fn notice(&mut self, event: Event, camera: Option<&str>, message: String) {
        self.say(&ToClient::Notice {
            event,
            camera: camera.map(str::to_owned),
            since: None,
            message,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_may_come_at_once_and_no_more_than_that_each_second() {
        let at = |ms: u64| Timestamp::from_nanos(1_000_000_000_000 + ms * 1_000_000);
        let mut allowance = Allowance::new(1000);
        assert!(allowance.take(1000, at(0)));
        assert!(!allowance.take(1, at(0)));
        assert!(allowance.take(90, at(100)));
        assert!(!allowance.take(1000, at(500)));
        assert!(allowance.take(1000, at(60_000)));
    }
}
