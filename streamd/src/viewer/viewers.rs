//! All viewers, and what they share.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use streamd_protocol::stats::Transport;

use super::{
    bandwidth::Bandwidth,
    framing::Goodbye,
    handover::Kept,
    registry::{Entry, Registry},
    tcp::log_refused,
};
use crate::{
    access::{
        address::Address,
        attempts::{Attempts, Held, TooMany},
        counts::{Counts, Share},
        rates::{Rates, TooOften},
        role::{Action, may},
        rules::Rules,
    },
    camera::{Cameras, Place, Refused},
    config, events,
    link::readiness::Readiness,
    media::Timestamp,
    meters::Counter,
    news::{self, Event, EventKind, News},
};

/// An address has as many connections as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this address has its {0} connections (max-per-address)")]
pub struct TooManyConnections(u32);

/// What every viewer's task holds of the daemon.
pub struct Viewers {
    /// What can be watched.
    pub cameras: Arc<Cameras>,
    /// All connected viewers.
    pub registry: Arc<Registry>,
    /// Where their sockets are watched.
    pub readiness: Readiness,
    /// The connections of each address, over raw TCP and HTTP.
    pub connections: Arc<Counts>,
    /// Who may watch.
    pub rules: Rules,
    /// The wrong tokens of late.
    pub attempts: Arc<Attempts>,
    /// TLS handshakes.
    pub handshakes: Rates,
    /// Calls of the HTTP API.
    pub calls: Rates,
    /// What clients may be sent.
    pub bandwidth: Bandwidth,
    /// RTSP connections that were ended for what they sent, and reports and datagrams that are none.
    pub broken: Counter,
    /// Datagrams at the port of WebRTC that belong to no session.
    pub strays: Arc<Counter>,
    /// Where it is told who comes and goes.
    pub news: News,
    client_timeout_ms: AtomicU64,
    max_per_address: AtomicU32,
    /// Those that the next process goes on with.
    kept: Mutex<Vec<(Kept, OwnedFd)>>,
}

impl Viewers {
    /// Nobody is connected yet.
    pub fn new(
        cameras: Arc<Cameras>,
        readiness: Readiness,
        news: News,
        config: &config::Clients,
        rules: Rules,
    ) -> Self {
        let viewers = Self {
            cameras,
            registry: Arc::default(),
            readiness,
            connections: Arc::default(),
            rules,
            attempts: Arc::default(),
            handshakes: Rates::new(
                "TLS handshakes",
                ["max-handshakes-per-address", "max-handshakes"],
            ),
            calls: Rates::new("calls", ["max-calls-per-address", "max-calls"]),
            bandwidth: Bandwidth::default(),
            broken: Counter::default(),
            strays: Arc::default(),
            news,
            client_timeout_ms: AtomicU64::new(0),
            max_per_address: AtomicU32::new(0),
            kept: Mutex::default(),
        };
        viewers.change(config);
        viewers
    }

    /// Puts other settings in force, for all viewers.
    pub fn change(&self, config: &config::Clients) {
        let timeout = config.client_timeout.get().as_millis() as u64;
        self.client_timeout_ms.store(timeout, Ordering::Relaxed);
        let most = config.max_per_address.get();
        self.max_per_address.store(most, Ordering::Relaxed);
        self.handshakes.change([
            config.max_handshakes_per_address.get(),
            config.max_handshakes.get(),
        ]);
        self.calls
            .change([config.max_calls_per_address.get(), config.max_calls.get()]);
        self.bandwidth.change(config, &self.registry);
    }

    /// Counts a TLS handshake of this peer; says in the log where it is one too many.
    ///
    /// # Errors
    /// When it is not to be made.
    pub fn handshake(&self, peer: &str, camera: &str) -> io::Result<()> {
        let now = tokio::time::Instant::now();
        let refused = self.handshakes.take(self.address_of(peer), now);
        refused.map_err(|refused| {
            log_refused(&refused, peer, camera);
            io::Error::other(refused)
        })
    }

