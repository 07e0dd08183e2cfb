//! Bytes of a connection → pictures and messages. No I/O.
//!
//! Raw streams are cut here, those over HTTP by [`head`] and then [`multipart`] or [`websocket`].
//! Memory follows what has arrived, never the length that was announced: a server that announces
//! gigabytes is refused, and one that announces megabytes and sends nothing costs nothing.

mod buffer;
pub mod head;
mod multipart;
pub mod websocket;

use streamd_protocol::stream::{self, LENGTH_BYTES, MAX_TO_CLIENT, announced};

use self::{buffer::Buffer, head::Opening, multipart::Parts, websocket::Messages};
use super::target::Target;

/// One payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The server has agreed to speak WebSocket: from now on it may be spoken to.
    Opened,
    /// A JPEG picture.
    Picture(&'a [u8]),
    /// A message in JSON.
    Message(&'a [u8]),
    /// It wants to hear these bytes again, as a pong.
    Ping(&'a [u8]),
}

/// Why what arrived is no stream of pictures. After one of these the framing is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else is spoken there; its first words.
    #[error("{0:?} is said there")]
    Speaks(String),
    /// A server answers that wants encryption.
    #[error("TLS is spoken there")]
    Tls,
    /// A raw stream comes where HTTP was spoken.
    #[error("a raw stream of pictures comes from there, no HTTP")]
    Raw,
    /// A length over the limit, or below the two bytes that say what follows.
    #[error("a frame of {0} bytes was announced, allowed are 2 to {MAX_TO_CLIENT}: no streamd?")]
    Length(u64),
    /// Neither FF D8 nor `{` at the start.
    #[error(
        "a frame begins with the bytes {0:02x} {1:02x}: neither a JPEG picture (ff d8) nor a message ({{)"
    )]
    Kind(u8, u8),
    /// HTTP, and no stream of pictures in it.
    #[error("{0}")]
    Http(String),
    /// An answer that is not the one hoped for: its status, and what it says.
    #[error("the server answers {0}{1}")]
    Status(u16, String),
    /// The server ended a WebSocket, with this code and reason.
    #[error("the server closed the connection{1}")]
    Closed(u16, String),
}

/// Characters of a foreign greeting that are shown.
const SHOWN: usize = 40;

/// What the bytes say, if they are the beginning of a line of text: no length is one, since a
/// picture of so many bytes would be larger than memory.
fn greeting(arrived: &[u8]) -> Option<String> {
    let line = arrived.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let text = |byte: &u8| *byte == b' ' || byte.is_ascii_graphic();
    let says = line.len() >= LENGTH_BYTES && line[..LENGTH_BYTES].iter().all(text);
    says.then(|| printable(line))
}

/// The first characters that can be shown.
fn printable(line: &[u8]) -> String {
    let text = |byte: &&u8| **byte == b' ' || byte.is_ascii_graphic();
    let shown = line.iter().filter(text).take(SHOWN);
    shown.map(|byte| char::from(*byte)).collect()
}

/// Whether the bytes are the head of a record of TLS: an alert or a handshake (RFC 8446, 5.1).
fn is_tls(arrived: &[u8]) -> bool {
    matches!(arrived, [0x15 | 0x16, 0x03, 0..=4, ..])
}

/// Where a payload is among what has arrived, and how many bytes are done with then.
#[derive(Debug)]
enum Cut {
    /// More must come.
    Need,
    /// So many bytes are of no interest.
    Skip(usize),
    /// The answer is as it should be; its head has so many bytes.
    Opened(usize),
    /// A payload that begins at an offset and has a length; it is done with at the third.
    Whole(What, usize, usize, usize),
    /// A message that came in pieces is whole; the last one is done with at this offset.
    Assembled(What, usize),
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Picture,
    Message,
    Ping,
}

/// What is spoken on a connection.
#[derive(Debug)]
enum Speaks {
    Raw,
    Opening(Opening),
    Multipart(Parts),
    WebSocket(Messages),
}

/// Collects bytes until a payload is whole.
#[derive(Debug)]
pub struct Framing {
    buffer: Buffer,
    speaks: Speaks,
}

impl Framing {
    /// The framing of a target; over HTTP an answer is waited for first.
    pub fn of(target: &Target, opening: Option<Opening>) -> Self {
        let speaks = match (target, opening) {
            (Target::Web(_), Some(opening)) => Speaks::Opening(opening),
            _ => Speaks::Raw,
        };
        Self {
            buffer: Buffer::default(),
            speaks,
        }
    }

