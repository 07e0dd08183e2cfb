//! The frames of RFC 6455, without I/O: what a client sent is read from a buffer, what we send is
//! appended to one. Server side only, no extensions.

use bytes::{Buf, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::close_code::CloseCode;

/// Longest payload of a control frame, RFC 6455 section 5.5.
pub const MAX_CONTROL: usize = 125;

/// Longest header we write: two bytes and a 64-bit length.
pub const MAX_HEADER: usize = 10;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Opcode {
    /// The next part of a fragmented message.
    Continuation = 0x0,
    /// UTF-8 text.
    Text = 0x1,
    /// Bytes.
    Binary = 0x2,
    /// The end of the connection.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        self as u8 >= 0x8
    }
}

/// Something whole that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping, to be answered by a pong with the same payload.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
    /// The client closes; code and reason if it gave them.
    Close(Option<(u16, String)>),
}

/// How a client broke the protocol: the connection is closed with this code and reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (close code {})", code.get())]
pub struct Broken {
    /// The code of the close frame.
    pub code: CloseCode,
    /// For people, in the close frame and the log.
    pub reason: &'static str,
}

const fn protocol_error(reason: &'static str) -> Broken {
    Broken {
        code: CloseCode::PROTOCOL_ERROR,
        reason,
    }
}

const NOT_UTF8: Broken = Broken {
    code: CloseCode::NOT_UTF8,
    reason: "text that is not UTF-8",
};

/// Reads a client's frames and puts fragmented messages together.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reader {
    limit: usize,
    partial: Option<Partial>,
}

/// A fragmented message, as far as it has come.
#[derive(Debug, Serialize, Deserialize)]
struct Partial {
    opcode: Opcode,
    bytes: BytesMut,
    /// Bytes at its beginning that are known to be UTF-8; checked once, however many parts follow.
    checked: usize,
}

/// A frame's header.
struct Header {
    fin: bool,
    opcode: Opcode,
    mask: [u8; 4],
    /// Bytes of the header itself.
    bytes: usize,
    /// Bytes of the payload.
    payload: usize,
}

impl Reader {
    /// A reader that takes messages of up to `limit` bytes, over all their fragments.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            partial: None,
        }
    }

    /// Takes the next whole message or control frame from the front of `input`; `None` until more
    /// bytes have come. After an error the connection can only be closed.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Incoming>, Broken> {
        while let Some(header) = self.header(input)? {
            if input.len() - header.bytes < header.payload {
                return Ok(None);
            }
            input.advance(header.bytes);
            let mut payload = input.split_to(header.payload);
            unmask(&mut payload, header.mask);
            let incoming = match header.opcode {
                Opcode::Ping => Some(Incoming::Ping(payload.freeze())),
                Opcode::Pong => Some(Incoming::Pong(payload.freeze())),
                Opcode::Close => Some(Incoming::Close(close_payload(&payload)?)),
                _ => self.part(&header, payload)?,
            };
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    /// Reads and checks a header; `None` until it is whole.
    fn header(&self, input: &[u8]) -> Result<Option<Header>, Broken> {
        let [first, second, rest @ ..] = input else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(protocol_error("a reserved bit is set"));
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(protocol_error("an unknown opcode"))?;
        let fin = first & 0x80 != 0;
        if second & 0x80 == 0 {
            return Err(protocol_error("a frame without a mask"));
        }
        let short = usize::from(second & 0x7F);
        if opcode.is_control() && (!fin || short > MAX_CONTROL) {
            return Err(protocol_error("a fragmented or oversized control frame"));
        }
        let Some((payload, length_bytes)) = payload_length(short, rest)? else {
            return Ok(None);
        };
        if !opcode.is_control() {
            self.check_part(opcode, payload)?;
        }
        let Some(mask) = rest[length_bytes..].first_chunk() else {
            return Ok(None);
        };
        Ok(Some(Header {
            fin,
            opcode,
            mask: *mask,
            bytes: 2 + length_bytes + mask.len(),
            payload: payload as usize,
        }))
    }

    /// Refuses a part that is out of order or makes its message too long, before its bytes arrive.
    fn check_part(&self, opcode: Opcode, payload: u64) -> Result<(), Broken> {
        let so_far = match (&self.partial, opcode) {
            (None, Opcode::Continuation) => {
                return Err(protocol_error("a continuation of no message"));
            }
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return Err(protocol_error("a new message inside a fragmented one"));
            }
            (Some(partial), _) => partial.bytes.len(),
            (None, _) => 0,
        };
        if payload > (self.limit - so_far) as u64 {
            return Err(Broken {
                code: CloseCode::TOO_BIG,
                reason: "a message over the limit",
            });
        }
        Ok(())
    }

    /// Adds a part to its message; the message if it was the last part.
    fn part(&mut self, header: &Header, payload: BytesMut) -> Result<Option<Incoming>, Broken> {
        let mut message = match self.partial.take() {
            Some(mut message) => {
                message.bytes.extend_from_slice(&payload);
                message
            }
            None => Partial {
                opcode: header.opcode,
                bytes: payload,
                checked: 0,
            },
        };
        if message.opcode == Opcode::Text {
            message.check(header.fin)?;
        }
        if !header.fin {
            self.partial = Some(message);
            return Ok(None);
        }
        Ok(Some(match message.opcode {
            Opcode::Text => {
                Incoming::Text(String::from_utf8(message.bytes.into()).map_err(|_| NOT_UTF8)?)
            }
            _ => Incoming::Binary(message.bytes.freeze()),
        }))
    }
}

