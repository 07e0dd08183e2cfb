//! Bits a second of a camera's streams, and what encodes them.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Value, refused};

by_string!(BitRate, Encoder);

/// Bits a second of a camera's H.264 at its best; viewers on narrower links get less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BitRate {
    /// By size and frame rate.
    Auto,
    /// So many.
    Bits(u32),
}

/// Least and most, bits a second.
const RANGE: std::ops::RangeInclusive<u32> = 100_000..=50_000_000;

/// What [`BitRate::Auto`] is at [`USUAL`] pixels a second: as good as JPEG of quality 80, by SSIM on
/// film at 640x480.
const USUAL_RATE: f64 = 2_500_000.0;

/// 640x480 at 30 pictures a second.
const USUAL: f64 = 640.0 * 480.0 * 30.0;

/// Larger and faster pictures need fewer bits a pixel: they differ less from one to the next.
const GROWTH: f64 = 0.75;

impl BitRate {
    /// Bits a second for pictures of this size, so many a second.
    pub fn of(self, (width, height): (u32, u32), fps: f64) -> u32 {
        match self {
            Self::Bits(bits) => bits,
            Self::Auto => {
                let pixels = f64::from(width) * f64::from(height) * fps;
                let bits = USUAL_RATE * (pixels / USUAL).powf(GROWTH);
                (bits as u32).clamp(*RANGE.start(), *RANGE.end())
            }
        }
    }
}

impl FromStr for BitRate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let (number, unit) = match text.as_bytes().last() {
            Some(b'k') => (&text[..text.len() - 1], 1e3),
            Some(b'M') => (&text[..text.len() - 1], 1e6),
            _ => (text, 1.0),
        };
        let is_number = number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let bits = number.parse::<f64>().ok().filter(|_| is_number);
        bits.map(|number| (number * unit).round() as u32)
            .filter(|bits| RANGE.contains(bits))
            .map(Self::Bits)
            .ok_or_else(|| refused::<Self>("bit-rate", text))
    }
}

impl Value for BitRate {
    fn allowed() -> String {
        "\"auto\" or bits a second from \"100k\" to \"50M\", as in \"2.5M\"".into()
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Bits(bits) if bits % 1000 != 0 => write!(f, "{bits}"),
            Self::Bits(bits) if bits % 100_000 != 0 => write!(f, "{}k", bits / 1000),
            Self::Bits(bits) => write!(f, "{}M", f64::from(*bits) / 1e6),
        }
    }
}

/// What encodes a camera's H.264.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Encoder {
    /// The library, on the processor.
    Openh264,
    /// A memory-to-memory device of V4L2, by its node.
    M2m(PathBuf),
}

impl FromStr for Encoder {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let is_path = |path: &&str| path.starts_with('/') && !path.contains('\0');
        match text.strip_prefix("m2m:").filter(is_path) {
            Some(path) => Ok(Self::M2m(path.into())),
            None if text == "openh264" => Ok(Self::Openh264),
            None => Err(refused::<Self>("encoder", text)),
        }
    }
}

impl Value for Encoder {
    fn allowed() -> String {
        "\"openh264\" or \"m2m:\" and the path of a device, as in \"m2m:/dev/video11\"".into()
    }
}

impl fmt::Display for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Openh264 => f.write_str("openh264"),
            Self::M2m(path) => write!(f, "m2m:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_people_write_it() {
        for text in ["auto", "2.5M", "800k", "1M", "123456", "50M", "100k"] {
            let rate: BitRate = text.parse().unwrap();
            assert_eq!(rate.to_string().parse(), Ok(rate), "{text}");
        }
        assert_eq!("2500000".parse(), Ok(BitRate::Bits(2_500_000)));
        for text in [
            "", "k", "99k", "51M", "2.5", "-1M", "1e6", "2M5", "NaN", "infM",
        ] {
            assert!(text.parse::<BitRate>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_encoder_is_the_library_or_a_device() {
        for text in ["openh264", "m2m:/dev/video11", "m2m:/dev/v4l/by-path/codec"] {
            assert_eq!(text.parse::<Encoder>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "m2m",
            "m2m:",
            "m2m:video11",
            "/dev/video11",
            "vaapi",
            "OpenH264",
        ] {
            let refused = text.parse::<Encoder>().unwrap_err();
            assert!(refused.contains("m2m:/dev/video11"), "{refused}");
        }
    }

    #[test]
    fn larger_pictures_have_more_and_fewer_a_pixel() {
        let of = |width, height| BitRate::Auto.of((width, height), 30.0);
        assert_eq!(of(640, 480), 2_500_000);
        assert!((2.0..3.0).contains(&(f64::from(of(1280, 720)) / 2.5e6)));
        assert_eq!(BitRate::Bits(7).of((640, 480), 30.0), 7);
    }
}
