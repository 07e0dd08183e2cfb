//! One camera as the rest of the daemon sees it: its hub, its settings in force, its figures.

mod cameras;
#[cfg(feature = "h264")]
mod own_stream;
#[cfg(not(feature = "h264"))]
#[path = "no_own_stream.rs"]
mod own_stream;
pub mod pipeline;
#[cfg(feature = "h264")]
mod streams;
#[cfg(not(feature = "h264"))]
#[path = "no_streams.rs"]
mod streams;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use streamd_protocol::stats::CameraState;
use tokio::sync::Semaphore;

pub use self::{
    cameras::{Cameras, Refused},
    streams::Streams,
};

use crate::{
    access::{
        address::Address,
        counts::{Counts, Share},
    },
    capture,
    config::{self, values::BitRate},
    encode::check::Past,
    hub::{Hub, WorkList},
    media::{Layout, Level, Rendition, Scale, Timestamp},
    meters::{CaptureCounters, Counter, ENCODE_BUCKETS, Histogram, LATENCY_BUCKETS, RateMeter},
    news::{self, Event, EventKind, News},
    sound::Sound,
};

/// A camera's settings in force. They change as a whole, so that no reader sees half of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// What the configuration says, with later changes by `streamctl set`.
    pub config: config::Camera,
    /// The renditions, best first; never empty.
    pub ladder: Vec<Rendition>,
}

impl Settings {
    /// The settings that a configuration means.
    pub fn new(config: config::Camera) -> Self {
        let top = Rendition {
            quality: config.quality.get(),
            scale: Scale::Full,
        };
        let mut ladder = vec![top];
        for rung in &config.ladder {
            let rung = Rendition {
                quality: rung.0.quality.min(top.quality),
                ..rung.0
            };
            if !ladder.contains(&rung) {
                ladder.push(rung);
            }
        }
        Self { config, ladder }
    }

    /// Whether the pictures of a camera that delivers JPEG go out as they are.
    pub fn passes_through(&self) -> bool {
        self.config.passthrough
    }

    /// Whether the stream of a camera that makes H.264 itself goes out as it is: not where the
    /// pictures are cut, turned or written upon.
    pub fn passes_own_stream(&self) -> bool {
        self.config.passthrough
            && self.config.arrangement().is_none()
            && self.config.text.is_empty()
    }
}

/// What makes a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maker {
    /// As in `encoder` of the configuration.
    pub name: String,
    /// Why it is not the one that was chosen there, else empty.
    pub reason: String,
}

/// A camera has at least this part of the frames that were asked of it.
const SLOWEST: f64 = 4.0;

/// One camera.
pub struct Camera {
    /// Its name.
    pub name: String,
    /// Its hub.
    pub hub: Arc<Hub>,
    /// What its capture thread is told.
    pub orders: Arc<capture::Orders>,
    /// What is counted of its capture.
    pub captured: Arc<CaptureCounters>,
    /// What its own JPEG pictures were like so far.
    pub past: Past,
    /// Time to encode a picture, all renditions.
    pub encode_time: Histogram<{ ENCODE_BUCKETS.len() }>,
    /// Time to encode a picture of the top rendition.
    pub top_encode_time: Histogram<{ ENCODE_BUCKETS.len() }>,
    /// Latency of its clients' frames from capture to delivery.
    pub delivery: Histogram<{ LATENCY_BUCKETS.len() }>,
    /// Bytes sent to its clients.
    pub bytes: Counter,
    /// Frames sent to its clients.
    pub sent: Counter,
    /// Frames that its clients did not get.
    pub dropped: Dropped,
    /// Clients refused because of `max-clients`.
    pub refused: Counter,
    /// Clients dropped because they broke the protocol or took nothing.
    pub dropped_clients: Counter,
    /// The encoders of its streams.
    pub streams: Streams,
    /// What of these is to be encoded; its own where an encoder in hardware does it, which is
    /// waited for.
    pub stream_work: Arc<WorkList>,
    /// Held by the one who asks the driver for the camera's controls.
    pub asked: Arc<Semaphore>,
    settings: Mutex<Arc<Settings>>,
    version: AtomicU64,
    /// Bits a second of the H.264 that it makes itself; 0 while it makes none that goes out.
    own_bit_rate: AtomicU32,
    /// Width and height of its last picture, 32 bits each; 0 if there has been none since its
    /// device's size changed.
    shown: AtomicU64,
    status: Mutex<(capture::Status, Timestamp)>,
    rate: Mutex<RateMeter>,
    clients: AtomicUsize,
    by_address: Arc<Counts>,
    sound: Arc<Sound>,
    news: News,
}

