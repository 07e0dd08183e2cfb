//! The values of the configuration, each a type with its range.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// A value of the configuration: its range in words stands at its type, and nowhere else.
pub trait Value {
    /// What is allowed, in words that follow "allowed:".
    fn allowed() -> String;
}

/// The error for a value that is not allowed; `what` names it.
pub(super) fn refused<T: Value>(what: &str, value: impl fmt::Debug) -> String {
    format!("{what} {value:?}: {} is allowed", T::allowed())
}

impl Value for bool {
    fn allowed() -> String {
        "true or false".into()
    }
}

/// Makes a type that serde reads and writes as a string, by `FromStr` and `Display`.
macro_rules! by_string {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}

by_string!(CameraName, Device, Duration);

mod arrangement;
mod network;
mod picture;

pub use arrangement::{Arrangement, Caption, Crop, Flip, Rotate};
pub use network::{Congestion, Listen, MaxClients};
pub use picture::{Chroma, Format, Fps, GrayRange, Quality, Rung, Size};

/// A camera's name: 1–32 of `a-z A-Z 0-9 - _`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraName(String);

impl CameraName {
    /// Its longest, in bytes.
    pub const MAX: usize = 32;

    /// The name of the camera that an empty file means.
    pub fn main() -> Self {
        Self("main".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CameraName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(legal) {
            return Err(format!(
                "camera name {text:?}: 1 to 32 letters, digits, `-` or `_` are allowed"
            ));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which device a camera is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// The first camera found, else the test pattern.
    Auto,
    /// The built-in test pattern.
    Test,
    /// A path that answers `VIDIOC_QUERYCAP`: a node or a link to one.
    Path(PathBuf),
}

impl FromStr for Device {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "test" => Ok(Self::Test),
            path if path.starts_with('/') && !path.contains('\0') => Ok(Self::Path(path.into())),
            _ => Err(refused::<Self>("device", text)),
        }
    }
}

impl Value for Device {
    fn allowed() -> String {
        "an absolute path, \"auto\" or \"test\"".into()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Test => f.write_str("test"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A length of time with its unit: `500ms`, `10s`, `2min`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

impl Duration {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// The length.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }
}

impl FromStr for Duration {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let millis = match unit.trim() {
            "ms" => Some(1u64),
            "s" => Some(1000),
            "min" | "m" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        millis
            .zip(number.parse::<u64>().ok())
            .and_then(|(unit, n)| unit.checked_mul(n))
            .filter(|ms| *ms <= 24 * 3_600_000)
            .map(|ms| Self(std::time::Duration::from_millis(ms)))
            .ok_or_else(|| refused::<Self>("duration", text))
    }
}

impl Value for Duration {
    fn allowed() -> String {
        "a whole number with ms, s, min or h, up to 24h, as in \"10s\"".into()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        if ms.is_multiple_of(1000) {
            write!(f, "{}s", ms / 1000)
        } else {
            write!(f, "{ms}ms")
        }
    }
}