    /// Counts a call of the HTTP API of this peer.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn call(&self, peer: &str) -> Result<(), TooOften> {
        let now = tokio::time::Instant::now();
        self.calls.take(self.address_of(peer), now)
    }

    /// The address of a peer, as it is shown, that limits count. A trusted proxy stands for everybody
    /// behind it, as this machine does.
    pub fn address_of(&self, peer: &str) -> Address {
        match self.rules.proxies().trust(peer) {
            true => Address::Machine,
            false => Address::of_peer(peer),
        }
    }

    /// Counts one more connection of an address; `None` when it has as many as it may have.
    pub fn connect(&self, address: Address) -> Option<Share> {
        self.connections
            .take(address, self.max_per_address() as usize)
    }

    /// Why an address may not connect once more.
    pub fn too_many(&self) -> TooManyConnections {
        TooManyConnections(self.max_per_address())
    }

    /// Connections that one address may have.
    pub fn max_per_address(&self) -> u32 {
        self.max_per_address.load(Ordering::Relaxed)
    }

    /// Somebody has shown a token that is not good: it is counted, and said in the log.
    ///
    /// # Errors
    /// When the answer is not held back, since too many are.
    pub fn wrong_token(&self, peer: &str) -> Result<Held, TooMany> {
        tracing::warn!(
            message_id = events::LOGIN_REFUSED,
            peer,
            "a token was refused: it is none, or no longer one"
        );
        let now = tokio::time::Instant::now();
        self.attempts.count(self.address_of(peer), now)
    }

    /// The same; comes back when they may be told.
    ///
    /// # Errors
    /// When that is now, since too many wait already.
    pub async fn refuse_token(&self, peer: &str) -> Result<(), TooMany> {
        self.wrong_token(peer)?.over().await;
        Ok(())
    }

    /// A place for one more viewer at a camera, the first one where `name` is `None`. Where there
    /// is none left, a viewer that is paused gives way.
    ///
    /// # Errors
    /// When there is no such camera, or no place.
    pub fn admit(&self, name: Option<&str>, peer: &str) -> Result<Place, Refused> {
        let address = self.address_of(peer);
        let refused = match self.cameras.admit(name, address, self.max_per_address()) {
            Err(refused) => refused,
            admitted => return admitted,
        };
        let (camera, of) = match &refused {
            Refused::NoCamera(_) => return Err(refused),
            Refused::Full { name, .. } => (name, None),
            Refused::FullForAddress { name, .. } => (name, Some(address)),
        };
        if self.make_way(camera, of) {
            let camera = self.cameras.find(Some(camera))?;
            return Ok(camera.succeed(address));
        }
        Err(refused)
    }

    /// Whether a viewer may still watch all that it watches.
    pub fn may_stay(&self, viewer: &Entry) -> bool {
        // What is published is the configuration's to say; who has it, the server's.
        if viewer.transport == Transport::Nats {
            return true;
        }
        let who = self.rules.identity(viewer.shown().proof.as_ref());
        let figures = viewer.figures();
        let mut cameras = figures.feeds.iter().map(|feed| &*feed.camera);
        cameras.all(|camera| may(&who, Action::Watch, Some(camera)))
    }

    /// The cameras that a viewer may watch, by their names.
    pub fn names_for(&self, viewer: &Entry) -> Vec<String> {
        let who = self.rules.identity(viewer.shown().proof.as_ref());
        let mut names = self.cameras.names();
        names.retain(|name| may(&who, Action::Watch, Some(name)));
        names
    }

    /// Ends all who may not watch any more, by the rules as they are now; returns how many.
    pub fn look_over(&self) -> usize {
        let all = self.registry.all();
        let gone = all.iter().filter(|viewer| !self.may_stay(viewer));
        gone.map(|viewer| viewer.end(Goodbye::Revoked)).count()
    }

    /// Ends the oldest viewer of a camera that is paused, of this address where one is given.
    fn make_way(&self, camera: &str, of: Option<Address>) -> bool {
        self.registry.all().iter().any(|viewer| {
            let watches = |figures: &super::figures::Figures| {
                figures.feeds.iter().any(|feed| feed.camera == camera)
            };
            of.is_none_or(|address| self.address_of(&viewer.peer) == address)
                && watches(&viewer.figures())
                && viewer.give_way()
        })
    }

    /// Shares anew what all clients may be sent.
    pub fn share_bandwidth(&self) {
        self.bandwidth.look(&self.registry, Timestamp::now());
    }

    /// A viewer that has taken no byte for so long is dropped.
    pub fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms.load(Ordering::Relaxed))
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
