//! What a client says: requests, and what it interleaves with them (RFC 2326, sections 6 and 10.12).

use bytes::{Buf, Bytes, BytesMut};

/// Bytes of a request's head at most.
pub const MAX_HEAD: usize = 8 * 1024;

/// Lines of a head at most.
const MAX_HEADERS: usize = 64;

/// Bytes of a body at most. Nothing that is asked for here has one that says anything.
const MAX_BODY: usize = 16 * 1024;

/// What begins a block of binary data between two requests.
const DOLLAR: u8 = b'$';

/// Bytes before the data of such a block: the sign, the channel, the length.
pub const BLOCK_HEAD: usize = 4;

/// Something that a client has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A request. Its body is left out.
    Request(Request),
    /// Binary data on one of the channels that were agreed on.
    Block {
        /// The channel.
        channel: u8,
        /// The data.
        bytes: Bytes,
    },
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// What can be asked for.
    Options,
    /// The description of a stream.
    Describe,
    /// By which way it is to come.
    Setup,
    /// That it begins, or goes on.
    Play,
    /// That it rests.
    Pause,
    /// That it ends.
    Teardown,
    /// Nothing, mostly: it says that the client is there.
    GetParameter,
    /// The same.
    SetParameter,
    /// What is not done here.
    Other,
}

impl Method {
    fn of(word: &str) -> Self {
        match word {
            "OPTIONS" => Self::Options,
            "DESCRIBE" => Self::Describe,
            "SETUP" => Self::Setup,
            "PLAY" => Self::Play,
            "PAUSE" => Self::Pause,
            "TEARDOWN" => Self::Teardown,
            "GET_PARAMETER" => Self::GetParameter,
            "SET_PARAMETER" => Self::SetParameter,
            _ => Self::Other,
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of what; `*` of nothing.
    pub uri: String,
    /// Its number, which is repeated in the answer.
    pub number: u32,
    /// It is in a version of the protocol that is spoken here.
    pub is_known_version: bool,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_it = |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        let found = self.headers.iter().find(is_it);
        found.map(|(_, value)| value.as_str())
    }
}

/// Input that can't be understood: there is no telling where the next request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is something else.
    #[error("that is no request of RTSP")]
    NoRequest,
    /// The head does not end.
    #[error("the head of a request has more than {MAX_HEAD} bytes or {MAX_HEADERS} lines")]
    LongHead,
    /// The body is too long.
    #[error("the body of a request has more than {MAX_BODY} bytes")]
    LongBody,
    /// There is no number to answer to.
    #[error("a request has no CSeq, or one that is no number")]
    NoNumber,
}

/// Takes what was said first out of `input`; `None` when it is not there whole.
///
/// # Errors
/// When it can't be understood.
pub fn take(input: &mut BytesMut) -> Result<Option<Said>, Broken> {
    // What some clients put between two requests.
    let blank = input.iter().take_while(|byte| b"\r\n".contains(byte));
    let blank = blank.count();
    input.advance(blank);
    match input.first() {
        None => Ok(None),
        Some(&DOLLAR) => Ok(block(input)),
        Some(_) => Ok(request(input)?.map(Said::Request)),
    }
}

fn block(input: &mut BytesMut) -> Option<Said> {
    let (head, rest) = input.split_first_chunk::<BLOCK_HEAD>()?;
    let [_, channel, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if rest.len() < length {
        return None;
    }
    input.advance(BLOCK_HEAD);
    let bytes = input.split_to(length).freeze();
    Some(Said::Block { channel, bytes })
}

fn request(input: &mut BytesMut) -> Result<Option<Request>, Broken> {
    let known = &input[..input.len().min(MAX_HEAD)];
    let Some((mut request, head, body)) = head(known)? else {
        return match input.len() < MAX_HEAD {
            true => Ok(None),
            false => Err(Broken::LongHead),
        };
    };
    if body > MAX_BODY {
        return Err(Broken::LongBody);
    }
    if input.len() < head + body {
        return Ok(None);
    }
    let number = request.header("cseq").and_then(|cseq| cseq.parse().ok());
    request.number = number.ok_or(Broken::NoNumber)?;
    input.advance(head + body);
    Ok(Some(request))
}

/// The head that `bytes` begin with, its length and that of the body; `None` when it does not end.
fn head(bytes: &[u8]) -> Result<Option<(Request, usize, usize)>, Broken> {
    let Some(end) = memchr::memchr(b'\n', bytes) else {
        return match looks_like_a_method(bytes) {
            true => Ok(None),
            false => Err(Broken::NoRequest),
        };
    };
    let line = str::from_utf8(&bytes[..end]).map_err(|_| Broken::NoRequest)?;
    let mut words = line.split_ascii_whitespace();
    let (Some(method), Some(uri), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Broken::NoRequest);
    };
    if !version.starts_with("RTSP/") || !looks_like_a_method(method.as_bytes()) {
        return Err(Broken::NoRequest);
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let (length, lines) = match httparse::parse_headers(&bytes[end + 1..], &mut lines) {
        Ok(httparse::Status::Complete(parsed)) => parsed,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Broken::LongHead),
        Err(_) => return Err(Broken::NoRequest),
    };
    let text = |line: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(line.value).into_owned();
        (line.name.to_owned(), value)
    };
    let request = Request {
        method: Method::of(method),
        uri: uri.to_owned(),
        number: 0,
        is_known_version: version == "RTSP/1.0",
        headers: lines.iter().map(text).collect(),
    };
    let body = match request.header("content-length") {
        Some(length) => length.trim().parse().map_err(|_| Broken::NoRequest)?,
        None => 0,
    };
    Ok(Some((request, end + 1 + length, body)))
}

