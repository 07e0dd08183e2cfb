//! Cuts WebSocket frames from a server into messages, and makes a client's (RFC 6455, section 5).
//! No I/O.

use streamd_protocol::stream::MAX_TO_CLIENT;

use super::{Cut, Error, What};
use crate::table::line;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The last frame of a message.
const FINAL: u8 = 0x80;
/// The payload is masked: a client's always, a server's never.
const MASKED: u8 = 0x80;

/// The code of a close frame that has none (section 7.4.1).
const NO_CODE: u16 = 1005;

/// Messages, which may come in several frames.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The pieces of a message that is not whole, or was just now.
    pieces: Vec<u8>,
    /// What that message is.
    kind: Option<What>,
}

/// The head of a frame.
struct Head {
    opcode: u8,
    is_final: bool,
    /// Bytes of the head itself.
    bytes: usize,
    /// Bytes of the payload.
    length: usize,
}

impl Messages {
    /// A message that was [assembled](Cut::Assembled).
    pub fn assembled(&self) -> &[u8] {
        &self.pieces
    }

    /// The next message.
    pub fn cut(&mut self, arrived: &[u8]) -> Result<Cut, Error> {
        let Some(head) = head(arrived)? else {
            return Ok(Cut::Need);
        };
        let (from, end) = (head.bytes, head.bytes + head.length);
        let Some(payload) = arrived.get(from..end) else {
            return Ok(Cut::Need);
        };
        let whole = |what| Ok(Cut::Whole(what, from, head.length, end));
        match head.opcode {
            PING => whole(What::Ping),
            PONG => Ok(Cut::Skip(end)),
            CLOSE => Err(closed(payload)),
            TEXT if head.is_final => whole(What::Message),
            BINARY if head.is_final => whole(What::Picture),
            TEXT | BINARY => {
                self.pieces.clear();
                self.kind = Some(match head.opcode {
                    TEXT => What::Message,
                    _ => What::Picture,
                });
                self.piece(payload, false, end)
            }
            CONTINUATION if self.kind.is_some() => self.piece(payload, head.is_final, end),
            other => Err(broken(&format!(
                "a frame of kind {other} where none may be"
            ))),
        }
    }

    fn piece(&mut self, payload: &[u8], last: bool, end: usize) -> Result<Cut, Error> {
        self.pieces.extend_from_slice(payload);
        if self.pieces.len() > MAX_TO_CLIENT {
            return Err(Error::Length(self.pieces.len() as u64));
        }
        Ok(match (last, self.kind) {
            (true, Some(kind)) => {
                self.kind = None;
                Cut::Assembled(kind, end)
            }
            _ => Cut::Skip(end),
        })
    }
}

/// The head of a frame; `None` while it is not whole.
fn head(arrived: &[u8]) -> Result<Option<Head>, Error> {
    let &[first, second, ref rest @ ..] = arrived else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(broken("an extension that nobody asked for"));
    }
    if second & MASKED != 0 {
        return Err(broken("a masked frame, as only clients send"));
    }
    let (more, length) = match second & 0x7F {
        126 => match rest.first_chunk() {
            Some(bytes) => (2, u64::from(u16::from_be_bytes(*bytes))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(bytes) => (8, u64::from_be_bytes(*bytes)),
            None => return Ok(None),
        },
        short => (0, u64::from(short)),
    };
    if length > MAX_TO_CLIENT as u64 {
        return Err(Error::Length(length));
    }
    Ok(Some(Head {
        opcode: first & 0x0F,
        is_final: first & FINAL != 0,
        bytes: 2 + more,
        length: length as usize,
    }))
}

fn broken(what: &str) -> Error {
    Error::Http(format!("its WebSocket is broken: {what}"))
}

/// What a close frame says.
fn closed(payload: &[u8]) -> Error {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => (u16::from_be_bytes(*code), String::from_utf8_lossy(reason)),
        None => (NO_CODE, "".into()),
    };
    let words = match &*reason {
        "" => String::new(),
        reason => format!(": {}", line(reason)),
    };
    Error::Closed(code, words)
}

