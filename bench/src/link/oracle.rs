//! The best that could be had: a server that knows what the link will carry.
//!
//! Of each frame it sends the best rendition that has passed when the next frame comes, so that none
//! waits for another; where not even the smallest has, the smallest. A frame that would arrive only
//! just before the next one, as at the end of an outage, it leaves out. Encoding costs it no time.

use std::time::Duration;

use streamd::{
    config::values::{Chroma, Rung},
    encode::jpeg::Encoder,
    media::{Colour, Layout, Origin, PixelFormat, RawFrame, Rendition, Scale, Timestamp},
};
use streamd_protocol::stream::AppSegment;

use super::{
    bottleneck::Bottleneck,
    film::{self, Film},
};

/// Bytes of a packet that are the frame's, and those that are heads.
const SEGMENT: usize = 1448;
const HEADS: usize = 52;

/// A frame as it was sent, and when it has arrived. Nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Debug, Clone, Copy)]
pub struct Sent<'o> {
    /// When it came before the camera.
    pub captured: u64,
    /// When the viewer had it.
    pub at: u64,
    /// JPEG.
    pub picture: &'o [u8],
}

/// All frames of a film in all renditions of the default ladder, best first.
#[derive(Debug)]
pub struct Oracle {
    frames: Vec<Vec<Vec<u8>>>,
}

impl Oracle {
    /// Of this film, whose best pictures have this quality.
    ///
    /// # Errors
    /// When it can't be encoded.
    pub fn new(film: &Film, quality: u8) -> anyhow::Result<Self> {
        let best = Rendition {
            quality,
            scale: Scale::Full,
        };
        let below = Rung::default_ladder().into_iter().map(|rung| rung.0);
        let ladder: Vec<Rendition> = [best].into_iter().chain(below).collect();
        let mut encoder = Encoder::new();
        let mut encode = |frame: &Vec<u8>| -> anyhow::Result<_> {
            let raw = raw(film, frame);
            let app = AppSegment {
                sequence: 0,
                captured_us: 0,
                camera: "main".into(),
            };
            let head = app.head();
            let picture = |rendition: &Rendition| {
                let encoded = encoder.encode(&raw, *rendition, Chroma::Yuv420, &head)?;
                Ok(encoded.bytes.to_vec())
            };
            ladder.iter().map(picture).collect()
        };
        let frames: anyhow::Result<_> = film.frames().iter().map(&mut encode).collect();
        Ok(Self { frames: frames? })
    }

    /// What a viewer behind this link has between two moments; `delay` is the way without the link.
    pub fn watch(&self, link: &Bottleneck, delay: Duration, from: u64, to: u64) -> Vec<Sent<'_>> {
        let (mut sent, mut free) = (Vec::new(), from);
        let delay = delay.as_nanos() as u64;
        for turn in film::turn(from) + 1.. {
            let captured = film::begin(turn);
            if captured >= to {
                return sent;
            }
            let Some((picture, passed)) = self.choose(link, turn, free) else {
                continue;
            };
            free = passed;
            sent.push(Sent {
                captured,
                at: passed.saturating_add(delay),
                picture,
            });
        }
        sent
    }

    /// The rendition of this frame, and when it has passed, if the link is free at that moment.
    fn choose(&self, link: &Bottleneck, turn: u64, free: u64) -> Option<(&[u8], u64)> {
        let next = film::begin(turn + 1);
        if free >= next {
            return None;
        }
        let begin = free.max(film::begin(turn));
        let renditions = self.frame(turn);
        let passes = |picture: &Vec<u8>, begin| link.passes(begin, on_the_wire(picture.len()));
        let in_time = renditions
            .iter()
            .map(|picture| (&picture[..], passes(picture, begin)))
            .find(|(_, passed)| *passed <= next);
        if in_time.is_some() {
            return in_time;
        }
        let smallest = renditions.last()?;
        let passed = passes(smallest, begin);
        let newer = passes(self.frame(turn + 1).last()?, next);
        let interval = next - film::begin(turn);
        (newer > passed.saturating_add(interval / 2)).then_some((smallest, passed))
    }

    /// A frame in the best rendition.
    #[cfg(test)]
    pub fn best(&self, turn: u64) -> &[u8] {
        &self.frame(turn)[0]
    }

    fn frame(&self, turn: u64) -> &[Vec<u8>] {
        &self.frames[(turn % self.frames.len() as u64) as usize]
    }
}

fn raw(film: &Film, frame: &[u8]) -> RawFrame {
    RawFrame {
        sequence: 0,
        captured: Timestamp::default(),
        layout: Layout {
            format: PixelFormat::Yuyv,
            width: film.width as u32,
            height: film.height as u32,
            stride: film.width as u32 * 2,
            colour: Colour::JFIF,
        },
        origin: Origin::Camera,
        pixels: Box::new(frame.to_vec()),
    }
}

/// Bytes of the packets of a frame of so many bytes.
pub fn on_the_wire(bytes: usize) -> usize {
    bytes + bytes.div_ceil(SEGMENT) * HEADS
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::profile::Profile;

    const SECOND: u64 = 1_000_000_000;

    fn watched<'o>(oracle: &'o Oracle, link: &str) -> Vec<Sent<'o>> {
        let link = Bottleneck::new(Profile::parse(link).unwrap(), SECOND);
        let delay = Duration::from_millis(20);
        oracle.watch(&link, delay, 10 * SECOND, 12 * SECOND)
    }

    #[test]
    fn on_a_fast_link_every_frame_is_the_best_and_in_time() {
        let oracle = Oracle::new(&Film::blinking(), 80).unwrap();
        let sent = watched(&oracle, "100");
        assert_eq!(sent.len(), 59);
        for frame in sent {
            assert_eq!(frame.picture, oracle.best(film::turn(frame.captured)));
            assert!((20..22).contains(&((frame.at - frame.captured) / 1_000_000)));
        }
    }

    #[test]
    fn on_a_slow_link_no_frame_waits_for_another_and_after_an_outage_comes_the_newest() {
        let oracle = Oracle::new(&Film::blinking(), 80).unwrap();
        // 1250 bytes in each interval.
        let slow = watched(&oracle, "0.3");
        assert!(
            slow.iter()
                .all(|frame| frame.picture.len() < oracle.best(0).len())
        );
        assert!(
            slow.iter()
                .all(|frame| frame.at - frame.captured < 55_000_000)
        );
        let sent = watched(&oracle, "1:0,0.05:10,1:11");
        let latest = sent.iter().map(|frame| frame.at - frame.captured).max();
        assert!(latest.unwrap() < SECOND / 3, "{latest:?}");
    }
}
