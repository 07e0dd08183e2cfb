//! What is recorded, and for how long it is kept.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Duration, Value, refused};

by_string!(
    RecordMode,
    RecordCodec,
    Keep,
    Space,
    Segment,
    PreRoll,
    Every
);

/// When pictures are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordMode {
    /// Only while somebody asks for it.
    Off,
    /// Always.
    Continuous,
    /// While somebody asks for it, from some time before that on.
    Event,
}

const MODES: [(&str, RecordMode); 3] = [
    ("off", RecordMode::Off),
    ("continuous", RecordMode::Continuous),
    ("event", RecordMode::Event),
];

impl FromStr for RecordMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mode = MODES.iter().find(|(word, _)| *word == text);
        mode.map(|(_, mode)| *mode)
            .ok_or_else(|| refused::<Self>("mode", text))
    }
}

impl fmt::Display for RecordMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = MODES.iter().find(|(_, mode)| mode == self);
        f.write_str(mode.map_or("", |(word, _)| word))
    }
}

impl Value for RecordMode {
    fn allowed() -> String {
        "\"continuous\", \"event\" or \"off\"".into()
    }
}

/// How recordings are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordCodec {
    /// H.264 where this build has it, else JPEG.
    Auto,
    /// H.264.
    H264,
    /// JPEG, as viewers get it at its best.
    Jpeg,
}

const RECORD_CODECS: [(&str, RecordCodec); 3] = [
    ("auto", RecordCodec::Auto),
    ("h264", RecordCodec::H264),
    ("jpeg", RecordCodec::Jpeg),
];

impl FromStr for RecordCodec {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let codec = RECORD_CODECS.iter().find(|(word, _)| *word == text);
        codec
            .map(|(_, codec)| *codec)
            .ok_or_else(|| refused::<Self>("codec", text))
    }
}

impl fmt::Display for RecordCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codec = RECORD_CODECS.iter().find(|(_, codec)| codec == self);
        f.write_str(codec.map_or("", |(word, _)| word))
    }
}

impl Value for RecordCodec {
    fn allowed() -> String {
        "\"auto\", \"h264\" or \"jpeg\"".into()
    }
}

/// The absolute path of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct Directory(PathBuf);

impl Directory {
    /// The path.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl TryFrom<PathBuf> for Directory {
    type Error = String;
    fn try_from(path: PathBuf) -> Result<Self, String> {
        match path.is_absolute() {
            true => Ok(Self(path)),
            false => Err(refused::<Self>("directory", path)),
        }
    }
}

impl From<Directory> for PathBuf {
    fn from(directory: Directory) -> Self {
        directory.0
    }
}

impl Value for Directory {
    fn allowed() -> String {
        "the absolute path of a directory".into()
    }
}

/// For how long recordings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Keep {
    /// As long as there is room.
    Forever,
    /// So many seconds.
    Seconds(u64),
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Ten years: what is longer is hardly meant.
const LONGEST: u64 = 3650 * DAY;

impl Keep {
    /// So many days.
    pub const fn days(days: u64) -> Self {
        Self::Seconds(days * DAY)
    }
}

impl FromStr for Keep {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let split = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(split.unwrap_or(text.len()));
        let unit = match unit.trim() {
            "min" | "m" => Some(MINUTE),
            "h" => Some(HOUR),
            "d" => Some(DAY),
            _ => None,
        };
        unit.zip(number.parse::<u64>().ok())
            .and_then(|(unit, n)| unit.checked_mul(n))
            .filter(|seconds| (MINUTE..=LONGEST).contains(seconds))
            .map(Self::Seconds)
            .ok_or_else(|| refused::<Self>("keep", text))
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Seconds(s) if s % DAY == 0 => write!(f, "{}d", s / DAY),
            Self::Seconds(s) if s % HOUR == 0 => write!(f, "{}h", s / HOUR),
            Self::Seconds(s) => write!(f, "{}min", s / MINUTE),
        }
    }
}

impl Value for Keep {
    fn allowed() -> String {
        "\"forever\", or a whole number with min, h or d, up to 3650d, as in \"7d\"".into()
    }
}

/// Room on a disk; or none that is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Space {
    /// No bound.
    None,
    /// So many bytes.
    Bytes(u64),
}

