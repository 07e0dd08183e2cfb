//! A camera's streams: the encoders of those tracks whose packets build on one another.

use std::sync::Arc;

use parking_lot::Mutex;
use streamd_protocol::stream::{AppSegment, stand_in_sei};

use super::Camera;
use crate::{
    encode::{self, h264},
    media::{Level, Origin, RawFrame, Track},
};

/// The encoders, one a level in use. Each remembers the picture before.
#[derive(Default)]
pub struct Streams(Mutex<Vec<(Level, Arc<Mutex<h264::Stream>>)>>);

impl Streams {
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
            bit_rate: order.bit_rate.map_or(most, |bits| bits.min(most)),
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
        let mut streams = self.0.lock();
        if let Some((_, stream)) = streams.iter().find(|(of, _)| *of == level) {
            return Arc::clone(stream);
        }
        // Those that nobody watches any more are let go.
        let used = camera.hub.tracks();
        streams.retain(|(of, _)| used.iter().any(|used| used.track == Track::H264(*of)));
        let stream = Arc::default();
        streams.push((level, Arc::clone(&stream)));
        stream
    }

    /// Nobody watches: the encoders are let go.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }
}
