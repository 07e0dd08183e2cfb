//! A camera's sound: heard while somebody listens, in packets of Opus, by the clock of the pictures.
//!
//! ```text
//!  one thread a camera, while somebody listens
//! ┌──────────────────────────────────────────────────┐
//! │ ALSA ──▶ device ──samples──▶ level ──▶ encoder ──┼──Packet──▶ a short queue each ──▶ listeners
//! │ or tone    └──looks──▶ clock ──times──▶──┘       │
//! └──────────────────────────────────────────────────┘
//! ```

#![cfg_attr(
    not(feature = "sound"),
    allow(dead_code, unused_imports, reason = "nothing is heard without it")
)]

#[cfg(feature = "sound")]
mod clock;
#[cfg(feature = "sound")]
mod device;
#[cfg(feature = "sound")]
mod encoder;
mod level;
mod subscription;
#[cfg(feature = "sound")]
mod thread;
#[cfg(feature = "sound")]
mod tone;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use streamd_protocol::stats::CameraState;

pub use self::{level::SILENCE, subscription::Subscription};

use self::{level::Level, subscription::Queue};
use crate::{
    config::Audio,
    events,
    media::Timestamp,
    meters::Counter,
    news::{self, Event, EventKind, News},
};

/// Samples a second on each channel: those of Opus, and of its clock in RTP.
pub const RATE: u32 = 48_000;

/// Samples of a packet on each channel: 20 ms.
pub const FRAME: usize = 960;

/// 20 ms of sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When the first sample was captured that comes out of it, on the clock of the pictures.
    pub captured: Timestamp,
    /// Samples on each channel, of [`RATE`] a second.
    pub samples: u32,
    /// One packet of Opus.
    pub data: Bytes,
}

impl Packet {
    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(u64::from(self.samples) * 1_000_000_000 / u64::from(RATE))
    }
}

/// What is known of the sound of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// What its device is doing; idle while nobody listens.
    pub state: CameraState,
    /// Why, where the state needs one; else empty.
    pub reason: String,
    /// What the system calls the device; empty until it is open.
    pub card: String,
}

impl Default for Status {
    fn default() -> Self {
        Self {
            state: CameraState::Idle,
            reason: String::new(),
            card: String::new(),
        }
    }
}

/// The sound of one camera.
pub struct Sound {
    /// The camera.
    name: String,
    inner: Mutex<Inner>,
    news: News,
    /// Something has changed for who waits to try again.
    changed: Condvar,
    /// Packets made.
    pub packets: Counter,
    /// Packets that a listener did not take in time.
    pub dropped: Counter,
    /// Times that samples were lost because they were not taken in time.
    pub overruns: Counter,
    /// Times the device was lost.
    pub losses: Counter,
    /// Of the last packet, bits of [`f64`] each.
    rms: AtomicU64,
    peak: AtomicU64,
}

#[derive(Default)]
struct Inner {
    settings: Option<Audio>,
    listeners: Vec<Arc<Queue>>,
    /// There is a thread.
    running: bool,
    /// It was told that it is lost, and not yet that it is back.
    told_lost: bool,
    status: Status,
}

impl Sound {
    /// The sound of the camera with this name, by these settings; none where there are none.
    pub fn new(name: String, settings: Option<Audio>, news: News) -> Arc<Self> {
        let silence = AtomicU64::new(SILENCE.to_bits());
        Arc::new(Self {
            name,
            inner: Mutex::new(Inner {
                settings,
                ..Inner::default()
            }),
            news,
            changed: Condvar::new(),
            packets: Counter::default(),
            dropped: Counter::default(),
            overruns: Counter::default(),
            losses: Counter::default(),
            rms: AtomicU64::new(SILENCE.to_bits()),
            peak: silence,
        })
    }

    /// Changes the settings; who listens goes on with the new ones.
    pub fn change(self: &Arc<Self>, settings: Option<Audio>) {
        let mut inner = self.inner.lock();
        inner.settings = settings;
        self.start_if_wanted(&mut inner);
        drop(inner);
        self.changed.notify_all();
    }

    /// The settings; `None` where the camera has no sound.
    pub fn settings(&self) -> Option<Audio> {
        self.inner.lock().settings.clone()
    }

    /// What is known of it.
    pub fn status(&self) -> Status {
        self.inner.lock().status.clone()
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.inner.lock().listeners.len()
    }

    /// How loud it is, mean and peak, in dB below the loudest that can be; `None` while it is not heard.
    pub fn level(&self) -> Option<(f64, f64)> {
        let is_heard = self.inner.lock().status.state == CameraState::Streaming;
        let of = |level: &AtomicU64| f64::from_bits(level.load(Ordering::Relaxed));
        is_heard.then(|| (of(&self.rms), of(&self.peak)))
    }

    /// Listens. The device is opened for the first who does, and closed after the last.
    pub fn subscribe(self: &Arc<Self>) -> Subscription {
        let queue = Arc::<Queue>::default();
        let mut inner = self.inner.lock();
        inner.listeners.push(Arc::clone(&queue));
        self.start_if_wanted(&mut inner);
        drop(inner);
        Subscription::new(Arc::clone(self), queue)
    }

