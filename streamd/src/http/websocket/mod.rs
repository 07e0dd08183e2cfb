//! Pictures and messages over WebSocket (RFC 6455): binary messages are pictures, text messages JSON.

pub mod close_code;
pub mod codec;
pub mod handshake;
pub mod upgrade;
pub mod wanted;

use bytes::BytesMut;
use close_code::CloseCode;
use codec::{Broken, Incoming, Opcode, Reader};
use serde::{Deserialize, Serialize};
use streamd_protocol::{
    stats::Transport,
    stream::{FromClient, MAX_FROM_CLIENT},
};

use crate::{
    media::Packet,
    viewer::framing::{Framing, Goodbye, Received, Sending, Violation},
};

/// The WebSocket side of a viewer.
#[derive(Debug, Serialize, Deserialize)]
pub struct WebSocket {
    reader: Reader,
    /// A close frame was sent: nothing may follow it.
    closed: bool,
}

impl Default for WebSocket {
    fn default() -> Self {
        Self {
            reader: Reader::new(MAX_FROM_CLIENT),
            closed: false,
        }
    }
}

impl WebSocket {
    /// What a frame of the client means, with the reply that the protocol itself owes.
    fn take(&mut self, incoming: Incoming, out: &mut Vec<u8>) -> Result<Option<Received>, Broken> {
        Ok(Some(match incoming {
            Incoming::Text(text) => understand(&text),
            Incoming::Binary(_) => {
                return Err(Broken {
                    code: CloseCode::UNSUPPORTED,
                    reason: "a binary message; messages are JSON in text",
                });
            }
            Incoming::Ping(payload) => {
                codec::write_frame(out, Opcode::Pong, &payload);
                return Ok(None);
            }
            Incoming::Pong(payload) => match payload.as_ref().try_into() {
                Ok(question) => Received::Answer(u64::from_be_bytes(question)),
                Err(_) => return Ok(None),
            },
            Incoming::Close(code) => {
                let code = code.map_or(CloseCode::NORMAL, |(code, _)| CloseCode::new(code));
                self.close(code, "", out);
                Received::Close
            }
        }))
    }

    fn close(&mut self, code: CloseCode, reason: &str, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.closed, true) {
            codec::write_close(out, code, reason);
        }
    }
}

fn understand(text: &str) -> Received {
    match serde_json::from_str::<FromClient>(text) {
        Ok(message) => Received::Message(message),
        Err(error) => Received::Bad(error.to_string()),
    }
}

impl From<Broken> for Violation {
    fn from(broken: Broken) -> Self {
        Self {
            reason: broken.reason.to_owned(),
            code: broken.code.get(),
        }
    }
}

impl Framing for WebSocket {
    fn transport(&self) -> Transport {
        Transport::Websocket
    }

    fn before(&mut self, frame: &Packet, _: &Sending, out: &mut Vec<u8>) {
        codec::write_header(out, Opcode::Binary, frame.bytes.len());
    }

    fn after(&mut self, _: &Packet, _: &Sending, _: &mut Vec<u8>) {}

    fn ask(&mut self, question: u64, out: &mut Vec<u8>) -> bool {
        codec::write_frame(out, Opcode::Ping, &question.to_be_bytes());
        true
    }

    fn message(&mut self, json: &str, out: &mut Vec<u8>) {
        codec::write_frame(out, Opcode::Text, json.as_bytes());
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> Result<Option<Received>, Violation> {
        while !self.closed
            && let Some(incoming) = self.reader.read(input)?
        {
            if let Some(received) = self.take(incoming, out)? {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    fn state(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("plain data")
    }

    fn farewell(&mut self, why: &Goodbye, out: &mut Vec<u8>) {
        let (code, reason) = match why {
            Goodbye::Kicked(reason) => (CloseCode::POLICY, reason.as_str()),
            Goodbye::Revoked => (CloseCode::POLICY, "you may not watch any more"),
            Goodbye::GaveWay => (CloseCode::TRY_LATER, "paused, and the place was needed"),
            Goodbye::Stopping | Goodbye::Kept => (CloseCode::GOING_AWAY, "the server is stopping"),
            Goodbye::Violation(broken) => (CloseCode::new(broken.code), broken.reason.as_str()),
            Goodbye::TimedOut | Goodbye::Silent(_) => {
                (CloseCode::TRY_LATER, "nothing was taken for too long")
            }
            Goodbye::Closed => (CloseCode::NORMAL, ""),
        };
        self.close(code, reason, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(opcode: u8, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::from(&[0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0][..]);
        out.extend_from_slice(payload);
        out
    }

    fn receive(opcode: u8, payload: &[u8]) -> (Result<Option<Received>, Violation>, Vec<u8>) {
        let mut out = vec![];
        let got = WebSocket::default().receive(&mut masked(opcode, payload), &mut out);
        (got, out)
    }

    #[test]
    fn text_is_the_protocols_json() {
        let (got, out) = receive(1, br#"{"type":"ping","t":5}"#);
        let ping = FromClient::Ping { t: 5 };
        assert_eq!((got, out), (Ok(Some(Received::Message(ping))), vec![]));
        let (got, _) = receive(1, b"{");
        assert!(matches!(got, Ok(Some(Received::Bad(why))) if why.contains("EOF")));
    }

    #[test]
    fn pings_are_answered_and_pictures_are_not_taken() {
        assert_eq!(receive(9, b"hi"), (Ok(None), b"\x8A\x02hi".to_vec()));
        assert_eq!(
            receive(2, b"x").0.map_err(|violation| violation.code),
            Err(1003)
        );
    }

    #[test]
    fn a_question_is_a_ping_and_its_answer_the_pong() {
        let mut out = vec![];
        assert!(WebSocket::default().ask(7, &mut out));
        assert_eq!(out, b"\x89\x08\0\0\0\0\0\0\0\x07");
        let (got, _) = receive(10, &out[2..]);
        assert_eq!(got, Ok(Some(Received::Answer(7))));
        assert_eq!(receive(10, b"hi").0, Ok(None), "unasked");
    }

    #[test]
    fn a_close_is_echoed_once_and_ends_the_input() {
        let mut socket = WebSocket::default();
        let mut input = masked(8, &1001u16.to_be_bytes());
        input.extend_from_slice(&masked(9, b"late"));
        let mut out = vec![];
        assert_eq!(
            socket.receive(&mut input, &mut out),
            Ok(Some(Received::Close))
        );
        assert_eq!(socket.receive(&mut input, &mut out), Ok(None));
        socket.farewell(&Goodbye::Closed, &mut out);
        assert_eq!(out, [0x88, 2, 0x03, 0xE9]);
    }

    #[test]
    fn the_last_word_has_a_code_and_a_reason() {
        let said = |why| {
            let mut out = vec![];
            WebSocket::default().farewell(&why, &mut out);
            let code = u16::from_be_bytes([out[2], out[3]]);
            (code, String::from_utf8(out[4..].to_vec()).unwrap())
        };
        assert_eq!(
            said(Goodbye::Kicked("maintenance".into())),
            (1008, "maintenance".into())
        );
        assert_eq!(said(Goodbye::Stopping).0, 1001);
        assert_eq!(said(Goodbye::TimedOut).0, 1013);
        let violation = Violation {
            reason: "a reserved bit is set".into(),
            code: 1002,
        };
        assert_eq!(
            said(Goodbye::Violation(violation.clone())),
            (1002, violation.reason)
        );
    }
}