const UNITS: [(&str, u64); 4] = [
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

impl Space {
    /// Bytes, if it is bounded.
    pub const fn bytes(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

impl FromStr for Space {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let read = UNITS.iter().find_map(|(unit, bytes)| {
            let number = text.strip_suffix(unit)?.trim_end();
            let is_number = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let number: f64 = number.parse().ok().filter(|_| is_number)?;
            Some((number * *bytes as f64).round())
        });
        match read.filter(|bytes| (1e6..=1e15).contains(bytes)) {
            Some(bytes) => Ok(Self::Bytes(bytes as u64)),
            None => Err(refused::<Self>("space", text)),
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Bytes(bytes) => {
                let exact = UNITS.iter().find(|(_, unit)| bytes % unit == 0);
                let (unit, of) = exact.unwrap_or(&("k", 1_000));
                write!(f, "{}{unit}", *bytes as f64 / *of as f64)
            }
        }
    }
}

impl Value for Space {
    fn allowed() -> String {
        "\"none\", or a number with M, G or T, from 1M to 1000T, as in \"20G\"".into()
    }
}

/// Makes a length of time with a range of its own.
macro_rules! bounded {
    ($($(#[$doc:meta])* $name:ident, $least:literal ..= $most:literal, $key:literal, $words:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Duration);

        impl $name {
            /// So long.
            pub const fn new(time: Duration) -> Self {
                Self(time)
            }

            /// The length.
            pub const fn get(self) -> std::time::Duration {
                self.0.get()
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let time = text.parse::<Duration>().ok();
                let in_range = |time: &Duration| ($least..=$most).contains(&time.get().as_millis());
                time.filter(in_range)
                    .map(Self)
                    .ok_or_else(|| refused::<Self>($key, text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Value for $name {
            fn allowed() -> String {
                $words.into()
            }
        }
    )*};
}

bounded! {
    /// How long a file of a recording is.
    Segment, 2_000..=3_600_000, "segment",
        "a whole number with s, min or h, from 2s to 1h, as in \"60s\"";
    /// What is recorded of the time before an event.
    PreRoll, 0..=60_000, "pre-roll",
        "a whole number with ms, s or min, up to 60s, as in \"5s\"";
    /// Between two pictures of a time lapse.
    Every, 0..=86_400_000, "timelapse",
        "a whole number with ms, s, min or h, up to 24h, as in \"10s\"; \"0s\" for none";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same<T: FromStr + fmt::Display + PartialEq + fmt::Debug>(texts: &[&str])
    where
        T::Err: fmt::Debug,
    {
        for text in texts {
            let read: T = text.parse().unwrap();
            assert_eq!(read.to_string(), *text);
        }
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        same::<Keep>(&["forever", "7d", "36h", "90min", "3650d"]);
        same::<Space>(&[
            "none",
            "1M",
            "20G",
            "1.5k".replace("1.5k", "1500k").as_str(),
            "4T",
        ]);
        same::<RecordMode>(&["off", "event", "continuous"]);
        same::<RecordCodec>(&["auto", "h264", "jpeg"]);
        same::<Segment>(&["2s", "3600s"]);
        same::<PreRoll>(&["0s", "500ms", "60s"]);
        assert_eq!("1.5G".parse(), Ok(Space::Bytes(1_500_000_000)));
    }

    #[test]
    fn what_is_not_allowed_is_refused_with_what_is() {
        for wrong in ["", "7", "0d", "4000d", "1w", "-1d", "30s"] {
            let error = wrong.parse::<Keep>().unwrap_err();
            assert!(error.contains("\"7d\""), "{error}");
        }
        for wrong in ["", "5", "0G", "1k", "NaNG", "-1G", "infG", "2000T"] {
            assert!(wrong.parse::<Space>().is_err(), "{wrong}");
        }
        for wrong in ["1s", "2h", "500ms", "x"] {
            assert!(wrong.parse::<Segment>().is_err(), "{wrong}");
        }
        assert!("61s".parse::<PreRoll>().is_err());
        assert!("always".parse::<RecordMode>().is_err());
        assert!(Directory::try_from(PathBuf::from("a/b")).is_err());
    }
}