    fn leave(&self, queue: &Arc<Queue>) {
        let mut inner = self.inner.lock();
        inner.listeners.retain(|other| !Arc::ptr_eq(other, queue));
        drop(inner);
        self.changed.notify_all();
    }

    fn start_if_wanted(self: &Arc<Self>, inner: &mut Inner) {
        if !inner.running && !inner.listeners.is_empty() && inner.settings.is_some() {
            inner.running = self.start();
        }
    }

    #[cfg(feature = "sound")]
    fn start(self: &Arc<Self>) -> bool {
        let sound = Arc::clone(self);
        let name = format!("sound-{}", self.name);
        let spawned = std::thread::Builder::new()
            .name(name)
            .spawn(move || thread::run(&sound));
        if let Err(error) = &spawned {
            tracing::error!(camera = self.name, %error, "no thread to hear sound with");
        }
        spawned.is_ok()
    }

    #[cfg(not(feature = "sound"))]
    fn start(self: &Arc<Self>) -> bool {
        false
    }
}

/// What the thread does with it.
#[cfg(feature = "sound")]
impl Sound {
    /// The settings, as long as somebody listens; else the thread must end.
    fn still_wanted(&self) -> Option<Audio> {
        let mut inner = self.inner.lock();
        let settings = inner.settings.clone();
        let wanted = settings.filter(|_| !inner.listeners.is_empty());
        if wanted.is_none() {
            inner.running = false;
            if inner.status.state == CameraState::Streaming {
                tracing::info!(
                    message_id = events::SOUND_IDLE,
                    camera = self.name,
                    "sound is off: nobody listens"
                );
            }
            inner.status = Status::default();
        } else if inner.status.state == CameraState::Idle {
            inner.status.state = CameraState::Starting;
        }
        wanted
    }

    /// Whether somebody listens, and by these settings.
    fn is_wanted(&self, settings: &Audio) -> bool {
        let inner = self.inner.lock();
        !inner.listeners.is_empty() && inner.settings.as_ref() == Some(settings)
    }

    /// Waits before the next try, as long as nothing changes.
    fn pause(&self, delay: Duration) {
        let mut inner = self.inner.lock();
        if !inner.listeners.is_empty() {
            self.changed.wait_for(&mut inner, delay);
        }
    }

    fn opened(&self, settings: &Audio, card: &str) {
        let mut inner = self.inner.lock();
        let was = std::mem::replace(
            &mut inner.status,
            Status {
                state: CameraState::Streaming,
                reason: String::new(),
                card: card.into(),
            },
        );
        let told_lost = std::mem::take(&mut inner.told_lost);
        drop(inner);
        if told_lost {
            let text = format!("sound of camera {} is back", self.name);
            self.tell(EventKind::SoundBack, text, "");
        }
        let again = if was.state == CameraState::Lost {
            " again"
        } else {
            ""
        };
        tracing::info!(
            message_id = events::SOUND_OPENED,
            camera = self.name,
            device = %settings.device,
            card,
            channels = settings.channels.get(),
            bit_rate = %settings.bit_rate,
            "sound is heard{again}"
        );
    }

    fn lost(&self, settings: &Audio, why: &str) {
        let mut inner = self.inner.lock();
        let was = std::mem::replace(
            &mut inner.status,
            Status {
                state: CameraState::Lost,
                reason: why.into(),
                card: String::new(),
            },
        );
        let told_lost = std::mem::replace(&mut inner.told_lost, true);
        drop(inner);
        if !told_lost {
            let text = format!("sound of camera {} is lost: {why}", self.name);
            self.tell(EventKind::SoundLost, text, why);
        }
        if was.state != CameraState::Lost {
            self.losses.add(1);
        }
        // Each try finds the same.
        if was.state != CameraState::Lost || was.reason != why {
            tracing::warn!(
                message_id = events::SOUND_LOST,
                camera = self.name,
                device = %settings.device,
                "sound is lost: {why}"
            );
        }
    }

    fn tell(&self, kind: EventKind, text: String, reason: &str) {
        self.news.tell(Event {
            cameras: vec![self.name.clone()],
            reason: reason.into(),
            ..news::event(kind, text)
        });
    }

    fn overrun(&self) {
        self.overruns.add(1);
        tracing::debug!(camera = self.name, "sound was not taken in time");
    }

    fn publish(&self, packet: Packet, level: Level) {
        self.rms.store(level.rms().to_bits(), Ordering::Relaxed);
        self.peak.store(level.peak().to_bits(), Ordering::Relaxed);
        self.packets.add(1);
        let packet = Arc::new(packet);
        let inner = self.inner.lock();
        for listener in &inner.listeners {
            self.dropped.add(listener.push(Arc::clone(&packet)).into());
        }
    }
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sound({})", self.name)
    }
}

#[cfg(all(test, feature = "sound"))]
mod tests;
