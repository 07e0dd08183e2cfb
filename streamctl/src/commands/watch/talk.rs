//! What the client says to the server: hello, questions for its clock, receipts, pauses. No I/O.
//!
//! A server that never answers the hello (the original's) hears nothing more.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Instant,
};

use streamd_protocol::stream::{self, FromClient, Want};

use super::{
    clock::{Clock, Offset},
    framing::websocket,
};

/// Bytes that may wait for a server that does not read; more is left unsaid, since a receipt or a
/// question that is late is worth nothing.
const MAX_WAITING: usize = 16 * 1024;

/// How words are put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// A length before each.
    Raw,
    /// Not at all: the server can't hear them.
    Mute,
    /// As frames of a WebSocket, once it is [open](Talk::open).
    WebSocket,
}

/// One connection's words.
#[derive(Debug)]
pub struct Talk {
    manner: Manner,
    /// What is said as soon as the server can hear it.
    first: Vec<FromClient>,
    waiting: Vec<u8>,
    message: Vec<u8>,
    hello_us: u64,
    answered: bool,
    next_ping: Instant,
    paused: bool,
}

impl Talk {
    /// Begins with these words: a hello, and what follows it; before them goes `request`.
    pub fn new(
        manner: Manner,
        request: String,
        first: impl IntoIterator<Item = Option<FromClient>>,
        clock: &Clock,
    ) -> Self {
        let now = Instant::now();
        let mut talk = Self {
            manner,
            first: first.into_iter().flatten().collect(),
            waiting: request.into_bytes(),
            message: Vec::new(),
            hello_us: clock.micros(now),
            answered: false,
            next_ping: now,
            paused: false,
        };
        if manner == Manner::Raw {
            talk.open(clock);
        }
        talk
    }

    /// The server can hear now.
    pub fn open(&mut self, clock: &Clock) {
        self.hello_us = clock.micros(Instant::now());
        for message in std::mem::take(&mut self.first) {
            self.say(&message);
        }
    }

    /// Answers a ping.
    pub fn pong(&mut self, data: &[u8]) {
        if self.waiting.len() <= MAX_WAITING {
            websocket::pong(data, mask(), &mut self.waiting);
        }
    }

    /// The server answered the hello: it understands us. When that was asked, µs.
    pub fn answered(&mut self) -> u64 {
        self.answered = true;
        self.hello_us
    }

    /// Says what is due now.
    pub fn due(&mut self, now: Instant, clock: &Clock, offset: &Offset, paused: bool) {
        if !self.answered {
            return;
        }
        if self.paused != paused {
            self.paused = paused;
            self.say(&FromClient::Want(Want {
                paused: Some(paused),
                ..Want::default()
            }));
        }
        if now >= self.next_ping {
            self.next_ping = now + offset.next_question();
            self.say(&FromClient::Ping {
                t: clock.micros(now),
            });
        }
    }

    /// When [`Talk::due`] has something to say next.
    pub fn deadline(&self) -> Option<Instant> {
        self.answered.then_some(self.next_ping)
    }

    /// Says that a frame is here; `t` by the server's clock, µs.
    pub fn receipt(&mut self, sequence: u64, t: u64) {
        if self.answered {
            self.say(&FromClient::Receipt {
                sequence,
                t,
                camera: None,
            });
        }
    }

    /// What is to be sent.
    pub fn waiting(&self) -> &[u8] {
        &self.waiting
    }

    /// `count` bytes of it have been.
    pub fn sent(&mut self, count: usize) {
        self.waiting.drain(..count);
    }

    fn say(&mut self, message: &FromClient) {
        if self.waiting.len() > MAX_WAITING {
            return;
        }
        self.message.clear();
        serde_json::to_writer(&mut self.message, message).expect("a Vec takes every message");
        match self.manner {
            Manner::Raw => {
                self.waiting
                    .extend_from_slice(&stream::header(self.message.len()));
                self.waiting.extend_from_slice(&self.message);
            }
            Manner::WebSocket => websocket::say(&self.message, mask(), &mut self.waiting),
            Manner::Mute => {}
        }
    }
}

/// Four bytes that nobody can guess, so that no proxy takes what is said for something else.
fn mask() -> [u8; 4] {
    let [a, b, c, d, ..] = random();
    [a, b, c, d]
}

/// Bytes that nobody can guess: the standard library seeds its hashers so.
pub fn random() -> [u8; 16] {
    let word = || RandomState::new().build_hasher().finish().to_ne_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word());
    bytes[8..].copy_from_slice(&word());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(talk: &mut Talk) -> Vec<FromClient> {
        let mut rest = talk.waiting();
        let mut messages = Vec::new();
        while let Some((length, body)) = rest.split_first_chunk::<8>() {
            let (message, later) = body.split_at(u64::from_le_bytes(*length) as usize);
            messages.push(serde_json::from_slice(message).unwrap());
            rest = later;
        }
        assert!(rest.is_empty());
        let all = talk.waiting().len();
        talk.sent(all);
        messages
    }

    #[test]
    fn a_server_that_does_not_answer_hears_the_hello_alone() {
        let clock = Clock::new();
        let hello = FromClient::Hello {
            name: None,
            token: None,
            want: Want::default(),
        };
        let mut talk = Talk::new(Manner::Raw, String::new(), [Some(hello.clone())], &clock);
        let now = Instant::now();
        talk.due(now, &clock, &Offset::default(), true);
        talk.receipt(1, 2);
        assert_eq!(said(&mut talk), [hello]);
        assert_eq!(talk.deadline(), None);
        talk.answered();
        talk.due(now, &clock, &Offset::default(), true);
        assert!(matches!(
            said(&mut talk)[..],
            [
                FromClient::Want(Want {
                    paused: Some(true),
                    ..
                }),
                FromClient::Ping { .. }
            ]
        ));
        talk.due(now, &clock, &Offset::default(), true);
        assert_eq!(said(&mut talk), []);
    }

    #[test]
    fn a_websocket_is_spoken_to_once_it_is_open_and_multipart_never() {
        let clock = Clock::new();
        let hello = || FromClient::Hello {
            name: None,
            token: None,
            want: Want::default(),
        };
        let request = || "GET".to_owned();
        let mut talk = Talk::new(Manner::WebSocket, request(), [Some(hello())], &clock);
        assert_eq!(talk.waiting(), b"GET");
        talk.open(&clock);
        assert_eq!(talk.waiting()[3], 0x81, "a frame of text");
        let mut talk = Talk::new(Manner::Mute, request(), [Some(hello())], &clock);
        talk.open(&clock);
        talk.answered();
        talk.receipt(1, 2);
        assert_eq!(talk.waiting(), b"GET");
        assert_ne!(random(), random());
    }

    #[test]
    fn a_server_that_does_not_read_costs_little() {
        let clock = Clock::new();
        let mut talk = Talk::new(Manner::Raw, String::new(), [], &clock);
        assert!(talk.waiting().is_empty());
        talk.answered();
        for sequence in 0..10_000 {
            talk.receipt(sequence, 0);
        }
        assert!(talk.waiting().len() <= MAX_WAITING + 100);
    }
}
