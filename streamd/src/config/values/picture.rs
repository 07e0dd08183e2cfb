//! What the pictures of a camera are to be like.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use streamd_protocol::limits::{FPS, QUALITY, SIDE};

use super::{Value, refused};
use crate::media::{PixelFormat, Rendition, Scale};

by_string!(Size, Format, Rung);

/// Width and height in pixels, 16–16384 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Size {
    /// A size; the caller answers for its range.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let side = |s: &str| s.parse().ok().filter(|n| SIDE.contains(n));
        text.split_once('x')
            .and_then(|(w, h)| Some(Self::new(side(w)?, side(h)?)))
            .ok_or_else(|| refused::<Self>("size", text))
    }
}

impl Value for Size {
    fn allowed() -> String {
        let (least, most) = (SIDE.start(), SIDE.end());
        format!("\"WIDTHxHEIGHT\", each from {least} to {most}, as in \"640x480\"")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// The pixel format asked of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Format {
    /// A raw format where the driver gives the wanted size and rate in one, else MJPG.
    Auto,
    /// This one.
    Fixed(PixelFormat),
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        PixelFormat::named(text)
            .map(Self::Fixed)
            .ok_or_else(|| refused::<Self>("format", text))
    }
}

impl Value for Format {
    fn allowed() -> String {
        let plain = PixelFormat::ALL
            .into_iter()
            .filter(|format| !matches!(format, PixelFormat::Mosaic(..)));
        let names: String = plain
            .map(|format| format!("\"{}\", ", format.name()))
            .collect();
        format!("\"auto\", {names}or a sensor's mosaic as in \"RGGB8\" or \"BGGR10P\"")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(format) => f.write_str(format.name()),
        }
    }
}

/// Which values of deep grey are black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum GrayRange {
    /// Of 10 and 12 bits the whole range; of 14 and 16 what the pictures span.
    Auto,
    /// From the first to the second.
    Between(u16, u16),
}

impl GrayRange {
    /// Whatever the depth, from its least to its greatest value.
    pub const WHOLE: Self = Self::Between(0, u16::MAX);
}

/// A [`GrayRange`] as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Pair([u16; 2]),
}

impl TryFrom<Written> for GrayRange {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Word(word) if word == "auto" => Ok(Self::Auto),
            Written::Pair([black, white]) if black < white => Ok(Self::Between(black, white)),
            Written::Word(word) => Err(refused::<Self>("gray-range", word)),
            Written::Pair(pair) => Err(refused::<Self>("gray-range", pair)),
        }
    }
}

impl From<GrayRange> for Written {
    fn from(range: GrayRange) -> Self {
        match range {
            GrayRange::Auto => Self::Word("auto".into()),
            GrayRange::Between(black, white) => Self::Pair([black, white]),
        }
    }
}

impl Value for GrayRange {
    fn allowed() -> String {
        "\"auto\" or [BLACK, WHITE], whole numbers from 0 to 65535 with the smaller one first"
            .into()
    }
}

/// Frames a second, 0.1–1000; any rational rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fps(f64);

impl Fps {
    /// A rate; the caller answers for its range.
    pub const fn new(fps: f64) -> Self {
        Self(fps)
    }

    /// Frames a second.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fps {
    type Error = String;
    fn try_from(fps: f64) -> Result<Self, String> {
        match FPS.contains(&fps) {
            true => Ok(Self(fps)),
            false => Err(refused::<Self>("fps", fps)),
        }
    }
}

impl Value for Fps {
    fn allowed() -> String {
        format!("a number from {} to {}", FPS.start(), FPS.end())
    }
}

impl From<Fps> for f64 {
    fn from(fps: Fps) -> Self {
        fps.0
    }
}

/// JPEG quality, 1–100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quality(u8);

impl Quality {
    /// A quality; the caller answers for its range.
    pub const fn new(quality: u8) -> Self {
        Self(quality)
    }

    /// 1–100.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Quality {
    type Error = String;
    fn try_from(quality: i64) -> Result<Self, String> {
        match u8::try_from(quality) {
            Ok(q) if QUALITY.contains(&q) => Ok(Self(q)),
            _ => Err(refused::<Self>("quality", quality)),
        }
    }
}

impl Value for Quality {
    fn allowed() -> String {
        let (least, most) = (QUALITY.start(), QUALITY.end());
        format!("a whole number from {least} to {most}")
    }
}

impl From<Quality> for i64 {
    fn from(quality: Quality) -> Self {
        quality.0.into()
    }
}

/// Chroma subsampling of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chroma {
    /// Half the chroma in both directions: the fastest, and what every viewer expects.
    #[serde(rename = "4:2:0")]
    Yuv420,
    /// Half the chroma horizontally only: sharper coloured edges, 7 % more bytes.
    #[serde(rename = "4:2:2")]
    Yuv422,
}

impl Value for Chroma {
    fn allowed() -> String {
        "\"4:2:0\" or \"4:2:2\"".into()
    }
}

/// What is kept for as long as it can be where a link is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prefer {
    /// The frame rate: pictures become smaller.
    Motion,
    /// The pictures: there are fewer of them, before they become small.
    Detail,
}

impl Value for Prefer {
    fn allowed() -> String {
        "\"motion\" or \"detail\"".into()
    }
}

/// A step of the ladder of renditions: a quality, and by what the picture is smaller: `60`, `60/2`, `40/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rung(pub Rendition);

impl Rung {
    /// Of all qualities and sizes, those of the highest SSIM at their bytes on film at 640x480, in
    /// steps of a tenth to a fifth of the bytes, so that some step fills most of a link.
    pub fn default_ladder() -> Vec<Self> {
        use Scale::{Full, Half, Quarter};
        [
            (75, Full),
            (70, Full),
            (60, Full),
            (50, Full),
            (40, Full),
            (30, Full),
            (25, Full),
            (20, Full),
            (75, Half),
            (65, Half),
            (55, Half),
            (45, Half),
            (35, Half),
            (27, Half),
            (20, Half),
            (15, Half),
            (60, Quarter),
            (45, Quarter),
            (30, Quarter),
            (20, Quarter),
        ]
        .map(|(quality, scale)| Self(Rendition { quality, scale }))
        .to_vec()
    }
}

impl FromStr for Rung {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (quality, divisor) = text.split_once('/').unwrap_or((text, "1"));
        let scale = match divisor {
            "1" => Some(Scale::Full),
            "2" => Some(Scale::Half),
            "4" => Some(Scale::Quarter),
            _ => None,
        };
        scale
            .zip(quality.parse::<u8>().ok().filter(|q| QUALITY.contains(q)))
            .map(|(scale, quality)| Self(Rendition { quality, scale }))
            .ok_or_else(|| refused::<Self>("ladder step", text))
    }
}

impl Value for Rung {
    fn allowed() -> String {
        let (least, most) = (QUALITY.start(), QUALITY.end());
        format!(
            "\"QUALITY\", \"QUALITY/2\" or \"QUALITY/4\", each quality from {least} to {most}, as in [\"60\", \"40/2\"]"
        )
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.scale {
            Scale::Full => write!(f, "{}", self.0.quality),
            scale => write!(f, "{}/{}", self.0.quality, scale.divisor()),
        }
    }
}
