//! How a camera's picture is cut and turned, and what is written into it.

use std::{fmt, str::FromStr};

use chrono::format::{Item, StrftimeItems};
use serde::{Deserialize, Serialize};
use streamd_protocol::limits::SIDE;

use super::{Size, Value, refused};

by_string!(Crop, Caption);

/// What is done to the place of the pixels: cut, then turned, then flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrangement {
    /// What is left of the camera's picture.
    pub crop: Crop,
    /// By how much it is turned.
    pub rotate: Rotate,
    /// Then mirrored.
    pub flip: Flip,
}

impl Arrangement {
    /// Whether it changes nothing.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// The size of what becomes of a picture of this size.
    pub fn size(self, width: u32, height: u32) -> (u32, u32) {
        let [_, _, width, height] = self.crop.within(width, height);
        match self.rotate.swaps_sides() {
            true => (height, width),
            false => (width, height),
        }
    }

    /// Whether rows become columns, and whether the result is then mirrored from left to right and
    /// from top to bottom.
    pub const fn steps(self) -> (bool, [bool; 2]) {
        let (swapped, across, down) = match self.rotate {
            Rotate::None => (false, false, false),
            Rotate::Right => (true, true, false),
            Rotate::Half => (false, true, true),
            Rotate::Left => (true, false, true),
        };
        let (flips_across, flips_down) = match self.flip {
            Flip::None => (false, false),
            Flip::Horizontal => (true, false),
            Flip::Vertical => (false, true),
            Flip::Both => (true, true),
        };
        (swapped, [across != flips_across, down != flips_down])
    }
}

/// By how much a picture is turned clockwise, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub enum Rotate {
    /// 0
    #[default]
    None,
    /// 90
    Right,
    /// 180
    Half,
    /// 270
    Left,
}

impl Rotate {
    const fn swaps_sides(self) -> bool {
        matches!(self, Self::Right | Self::Left)
    }
}

impl TryFrom<i64> for Rotate {
    type Error = String;
    fn try_from(degrees: i64) -> Result<Self, String> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Right),
            180 => Ok(Self::Half),
            270 => Ok(Self::Left),
            _ => Err(refused::<Self>("rotate", degrees)),
        }
    }
}

impl From<Rotate> for i64 {
    fn from(rotate: Rotate) -> Self {
        match rotate {
            Rotate::None => 0,
            Rotate::Right => 90,
            Rotate::Half => 180,
            Rotate::Left => 270,
        }
    }
}

impl Value for Rotate {
    fn allowed() -> String {
        "0, 90, 180 or 270".into()
    }
}

/// Along what a picture is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flip {
    /// Not at all.
    #[default]
    None,
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
    /// Both.
    Both,
}

impl Flip {
    /// As it is written.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
            Self::Both => "both",
        }
    }
}

impl FromStr for Flip {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "horizontal" => Ok(Self::Horizontal),
            "vertical" => Ok(Self::Vertical),
            "both" => Ok(Self::Both),
            _ => Err(refused::<Self>("flip", text)),
        }
    }
}

impl Value for Flip {
    fn allowed() -> String {
        "\"none\", \"horizontal\", \"vertical\" or \"both\"".into()
    }
}

/// The part of the camera's picture that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Crop(Option<(Size, [u32; 2])>);

impl Crop {
    /// Left, top, width and height of what is used of a picture of this size: what lies outside is
    /// left out, and a part that lies outside altogether counts for nothing.
    pub fn within(self, width: u32, height: u32) -> [u32; 4] {
        match self.0 {
            Some((size, [left, top])) if left < width && top < height => {
                let (right, down) = (width - left, height - top);
                [left, top, size.width.min(right), size.height.min(down)]
            }
            _ => [0, 0, width, height],
        }
    }
}

impl FromStr for Crop {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let place = |s: &str| s.parse::<u32>().ok().filter(|n| n <= SIDE.end());
        text.split_once('+')
            .and_then(|(size, place)| Some((size.parse::<Size>().ok()?, place.split_once('+')?)))
            .and_then(|(size, (x, y))| Some(Self(Some((size, [place(x)?, place(y)?])))))
            .ok_or_else(|| refused::<Self>("crop", text))
    }
}

impl Value for Crop {
    fn allowed() -> String {
        "\"none\" or \"WIDTHxHEIGHT+LEFT+TOP\", as in \"320x240+160+120\"".into()
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            Some((size, [left, top])) => write!(f, "{size}+{left}+{top}"),
        }
    }
}

/// A line of text in the picture: `strftime` of chrono, and `{camera}`; empty for none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Caption(String);

impl Caption {
    /// The longest, in bytes.
    const MAX: usize = 200;

    /// The line at a time; `None` where there is none.
    pub fn at<Tz>(&self, camera: &str, time: &chrono::DateTime<Tz>) -> Option<String>
    where
        Tz: chrono::TimeZone<Offset: fmt::Display>,
    {
        (!self.0.is_empty()).then(|| {
            let text = time.format(&self.0).to_string();
            text.replace("{camera}", camera)
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Caption {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = !StrftimeItems::new(text).any(|item| item == Item::Error);
        let fits = text.len() <= Self::MAX && !text.chars().any(char::is_control);
        match known && fits {
            true => Ok(Self(text.into())),
            false => Err(refused::<Self>("text", text)),
        }
    }
}

impl Value for Caption {
    fn allowed() -> String {
        format!(
            "a line of up to {} bytes in which {{camera}} is the name and %Y, %m, %d, %H, %M, %S and others of strftime the time, or \"\"",
            Self::MAX
        )
    }
}

impl fmt::Display for Caption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_swapped_after_the_cut() {
        let arrangement = Arrangement {
            crop: "320x100+600+0".parse().unwrap(),
            rotate: Rotate::Right,
            flip: Flip::None,
        };
        assert_eq!(arrangement.size(640, 480), (100, 40));
        assert_eq!(arrangement.size(320, 240), (240, 320), "all is outside");
    }

    #[test]
    fn a_flip_undoes_a_mirror() {
        let steps = |rotate, flip| {
            let crop = Crop::default();
            Arrangement { crop, rotate, flip }.steps()
        };
        assert_eq!(steps(Rotate::Half, Flip::Both), (false, [false; 2]));
        assert_eq!(steps(Rotate::Left, Flip::Vertical), (true, [false; 2]));
        assert_eq!(
            steps(Rotate::None, Flip::Horizontal),
            (false, [true, false])
        );
    }

    #[test]
    fn text_is_checked_before_it_is_needed() {
        let caption: Caption = "%Y-%m-%d %H:%M:%S  {camera} 100%%".parse().unwrap();
        let time = chrono::DateTime::from_timestamp_nanos(1_700_000_000_000_000_000);
        let line = caption.at("front", &time).unwrap();
        assert_eq!(line, "2023-11-14 22:13:20  front 100%");
        for wrong in ["%Q", "50 %", "a\nb", &"x".repeat(201)] {
            assert!(wrong.parse::<Caption>().is_err(), "{wrong}");
        }
        assert_eq!(Caption::default().at("front", &time), None);
    }

    #[test]
    fn crops_are_read_and_written_alike() {
        for text in ["none", "320x240+16+0"] {
            assert_eq!(text.parse::<Crop>().unwrap().to_string(), text);
        }
        for wrong in ["", "320x240", "320x240+1", "8x8+0+0", "320x240+-1+0"] {
            assert!(wrong.parse::<Crop>().is_err(), "{wrong}");
        }
    }
}
