//! Finds the pictures in what a server sends, and looks at no more of them than their beginning, unless
//! they are to be kept.
//!
//! No I/O: bytes are fed in any pieces. What [`Framing::skippable`] allows need not be read at all:
//! the kernel may throw it away.

use streamd_protocol::stream::{AppSegment, LENGTH_BYTES, MAX_TO_CLIENT, Payload, announced};

use crate::args::Protocol;

/// Bytes of a payload that are looked at: the APP segment is in them, and a whole JSON message.
const START: usize = 512;

/// Longest head of a response, a part or a WebSocket frame, in bytes.
const MAX_HEAD: usize = 16 * 1024;

const TOO_LONG: &str = "a payload of over 256 MiB";

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A picture is whole.
    Picture(Picture),
    /// A JSON message is whole.
    Message(Vec<u8>),
    /// A WebSocket ping, which must be answered with the same bytes.
    Ping(Vec<u8>),
}

/// What is known of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Its size.
    pub bytes: usize,
    /// What its APP segment says.
    pub segment: Option<AppSegment>,
    /// When it was captured, as a multipart header says it: seconds of some clock.
    pub grabbed: Option<f64>,
    /// All of it where pictures are kept, else nothing.
    pub data: Vec<u8>,
}

/// Why a stream can't be read on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Broken {
    /// The server says no.
    #[error("the server answers: {0}")]
    Refused(String),
    /// Not the protocol that was asked for.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Where a stream stands.
#[derive(Debug)]
pub struct Framing {
    protocol: Protocol,
    /// Bytes of a payload that are kept.
    kept: usize,
    /// The head of the response has been read; raw TCP has none.
    opened: bool,
    head: Vec<u8>,
    body: Option<Body>,
    /// The earlier parts of a WebSocket message that comes in several frames.
    fragment: Option<Body>,
}

#[derive(Debug)]
struct Body {
    kind: Kind,
    bytes: usize,
    left: usize,
    start: Vec<u8>,
    grabbed: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Payload { last: bool },
    Continuation { last: bool },
    Ping,
    Close,
    Nothing,
}

impl Body {
    fn new(kind: Kind, bytes: usize) -> Self {
        Self {
            kind,
            bytes,
            left: bytes,
            start: Vec::new(),
            grabbed: None,
        }
    }
}

/// The length of a head and what follows it; `None` while it is not whole.
type Head = Result<Option<(usize, Body)>, Broken>;

impl Framing {
    /// The beginning of a stream.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            kept: START,
            opened: protocol == Protocol::Tcp,
            head: Vec::new(),
            body: None,
            fragment: None,
        }
    }

    /// The same, with pictures kept whole.
    pub fn keeping(protocol: Protocol) -> Self {
        Self {
            kept: usize::MAX,
            ..Self::new(protocol)
        }
    }

    /// So many of the next bytes are of no interest; they may be given to [`Framing::skip`].
    pub fn skippable(&self) -> usize {
        match &self.body {
            Some(body) if body.start.len() >= self.kept.min(body.bytes) => body.left,
            _ => 0,
        }
    }

    /// The next `count` bytes are gone.
    ///
    /// # Panics
    /// If they are more than [`Framing::skippable`].
    pub fn skip(&mut self, count: usize, found: &mut Vec<Event>) -> Result<(), Broken> {
        assert!(count <= self.skippable(), "only what is of no interest");
        if let Some(body) = &mut self.body {
            body.left -= count;
        }
        self.complete(found)
    }

    /// The next bytes are these; what becomes whole by them is added to `found`.
    pub fn feed(&mut self, bytes: &[u8], found: &mut Vec<Event>) -> Result<(), Broken> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Some(body) = &mut self.body {
                let (now, later) = rest.split_at(body.left.min(rest.len()));
                let room = self.kept.saturating_sub(body.start.len()).min(now.len());
                body.start.extend_from_slice(&now[..room]);
                body.left -= now.len();
                rest = later;
            } else {
                let known = self.head.len();
                self.head.extend_from_slice(rest);
                let Some((length, body)) = self.parse_head()? else {
                    return if self.head.len() > MAX_HEAD {
                        Err(Broken::Malformed("the head has no end"))
                    } else {
                        Ok(())
                    };
                };
                self.head.clear();
                self.body = Some(body);
                rest = &rest[length - known..];
            }
            self.complete(found)?;
        }
        Ok(())
    }

    fn parse_head(&mut self) -> Head {
        if !self.opened {
            let head = parse_response(&self.head, self.protocol)?;
            self.opened = head.is_some();
            return Ok(head);
        }
        match self.protocol {
            Protocol::Tcp => parse_length(&self.head),
            Protocol::Http => parse_part(&self.head),
            Protocol::Ws => parse_frame(&self.head),
            Protocol::Whep => Err(Broken::Malformed("WebRTC comes in datagrams")),
        }
    }

    /// If nothing of the body is left, it becomes an event.
    fn complete(&mut self, found: &mut Vec<Event>) -> Result<(), Broken> {
        let Some(body) = self.body.take_if(|body| body.left == 0) else {
            return Ok(());
        };
        let keeps = self.kept == usize::MAX;
        match body.kind {
            Kind::Nothing => {}
            Kind::Ping => found.push(Event::Ping(body.start)),
            Kind::Close => return Err(Broken::Refused("closed".into())),
            Kind::Payload { last: true } => found.push(event(body, keeps)?),
            Kind::Payload { last: false } => self.fragment = Some(body),
            Kind::Continuation { last } => {
                let mut whole = self
                    .fragment
                    .take()
                    .ok_or(Broken::Malformed("a continuation of nothing"))?;
                whole.bytes += body.bytes;
                let room = self.kept.saturating_sub(whole.start.len());
                let start = body.start.iter().take(room);
                whole.start.extend(start);
                if last {
                    found.push(event(whole, keeps)?);
                } else {
                    self.fragment = Some(whole);
                }
            }
        }
        Ok(())
    }
}

