//! Bytes of a connection → pictures and messages. No I/O.
//!
//! Memory follows what has arrived, never the length that was announced: a server that announces
//! gigabytes is refused, and one that announces megabytes and sends nothing costs nothing.

use streamd_protocol::stream::{self, LENGTH_BYTES, MAX_TO_CLIENT, announced};

/// Room offered to one read, bytes: more than a usual picture, so that it takes one or two.
const READ: usize = 128 * 1024;

/// One payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// A JPEG picture.
    Picture(&'a [u8]),
    /// A message in JSON.
    Message(&'a [u8]),
}

/// Why what arrived is no stream of pictures. After one of these the framing is lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else is spoken there; its first words.
    #[error("{0:?} is said there: {hint}", hint = hint(.0))]
    Speaks(String),
    /// A length over the limit, or below the two bytes that say what follows.
    #[error("a frame of {0} bytes was announced, allowed are 2 to {MAX_TO_CLIENT}: no streamd?")]
    Length(u64),
    /// Neither FF D8 nor `{` at the start.
    #[error(
        "a frame begins with the bytes {0:02x} {1:02x}: neither a JPEG picture (ff d8) nor a message ({{)"
    )]
    Kind(u8, u8),
}

/// Characters of a foreign greeting that are shown.
const SHOWN: usize = 40;

/// What the bytes say, if they are the beginning of a line of text: no length is one, since a
/// picture of so many bytes would be larger than memory.
fn greeting(arrived: &[u8]) -> Option<String> {
    let line = arrived.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    let text = |byte: &u8| *byte == b' ' || byte.is_ascii_graphic();
    let says = line.len() >= LENGTH_BYTES && line[..LENGTH_BYTES].iter().all(text);
    says.then(|| {
        let printable = line.iter().filter(|byte| text(byte)).take(SHOWN);
        printable.map(|byte| char::from(*byte)).collect()
    })
}

fn hint(greeting: &str) -> &'static str {
    if greeting.starts_with("HTTP/") {
        "that is an HTTP port; a camera's own port is its `listen`, 8002 for the first one"
    } else {
        "that is no camera's port of streamd"
    }
}

/// Collects bytes until a payload is whole.
#[derive(Debug)]
pub struct Framing {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            buffer: vec![0; 2 * READ],
            start: 0,
            end: 0,
        }
    }
}

impl Framing {
    /// Where the next bytes are to be read to; at least [`READ`] long.
    pub fn space(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.end < READ && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ {
            let doubled = (self.buffer.len() * 2).min(MAX_TO_CLIENT + 2 * READ);
            self.buffer.resize(doubled.max(self.end + READ), 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes have been read into [`Framing::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// The next payload that is whole.
    ///
    /// # Errors
    /// As soon as the length or the first bytes say that this is no stream.
    pub fn next(&mut self) -> Result<Option<Payload<'_>>, Error> {
        let arrived = &self.buffer[self.start..self.end];
        let foreign = |bytes| match greeting(arrived) {
            Some(greeting) => Error::Speaks(greeting),
            None => Error::Length(bytes),
        };
        let Some(length) = announced(arrived, MAX_TO_CLIENT).map_err(|long| foreign(long.bytes))?
        else {
            return Ok(None);
        };
        let body = &arrived[LENGTH_BYTES..];
        if length < 2 {
            return Err(Error::Length(length as u64));
        }
        let &[first, second, ..] = body else {
            return Ok(None);
        };
        let kind = stream::Payload::of(body).ok_or(Error::Kind(first, second))?;
        if body.len() < length {
            return Ok(None);
        }
        let from = self.start + LENGTH_BYTES;
        self.start = from + length;
        let payload = &self.buffer[from..self.start];
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        Ok(Some(match kind {
            stream::Payload::Picture => Payload::Picture(payload),
            stream::Payload::Message => Payload::Message(payload),
        }))
    }

    /// What has arrived of a payload that is not whole, and its length: 0 if that is not known.
    /// `None` between payloads.
    pub fn partial(&self) -> Option<(usize, usize)> {
        let arrived = &self.buffer[self.start..self.end];
        if arrived.is_empty() {
            return None;
        }
        Some(match arrived.split_first_chunk::<LENGTH_BYTES>() {
            Some((length, body)) => (body.len(), u64::from_le_bytes(*length) as usize),
            None => (0, 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feed(framing: &mut Framing, bytes: &[u8]) {
        framing.space()[..bytes.len()].copy_from_slice(bytes);
        framing.filled(bytes.len());
    }

    fn owned(payload: Payload<'_>) -> (bool, Vec<u8>) {
        match payload {
            Payload::Picture(bytes) => (true, bytes.to_vec()),
            Payload::Message(bytes) => (false, bytes.to_vec()),
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
            let mut framing = Framing::default();
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
            let mut framing = Framing::default();
            for read in &reads {
                feed(&mut framing, read);
                while let Ok(Some(_)) = framing.next() {}
            }
        }
    }

    #[test]
    fn a_large_picture_takes_memory_as_it_arrives() {
        let mut framing = Framing::default();
        let length = 5_000_000;
        feed(&mut framing, &(length as u64).to_le_bytes());
        feed(&mut framing, &[0xFF, 0xD8]);
        assert_eq!(framing.next(), Ok(None));
        assert!(framing.buffer.len() <= 4 * READ);
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
        assert!(framing.buffer.len() <= 2 * length + 2 * READ);
    }

    #[test]
    fn what_is_no_stream_is_refused_at_once() {
        for length in [0, 1, MAX_TO_CLIENT as u64 + 1, u64::MAX] {
            let mut framing = Framing::default();
            feed(&mut framing, &length.to_le_bytes());
            assert_eq!(framing.next(), Err(Error::Length(length)));
        }
        let mut framing = Framing::default();
        feed(&mut framing, b"HTTP/1.1 400 Bad Request");
        let error = framing.next().unwrap_err();
        assert_eq!(error, Error::Speaks("HTTP/1.1 400 Bad Request".into()));
        assert!(error.to_string().contains("an HTTP port"), "{error}");
        let mut framing = Framing::default();
        feed(&mut framing, &[9, 0, 0, 0, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(framing.next(), Err(Error::Kind(b'h', b'i')));
    }

    #[test]
    fn half_a_frame_is_told() {
        let mut framing = Framing::default();
        feed(&mut framing, &[100, 0, 0]);
        assert_eq!(framing.partial(), Some((0, 0)));
        feed(&mut framing, &[0, 0, 0, 0, 0, 0xFF, 0xD8, 1]);
        assert_eq!(framing.partial(), Some((3, 100)));
    }
}
