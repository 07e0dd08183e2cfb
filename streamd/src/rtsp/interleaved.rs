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
    media::{Packet, Timestamp},
    sound,
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
    /// The same of sound.
    #[serde(default)]
    sound: Option<(u8, u8)>,
    #[serde(skip)]
    pieces: Pieces,
    #[serde(skip)]
    cuts: Vec<Cut>,
}

impl Interleaved {
    /// Goes on with a session on these channels.
    pub fn new(session: Session, channels: (u8, u8), sound: Option<(u8, u8)>) -> Self {
        Self {
            session,
            channels,
            sound,
            pieces: Pieces::default(),
            cuts: Vec::new(),
        }
    }
}

/// Appends a block on a channel.
fn block(channel: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([b'$', channel, 0, 0]);
    write(out);
    let length = (out.len() - start - BLOCK_HEAD) as u16;
    out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
}

impl Framing for Interleaved {
    fn transport(&self) -> Transport {
        Transport::Rtsp
    }

    fn before(&mut self, frame: &Packet, sending: &Sending, out: &mut Vec<u8>) {
        self.cuts.clear();
        if self.session.stream.owes_report(sending.now) {
            let stream = &mut self.session.stream;
            block(self.channels.1, out, |out| stream.report(sending.now, out));
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

    fn has_sound(&self) -> bool {
        self.session.sound.is_some() && self.sound.is_some()
    }

    fn sound(&mut self, packet: &sound::Packet, now: Timestamp, out: &mut Vec<u8>) {
        let (Some(sound), Some((rtp, rtcp))) = (&mut self.session.sound, self.sound) else {
            return;
        };
        let stream = &mut sound.stream;
        if stream.owes_report(now) {
            block(rtcp, out, |out| stream.report(now, out));
        }
        block(rtp, out, |out| {
            out.extend(stream.head(packet.captured, false, packet.data.len()));
            out.extend(&packet.data);
        });
    }

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
        block(self.channels.1, out, |out| self.session.stream.bye(out));
        if let (Some(sound), Some((_, rtcp))) = (&self.session.sound, self.sound) {
            block(rtcp, out, |out| sound.stream.bye(out));
        }
    }
}
