//! The head of an HTTP conversation: what is asked, and whether the answer begins a stream. No I/O.
//!
//! Multipart is asked for by HTTP/1.0, so that no server sends it in chunks; a WebSocket by
//! HTTP/1.1 (RFC 6455, section 4).

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};

use super::{Cut, Error, greeting, is_tls, printable};
use crate::{commands::watch::target::Address, table::line};

/// The longest head of an answer, in bytes.
const LONGEST: usize = 16 * 1024;

/// What a WebSocket's key is hashed with (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// An answer that is waited for.
#[derive(Debug)]
pub struct Opening {
    /// The key that a WebSocket's server has to hash; `None` for multipart.
    key: Option<String>,
    boundary: Option<String>,
}

/// The request for an address, and the answer to wait for; `nonce` is 16 bytes nobody can guess.
/// A token goes with it, where it can stand in a header.
pub fn ask(address: &Address, token: Option<&str>, nonce: [u8; 16]) -> (String, Opening) {
    let key = address.websocket.then(|| BASE64_STANDARD.encode(nonce));
    let (path, host) = (&address.path, address.authority());
    let agent = concat!("streamctl/", env!("CARGO_PKG_VERSION"));
    let shown = token.filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
    let shown = shown.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let shown = shown.unwrap_or_default();
    let request = match &key {
        None => format!(
            "GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\
             {shown}Accept: multipart/x-mixed-replace\r\n\r\n"
        ),
        Some(key) => format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\
             {shown}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {key}\r\n\r\n"
        ),
    };
    let opening = Opening {
        key,
        boundary: None,
    };
    (request, opening)
}

impl Opening {
    /// What separates the parts, of an answer that has them.
    pub fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }

    /// Looks for the end of the head, and judges it.
    pub(super) fn cut(&mut self, arrived: &[u8]) -> Result<Cut, Error> {
        foreign(arrived)?;
        let Some(end) = arrived.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return match arrived.len() > LONGEST {
                true => Err(Error::Http("its answer has a head without an end".into())),
                false => Ok(Cut::Need),
            };
        };
        let head = String::from_utf8_lossy(&arrived[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| Error::Http("its answer has no status".into()))?;
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
        let header = |name: &str| {
            let found = headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        match &self.key {
            Some(key) if status == 101 => accepted(key, header("Sec-WebSocket-Accept"))?,
            None if status == 200 => {
                self.boundary = Some(boundary(header("Content-Type").unwrap_or_default())?);
            }
            _ => return Err(refused(status, header("Location"), &arrived[end + 4..])),
        }
        Ok(Cut::Opened(end + 4))
    }
}

/// Whether it is HTTP at all that comes.
fn foreign(arrived: &[u8]) -> Result<(), Error> {
    const HTTP: &[u8] = b"HTTP/1.";
    let known = arrived.len().min(HTTP.len());
    if arrived[..known] == HTTP[..known] {
        return Ok(());
    }
    if is_tls(arrived) {
        return Err(Error::Tls);
    }
    match (greeting(arrived), arrived.get(8..10)) {
        (Some(greeting), _) => Err(Error::Speaks(greeting)),
        (None, Some([0xFF, 0xD8] | [b'{', _])) => Err(Error::Raw),
        (None, Some(_)) => Err(Error::Speaks(printable(arrived))),
        // It may become clear what it is.
        (None, None) => Ok(()),
    }
}

fn accepted(key: &str, answer: Option<&str>) -> Result<(), Error> {
    let sum = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    match answer == Some(BASE64_STANDARD.encode(sum).as_str()) {
        true => Ok(()),
        false => Err(Error::Http(
            "it says 101, but does not speak WebSocket".into(),
        )),
    }
}

