//! A camera that makes H.264 itself: its stream goes out as it is, as the best of its levels, and is
//! decoded only while somebody wants JPEG or a lower level.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use streamd_protocol::stream::AppSegment;

use super::Camera;
use crate::{
    capture::controls,
    config::values::ControlValue,
    encode::{
        self,
        h264::{Eye, Given},
    },
    media::{Level, Origin, Packet, RawFrame, Timestamp, Track},
};

/// The track that the camera makes.
const TRACK: Track = Track::H264(Level::High);

/// The control by which a camera is asked for a key: `V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME`.
const KEY: &str = "force-key-frame";

/// Between two such questions, at least: each key costs all who watch some quality.
const ASKED_AGAIN: Duration = Duration::from_millis(400);

/// How fast the bit rate of the stream follows, by picture.
const FOLLOWS: f64 = 0.03;

/// A camera's own stream.
#[derive(Default)]
pub struct OwnStream {
    given: Given,
    eye: Option<Eye>,
    /// The hub knows that the camera makes the track by itself.
    gives: bool,
    /// Nothing is missing since a key, for the viewers and for the decoder.
    whole: bool,
    sees: bool,
    /// What had been lost before the last picture.
    lost: u64,
    bit_rate: f64,
    asks: Asks,
}

impl OwnStream {
    /// Takes a frame. What is not H.264 comes back as it is; of H.264 the decoded picture, if
    /// somebody wants what is made of it.
    ///
    /// # Errors
    /// If there is no picture in it.
    pub fn take(
        &mut self,
        camera: &Camera,
        raw: RawFrame,
    ) -> Result<Option<RawFrame>, encode::Error> {
        if !raw.layout.format.is_stream() {
            self.ends(camera);
            return Ok(Some(raw));
        }
        let lost = camera.captured.driver_lost.get()
            + camera.captured.corrupt.get()
            + camera.captured.losses.get();
        if std::mem::replace(&mut self.lost, lost) != lost {
            (self.whole, self.sees) = (false, false);
        }
        let label = AppSegment {
            sequence: raw.sequence,
            captured_us: raw.captured.unix_micros(),
            camera: camera.name.clone(),
        };
        let begin = Timestamp::now();
        let unit = match self.given.unit(raw.bytes(), &label.to_sei()) {
            Ok(Some(unit)) => unit,
            Ok(None) => return Ok(None),
            Err(error) => {
                (self.whole, self.sees) = (false, false);
                return Err(error);
            }
        };
        self.measure(camera, &unit.bytes, raw.captured);
        let passes = camera.settings().passes_own_stream();
        self.give(camera, passes);
        (self.whole, self.sees) = (self.whole || unit.key, self.sees || unit.key);
        let used = camera.hub.tracks();
        let watched = passes && used.iter().any(|used| used.track == TRACK);
        let mut key_wanted = watched && (!self.whole || camera.hub.order(TRACK, raw.captured).key);
        if watched && self.whole {
            let (width, height) = (raw.layout.width, raw.layout.height);
            camera.shows((width, height));
            camera.hub.publish(Arc::new(Packet {
                bytes: unit.bytes.clone(),
                sequence: raw.sequence,
                captured: raw.captured,
                encode_begin: begin,
                encode_end: Timestamp::now(),
                width,
                height,
                track: TRACK,
                key: unit.key,
                droppable: unit.droppable,
                origin: Origin::Camera,
            }));
        }
        let others = used.iter().any(|used| !passes || used.track != TRACK);
        let shown = self.show(others, &unit.bytes, &raw)?;
        key_wanted |= others && !self.sees;
        if key_wanted && !unit.key {
            self.asks.ask(camera, raw.captured);
        }
        Ok(shown)
    }

    /// The picture, decoded if it is wanted, and nothing before it is missing.
    fn show(
        &mut self,
        wanted: bool,
        unit: &[u8],
        raw: &RawFrame,
    ) -> Result<Option<RawFrame>, encode::Error> {
        if !wanted {
            (self.eye, self.sees) = (None, false);
            return Ok(None);
        }
        if !self.sees {
            return Ok(None);
        }
        let eye = match &mut self.eye {
            Some(eye) => eye,
            none => none.insert(Eye::new()?),
        };
        eye.decode(unit, raw).inspect_err(|_| {
            (self.eye, self.sees) = (None, false);
        })
    }

    fn measure(&mut self, camera: &Camera, unit: &[u8], captured: Timestamp) {
        let fps = match camera.fps(captured) {
            0.0 => camera.settings().config.fps.get(),
            fps => fps,
        };
        let now = unit.len() as f64 * 8.0 * fps;
        match self.bit_rate {
            0.0 => self.bit_rate = now,
            _ => self.bit_rate += (now - self.bit_rate) * FOLLOWS,
        }
    }

    /// Says whether the camera makes the track by itself.
    fn give(&mut self, camera: &Camera, gives: bool) {
        let bits = if gives { self.bit_rate as u32 } else { 0 };
        camera.own_bit_rate.store(bits, Ordering::Relaxed);
        if gives == self.gives {
            return;
        }
        self.gives = gives;
        self.whole = false;
        camera.hub.give(gives.then_some(TRACK));
    }

    /// The camera makes none, or none at present.
    fn ends(&mut self, camera: &Camera) {
        self.give(camera, false);
        (self.eye, self.whole, self.sees) = (None, false, false);
    }
}

/// Asks a camera for keys, by a thread for each question: the driver may take its time.
#[derive(Default)]
struct Asks {
    last: Option<Timestamp>,
    under_way: Arc<AtomicBool>,
    /// The device that has no such control.
    cannot: Arc<parking_lot::Mutex<Option<PathBuf>>>,
}

impl Asks {
    fn ask(&mut self, camera: &Camera, now: Timestamp) {
        let early = |last| now.since(last) < ASKED_AGAIN;
        let path = PathBuf::from(camera.status().path);
        if self.last.is_some_and(early)
            || self.cannot.lock().as_ref() == Some(&path)
            || self.under_way.swap(true, Ordering::AcqRel)
        {
            return;
        }
        self.last = Some(now);
        let (under_way, cannot) = (Arc::clone(&self.under_way), Arc::clone(&self.cannot));
        let name = camera.name.clone();
        let question = move || {
            let press = (KEY.to_owned(), ControlValue::Truth(true));
            let refused = match controls::set(&path, &[press]) {
                Ok(outcome) => outcome.failed,
                Err(refusal) => Some(refusal),
            };
            if let Some(why) = refused {
                tracing::debug!(camera = name, "a key can't be asked for: {why}");
                *cannot.lock() = Some(path);
            }
            under_way.store(false, Ordering::Release);
        };
        let thread = std::thread::Builder::new().name("ask-for-key".into());
        if thread.spawn(question).is_err() {
            self.under_way.store(false, Ordering::Release);
        }
    }
}
