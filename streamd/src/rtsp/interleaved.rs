//! Pictures in blocks of the connection itself (RFC 2326, section 10.12): a framing like the others.

use std::time::Duration;

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamd_protocol::{
    stats::Transport,
    stream::{FromClient, Want},
};

use super::{
    payload::Pieces,
    request::{self, BLOCK_HEAD, Said},
    rtp::HEAD,
    session::{KEYS_EVERY, Session, Then},
};
use crate::{
    media::Packet,
    viewer::framing::{Cut, Framing, Goodbye, Received, Sending, Violation},
};

/// Bytes of payload in a block at most. A block may have 64 KiB; some receivers have less room.
const MOST: usize = 16 * 1024;

/// One client's side of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Interleaved {
    session: Session,
    /// Of pictures, and of reports.
    channels: (u8, u8),
    #[serde(skip)]
    pieces: Pieces,
    #[serde(skip)]
    cuts: Vec<Cut>,
}

impl Interleaved {
    /// Goes on with a session on these channels.
    pub fn new(session: Session, channels: (u8, u8)) -> Self {
        Self {
            session,
            channels,
            pieces: Pieces::default(),
            cuts: Vec::new(),
        }
    }

    /// Appends a block of reports.
    fn block(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend([b'$', self.channels.1, 0, 0]);
        write(out);
        let length = (out.len() - start - BLOCK_HEAD) as u16;
        out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

impl Framing for Interleaved {
    fn transport(&self) -> Transport {
        Transport::Rtsp
    }

    fn before(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>) {
        self.cuts.clear();
        if self.session.stream.owes_report(sending.now) {
            let mut report = Vec::new();
            self.session.stream.report(sending.now, &mut report);
            self.block(out, |out| out.extend(report));
        }
        // What can't be sent is left out: whoever asks for such pictures is told so at once.
        if self.pieces.cut(frame, MOST).is_err() {
            return;
        }
        let mut start = 0;
        for (n, piece) in self.pieces.all.iter().enumerate() {
            let is_last = n + 1 == self.pieces.all.len();
            let length = piece.length();
            out.extend([b'$', self.channels.0]);
            out.extend(((HEAD + length) as u16).to_be_bytes());
            out.extend(self.session.stream.head(frame.captured, is_last, length));
            out.extend(&self.pieces.heads[piece.head.clone()]);
            self.cuts.push(Cut {
                own: out.len() - start,
                picture: piece.picture.clone(),
            });
            start = out.len();
        }
    }

    fn cuts(&mut self, _: &Packet, before: usize, out: &mut Vec<Cut>) {
        if self.cuts.is_empty() {
            out.push(Cut {
                own: before,
                picture: 0..0,
            });
        }
        out.append(&mut self.cuts);
    }

    fn after(&mut self, _: &Packet, _: &Sending, _: &mut Vec<u8>) {}

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> Result<Option<Received>, Violation> {
        loop {
            let said = request::take(input).map_err(|broken| Violation {
                reason: broken.to_string(),
                code: 1002,
            })?;
            let request = match said {
                None => return Ok(None),
                // What a receiver reports is known from the connection itself.
                Some(Said::Block { .. }) => continue,
                Some(Said::Request(request)) => request,
            };
            let (answer, then) = self.session.answer(&request);
            answer.write(request.number, out);
            let pause = |paused| {
                let want = Want {
                    paused: Some(paused),
                    ..Want::default()
                };
                Ok(Some(Received::Message(FromClient::Want(want))))
            };
            match then {
                Then::Nothing => {}
                Then::Play => return pause(false),
                Then::Pause => return pause(true),
                Then::End => return Ok(Some(Received::Close)),
            }
        }
    }

    fn keys_every(&self) -> Option<Duration> {
        Some(KEYS_EVERY)
    }

    fn state(&self) -> Value {
        serde_json::to_value(self).expect("plain data")
    }

    fn farewell(&mut self, _: &Goodbye, out: &mut Vec<u8>) {
        let mut bye = Vec::new();
        self.session.stream.bye(&mut bye);
        self.block(out, |out| out.extend(bye));
    }
}
