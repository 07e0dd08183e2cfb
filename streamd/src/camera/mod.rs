//! One camera as the rest of the daemon sees it: its hub, its settings in force, its figures.

mod cameras;
pub mod pipeline;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use streamd_protocol::stats::CameraState;

pub use self::cameras::{Cameras, Refused};

use crate::{
    capture, config,
    hub::{Hub, WorkList},
    media::{Rendition, Scale, Timestamp},
    meters::{CaptureCounters, Counter, ENCODE_BUCKETS, Histogram, LATENCY_BUCKETS, RateMeter},
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
}

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
    settings: Mutex<Arc<Settings>>,
    version: AtomicU64,
    status: Mutex<(capture::Status, Timestamp)>,
    rate: Mutex<RateMeter>,
    clients: AtomicUsize,
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
        watched: impl Fn(bool) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Ok(Self {
            orders: capture::Orders::new(capture_settings(&name, &config))?,
            hub: Hub::new(name.clone(), work, watched),
            captured: Arc::default(),
            encode_time: Histogram::new(&ENCODE_BUCKETS),
            top_encode_time: Histogram::new(&ENCODE_BUCKETS),
            delivery: Histogram::new(&LATENCY_BUCKETS),
            bytes: Counter::default(),
            sent: Counter::default(),
            dropped: Dropped::default(),
            refused: Counter::default(),
            dropped_clients: Counter::default(),
            settings: Mutex::new(Arc::new(Settings::new(config))),
            version: AtomicU64::new(0),
            status: Mutex::default(),
            rate: Mutex::default(),
            clients: AtomicUsize::new(0),
            name,
        })
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock())
    }

    /// Grows with each change of the settings.
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
        *settings = Arc::new(Settings::new(config));
        self.version.fetch_add(1, Ordering::AcqRel);
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
        let mut known = self.status.lock();
        if known.0.state != status.state {
            known.1 = Timestamp::now();
        }
        known.0 = status;
    }

    /// Width and height of its pictures, as far as they are known.
    pub fn size(&self) -> (u32, u32) {
        match self.status().layout {
            Some(layout) => (layout.width, layout.height),
            None => {
                let size = self.settings().config.size;
                (size.width, size.height)
            }
        }
    }

    /// A frame has come.
    pub fn count_frame(&self, now: Timestamp) {
        self.rate.lock().add(now);
    }

    /// Frames a second over the last few seconds.
    pub fn fps(&self, now: Timestamp) -> f64 {
        self.rate.lock().rate(now)
    }

    /// Takes a place for a client; `None` when `max-clients` have one.
    pub fn admit(self: &Arc<Self>) -> Option<Place> {
        let limit = self.settings().config.max_clients.get() as usize;
        let admit = |n: usize| (n < limit).then_some(n + 1);
        if self
            .clients
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, admit)
            .is_err()
        {
            self.refused.add(1);
            return None;
        }
        Some(Place(Arc::clone(self)))
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

/// What the capture thread of a camera is to deliver by these settings.
fn capture_settings(name: &str, config: &config::Camera) -> capture::Settings {
    capture::Settings {
        name: name.into(),
        device: config.device.clone(),
        size: config.size,
        format: config.format,
        fps: config.fps,
    }
}

/// A client's place among a camera's `max-clients`, given back when dropped.
#[derive(Debug)]
pub struct Place(Arc<Camera>);

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
