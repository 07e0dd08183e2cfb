//! One track of a camera in its hub: what is kept of it, and who waits for more.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;

use crate::media::{Keeping, Packet, Timestamp, Track};

/// Bytes of one group of pictures that are kept at most: half a minute at 8 Mb/s. An encoder that
/// makes no key for longer begins anew for everybody.
const MAX_GROUP: usize = 32 * 1024 * 1024;

/// A track in use.
pub(super) struct Slot {
    pub track: Track,
    /// Subscriptions on it; it goes when the last one leaves.
    pub users: usize,
    /// Those of them that keep the camera on.
    pub watching: usize,
    pub kept: Kept,
    /// A frame is being encoded for it.
    pub encoding: bool,
    /// Whether it is on the work list.
    pub queued: bool,
    pub waiting: Vec<Arc<Seat>>,
    /// Packets encoded since it came into use.
    pub encoded: u64,
    /// Recent average size of a packet; 0 before the first.
    pub average_bytes: f64,
}

/// What is kept of a track.
pub(super) enum Kept {
    /// Each packet stands alone.
    Newest(Option<Arc<Packet>>),
    /// From the last key on, without a gap.
    FromKey {
        group: VecDeque<Arc<Packet>>,
        bytes: usize,
    },
}

/// A subscription's place in a track's waiting list.
#[derive(Default)]
pub(super) struct Seat {
    pub waker: AtomicWaker,
    /// It waits for a packet now.
    pub wants: AtomicBool,
    /// It is in the waiting list of its track.
    pub seated: AtomicBool,
    /// It wants no frame captured before this (`CLOCK_MONOTONIC` ns).
    pub due: AtomicU64,
}

impl Slot {
    pub fn new(track: Track) -> Self {
        Self {
            track,
            users: 0,
            watching: 0,
            kept: Kept::new(track.codec.keeping()),
            encoding: false,
            queued: false,
            waiting: Vec::new(),
            encoded: 0,
            average_bytes: 0.0,
        }
    }

    /// Whether a frame captured then is to be encoded for somebody: for a track whose packets
    /// stand alone, if somebody waits for it; else, if somebody watches, since the next packet
    /// builds on this one.
    pub fn is_wanted(&self, captured: Timestamp) -> bool {
        match self.kept {
            Kept::Newest(_) => self.waiting.iter().any(|seat| seat.wants(captured)),
            Kept::FromKey { .. } => self.watching > 0,
        }
    }

    /// Counts and keeps a packet, and takes the wakers of all who wait for it.
    pub fn put(&mut self, packet: Arc<Packet>, wake: &mut Vec<Waker>) {
        self.encoding = false;
        self.encoded += 1;
        let size = packet.bytes.len() as f64;
        let weight = if self.average_bytes == 0.0 { 1.0 } else { 0.1 };
        self.average_bytes += (size - self.average_bytes) * weight;
        self.waiting.retain(|seat| {
            if seat.wants.load(Ordering::Relaxed) && !seat.wants(packet.captured) {
                return true;
            }
            if seat.wants.swap(false, Ordering::Relaxed) {
                wake.extend(seat.waker.take());
            }
            seat.seated.store(false, Ordering::Relaxed);
            false
        });
        self.kept.put(packet);
    }
}

impl Kept {
    fn new(keeping: Keeping) -> Self {
        match keeping {
            Keeping::Newest => Self::Newest(None),
            Keeping::FromKey => Self::FromKey {
                group: VecDeque::new(),
                bytes: 0,
            },
        }
    }

    fn put(&mut self, packet: Arc<Packet>) {
        match self {
            Self::Newest(newest) => *newest = Some(packet),
            Self::FromKey { group, bytes } => {
                if packet.key || *bytes > MAX_GROUP {
                    group.clear();
                    *bytes = 0;
                }
                // What builds on packets that nobody has is of no use.
                if packet.key || !group.is_empty() {
                    *bytes += packet.bytes.len();
                    group.push_back(packet);
                }
            }
        }
    }

    /// Forgets everything: what comes next is new.
    pub fn clear(&mut self) {
        match self {
            Self::Newest(newest) => *newest = None,
            Self::FromKey { group, bytes } => {
                group.clear();
                *bytes = 0;
            }
        }
    }

    /// The number of the newest frame kept.
    pub fn last(&self) -> Option<u64> {
        match self {
            Self::Newest(newest) => newest.as_ref(),
            Self::FromKey { group, .. } => group.back(),
        }
        .map(|packet| packet.sequence)
    }

    /// The packet that follows frame `seen` for a subscriber: the newest one captured at `due` or
    /// later; or the one after `seen`, and the key where what lies between is gone.
    pub fn after(&self, seen: Option<u64>, due: Timestamp) -> Option<&Arc<Packet>> {
        let fresh = |packet: &&Arc<Packet>| seen.is_none_or(|seen| packet.sequence > seen);
        match self {
            Self::Newest(newest) => newest.as_ref().filter(fresh).filter(|p| p.captured >= due),
            Self::FromKey { group, .. } => group.iter().find(fresh),
        }
    }
}

impl Seat {
    /// Whether it waits for a frame captured then.
    pub fn wants(&self, captured: Timestamp) -> bool {
        self.wants.load(Ordering::Relaxed)
            && self.due.load(Ordering::Relaxed) <= captured.as_nanos()
    }
}