impl Partial {
    /// Fails as soon as the text can't become UTF-8 any more; a character may still be cut off
    /// unless the text is whole.
    fn check(&mut self, whole: bool) -> Result<(), Broken> {
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if whole || error.error_len().is_some() => return Err(NOT_UTF8),
            Err(error) => self.checked += error.valid_up_to(),
        }
        Ok(())
    }
}

/// The payload's length and the bytes that tell it after the second; `None` until they have come.
fn payload_length(short: usize, rest: &[u8]) -> Result<Option<(u64, usize)>, Broken> {
    let (length, bytes, least) = match short {
        126 => match rest.first_chunk() {
            Some(b) => (u64::from(u16::from_be_bytes(*b)), 2, 126),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(b) => (u64::from_be_bytes(*b), 8, 0x1_0000),
            None => return Ok(None),
        },
        short => (short as u64, 0, 0),
    };
    if length < least || length > i64::MAX as u64 {
        return Err(protocol_error("a length that is not in its shortest form"));
    }
    Ok(Some((length, bytes)))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    for chunk in payload.chunks_mut(4) {
        for (byte, key) in chunk.iter_mut().zip(mask) {
            *byte ^= key;
        }
    }
}

fn close_payload(payload: &[u8]) -> Result<Option<(u16, String)>, Broken> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(None),
            _ => Err(protocol_error("half a close code")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::may_be_sent(code) {
        return Err(protocol_error("a close code that must not be sent"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| NOT_UTF8)?;
    Ok(Some((code, reason.to_owned())))
}

/// Appends the header of an unfragmented, unmasked frame of `payload` bytes.
pub fn write_header(out: &mut Vec<u8>, opcode: Opcode, payload: usize) {
    out.push(0x80 | opcode as u8);
    match payload {
        0..=125 => out.push(payload as u8),
        126..=0xFFFF => {
            out.push(126);
            out.extend_from_slice(&(payload as u16).to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
}

/// Appends a whole frame. A control frame's payload must not be longer than [`MAX_CONTROL`].
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    debug_assert!(!opcode.is_control() || payload.len() <= MAX_CONTROL);
    write_header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a close frame; a reason that is too long is cut at a character.
pub fn write_close(out: &mut Vec<u8>, code: CloseCode, reason: &str) {
    let mut end = reason.len().min(MAX_CONTROL - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = &reason[..end];
    write_header(out, Opcode::Close, 2 + reason.len());
    out.extend_from_slice(&code.get().to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

#[cfg(test)]
#[path = "codec_tests.rs"]
mod tests;