/// The boundary of a multipart answer. Some servers write the two hyphens before it.
fn boundary(content_type: &str) -> Result<String, Error> {
    let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let kind = kind.trim().to_ascii_lowercase();
    if kind != "multipart/x-mixed-replace" {
        let shown = printable(kind.as_bytes());
        return Err(Error::Http(match kind.as_str() {
            "text/html" => "a page for browsers is there, no stream".into(),
            "image/jpeg" => "a single picture is there, no stream".into(),
            "" => "it does not say what its answer is".into(),
            _ => format!("{shown} is there, no stream of pictures"),
        }));
    }
    let named = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='));
    let boundary = named
        .into_iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let boundary =
        boundary.map(|(_, value)| value.trim().trim_matches('"').trim_start_matches('-'));
    match boundary {
        Some(boundary) if !boundary.is_empty() => Ok(boundary.into()),
        _ => Err(Error::Http(
            "its answer has parts, and does not say what is between them".into(),
        )),
    }
}

/// An answer that is none of what was hoped for, with its first words.
fn refused(status: u16, location: Option<&str>, body: &[u8]) -> Error {
    let body = String::from_utf8_lossy(body);
    let first = body
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('<'));
    let words = match (location, first) {
        (Some(location), _) if (300..400).contains(&status) => format!(": try {}", line(location)),
        (_, Some(first)) => {
            let short: String = first.chars().take(200).collect();
            format!(": {}", line(&short))
        }
        _ => String::new(),
    };
    Error::Status(status, words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn opening(address: &str) -> Opening {
        ask(&address.parse().unwrap(), None, [7; 16]).1
    }

    /// The error of an answer to a request for MJPEG.
    fn wrong(answer: &str) -> Error {
        opening("http://robot").cut(answer.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_stream_of_parts_is_opened_however_its_boundary_is_written() {
        for parameters in [
            "boundary=frame",
            " boundary=\"frame\"",
            " charset=x; Boundary=--frame",
        ] {
            let answer = format!(
                "HTTP/1.0 200 OK\r\ncontent-TYPE: multipart/x-mixed-replace;{parameters}\r\n\r\n"
            );
            let mut opening = opening("http://robot");
            for end in 0..answer.len() {
                assert!(matches!(
                    opening.cut(&answer.as_bytes()[..end]),
                    Ok(Cut::Need)
                ));
            }
            let cut = opening.cut(answer.as_bytes());
            assert!(matches!(cut, Ok(Cut::Opened(bytes)) if bytes == answer.len()));
            assert_eq!(opening.boundary(), Some("frame"));
        }
    }

    #[test]
    fn a_websocket_is_opened_by_who_has_the_key() {
        // The example of RFC 6455, section 1.3.
        let mut opening = Opening {
            key: Some("dGhlIHNhbXBsZSBub25jZQ==".into()),
            boundary: None,
        };
        let answer = |accept: &str| {
            format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
        };
        let right = answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(matches!(opening.cut(right.as_bytes()), Ok(Cut::Opened(_))));
        let other = answer("x3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(opening.cut(other.as_bytes()).is_err());
    }

    #[test]
    fn whatever_else_is_there_is_named() {
        for (answer, words) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
                "a page for browsers",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n",
                "a single picture",
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", "does not say"),
            (
                "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n\r\n",
                "between them",
            ),
            (
                "HTTP/1.1 404 Not Found\r\n\r\nno camera \"attic\"\n",
                "404: no camera \"attic\"",
            ),
            (
                "HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n",
                "302: try /other",
            ),
            ("HTTP/1.1\r\n\r\n", "no status"),
            ("SSH-2.0-OpenSSH_10.0\r\n", "SSH-2.0"),
            ("RTSP/1.0 400 Bad Request\r\n", "RTSP/1.0"),
        ] {
            let error = wrong(answer).to_string();
            assert!(error.contains(words), "{answer}: {error}");
        }
        let raw = [9, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xD8];
        assert_eq!(opening("http://robot").cut(&raw).unwrap_err(), Error::Raw);
        let alert = [0x15, 3, 3, 0, 2, 2, 10];
        assert_eq!(opening("http://robot").cut(&alert).unwrap_err(), Error::Tls);
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = opening("ws://robot").cut(&bytes);
            let _ = opening("http://robot").cut(&[b"HTTP/1.0 200 OK\r\n", &bytes[..]].concat());
        }
    }
}