/// Why a camera has no place for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// So many have a place, which is `max-clients`.
    Full(u32),
    /// So many clients of the same address have one.
    FullForAddress(u32),
}

/// Frames not sent, by reason.
#[derive(Debug, Default)]
pub struct Dropped {
    /// Older bytes were on their way.
    pub slow_link: Counter,
    /// The client did not read.
    pub slow_reader: Counter,
    /// The daemon was too busy.
    pub server_busy: Counter,
    /// Over the client's limit of frames a second.
    pub frame_rate: Counter,
}

impl Camera {
    /// A camera that has not been started. `watched` is told when somebody begins to watch and
    /// when nobody does any more.
    ///
    /// # Errors
    /// When the kernel has no descriptor to spare.
    pub fn new(
        name: String,
        config: config::Camera,
        work: Arc<WorkList>,
        news: News,
        watched: impl Fn(bool) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let sound = Sound::new(name.clone(), config.audio.clone(), news.clone());
        let streams = Streams::new(&name, &config);
        let stream_work = match streams.have_hardware() {
            true => Arc::default(),
            false => Arc::clone(&work),
        };
        let lists = [work, Arc::clone(&stream_work)];
        Ok(Self {
            orders: capture::Orders::new(capture_settings(&name, &config))?,
            hub: Hub::new(name.clone(), lists, watched),
            captured: Arc::default(),
            past: Past::default(),
            encode_time: Histogram::new(&ENCODE_BUCKETS),
            top_encode_time: Histogram::new(&ENCODE_BUCKETS),
            delivery: Histogram::new(&LATENCY_BUCKETS),
            bytes: Counter::default(),
            sent: Counter::default(),
            dropped: Dropped::default(),
            refused: Counter::default(),
            dropped_clients: Counter::default(),
            streams,
            stream_work,
            asked: Arc::new(Semaphore::new(1)),
            settings: Mutex::new(Arc::new(Settings::new(config))),
            version: AtomicU64::new(0),
            own_bit_rate: AtomicU32::new(0),
            shown: AtomicU64::new(0),
            status: Mutex::default(),
            rate: Mutex::default(),
            clients: AtomicUsize::new(0),
            by_address: Arc::default(),
            sound,
            news,
            name,
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock())
    }

    /// Grows with each change of the settings or of the size of the pictures.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Changes settings; they hold from the next frame on.
    pub fn change(&self, change: impl FnOnce(&mut config::Camera)) {
        let mut settings = self.settings.lock();
        let mut config = settings.config.clone();
        change(&mut config);
        if config == settings.config {
            return;
        }
        // Under the lock, so that the orders are those of the last change.
        self.orders
            .set_settings(capture_settings(&self.name, &config));
        if config.audio != settings.config.audio {
            self.sound.change(config.audio.clone());
        }
        if config.arrangement() != settings.config.arrangement() {
            self.shown.store(0, Ordering::Release);
        }
        *settings = Arc::new(Settings::new(config));
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Its sound; `None` where it has none.
    pub fn sound(&self) -> Option<&Arc<Sound>> {
        self.settings.lock().config.audio.as_ref()?;
        Some(&self.sound)
    }

    /// What is known of the device.
    pub fn status(&self) -> capture::Status {
        self.status.lock().0.clone()
    }

    /// Why the camera is lost, and since when; `None` while it is not.
    pub fn loss(&self) -> Option<(String, Timestamp)> {
        let known = self.status.lock();
        (known.0.state == CameraState::Lost).then(|| (known.0.reason.clone(), known.1))
    }

    /// Sets what is known of the device.
    pub fn set_status(&self, status: capture::Status) {
        let size = |layout: Option<Layout>| layout.map(|layout| (layout.width, layout.height));
        let new = size(status.layout);
        let mut known = self.status.lock();
        let was = known.0.state;
        if was != status.state {
            known.1 = Timestamp::now();
        }
        let told = told(&self.name, was, &status);
        let old = size(std::mem::replace(&mut known.0, status).layout);
        drop(known);
        told.into_iter().for_each(|event| self.news.tell(event));
        if new.is_some() && new != old {
            self.shown.store(0, Ordering::Release);
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Width and height of its pictures as they are shown, as far as they are known: those of the
    /// last picture, since a camera may send others than agreed.
    pub fn size(&self) -> (u32, u32) {
        match self.shown.load(Ordering::Acquire) {
            0 => self.agreed(),
            shown => ((shown >> 32) as u32, shown as u32),
        }
    }

    /// Width and height of the pictures by what the driver, or else the configuration, says.
    fn agreed(&self) -> (u32, u32) {
        let layout = self.status().layout;
        let config = &self.settings().config;
        let (width, height) = match layout {
            Some(layout) => (layout.width, layout.height),
            None => (config.size.width, config.size.height),
        };
        config.arrangement().size(width, height)
    }

    /// A picture of this width and height goes out.
    fn shows(&self, (width, height): (u32, u32)) {
        let shown = u64::from(width) << 32 | u64::from(height);
        if self.shown.load(Ordering::Acquire) == shown {
            return;
        }
        let expected = self.size() == (width, height);
        self.shown.store(shown, Ordering::Release);
        if !expected {
            self.version.fetch_add(1, Ordering::AcqRel);
            tracing::debug!(
                camera = self.name,
                width,
                height,
                "pictures of another size"
            );
        }
    }

    /// Bits a second that a level has at most.
    pub fn bit_rate(&self, level: Level) -> u32 {
        if level == Level::Archive {
            return self.archive_bit_rate();
        }
        (f64::from(self.whole_bit_rate()) * level.share()) as u32
    }

    /// Whether the best level of its stream is made by the camera itself: its bit rate is what it is.
    pub fn gives_stream(&self) -> bool {
        self.own_bit_rate.load(Ordering::Relaxed) > 0
    }

    /// Bits a second of its stream at its best.
    pub fn whole_bit_rate(&self) -> u32 {
        let own = self.own_bit_rate.load(Ordering::Relaxed);
        if own > 0 {
            return own;
        }
        let config = &self.settings().config;
        config.bit_rate.of(self.size(), config.fps.get())
    }

    /// Bits a second of what is recorded of it.
    fn archive_bit_rate(&self) -> u32 {
        let config = &self.settings().config;
        let rate = match config.record.bit_rate {
            BitRate::Auto => config.bit_rate,
            own => own,
        };
        rate.of(self.size(), config.fps.get())
    }

    /// A frame has come.
    pub fn count_frame(&self, now: Timestamp) {
        self.rate.lock().add(now);
    }

    /// Frames a second over the last few seconds.
    pub fn fps(&self, now: Timestamp) -> f64 {
        self.rate.lock().rate(now)
    }

    /// Frames a second that will come, as far as those that came say so: at most what is asked of the
    /// driver, and not so much less that a stall is taken for a slow camera.
    pub fn real_fps(&self, now: Timestamp) -> f64 {
        let asked = self.settings().config.fps.get();
        let real = self.rate.lock().settled(now);
        real.map_or(asked, |real| real.clamp(asked / SLOWEST, asked))
    }

    /// Takes a place for a client from this address, which may have `most` of them.
    ///
    /// # Errors
    /// When there is none for it.
    pub fn admit(self: &Arc<Self>, address: Address, most: u32) -> Result<Place, NoPlace> {
        let limit = self.settings().config.max_clients.get();
        let most = most.min(share(limit));
        let place = self.take(address, most).and_then(|share| {
            let admit = |n: usize| (n < limit as usize).then_some(n + 1);
            self.clients
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, admit)
                .map(|_| Place(Arc::clone(self), share))
                .map_err(|_| NoPlace::Full(limit))
        });
        place.inspect_err(|_| self.refused.add(1))
    }

    fn take(&self, address: Address, most: u32) -> Result<Share, NoPlace> {
        let share = self.by_address.take(address, most as usize);
        share.ok_or(NoPlace::FullForAddress(most))
    }

    /// Takes the place of a client that is about to leave: for a moment there is one too many.
    pub fn succeed(self: &Arc<Self>, address: Address) -> Place {
        let share = self.by_address.take(address, usize::MAX);
        self.clients.fetch_add(1, Ordering::AcqRel);
        Place(
            Arc::clone(self),
            share.expect("nobody has as many as there are numbers"),
        )
    }

    /// Clients that have a place.
    pub fn clients(&self) -> usize {
        self.clients.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Camera({})", self.name)
    }
}

/// What is to be told when a camera that `was` in one state gets another: that it is lost, or back.
fn told(camera: &str, was: CameraState, is: &capture::Status) -> Option<Event> {
    use CameraState::{Idle, Lost, Streaming};
    let about = |event: Event| Event {
        cameras: vec![camera.into()],
        reason: is.reason.clone(),
        ..event
    };
    match (was, is.state) {
        (Lost, Idle | Streaming) => {
            let text = format!("camera {camera} is back");
            Some(about(news::event(EventKind::CameraBack, text)))
        }
        (was, Lost) if was != Lost => {
            let text = format!("camera {camera} is lost: {}", is.reason);
            Some(about(news::event(EventKind::CameraLost, text)))
        }
        _ => None,
    }
}

/// What the capture thread of a camera is to deliver by these settings.
fn capture_settings(name: &str, config: &config::Camera) -> capture::Settings {
    capture::Settings {
        name: name.into(),
        device: config.device.clone(),
        size: config.size,
        format: config.format,
        input: config.input.clone(),
        standard: config.standard.clone(),
        edid: config.edid.clone(),
        fps: config.fps,
        arrangement: config.arrangement(),
        frame_timeout: config.frame_timeout.get(),
        controls: config.controls.clone(),
    }
}

/// Of so many places, those that one address may have: a quarter is left to others.
fn share(places: u32) -> u32 {
    places - places / 4
}

/// A client's place among a camera's `max-clients`, given back when dropped.
#[derive(Debug)]
pub struct Place(
    Arc<Camera>,
    #[allow(dead_code, reason = "held, and given back")] Share,
);

impl Place {
    /// The camera.
    pub fn camera(&self) -> &Arc<Camera> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use crate::{config::values::Rotate, fixtures, media::Timestamp};

    #[tokio::test]
    async fn the_size_is_that_of_the_last_picture_and_a_change_is_news() {
        let state = fixtures::state("[camera.main]\nsize = \"640x480\"\n");
        let camera = state.cameras.find(Some("main")).unwrap();
        let (size, version) = (camera.size(), camera.version());
        camera.shows(size);
        assert_eq!((camera.size(), camera.version()), ((640, 480), version));
        camera.shows((640, 488));
        assert_eq!((camera.size(), camera.version()), ((640, 488), version + 1));
        camera.shows((640, 488));
        assert_eq!(camera.version(), version + 1);
    }

    #[tokio::test]
    async fn the_rate_that_comes_counts_once_it_is_known() {
        let state = fixtures::state("[camera.main]\nfps = 30\n");
        let camera = state.cameras.find(Some("main")).unwrap();
        let at = |ms: u64| Timestamp::from_nanos((60_000 + ms) * 1_000_000);
        assert_eq!(camera.real_fps(at(0)), 30.0, "no frame yet");
        let mut seen = Vec::new();
        for n in 0..40 {
            camera.count_frame(at(n * 66));
            seen.push(camera.real_fps(at(n * 66)));
        }
        assert_eq!(seen[..15], [30.0; 15], "not known in the first second");
        assert!((seen[39] - 1000.0 / 66.0).abs() < 0.1, "{seen:?}");
        // A stall is not a slow camera, and none is forgotten.
        assert!(camera.real_fps(at(39 * 66 + 1900)) >= 7.5);
        assert_eq!(camera.real_fps(at(60_000)), 30.0);
    }

    #[tokio::test]
    async fn turned_pictures_have_the_turned_size_at_once() {
        let state = fixtures::state("[camera.main]\nsize = \"640x480\"\n");
        let camera = state.cameras.find(Some("main")).unwrap();
        camera.shows((640, 480));
        camera.change(|config| config.rotate = Rotate::Right);
        assert_eq!(camera.size(), (480, 640));
        camera.change(|config| config.crop = "320x240+0+0".parse().unwrap());
        assert_eq!(camera.size(), (240, 320));
    }
}
