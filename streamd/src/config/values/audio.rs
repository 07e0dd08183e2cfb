//! A camera's sound.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Value, refused};

by_string!(SoundDevice, SoundBitRate);

/// Where a camera's sound comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SoundDevice {
    /// The built-in test tone.
    Test,
    /// A device of ALSA, by its name there.
    Alsa(String),
}

/// Characters of a name at most.
const LONGEST: usize = 128;

impl FromStr for SoundDevice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = !text.trim().is_empty()
            && text.len() <= LONGEST
            && !text.contains(|c: char| c.is_control());
        match text {
            "test" => Ok(Self::Test),
            name if is_name => Ok(Self::Alsa(name.into())),
            _ => Err(refused::<Self>("device", text)),
        }
    }
}

impl Value for SoundDevice {
    fn allowed() -> String {
        "the name of an ALSA device, as in \"default\" or \"hw:1\", or \"test\"".into()
    }
}

impl fmt::Display for SoundDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "test",
            Self::Alsa(name) => name,
        })
    }
}

/// Bits a second of a camera's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SoundBitRate(u32);

impl SoundBitRate {
    /// So many.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// Bits a second.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl FromStr for SoundBitRate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = match text.strip_suffix('k') {
            Some(number) => (number, 1000),
            None => (text, 1),
        };
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let bits = number.parse::<u32>().ok().filter(|_| is_number);
        bits.and_then(|bits| bits.checked_mul(unit))
            .filter(|bits| (6_000..=256_000).contains(bits))
            .map(Self)
            .ok_or_else(|| refused::<Self>("bit-rate", text))
    }
}

impl Value for SoundBitRate {
    fn allowed() -> String {
        "bits a second from \"6k\" to \"256k\", as in \"64k\"".into()
    }
}

impl fmt::Display for SoundBitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 1000 {
            0 => write!(f, "{}k", self.0 / 1000),
            _ => write!(f, "{}", self.0),
        }
    }
}

/// How many channels a camera's sound has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum SoundChannels {
    /// One.
    Mono,
    /// Two.
    Stereo,
}

impl SoundChannels {
    /// How many.
    pub const fn get(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}

impl TryFrom<u32> for SoundChannels {
    type Error = String;
    fn try_from(count: u32) -> Result<Self, String> {
        match count {
            1 => Ok(Self::Mono),
            2 => Ok(Self::Stereo),
            _ => Err(refused::<Self>("channels", count)),
        }
    }
}

impl From<SoundChannels> for u32 {
    fn from(channels: SoundChannels) -> Self {
        channels.get() as u32
    }
}

impl Value for SoundChannels {
    fn allowed() -> String {
        "1 or 2".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_bit_rates_read_back_as_they_are_written() {
        for text in ["test", "default", "hw:1", "plughw:CARD=C920,DEV=0"] {
            let device: SoundDevice = text.parse().unwrap();
            assert_eq!(device.to_string(), text);
        }
        for text in ["", "  ", "hw:\n", &"x".repeat(129)] {
            assert!(text.parse::<SoundDevice>().is_err(), "{text:?}");
        }
        for text in ["6k", "64k", "256k", "12345"] {
            let rate: SoundBitRate = text.parse().unwrap();
            assert_eq!(rate.to_string(), text);
        }
        for text in ["", "k", "5k", "257k", "-64k", "64M", "6.5k", "5000000k"] {
            assert!(text.parse::<SoundBitRate>().is_err(), "{text:?}");
        }
    }
}