    /// Where the next bytes are to be read to.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.space()
    }

    /// Says that `count` bytes have been read into [`Framing::space`].
    pub fn filled(&mut self, count: usize) {
        self.buffer.filled(count);
    }

    /// The next payload that is whole.
    ///
    /// # Errors
    /// As soon as the length or the first bytes say that this is no stream.
    pub fn next(&mut self) -> Result<Option<Payload<'_>>, Error> {
        loop {
            let arrived = self.buffer.arrived();
            let cut = match &mut self.speaks {
                Speaks::Raw => raw(arrived)?,
                Speaks::Opening(opening) => opening.cut(arrived)?,
                Speaks::Multipart(parts) => parts.cut(arrived)?,
                Speaks::WebSocket(messages) => messages.cut(arrived)?,
            };
            match cut {
                Cut::Need => return Ok(None),
                Cut::Skip(bytes) => self.buffer.done(bytes),
                Cut::Opened(bytes) => {
                    self.buffer.done(bytes);
                    if self.open() {
                        return Ok(Some(Payload::Opened));
                    }
                }
                Cut::Whole(what, from, length, end) => {
                    return Ok(Some(payload(what, self.buffer.take(from, length, end))));
                }
                Cut::Assembled(what, end) => {
                    self.buffer.done(end);
                    let Speaks::WebSocket(messages) = &self.speaks else {
                        return Ok(None);
                    };
                    return Ok(Some(payload(what, messages.assembled())));
                }
            }
        }
    }

    /// The answer's head is over: what follows it. True if the server may now be spoken to.
    fn open(&mut self) -> bool {
        let Speaks::Opening(opening) = &self.speaks else {
            return false;
        };
        match opening.boundary() {
            Some(boundary) => {
                self.speaks = Speaks::Multipart(Parts::new(boundary));
                false
            }
            None => {
                self.speaks = Speaks::WebSocket(Messages::default());
                true
            }
        }
    }

    /// Whether an answer is waited for, and nothing of it has come.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.speaks, Speaks::Opening(_)) && self.buffer.arrived().is_empty()
    }

    /// What has arrived of a payload that is not whole, and its length: 0 if that is not known.
    /// `None` between payloads.
    pub fn partial(&self) -> Option<(usize, usize)> {
        let arrived = self.buffer.arrived();
        if arrived.is_empty() {
            return None;
        }
        Some(
            match (&self.speaks, arrived.split_first_chunk::<LENGTH_BYTES>()) {
                (Speaks::Raw, Some((length, body))) => {
                    (body.len(), u64::from_le_bytes(*length) as usize)
                }
                (Speaks::Raw, None) => (0, 0),
                _ => (arrived.len(), 0),
            },
        )
    }
}

fn payload(what: What, bytes: &[u8]) -> Payload<'_> {
    match what {
        What::Picture => Payload::Picture(bytes),
        What::Message => Payload::Message(bytes),
        What::Ping => Payload::Ping(bytes),
    }
}

