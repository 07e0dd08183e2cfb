//! A camera's streams: the encoders of those tracks whose packets build on one another.

use std::sync::Arc;

use parking_lot::Mutex;
use streamd_protocol::stream::{AppSegment, stand_in_sei};

use super::{Camera, Maker};
use crate::{
    config::{self, values::Encoder},
    encode::{self, h264},
    m2m::Hardware,
    media::{Level, Origin, RawFrame, Track},
};

/// The encoders, one a level in use. Each remembers the picture before.
pub struct Streams {
    all: Mutex<Vec<(Level, Arc<Mutex<h264::Stream>>)>>,
    /// What encodes in the place of openh264, while it can.
    hardware: Option<Arc<Hardware>>,
    /// The key that chose it.
    choice: Encoder,
}

impl Streams {
    /// None yet, of the camera of this name.
    pub(super) fn new(name: &str, config: &config::Camera) -> Self {
        let hardware = match &config.encoder {
            Encoder::Openh264 => None,
            Encoder::M2m(path) => Some(Hardware::new(name.into(), path.clone())),
        };
        Self {
            all: Mutex::default(),
            hardware,
            choice: config.encoder.clone(),
        }
    }

    /// Whether an encoder in hardware is to make them, which is waited for.
    pub(super) fn have_hardware(&self) -> bool {
        self.hardware.is_some()
    }

    /// What makes the stream of a level.
    pub fn maker(&self, level: Level) -> Maker {
        let works = self.hardware.as_ref().map(|hardware| hardware.works(level));
        let (name, reason) = match works {
            Some(Ok(())) => (self.choice.to_string(), String::new()),
            Some(Err(reason)) => (Encoder::Openh264.to_string(), reason),
            None => (Encoder::Openh264.to_string(), String::new()),
        };
        Maker { name, reason }
    }

    /// How often an encoder in hardware has failed.
    pub fn faults(&self) -> u64 {
        self.hardware
            .as_ref()
            .map_or(0, |hardware| hardware.faults())
    }

    /// Encodes a frame as the next picture of a level, as those who watch it want it.
    pub(super) fn encode(
        &self,
        camera: &Camera,
        raw: &RawFrame,
        level: Level,
        label: &AppSegment,
    ) -> Result<encode::Picture, encode::Error> {
        let config = &camera.settings().config;
        let order = camera.hub.order(Track::H264(level), raw.captured);
        let most = camera.bit_rate(level);
        let wanted = h264::Wanted {
            scale: level.scale(),
            fps: config.fps.get(),
            real_fps: camera.real_fps(raw.captured),
            bit_rate: order.bit_rate.map_or(most, |bits| bits.min(most)),
            highest: most,
            key: order.key,
            // Nobody waits for a recording.
            is_even: level != Level::Archive,
        };
        let stream = self.of(camera, level);
        let mut stream = stream.lock();
        let mut head = label.to_sei();
        if raw.origin == Origin::Blank {
            head.extend(stand_in_sei());
        }
        stream.encode(raw, &wanted, &head)
    }

    fn of(&self, camera: &Camera, level: Level) -> Arc<Mutex<h264::Stream>> {
        let mut streams = self.all.lock();
        if let Some((_, stream)) = streams.iter().find(|(of, _)| *of == level) {
            return Arc::clone(stream);
        }
        // Those that nobody watches any more are let go.
        let used = camera.hub.tracks();
        streams.retain(|(of, _)| used.iter().any(|used| used.track == Track::H264(*of)));
        let stream = match &self.hardware {
            Some(hardware) => h264::Stream::by(Box::new(hardware.encoder(level))),
            None => h264::Stream::default(),
        };
        let stream = Arc::new(Mutex::new(stream));
        streams.push((level, Arc::clone(&stream)));
        stream
    }

    /// Nobody watches: the encoders are let go.
    pub(super) fn clear(&self) {
        self.all.lock().clear();
    }
}
