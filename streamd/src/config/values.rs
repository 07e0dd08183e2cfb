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

by_string!(CameraName, Device, Duration, FrameTimeout);

mod access;
mod arrangement;
mod audio;
mod bit_rate;
mod controls;
mod hook;
mod nats;
mod network;
mod picture;
mod record;
mod source;

pub use access::{Anonymous, Proxy, ProxyHeader, UserRole};
pub use arrangement::{Arrangement, Caption, Crop, Flip, Rotate};
pub use audio::{SoundBitRate, SoundChannels, SoundDevice};
pub use bit_rate::{BitRate, Encoder};
pub use controls::{ControlValue, Controls, key as control_key};
pub use hook::{Command, On};
pub use nats::{Machine, Remote, Server};
pub use network::{Address, Bandwidth, Congestion, Datagrams, Listen, MaxClients, PerSecond};
pub use picture::{Chroma, Format, Fps, GrayRange, Prefer, Quality, Rung, Size};
pub use record::{Directory, Every, Keep, PreRoll, RecordCodec, RecordMode, Segment, Space};
pub use source::{File, Input, Standard};

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
    /// What is plugged into this USB port, `1-1.2`, or this interface of it, `1-1.2:1.0`.
    Usb(String),
    /// The USB device with this serial number.
    Serial(String),
    /// A link in `/dev/v4l/by-id`, with or without its `-video-index0`.
    ById(String),
    /// The same in `/dev/v4l/by-path`.
    ByPath(String),
    /// A camera of another machine, by NATS.
    Nats(Remote),
}

impl FromStr for Device {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "test" => Ok(Self::Test),
            path if path.starts_with('/') && !path.contains('\0') => Ok(Self::Path(path.into())),
            name => Self::named(name).ok_or_else(|| refused::<Self>("device", text)),
        }
    }
}

impl Device {
    /// A device by a name that stays.
    fn named(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let is_name = |name: &str| {
            let illegal = |c: char| c == '/' || c.is_control();
            !name.trim().is_empty() && !matches!(name, "." | "..") && !name.contains(illegal)
        };
        let is_port = |name: &str| {
            let legal = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'.' | b':');
            name.bytes().all(legal) && name.starts_with(|c: char| c.is_ascii_digit())
        };
        match kind {
            "usb" if is_port(name) => Some(Self::Usb(name.into())),
            "serial" if is_name(name) => Some(Self::Serial(name.into())),
            "by-id" if is_name(name) => Some(Self::ById(name.into())),
            "by-path" if is_name(name) => Some(Self::ByPath(name.into())),
            "nats" => name.parse().ok().map(Self::Nats),
            _ => None,
        }
    }
}

impl Value for Device {
    fn allowed() -> String {
        "an absolute path, \"usb:PORT\", \"serial:NUMBER\", \"by-id:NAME\", \"by-path:NAME\", \"nats:HOST/CAMERA\", \"auto\" or \"test\"".into()
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Test => f.write_str("test"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Usb(port) => write!(f, "usb:{port}"),
            Self::Serial(serial) => write!(f, "serial:{serial}"),
            Self::ById(name) => write!(f, "by-id:{name}"),
            Self::ByPath(name) => write!(f, "by-path:{name}"),
            Self::Nats(remote) => write!(f, "nats:{remote}"),
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

/// For how long no frame may come before a camera counts as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FrameTimeout {
    /// What its rate makes likely.
    Auto,
    /// This long; zero for ever.
    After(Duration),
}

impl FrameTimeout {
    /// The time, if it does not follow from the rate; zero for ever.
    pub const fn get(self) -> Option<std::time::Duration> {
        match self {
            Self::Auto => None,
            Self::After(time) => Some(time.get()),
        }
    }
}

impl FromStr for FrameTimeout {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            time => time
                .parse()
                .map(Self::After)
                .map_err(|_| refused::<Self>("frame-timeout", text)),
        }
    }
}

impl Value for FrameTimeout {
    fn allowed() -> String {
        format!("\"auto\", or {}", Duration::allowed())
    }
}

impl fmt::Display for FrameTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::After(time) => time.fmt(f),
        }
    }
}