/// Cuts a raw stream: a length, and what it announces.
fn raw(arrived: &[u8]) -> Result<Cut, Error> {
    if is_tls(arrived) && arrived.len() < LENGTH_BYTES {
        return Err(Error::Tls);
    }
    let foreign = |bytes| match greeting(arrived) {
        Some(greeting) => Error::Speaks(greeting),
        None if is_tls(arrived) => Error::Tls,
        None => Error::Length(bytes),
    };
    let announced = announced(arrived, MAX_TO_CLIENT).map_err(|long| foreign(long.bytes))?;
    let Some(length) = announced else {
        return Ok(Cut::Need);
    };
    if length < 2 {
        return Err(Error::Length(length as u64));
    }
    let body = &arrived[LENGTH_BYTES..];
    let &[first, second, ..] = body else {
        return Ok(Cut::Need);
    };
    let kind = stream::Payload::of(body).ok_or(Error::Kind(first, second))?;
    if body.len() < length {
        return Ok(Cut::Need);
    }
    let what = match kind {
        stream::Payload::Picture => What::Picture,
        stream::Payload::Message => What::Message,
        // It has asked for none.
        stream::Payload::Unit => return Err(Error::Kind(first, second)),
    };
    Ok(Cut::Whole(
        what,
        LENGTH_BYTES,
        length,
        LENGTH_BYTES + length,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{buffer::READ, *};

    fn raw_stream() -> Framing {
        Framing::of(&"robot".parse().unwrap(), None)
    }

    fn feed(framing: &mut Framing, bytes: &[u8]) {
        framing.space()[..bytes.len()].copy_from_slice(bytes);
        framing.filled(bytes.len());
    }

    fn owned(payload: Payload<'_>) -> (bool, Vec<u8>) {
        match payload {
            Payload::Picture(bytes) => (true, bytes.to_vec()),
            Payload::Message(bytes) => (false, bytes.to_vec()),
            other => panic!("{other:?} in a raw stream"),
        }
    }

    fn wire(payloads: &[(bool, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (_, payload) in payloads {
            out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
            out.extend_from_slice(payload);
        }
        out
    }

    fn payload() -> impl Strategy<Value = (bool, Vec<u8>)> {
        (any::<bool>(), prop::collection::vec(any::<u8>(), 1..400)).prop_map(|(picture, body)| {
            let first: &[u8] = if picture { &[0xFF, 0xD8] } else { b"{" };
            (picture, [first, &body].concat())
        })
    }

    proptest! {
        #[test]
        fn payloads_come_out_whole_however_they_are_cut(
            payloads in prop::collection::vec(payload(), 0..12),
            cuts in prop::collection::vec(1..300_usize, 1..40),
        ) {
            let bytes = wire(&payloads);
            let mut framing = raw_stream();
            let mut seen = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                feed(&mut framing, now);
                while let Some(payload) = framing.next().unwrap() {
                    seen.push(owned(payload));
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(seen, payloads);
            prop_assert_eq!(framing.partial(), None);
        }

        #[test]
        fn any_bytes_are_no_panic(reads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..20)) {
            let mut framing = raw_stream();
            for read in &reads {
                feed(&mut framing, read);
                while let Ok(Some(_)) = framing.next() {}
            }
        }
    }

    #[test]
    fn a_large_picture_takes_memory_as_it_arrives() {
        let mut framing = raw_stream();
        let length = 5_000_000;
        feed(&mut framing, &(length as u64).to_le_bytes());
        feed(&mut framing, &[0xFF, 0xD8]);
        assert_eq!(framing.next(), Ok(None));
        assert!(framing.buffer.size() <= 4 * READ);
        let mut left = length - 2;
        while left > 0 {
            assert_eq!(framing.next(), Ok(None));
            let now = framing.space().len().min(left);
            framing.filled(now);
            left -= now;
        }
        assert_eq!(framing.partial(), Some((length, length)));
        let picture = framing.next().unwrap().map(owned);
        assert!(matches!(picture, Some((true, bytes)) if bytes.len() == length));
        assert!(framing.buffer.size() <= 2 * length + 2 * READ);
    }

    #[test]
    fn what_is_no_stream_is_refused_at_once() {
        for length in [0, 1, MAX_TO_CLIENT as u64 + 1, u64::MAX] {
            let mut framing = raw_stream();
            feed(&mut framing, &length.to_le_bytes());
            assert_eq!(framing.next(), Err(Error::Length(length)));
        }
        let mut framing = raw_stream();
        feed(&mut framing, b"HTTP/1.1 400 Bad Request");
        let error = framing.next().unwrap_err();
        assert_eq!(error, Error::Speaks("HTTP/1.1 400 Bad Request".into()));
        let mut framing = raw_stream();
        // An alert: "unexpected message".
        feed(&mut framing, &[0x15, 3, 3, 0, 2, 2, 10]);
        assert_eq!(framing.next(), Err(Error::Tls));
        let mut framing = raw_stream();
        feed(&mut framing, &[9, 0, 0, 0, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(framing.next(), Err(Error::Kind(b'h', b'i')));
    }

    #[test]
    fn half_a_frame_is_told() {
        let mut framing = raw_stream();
        feed(&mut framing, &[100, 0, 0]);
        assert_eq!(framing.partial(), Some((0, 0)));
        feed(&mut framing, &[0, 0, 0, 0, 0, 0xFF, 0xD8, 1]);
        assert_eq!(framing.partial(), Some((3, 100)));
    }
}