fn event(body: Body, keeps: bool) -> Result<Event, Broken> {
    match Payload::of(&body.start) {
        Some(kind @ (Payload::Picture | Payload::Unit)) => Ok(Event::Picture(Picture {
            bytes: body.bytes,
            segment: match kind {
                Payload::Unit => AppSegment::find_in_h264(&body.start),
                _ => AppSegment::find(&body.start),
            },
            grabbed: body.grabbed,
            data: if keeps { body.start } else { Vec::new() },
        })),
        Some(Payload::Message) => Ok(Event::Message(body.start)),
        None => Err(Broken::Malformed("neither a picture nor a message")),
    }
}

fn parse_length(bytes: &[u8]) -> Head {
    let announced = announced(bytes, MAX_TO_CLIENT).map_err(|_| Broken::Malformed(TOO_LONG))?;
    let body = |length| Body::new(Kind::Payload { last: true }, length);
    Ok(announced.map(|length| (LENGTH_BYTES, body(length))))
}

fn payload(head: usize, length: usize, kind: Kind) -> Head {
    if length > MAX_TO_CLIENT {
        return Err(Broken::Malformed(TOO_LONG));
    }
    Ok(Some((head, Body::new(kind, length))))
}

/// The text up to the empty line, and its length with that line.
fn text_head(bytes: &[u8]) -> Result<Option<(&str, usize)>, Broken> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text =
        std::str::from_utf8(&bytes[..end]).map_err(|_| Broken::Malformed("the head is no text"))?;
    Ok(Some((text, end + 4)))
}

fn header<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn parse_response(bytes: &[u8], protocol: Protocol) -> Head {
    let Some((text, length)) = text_head(bytes)? else {
        return Ok(None);
    };
    let status = text.lines().next().unwrap_or_default();
    let wanted = if protocol == Protocol::Ws {
        "101"
    } else {
        "200"
    };
    if status.split(' ').nth(1) != Some(wanted) {
        return Err(Broken::Refused(status.into()));
    }
    if header(text, "Transfer-Encoding").is_some() {
        return Err(Broken::Malformed("the response is chunked"));
    }
    Ok(Some((length, Body::new(Kind::Nothing, 0))))
}

/// The head of a part of a multipart response.
fn parse_part(bytes: &[u8]) -> Head {
    let blank = bytes.iter().take_while(|b| b"\r\n".contains(b)).count();
    let Some((text, length)) = text_head(&bytes[blank..])? else {
        return Ok(None);
    };
    let bytes = header(text, "Content-Length")
        .and_then(|value| value.parse().ok())
        .ok_or(Broken::Malformed("a part without Content-Length"))?;
    let grabbed = header(text, "X-UStreamer-Grab-Begin-Time")
        .or_else(|| header(text, "X-UStreamer-Grab-Time"))
        .and_then(|value| value.parse().ok());
    let head = payload(blank + length, bytes, Kind::Payload { last: true })?;
    Ok(head.map(|(length, body)| (length, Body { grabbed, ..body })))
}

/// The head of a WebSocket frame from a server (RFC 6455, section 5.2).
fn parse_frame(bytes: &[u8]) -> Head {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if second & 0x80 != 0 {
        return Err(Broken::Malformed("a server must not mask"));
    }
    let (head, length) = match (second & 0x7F, rest) {
        (127, _) => match rest.first_chunk::<8>() {
            Some(long) => (10, u64::from_be_bytes(*long)),
            None => return Ok(None),
        },
        (126, [high, low, ..]) => (4, u64::from(u16::from_be_bytes([*high, *low]))),
        (126, _) => return Ok(None),
        (short, _) => (2, u64::from(short)),
    };
    let last = first & 0x80 != 0;
    let kind = match first & 0x0F {
        0 => Kind::Continuation { last },
        1 | 2 => Kind::Payload { last },
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Nothing,
        _ => return Err(Broken::Malformed("an unknown WebSocket opcode")),
    };
    payload(head, usize::try_from(length).unwrap_or(usize::MAX), kind)
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
