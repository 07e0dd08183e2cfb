//! The opening handshake: is this request a WebSocket's, and what is answered.

use axum::http::{
    HeaderMap, Method, StatusCode, Version,
    header::{CONNECTION, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

/// What RFC 6455 section 1.3 appends to the key.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request to `/ws` is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHandshake {
    /// It does not ask for the upgrade.
    #[error(
        "this address speaks WebSocket only: `Connection: Upgrade` and `Upgrade: websocket` are missing"
    )]
    NoUpgrade,
    /// It speaks another version.
    #[error("Sec-WebSocket-Version must be 13")]
    Version,
    /// The key is missing or is not 16 bytes in base64.
    #[error("Sec-WebSocket-Key must be 16 bytes in base64")]
    Key,
}

impl NoHandshake {
    /// The answer's status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NoUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks a handshake; the value of `Sec-WebSocket-Accept`.
pub fn accept(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<String, NoHandshake> {
    if method != Method::GET
        || version < Version::HTTP_11
        || !lists(headers, CONNECTION, "upgrade")
        || !lists(headers, UPGRADE, "websocket")
    {
        return Err(NoHandshake::NoUpgrade);
    }
    if headers
        .get(SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(NoHandshake::Version);
    }
    let key = headers
        .get(SEC_WEBSOCKET_KEY)
        .ok_or(NoHandshake::Key)?
        .as_bytes();
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => Ok(accept_value(key)),
        _ => Err(NoHandshake::Key),
    }
}

fn accept_value(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether a header that is a list of tokens has this one, in any case.
fn lists(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn asked(headers: &[(&'static str, &'static str)]) -> Result<String, NoHandshake> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        accept(&Method::GET, Version::HTTP_11, &headers)
    }

    fn with(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        let change =
            |(n, v): &(&'static str, &'static str)| (*n, if *n == name { value } else { v });
        RIGHT.iter().map(change).collect()
    }

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(asked(RIGHT), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()));
    }

    #[test]
    fn what_is_no_handshake() {
        let cases = [
            (with("connection", "keep-alive"), NoHandshake::NoUpgrade),
            (with("upgrade", "h2c"), NoHandshake::NoUpgrade),
            (vec![], NoHandshake::NoUpgrade),
            (with("sec-websocket-version", "8"), NoHandshake::Version),
            (with("sec-websocket-key", "short"), NoHandshake::Key),
            (with("sec-websocket-key", "c2hvcnQ="), NoHandshake::Key),
            (RIGHT[..3].to_vec(), NoHandshake::Key),
        ];
        for (headers, error) in cases {
            assert_eq!(asked(&headers), Err(error), "{headers:?}");
        }
        let old = accept(&Method::GET, Version::HTTP_10, &HeaderMap::new());
        assert_eq!(old, Err(NoHandshake::NoUpgrade));
    }
}
