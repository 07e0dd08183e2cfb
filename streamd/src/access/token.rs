//! Tokens: what proves who somebody is, and what is kept of it.
//!
//! A token is 256 random bits, so that a plain SHA-256 of it is enough to keep: nobody can try
//! them out, as people's passwords can be.

use std::{fmt, io};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a token.
const BYTES: usize = 32;

/// What is kept of a token: its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key([u8; BYTES]);

impl Key {
    /// That of a token as it was shown.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether it is the same, in a time that says nothing of where they differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        BASE64_URL_SAFE_NO_PAD.encode(key.0)
    }
}

impl TryFrom<String> for Key {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("no SHA-256 in base64")
    }
}

/// A new token, in letters that are at home in a header, an address and a cookie.
///
/// # Errors
/// The kernel has no random bytes.
pub fn random() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_key_alone() {
        let (one, other) = (random().unwrap(), random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 43);
        assert!(Key::of(&one).is(&Key::of(&one)) && !Key::of(&one).is(&Key::of(&other)));
        let kept = serde_json::to_string(&Key::of(&one)).unwrap();
        assert!(!kept.contains(&one));
        assert!(
            serde_json::from_str::<Key>(&kept)
                .unwrap()
                .is(&Key::of(&one))
        );
        assert!(serde_json::from_str::<Key>("\"c2hvcnQ\"").is_err());
    }

    /// The first example of FIPS 180-2.
    #[test]
    fn a_key_is_the_sha_256() {
        let text = String::from(Key::of("abc"));
        assert_eq!(text, "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
