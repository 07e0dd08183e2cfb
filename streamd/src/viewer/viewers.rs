//! All viewers, and what they share.

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    framing::Goodbye,
    handover::Kept,
    registry::{Entry, Registry},
};
use crate::{
    camera::Cameras,
    link::readiness::Readiness,
    news::{self, Event, EventKind, News},
};

/// What every viewer's task holds of the daemon.
pub struct Viewers {
    /// What can be watched.
    pub cameras: Arc<Cameras>,
    /// All connected viewers.
    pub registry: Arc<Registry>,
    /// Where their sockets are watched.
    pub readiness: Readiness,
    /// Where it is told who comes and goes.
    pub news: News,
    client_timeout_ms: AtomicU64,
    /// Those that the next process goes on with.
    kept: Mutex<Vec<(Kept, OwnedFd)>>,
}

impl Viewers {
    /// Nobody is connected yet.
    pub fn new(
        cameras: Arc<Cameras>,
        readiness: Readiness,
        news: News,
        client_timeout: Duration,
    ) -> Self {
        let viewers = Self {
            cameras,
            registry: Arc::default(),
            readiness,
            news,
            client_timeout_ms: AtomicU64::new(0),
            kept: Mutex::default(),
        };
        viewers.set_client_timeout(client_timeout);
        viewers
    }

    /// A viewer that has taken no byte for so long is dropped.
    pub fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms.load(Ordering::Relaxed))
    }

    /// Changes that, for all viewers.
    pub fn set_client_timeout(&self, timeout: Duration) {
        self.client_timeout_ms
            .store(timeout.as_millis() as u64, Ordering::Relaxed);
    }

    /// On a fast link, one frame in so long is time-stamped: a stamp costs a wake-up. All viewers
    /// together get a good hundred stamps a second.
    pub fn stamp_pace(&self) -> Duration {
        const EACH: Duration = Duration::from_millis(8);
        EACH * u32::try_from(self.registry.count()).unwrap_or(u32::MAX)
    }

    /// A viewer has ended here, and is to be gone on with.
    pub(super) fn keep(&self, viewer: Kept, connection: OwnedFd) {
        self.kept.lock().push((viewer, connection));
    }

    /// Takes those that are to be gone on with.
    pub fn take_kept(&self) -> Vec<(Kept, OwnedFd)> {
        std::mem::take(&mut self.kept.lock())
    }

    /// Tells whoever listens to what happens that a viewer has come or gone.
    pub(super) fn tell(&self, kind: EventKind, text: String, viewer: &Entry, reason: &str) {
        let (cameras, name) = {
            let figures = viewer.figures();
            (figures.camera_names(), figures.name.clone())
        };
        self.news.tell(Event {
            cameras,
            client: viewer.id as i64,
            name,
            peer: viewer.peer.clone(),
            reason: reason.into(),
            ..news::event(kind, text)
        });
    }

    /// Tells every viewer goodbye; returns how many there were.
    pub fn end_all(&self, why: &Goodbye) -> usize {
        let all = self.registry.all();
        for viewer in &all {
            viewer.end(why.clone());
        }
        all.len()
    }
}
