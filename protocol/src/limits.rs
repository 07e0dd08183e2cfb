//! What a viewer may be sent at most, and the one check of it.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::stream::{Codec, Want};

/// Frames a second that a camera or a limit may have.
pub const FPS: RangeInclusive<f64> = 0.1..=1000.0;

/// JPEG quality.
pub const QUALITY: RangeInclusive<u8> = 1..=100;

/// Width or height of a picture, pixels.
pub const SIDE: RangeInclusive<u32> = 16..=16_384;

/// What a viewer is sent, and at most; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Frames a second at most.
    pub fps: Option<f64>,
    /// JPEG quality at most.
    pub quality: Option<u8>,
    /// Width at most, pixels.
    pub max_width: Option<u32>,
    /// No pictures.
    pub paused: bool,
    /// How pictures are coded for it.
    #[serde(default)]
    pub codec: Codec,
}

/// A limit out of its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{name} {value}: {least} to {most} is allowed, and 0 for no limit")]
pub struct BadLimit {
    /// Which, as the wire spells it: `fps`, `quality`, `maxWidth`.
    pub name: &'static str,
    /// What was asked for.
    pub value: f64,
    /// The least that is allowed.
    pub least: f64,
    /// The most that is allowed.
    pub most: f64,
}

impl Limits {
    /// Takes over what `want` says; 0 lifts a limit, and what is left out stays.
    ///
    /// # Errors
    /// The first limit that is out of its range; nothing is changed then.
    pub fn apply(&mut self, want: &Want) -> Result<(), BadLimit> {
        let mut new = *self;
        if let Some(fps) = want.fps {
            new.fps = check("fps", fps, &FPS)?;
        }
        if let Some(quality) = want.quality {
            new.quality = check("quality", quality, &QUALITY)?;
        }
        if let Some(width) = want.max_width {
            new.max_width = check("maxWidth", width, &SIDE)?;
        }
        new.paused = want.paused.unwrap_or(new.paused);
        new.codec = want.codec.unwrap_or(new.codec);
        *self = new;
        Ok(())
    }

    /// What holds where both apply: the smaller of each limit, a pause of either, and the more
    /// frugal codec.
    pub fn min(self, other: Self) -> Self {
        fn least<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(if b < a { b } else { a }),
                (a, b) => a.or(b),
            }
        }
        Self {
            fps: least(self.fps, other.fps),
            quality: least(self.quality, other.quality),
            max_width: least(self.max_width, other.max_width),
            paused: self.paused || other.paused,
            codec: match self.codec {
                Codec::Jpeg => other.codec,
                Codec::H264 => Codec::H264,
            },
        }
    }
}

/// 0 is no limit, all else must be in range.
fn check<T>(name: &'static str, value: T, range: &RangeInclusive<T>) -> Result<Option<T>, BadLimit>
where
    T: PartialOrd + Into<f64> + Copy + Default,
{
    if value == T::default() {
        return Ok(None);
    }
    if range.contains(&value) {
        return Ok(Some(value));
    }
    Err(BadLimit {
        name,
        value: value.into(),
        least: (*range.start()).into(),
        most: (*range.end()).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(fps: f64, quality: u8) -> Want {
        Want {
            fps: Some(fps),
            quality: Some(quality),
            ..Want::default()
        }
    }

    #[test]
    fn limits_are_checked_as_a_whole_and_lifted_by_zero() {
        let mut limits = Limits::default();
        let error = limits.apply(&want(10.0, 101)).unwrap_err();
        let says = "quality 101: 1 to 100 is allowed, and 0 for no limit";
        assert_eq!(
            (error.to_string().as_str(), limits),
            (says, Limits::default())
        );
        for fps in [f64::NAN, -1.0, 0.01, 1001.0] {
            assert!(limits.apply(&want(fps, 0)).is_err(), "{fps}");
        }
        limits.apply(&want(10.0, 50)).unwrap();
        limits.apply(&want(0.0, 50)).unwrap();
        assert_eq!((limits.fps, limits.quality), (None, Some(50)));
    }

    #[test]
    fn the_smaller_of_two_holds() {
        let (mut own, mut set) = (Limits::default(), Limits::default());
        own.apply(&want(10.0, 0)).unwrap();
        set.apply(&want(25.0, 40)).unwrap();
        set.paused = true;
        let both = own.min(set);
        assert_eq!(
            (both.fps, both.quality, both.paused),
            (Some(10.0), Some(40), true)
        );
        assert_eq!(set.min(own), both);
    }
}
