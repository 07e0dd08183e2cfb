//! H.264 by an encoder in hardware, one that V4L2 has as a memory-to-memory device: it takes the place
//! of openh264 for the streams of a camera while it works, and openh264 takes its place at once, with
//! the same frame, when it does not. Then it is tried again, each time after twice as long.
//!
//! - [`Hardware`]: a camera's encoder, what became of it, and when it is tried again;
//! - [`session`]: the thread that asks a driver for one stream; [`codec`]: what it asks;
//! - [`queue`], [`layout`], [`controls`]: buffers, pixels in them, and what else is set.

mod codec;
mod controls;
mod layout;
mod queue;
mod session;

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;

use self::{
    codec::Job,
    session::{Alive, Session},
};
use crate::{
    encode::h264::{self, Given, Order, Planes, Unit},
    events,
    media::{Level, Timestamp},
    meters::Counter,
};

/// After the first fault it is tried again in so long.
const AGAIN_FIRST: Duration = Duration::from_secs(1);

/// In so long at most.
const AGAIN_LAST: Duration = Duration::from_secs(60);

/// What has worked for so long has a new first fault.
const STEADY: Duration = Duration::from_secs(30);

/// The part of the bit rate at which a picture is encoded that is to be a key, or was too large.
const DIP: u32 = 8;

/// Pictures after which an encoder that was asked for a key, and has made none, begins anew.
const PATIENCE: u32 = 8;

/// A camera's encoder in hardware.
pub struct Hardware {
    camera: String,
    path: PathBuf,
    faults: Counter,
    places: Mutex<Vec<(Level, Place)>>,
}

/// What is known of the encoder for one level. It outlives the streams.
#[derive(Debug, Clone, Default)]
struct Place {
    works: bool,
    /// Why it does not.
    reason: String,
    /// Since when it works.
    since: Option<Timestamp>,
    /// When it is tried again, and how long that was after the fault.
    again: Option<(Timestamp, Duration)>,
    thread: Alive,
}

impl Hardware {
    /// The encoder at `path`, for a camera's streams.
    pub fn new(camera: String, path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            camera,
            path,
            faults: Counter::default(),
            places: Mutex::default(),
        })
    }

    /// For the stream of a level.
    pub fn encoder(self: &Arc<Self>, level: Level) -> Encoder {
        Encoder {
            hardware: Arc::clone(self),
            level,
            stream: None,
        }
    }

    /// Whether it makes the stream of this level, or else why it does not; the reason is empty before
    /// it has been tried.
    pub fn works(&self, level: Level) -> Result<(), String> {
        let place = self.place(level, |place| place.clone());
        match place.works {
            true => Ok(()),
            false => Err(place.reason),
        }
    }

    /// How often it has failed.
    pub fn faults(&self) -> u64 {
        self.faults.get()
    }

    fn place<T>(&self, level: Level, look: impl FnOnce(&mut Place) -> T) -> T {
        let mut places = self.places.lock();
        if let Some((_, place)) = places.iter_mut().find(|(of, _)| *of == level) {
            return look(place);
        }
        let mut place = Place::default();
        let result = look(&mut place);
        places.push((level, place));
        result
    }
}

impl Place {
    /// Whether it may be tried now: not before its time, and not while a thread still has it.
    fn may_begin(&self, now: Timestamp) -> bool {
        !self.thread.is() && self.again.is_none_or(|(at, _)| now >= at)
    }

    /// It has made a picture; true if it did not work before.
    fn made(&mut self, now: Timestamp) -> bool {
        let begins = !std::mem::replace(&mut self.works, true);
        if begins {
            self.since = Some(now);
        }
        begins
    }

    /// It has failed; in how long it is tried again, and whether this is news.
    fn failed(&mut self, reason: &str, now: Timestamp) -> (Duration, bool) {
        let steady = self.since.is_some_and(|since| now.since(since) >= STEADY);
        let delay = match self.again {
            Some((_, last)) if !steady => (last * 2).min(AGAIN_LAST),
            _ => AGAIN_FIRST,
        };
        self.again = Some((now + delay, delay));
        let is_news = self.works || self.reason != reason;
        (self.works, self.since) = (false, None);
        self.reason = reason.into();
        (delay, is_news)
    }
}

/// The encoder of one stream.
pub struct Encoder {
    hardware: Arc<Hardware>,
    level: Level,
    stream: Option<Stream>,
}

/// A stream that it makes.
struct Stream {
    session: Session,
    given: Given,
    size: (u32, u32),
    level: i32,
    /// No picture has come yet.
    is_new: bool,
    /// Pictures since a key was asked for that has not come.
    owed: u32,
}

impl h264::Hardware for Encoder {
    fn encode(&mut self, planes: &Arc<Planes>, order: &Order, head: &[u8]) -> Option<Unit> {
        match self.attempt(planes, order, head) {
            Ok(unit) => unit,
            Err(reason) => {
                self.failed(&reason);
                None
            }
        }
    }
}