/// Whether a method may begin so: what is no RTSP is found out at its first bytes.
fn looks_like_a_method(bytes: &[u8]) -> bool {
    /// The longest is `GET_PARAMETER`; others are answered, if they are not absurd.
    const LONGEST: usize = 32;
    let word = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
    let letters = word
        .iter()
        .all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    letters && !word.is_empty() && word.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ASKS: &[u8] = b"SETUP rtsp://cam:8554/main/trackID=0 RTSP/1.0\r\nCSeq: 3\r\n\
        transport: RTP/AVP;unicast;client_port=4-5\r\nContent-Length: 2\r\n\r\nhi";

    fn all(bytes: &[u8], piece: usize) -> (Vec<Said>, Option<Broken>) {
        let (mut input, mut said) = (BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece.max(1)) {
            input.extend_from_slice(piece);
            loop {
                match take(&mut input) {
                    Ok(Some(one)) => said.push(one),
                    Ok(None) => break,
                    Err(broken) => return (said, Some(broken)),
                }
            }
        }
        (said, None)
    }

    #[test]
    fn requests_and_blocks_are_told_apart_however_they_arrive() {
        let bytes = [ASKS, b"$\x01\0\x03abc\r\n", ASKS].concat();
        for piece in [1, 7, 1000] {
            let (said, broken) = all(&bytes, piece);
            assert_eq!(broken, None);
            let [Said::Request(one), block, Said::Request(other)] = &said[..] else {
                panic!("{said:?}");
            };
            assert_eq!(one, other);
            assert_eq!((one.method, one.number), (Method::Setup, 3));
            assert_eq!(one.uri, "rtsp://cam:8554/main/trackID=0");
            assert_eq!(
                one.header("Transport"),
                Some("RTP/AVP;unicast;client_port=4-5")
            );
            let bytes = Bytes::from_static(b"abc");
            assert_eq!(*block, Said::Block { channel: 1, bytes });
        }
    }

    #[test]
    fn what_is_none_is_found_out_early() {
        let long = [b"OPTIONS * RTSP/1.0\r\nx: ".as_slice(), &[b'y'; 9000]].concat();
        let many = ["OPTIONS * RTSP/1.0\r\n", &"a: b\r\n".repeat(65)].concat();
        for (bytes, broken) in [
            (b"\x16\x03\x01\x02".as_slice(), Broken::NoRequest),
            (b"get / HTTP/1.1\r\n", Broken::NoRequest),
            (b"GET / HTTP/1.1\r\n", Broken::NoRequest),
            (b"RTSP/1.0 200 OK\r\n", Broken::NoRequest),
            (b"OPTIONS * RTSP/1.0\r\nCSeq 1\r\n\r\n", Broken::NoRequest),
            (b"OPTIONS * RTSP/1.0\r\n\r\n", Broken::NoNumber),
            (b"OPTIONS * RTSP/1.0\r\nCSeq: x\r\n\r\n", Broken::NoNumber),
            (
                b"OPTIONS * RTSP/1.0\r\nContent-Length: 99999\r\n\r\n",
                Broken::LongBody,
            ),
            (
                b"OPTIONS * RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
                Broken::NoRequest,
            ),
            (&long, Broken::LongHead),
            (many.as_bytes(), Broken::LongHead),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(all(bytes, bytes.len()), (vec![], Some(broken)), "{shown}");
        }
        let other = b"RECORD * RTSP/2.0\r\nCSeq: 1\r\n\r\n";
        let (said, _) = all(other, 100);
        let [Said::Request(other)] = &said[..] else {
            panic!("{said:?}");
        };
        assert!(other.method == Method::Other && !other.is_known_version);
    }

    proptest! {
        #[test]
        fn any_bytes_are_the_same_in_pieces(mut bytes: Vec<u8>, at in 0usize..200, piece in 1usize..9) {
            let whole = [ASKS, &bytes].concat();
            prop_assert_eq!(all(&whole, whole.len()), all(&whole, piece));
            let mut changed = ASKS.to_vec();
            let at = at % changed.len();
            bytes.truncate(3);
            changed.splice(at..at, bytes);
            prop_assert_eq!(all(&changed, changed.len()), all(&changed, piece));
        }
    }
}
