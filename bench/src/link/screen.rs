//! What a viewer's screen is worth: how like the picture on it is to what is in front of the camera
//! at that very moment. Lateness, missing frames and the quality of each picture are all in it.

use openh264::{decoder::Decoder, formats::YUVSource};

use super::{film::Film, ssim};

/// Nanoseconds between two looks.
const LOOK: u64 = 1_000_000;

/// A picture that a screen shows from a moment on, in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'p> {
    /// The moment.
    pub at: u64,
    /// JPEG, or H.264 that builds on the pictures before.
    pub picture: &'p [u8],
}

/// Compares screens with a film.
#[derive(Debug)]
pub struct Critic<'f> {
    film: &'f Film,
    luma: Vec<Vec<u8>>,
}

impl<'f> Critic<'f> {
    /// Of this film.
    pub fn new(film: &'f Film) -> Self {
        Self {
            film,
            luma: film.luma(),
        }
    }

    /// The mean SSIM over the time between two moments. A screen that has had no picture yet, or one
    /// that can't be decoded, is like nothing: 0.
    pub fn mean(&self, shown: &[Shown<'_>], from: u64, to: u64) -> f64 {
        let mut next = shown.partition_point(|shown| shown.at <= from);
        let size = (self.film.width, self.film.height);
        let mut screen = Screen::default();
        let mut on_screen = next
            .checked_sub(1)
            .and_then(|last| screen.luma(shown, last, size));
        let (mut filmed, mut alike) = (None, None);
        let (mut sum, mut looks) = (0.0, 0.0);
        for now in (from..to).step_by(LOOK as usize) {
            let before = next;
            next += shown[next..]
                .iter()
                .take_while(|shown| shown.at <= now)
                .count();
            if next > before {
                on_screen = screen.luma(shown, next - 1, size);
                alike = None;
            }
            let frame = self.film.at(now);
            if filmed != Some(frame) {
                (filmed, alike) = (Some(frame), None);
            }
            sum += *alike.get_or_insert_with(|| match &on_screen {
                Some(luma) => ssim::ssim(luma, &self.luma[frame], self.film.width),
                None => 0.0,
            });
            looks += 1.0;
        }
        sum / looks
    }
}

/// What has been decoded.
#[derive(Default)]
struct Screen {
    decoder: Option<Decoder>,
    /// Pictures that the decoder has had.
    done: usize,
    last: Option<Vec<u8>>,
}

impl Screen {
    /// The luma of this one of the pictures, made as large as this; those before it have been asked
    /// for, or are decoded now where it builds on them.
    fn luma(&mut self, shown: &[Shown<'_>], at: usize, size: (usize, usize)) -> Option<Vec<u8>> {
        if !shown[at].picture.starts_with(&[0, 0, 0, 1]) {
            return ssim::luma(shown[at].picture, size);
        }
        if self.decoder.is_none() {
            self.decoder = Decoder::new().ok();
        }
        let decoder = self.decoder.as_mut()?;
        for unit in &shown[self.done..=at] {
            if let Ok(Some(decoded)) = decoder.decode(unit.picture) {
                let (width, height) = decoded.dimensions();
                let lines = decoded.y().chunks(decoded.strides().0).take(height);
                let luma: Vec<u8> = lines.flat_map(|line| &line[..width]).copied().collect();
                self.last = Some(ssim::as_large(luma, (width, height), size));
            }
        }
        self.done = at + 1;
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{film, oracle::Oracle};

    #[test]
    fn late_and_missing_pictures_count_as_what_is_on_the_screen_meanwhile() {
        let film = Film::blinking();
        let oracle = Oracle::new(&film, 95).unwrap();
        let critic = Critic::new(&film);
        let (from, to) = (film::begin(1000), film::begin(1060));
        let mean = |late: u64| {
            let shown: Vec<Shown<'_>> = (990..1060)
                .map(|turn| Shown {
                    at: film::begin(turn + late),
                    picture: oracle.best(turn),
                })
                .collect();
            critic.mean(&shown, from, to)
        };
        assert!(mean(0) > 0.95, "{}", mean(0));
        assert!(mean(1) < 0.7, "always the wrong one: {}", mean(1));
        assert!(mean(2) > 0.95, "the film has two pictures");
        let one = Shown {
            at: from,
            picture: oracle.best(1000),
        };
        let half = critic.mean(&[one], from, to);
        assert!((half - (mean(0) + mean(1)) / 2.0).abs() < 0.05, "{half}");
        assert_eq!(critic.mean(&[], from, to), 0.0);
        let broken = Shown {
            at: 0,
            picture: b"no JPEG",
        };
        assert_eq!(critic.mean(&[broken], from, to), 0.0);
    }
}