/// Appends a text message of a client. `mask`: 4 bytes that nobody can guess (section 5.3).
pub fn say(text: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    frame(TEXT, text, mask, out);
}

/// Appends the answer to a ping.
pub fn pong(data: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    frame(PONG, data, mask, out);
}

fn frame(opcode: u8, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(FINAL | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ ..126), _) => out.push(MASKED | short),
        (_, Ok(length)) => {
            out.push(MASKED | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            short @ ..126 => out.push(short as u8),
            length => {
                out.push(127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        [out, payload.to_vec()].concat()
    }

    /// The messages of a stream that arrives in pieces.
    fn messages(stream: &[u8], piece: usize) -> Result<Vec<(What, Vec<u8>)>, Error> {
        let (mut cutter, mut arrived, mut all) = (Messages::default(), Vec::new(), Vec::new());
        for piece in stream.chunks(piece) {
            arrived.extend_from_slice(piece);
            loop {
                match cutter.cut(&arrived)? {
                    Cut::Need => break,
                    Cut::Skip(bytes) => drop(arrived.drain(..bytes)),
                    Cut::Whole(what, from, length, end) => {
                        all.push((what, arrived[from..from + length].to_vec()));
                        arrived.drain(..end);
                    }
                    Cut::Assembled(what, end) => {
                        all.push((what, cutter.assembled().to_vec()));
                        arrived.drain(..end);
                    }
                    Cut::Opened(_) => unreachable!("that is the head's"),
                }
            }
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn messages_come_out_whole_however_they_are_cut(
            bodies in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..400), any::<bool>()), 0..6),
            piece in 1..300_usize,
        ) {
            let mut stream = Vec::new();
            for (body, in_pieces) in &bodies {
                match in_pieces {
                    false => stream.extend(server(FINAL | BINARY, body)),
                    true => {
                        let (first, rest) = body.split_at(body.len() / 2);
                        stream.extend(server(BINARY, first));
                        stream.extend(server(FINAL | PONG, b"x"));
                        stream.extend(server(CONTINUATION, b""));
                        stream.extend(server(FINAL | CONTINUATION, rest));
                    }
                }
            }
            let sent: Vec<_> = bodies.into_iter().map(|(body, _)| (What::Picture, body)).collect();
            prop_assert_eq!(messages(&stream, piece).unwrap(), sent);
        }

        #[test]
        fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = messages(&bytes, 7);
        }

        #[test]
        fn a_clients_frame_is_read_back_unmasked(
            text in prop::collection::vec(any::<u8>(), 0..70_000),
            mask: [u8; 4],
        ) {
            let mut out = Vec::new();
            say(&text, mask, &mut out);
            prop_assert_eq!(out[0], FINAL | TEXT);
            let head = match out[1] & 0x7F { 126 => 4, 127 => 10, _ => 2 };
            prop_assert_eq!(&out[head..head + 4], &mask);
            let body: Vec<u8> = out[head + 4..].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m).collect();
            prop_assert_eq!(body, text);
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        for (bytes, words) in [
            (&[0xC2, 0][..], "extension"),
            (&[0x82, 0x81, 0, 0, 0, 0, 0], "masked"),
            (&[0x80, 0], "kind 0"),
            (&[0x83, 0], "kind 3"),
            (&[0x82, 127, 255, 0, 0, 0, 0, 0, 0, 0], "announced"),
        ] {
            let error = messages(bytes, 100).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let close = server(FINAL | CLOSE, b"\x03\xF0kicked: enough");
        let error = messages(&close, 100).unwrap_err();
        assert_eq!(error, Error::Closed(1008, ": kicked: enough".into()));
        let close = server(FINAL | CLOSE, b"");
        assert_eq!(
            messages(&close, 100).unwrap_err(),
            Error::Closed(NO_CODE, String::new())
        );
    }
}
