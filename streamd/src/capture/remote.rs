//! A camera of another machine, as its capture thread sees it: what is known of it, and the newest
//! picture that has come. Who brings them is no concern of this room.

use std::time::Duration;

use bytes::Bytes;

use super::{DeviceError, pace::Pacer};
use crate::{
    config::values::Fps,
    media::{Colour, Layout, Origin, PixelFormat, RawFrame, Timestamp},
    meters::CaptureCounters,
};

/// What its machine says of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// The machine.
    pub host: String,
    /// What the camera is called there.
    pub camera: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second that it has at most.
    pub fps: f64,
}

/// What is known of such a camera.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Heard {
    /// Nothing yet.
    #[default]
    Nothing,
    /// It is there.
    There(Remote),
    /// It is not, for this reason.
    Lost(DeviceError),
}

/// A picture that has come.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// Its number at its machine.
    pub sequence: u64,
    /// When it was captured, by our clock.
    pub captured: Timestamp,
    /// The JPEG file.
    pub jpeg: Bytes,
}

/// Where both wait for the capture thread: each new one takes the place of the one before.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub heard: Heard,
    pub newest: Option<Arrived>,
}

/// A camera of another machine that is there.
#[derive(Debug)]
pub(super) struct Far {
    pub remote: Remote,
    pacer: Pacer,
    /// The number of the last picture there, and how much more it is here: a camera that has been
    /// restarted there counts from the beginning.
    last: Option<u64>,
    ahead: u64,
}

impl Far {
    /// Pictures are to come at this rate.
    pub fn new(remote: Remote, fps: Fps) -> Self {
        Self {
            pacer: Pacer::new(fps, remote.fps),
            remote,
            last: None,
            ahead: 0,
        }
    }

    /// Pictures are to come at this rate from now on.
    pub fn set_fps(&mut self, fps: Fps) {
        self.pacer = Pacer::new(fps, self.remote.fps);
    }

    /// How its pictures are laid out.
    pub fn layout(&self) -> Layout {
        Layout {
            format: PixelFormat::Mjpg,
            width: self.remote.width,
            height: self.remote.height,
            stride: 0,
            colour: Colour::JFIF,
        }
    }

    /// A picture that is to be handed on, if its time has come. Its number stays, unless one as
    /// high has been used here.
    pub fn frame(&mut self, arrived: Arrived, counters: &CaptureCounters) -> Option<RawFrame> {
        let Arrived {
            sequence,
            captured,
            jpeg,
        } = arrived;
        let here = counters.sequence.get();
        if sequence.saturating_add(self.ahead) <= here {
            self.ahead = here + 1 - sequence.min(here);
        }
        let periods = match self.last.replace(sequence) {
            Some(last) if sequence > last => sequence - last,
            _ => 1,
        };
        if !self.pacer.take(captured, periods) {
            counters.skipped.add(1);
            return None;
        }
        counters.captured.add(1);
        Some(RawFrame {
            sequence: sequence.saturating_add(self.ahead),
            captured,
            layout: self.layout(),
            origin: Origin::Camera,
            pixels: Box::new(jpeg),
        })
    }
}

/// How the seconds of a silence are told: not each of them is news.
pub fn told_seconds(silent: Duration) -> u64 {
    match silent.as_secs() {
        seconds @ 0..10 => seconds,
        seconds @ 10..60 => seconds / 10 * 10,
        seconds => seconds / 60 * 60,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Far {
        let remote = Remote {
            host: "robot7".into(),
            camera: "main".into(),
            width: 64,
            height: 48,
            fps: 30.0,
        };
        Far::new(remote, Fps::new(30.0))
    }

    fn arrived(sequence: u64) -> Arrived {
        Arrived {
            sequence,
            captured: Timestamp::from_nanos(sequence * 33_333_333),
            jpeg: Bytes::new(),
        }
    }

    #[test]
    fn a_number_stays_until_its_machine_counts_anew() {
        let (mut far, counters) = (far(), CaptureCounters::default());
        // Its clock goes on, whatever it counts.
        let mut ticks = 0;
        let mut next = |sequence| {
            ticks += 1;
            Arrived {
                sequence,
                ..arrived(ticks)
            }
        };
        let mut take = |sequence| {
            let number = far.frame(next(sequence), &counters).map(|f| f.sequence);
            let before = counters.sequence.get();
            counters.sequence.add(number.unwrap_or(before) - before);
            number
        };
        assert_eq!(
            [take(1000), take(1001), take(1002)],
            [Some(1000), Some(1001), Some(1002)]
        );
        assert_eq!([take(1), take(2)], [Some(1003), Some(1004)]);
        // "No signal" has used a number here.
        counters.sequence.add(3);
        let mut far = Far { ahead: 0, ..far };
        let frame = far.frame(next(3), &counters).map(|f| f.sequence);
        assert_eq!(frame, Some(1008));
    }

    #[test]
    fn pictures_beyond_the_rate_are_left_out() {
        let (mut far, counters) = (far(), CaptureCounters::default());
        far.set_fps(Fps::new(10.0));
        let taken = (1..=30).filter(|n| far.frame(arrived(*n), &counters).is_some());
        assert_eq!(taken.count(), 10);
        assert_eq!(counters.skipped.get(), 20);
    }

    #[test]
    fn a_silence_is_told_in_steps() {
        let told = [6, 9, 11, 59, 61, 150].map(|s| told_seconds(Duration::from_secs(s)));
        assert_eq!(told, [6, 9, 10, 50, 60, 120]);
    }
}
