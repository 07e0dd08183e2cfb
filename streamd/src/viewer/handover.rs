//! A viewer that stays over a restart of the daemon: its connection, and what the next process
//! must know to go on with it.

use std::{io, os::fd::OwnedFd, sync::Arc};

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use streamd_protocol::{
    limits::Limits,
    stats::{DroppedStats, Transport},
};

use super::{Arrival, Viewer, figures::FeedFigures, framing::Framing, viewers::Viewers};
use crate::{access::role::Shown, camera::Refused, config, link::socket::Socket, media::Timestamp};

/// What is known of a viewer beside its connection. Bytes are kept as they are on the wire, so
/// that a frame that is half sent is sent to its end.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Its number.
    pub id: u64,
    /// How it is connected.
    pub transport: Transport,
    /// The state of its framing.
    pub framing: Value,
    name: String,
    /// Where it is; by its connection where `None`.
    #[serde(default)]
    peer: Option<String>,
    /// Who it is.
    #[serde(default)]
    who: Shown,
    feeds: Vec<KeptFeed>,
    own: Limits,
    set: Limits,
    is_told: bool,
    errors: u64,
    /// Nanoseconds of `CLOCK_MONOTONIC`, as all times here.
    connected: u64,
    /// Received, and not yet understood.
    input: Vec<u8>,
    /// To be sent before anything else.
    unsent: Vec<u8>,
}

/// What it has had of a camera.
#[derive(Debug, Serialize, Deserialize)]
struct KeptFeed {
    camera: String,
    since: u64,
    frames: u64,
    bytes: u64,
    dropped: DroppedStats,
    changes: u64,
}

/// Why a viewer can't be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum NotResumed {
    /// Its first camera is gone or full.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It may not watch any more.
    #[error("it may not watch any more")]
    Revoked,
    /// It came plain, where now all is encrypted.
    #[error("its connection is not encrypted, and now has to be")]
    Plain,
    /// Its connection can't be used.
    #[error(transparent)]
    Connection(#[from] io::Error),
}

impl Kept {
    /// The name of its first camera.
    pub fn camera(&self) -> &str {
        self.feeds.first().map_or("", |feed| &feed.camera)
    }
}

impl KeptFeed {
    fn of(figures: &FeedFigures) -> Self {
        Self {
            camera: figures.camera.clone(),
            since: figures.since.as_nanos(),
            frames: figures.frames,
            bytes: figures.bytes,
            dropped: figures.dropped.clone(),
            changes: figures.changes,
        }
    }

    fn restore(self, figures: &mut FeedFigures) {
        figures.since = Timestamp::from_nanos(self.since);
        figures.frames = self.frames;
        figures.bytes = self.bytes;
        figures.dropped = self.dropped;
        figures.changes = self.changes;
    }
}

impl Viewer {
    /// Ends here, and leaves what the next process needs.
    pub(super) fn hand_over(mut self) {
        if let Some(names) = self.asked.take() {
            self.watch(&names);
        }
        let (own, set) = self.entry.own_and_set();
        let (socket, unsent) = self.wire.hand_over(&mut self.talk.outbox);
        let kept = {
            let figures = self.entry.figures();
            Kept {
                id: self.entry.id,
                transport: self.entry.transport,
                framing: self.talk.framing.state(),
                name: figures.name.clone(),
                peer: Some(self.entry.peer.clone()),
                who: self.entry.shown(),
                feeds: figures.feeds.iter().map(KeptFeed::of).collect(),
                own,
                set,
                is_told: self.talk.is_told,
                errors: figures.errors,
                connected: self.entry.connected().as_nanos(),
                input: self.talk.input().to_vec(),
                unsent,
            }
        };
        // Before its entry goes: who waits for the last one to go finds this one here.
        self.viewers.keep(kept, socket.into());
    }

    /// Goes on with a viewer of the process before this one; `http` and `rtsp` are what
    /// holds for connections of theirs.
    ///
    /// # Errors
    /// When there is no place for it, or its connection can't be used.
    pub fn resume(
        viewers: &Arc<Viewers>,
        kept: Kept,
        connection: OwnedFd,
        framing: Box<dyn Framing>,
        (http, rtsp): (&config::Http, &config::Rtsp),
    ) -> Result<Self, NotResumed> {
        let socket = Socket::new(connection)?;
        let peer = kept.peer.clone().unwrap_or_else(|| socket.peer());
        let place = viewers.admit(Some(kept.camera()), &peer)?;
        let (congestion, tls) = match kept.transport {
            Transport::Rtsp => (place.camera().settings().config.congestion, rtsp.tls),
            Transport::Tcp => {
                let config = &place.camera().settings().config;
                (config.congestion, config.tls)
            }
            Transport::Websocket
            | Transport::Mjpeg
            | Transport::H264
            | Transport::Webrtc
            | Transport::Nats => (http.congestion, http.tls),
        };
        if tls && socket.is_tcp() {
            return Err(NotResumed::Plain);
        }
        let arrival = Arrival {
            id: kept.id,
            channel: socket.into(),
            peer: peer.clone(),
            framing,
            who: kept.who,
            // It is there already, whatever an address may have by now.
            share: viewers
                .connections
                .take(viewers.address_of(&peer), usize::MAX),
            place,
            name: kept.name,
            input: BytesMut::from(&kept.input[..]),
            limits: kept.own,
            congestion,
        };
        let mut viewer = Self::new(Arc::clone(viewers), arrival)?;
        let connected = Timestamp::from_nanos(kept.connected);
        viewer.entry.resume(connected, kept.set);
        viewer.wire.unsent = kept.unsent;
        let limits = viewer.entry.limits();
        if !viewers.may_stay(&viewer.entry) {
            return Err(NotResumed::Revoked);
        }
        {
            let names: Vec<_> = kept.feeds.iter().map(|feed| feed.camera.clone()).collect();
            let watching = &mut viewer.watching;
            watching.set_limits(limits);
            watching.watch(&names, (viewers, &peer), limits, &viewer.entry);
            let mut figures = viewer.entry.figures();
            figures.errors = kept.errors;
            for feed in kept.feeds {
                let mut all = figures.feeds.iter_mut();
                if let Some(figures) = all.find(|figures| figures.camera == feed.camera) {
                    feed.restore(figures);
                }
            }
        }
        viewer.talk.is_told = kept.is_told;
        Ok(viewer)
    }
}
