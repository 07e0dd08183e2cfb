//! What all clients share.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{
    camera::{Camera, Place},
    link::readiness::Readiness,
    viewer::{framing::Goodbye, registry::Registry},
};

/// The cameras, the clients, and what holds for every client.
pub struct Stage {
    /// In the configuration's order; never empty.
    pub cameras: Vec<Arc<Camera>>,
    /// All connected clients.
    pub registry: Arc<Registry>,
    /// Where their sockets are watched.
    pub readiness: Readiness,
    client_timeout_ms: AtomicU64,
}

/// Why a client gets no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No camera of this name.
    #[error("no camera {name:?}: there is {}", known.join(", "))]
    NoCamera {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// `max-clients` have a place.
    #[error("camera {name} has its {limit} clients (max-clients)")]
    Full {
        /// The camera.
        name: String,
        /// Its `max-clients`.
        limit: u32,
    },
}

impl Stage {
    /// A stage without clients.
    pub fn new(cameras: Vec<Arc<Camera>>, readiness: Readiness, client_timeout: Duration) -> Self {
        let stage = Self {
            cameras,
            registry: Arc::default(),
            readiness,
            client_timeout_ms: AtomicU64::new(0),
        };
        stage.set_client_timeout(client_timeout);
        stage
    }

    /// A camera by its name.
    pub fn camera(&self, name: &str) -> Option<&Arc<Camera>> {
        self.cameras.iter().find(|c| c.name == name)
    }

    /// Takes a place for a client at a camera, the first one where `name` is `None`.
    ///
    /// # Errors
    /// When there is no such camera, or it has no place left.
    pub fn admit(&self, name: Option<&str>) -> Result<Place, Refused> {
        let camera = match name {
            Some(name) => self.camera(name).ok_or_else(|| Refused::NoCamera {
                name: name.into(),
                known: self.names(),
            })?,
            None => &self.cameras[0],
        };
        camera.admit().ok_or_else(|| Refused::Full {
            name: camera.name.clone(),
            limit: camera.live().config.max_clients.get(),
        })
    }

    /// The cameras' names.
    pub fn names(&self) -> Vec<String> {
        self.cameras.iter().map(|c| c.name.clone()).collect()
    }

    /// A client that has taken no byte for so long is dropped.
    pub fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms.load(Ordering::Relaxed))
    }

    /// Changes that, for all clients.
    pub fn set_client_timeout(&self, timeout: Duration) {
        self.client_timeout_ms
            .store(timeout.as_millis() as u64, Ordering::Relaxed);
    }

    /// On a fast link, one frame in so long is time-stamped: a stamp costs a wake-up. All clients
    /// together get a good hundred stamps a second.
    pub fn stamp_pace(&self) -> Duration {
        const EACH: Duration = Duration::from_millis(8);
        EACH * u32::try_from(self.registry.count()).unwrap_or(u32::MAX)
    }

    /// Tells every client goodbye; returns how many there were.
    pub fn end_all(&self, why: &Goodbye) -> usize {
        let all = self.registry.all();
        for client in &all {
            client.order(|orders| orders.end = Some(why.clone()));
        }
        all.len()
    }
}