impl Encoder {
    /// Encodes a picture; `None` if it is not the time to try.
    fn attempt(
        &mut self,
        planes: &Arc<Planes>,
        order: &Order,
        head: &[u8],
    ) -> Result<Option<Unit>, String> {
        let size = planes.size();
        let level = controls::level(size, order.fps, order.highest);
        let outgrown = |stream: &mut Stream| stream.size != size || stream.level < level;
        if let Some(stream) = self.stream.take_if(outgrown) {
            stream.session.close();
        }
        let hardware = &self.hardware;
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let now = Timestamp::now();
                if !hardware.place(self.level, |place| place.may_begin(now)) {
                    return Ok(None);
                }
                let (session, thread) = Session::spawn(&hardware.camera, hardware.path.clone())?;
                hardware.place(self.level, |place| place.thread = thread);
                none.insert(Stream::new(session, size, level))
            }
        };
        let unit = stream.encode(planes, order, head)?;
        let now = Timestamp::now();
        if hardware.place(self.level, |place| place.made(now)) {
            tracing::info!(
                message_id = events::ENCODER_OPENED,
                camera = hardware.camera,
                device = %hardware.path.display(),
                level = ?self.level,
                "H.264 is encoded by {}",
                hardware.path.display()
            );
        }
        Ok(Some(unit))
    }

    fn failed(&mut self, reason: &str) {
        self.stream = None;
        let hardware = &self.hardware;
        hardware.faults.add(1);
        let now = Timestamp::now();
        let (delay, is_news) = hardware.place(self.level, |place| place.failed(reason, now));
        let (camera, device) = (&hardware.camera, hardware.path.display());
        match is_news {
            true => tracing::warn!(
                message_id = events::ENCODER_FAILED,
                camera,
                %device,
                level = ?self.level,
                "the encoder {device} {reason}: openh264 goes on, and it is tried again in {delay:?}"
            ),
            false => tracing::debug!(camera, %device, "the encoder {reason}; again in {delay:?}"),
        }
    }
}

impl Stream {
    fn new(session: Session, size: (u32, u32), level: i32) -> Self {
        Self {
            session,
            given: Given::of_ours(size),
            size,
            level,
            is_new: true,
            owed: 0,
        }
    }

    /// Encodes a picture. A key is encoded with fewer bits, and so is, as a key, one that would be
    /// larger than it may.
    fn encode(&mut self, planes: &Arc<Planes>, order: &Order, head: &[u8]) -> Result<Unit, String> {
        let is_even = order.most.is_finite();
        let key = order.key || self.is_new;
        let bit_rate = match key && is_even {
            true => order.bit_rate / DIP,
            false => order.bit_rate,
        };
        let unit = self.ask(planes, order, head, (bit_rate, key))?;
        match unit.bytes.len() as f64 > order.most && !key {
            true => self.ask(planes, order, head, (order.bit_rate / DIP, true)),
            false => Ok(unit),
        }
    }

    fn ask(
        &mut self,
        planes: &Arc<Planes>,
        order: &Order,
        head: &[u8],
        (bit_rate, key): (u32, bool),
    ) -> Result<Unit, String> {
        let made = self.session.encode(Job {
            planes: Arc::clone(planes),
            captured: order.captured,
            fps: order.real_fps,
            bit_rate: bit_rate.max(h264::LEAST_BIT_RATE),
            level: self.level,
            key,
            anew: self.owed >= PATIENCE,
        })?;
        let unit = match self.given.unit(&made, head) {
            Ok(Some(unit)) => unit,
            Ok(None) => return Err("sends parameter sets and no picture".into()),
            Err(crate::encode::Error::Stream(what)) => {
                return Err(format!("makes H.264 that {what}"));
            }
            Err(error) => return Err(error.to_string()),
        };
        if std::mem::take(&mut self.is_new) && !unit.key {
            return Err("does not begin with a key".into());
        }
        self.owed = match key || self.owed > 0 {
            true if !unit.key => self.owed + 1,
            _ => 0,
        };
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_fault_is_waited_out_twice_as_long_as_the_one_before() {
        let mut place = Place::default();
        let mut now = Timestamp::from_nanos(1);
        assert!(place.may_begin(now));
        let mut waits = Vec::new();
        for n in 0..8 {
            let (wait, is_news) = place.failed("is gone", now);
            assert_eq!(is_news, n == 0, "said once");
            assert!(!place.may_begin(now));
            now = now + wait;
            assert!(place.may_begin(now));
            waits.push(wait.as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(place.failed("is busy", now).1, "another reason");
    }

    #[test]
    fn what_has_worked_for_long_is_tried_again_soon() {
        let mut place = Place::default();
        let begin = Timestamp::from_nanos(1);
        place.failed("is gone", begin);
        place.failed("is gone", begin);
        assert!(place.made(begin), "it begins to work");
        assert!(!place.made(begin + SECOND));
        let (wait, is_news) = place.failed("is gone", begin + SECOND);
        assert_eq!(
            (wait.as_secs(), is_news),
            (4, true),
            "it had worked for a second"
        );
        place.made(begin);
        let (wait, _) = place.failed("is gone", begin + STEADY);
        assert_eq!(wait, AGAIN_FIRST);
    }

    #[test]
    fn it_is_not_begun_while_a_thread_still_has_it() {
        let life = Arc::new(());
        let place = Place {
            thread: Alive::of(&life),
            ..Place::default()
        };
        let now = Timestamp::from_nanos(1);
        assert!(!place.may_begin(now));
        drop(life);
        assert!(place.may_begin(now));
    }
}
