//! Varlink's framing: one JSON object, one NUL.

use std::io;

use bytes::{Buf, BufMut, BytesMut};
use streamd_protocol::control::{MAX_CALL_BYTES, Reply};
use tokio_util::codec::{Decoder, Encoder};

/// What arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// The first bytes of a message whose end is still to come: said once a message, so that its
    /// deadline can begin.
    Began,
    /// A message, without the NUL.
    Whole(BytesMut),
}

/// Why nothing more can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// No NUL within [`MAX_CALL_BYTES`].
    #[error("a message of more than {MAX_CALL_BYTES} bytes")]
    TooLong,
    /// The socket failed, or ended within a message.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The framing of one connection.
#[derive(Debug, Default)]
pub(super) struct Codec {
    /// Bytes at the front that are known to hold no NUL.
    scanned: usize,
    began: bool,
}

impl Decoder for Codec {
    type Item = Incoming;
    type Error = Lost;

    fn decode(&mut self, received: &mut BytesMut) -> Result<Option<Incoming>, Lost> {
        let fresh = received.iter().skip(self.scanned);
        let end = fresh
            .take(MAX_CALL_BYTES + 1 - self.scanned)
            .position(|byte| *byte == 0);
        if let Some(end) = end {
            let message = received.split_to(self.scanned + end);
            received.advance(1);
            *self = Self::default();
            return Ok(Some(Incoming::Whole(message)));
        }
        if received.len() > MAX_CALL_BYTES {
            return Err(Lost::TooLong);
        }
        self.scanned = received.len();
        let begins = !self.began && !received.is_empty();
        self.began |= begins;
        Ok(begins.then_some(Incoming::Began))
    }
}

impl Encoder<Reply> for Codec {
    type Error = Lost;

    fn encode(&mut self, reply: Reply, to_send: &mut BytesMut) -> Result<(), Lost> {
        serde_json::to_writer(to_send.writer(), &reply).map_err(io::Error::from)?;
        to_send.put_u8(0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Feeds `bytes` in pieces of `piece`; the messages, and whether the framing was lost.
    fn feed(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, bool) {
        let (mut codec, mut buffer, mut messages) = (Codec::default(), BytesMut::new(), Vec::new());
        for chunk in bytes.chunks(piece) {
            buffer.extend_from_slice(chunk);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(Incoming::Whole(message))) => messages.push(message.to_vec()),
                    Ok(Some(Incoming::Began)) => {}
                    Ok(None) => break,
                    Err(_) => return (messages, true),
                }
            }
        }
        (messages, false)
    }

    proptest! {
        #[test]
        fn messages_do_not_depend_on_how_the_bytes_arrive(
            messages in prop::collection::vec(prop::collection::vec(1u8.., 0..40), 0..6),
            piece in 1usize..50,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| m.iter().copied().chain([0])).collect();
            prop_assert_eq!(feed(&bytes, piece), (messages, false));
        }
    }

    #[test]
    fn the_longest_message_is_taken_and_no_longer_one() {
        let mut bytes = vec![b'x'; MAX_CALL_BYTES];
        bytes.push(0);
        let (messages, lost) = feed(&bytes, 4096);
        assert_eq!((messages[0].len(), lost), (MAX_CALL_BYTES, false));
        bytes.insert(0, b'x');
        for piece in [4096, bytes.len()] {
            assert_eq!(feed(&bytes, piece), (vec![], true));
        }
    }

    #[test]
    fn a_message_begins_once() {
        let mut codec = Codec::default();
        let mut buffer = BytesMut::from(&b"{"[..]);
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Incoming::Began));
        assert_eq!(codec.decode(&mut buffer).unwrap(), None);
        buffer.extend_from_slice(b"}\0{");
        let whole = Incoming::Whole(BytesMut::from(&b"{}"[..]));
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(whole));
        assert_eq!(codec.decode(&mut buffer).unwrap(), Some(Incoming::Began));
    }
}
