//! A camera's tracks, and who wants what: one hub per camera.
//!
//! Nothing queues here. The hub holds the newest raw frame and, of each track in use, the newest
//! packet ([`Keeping::Newest`]) or the last ones without a gap ([`Keeping::FromKey`]). A
//! subscriber that is ready for a picture *waits* at its track, and that wait is the demand: a
//! track whose packets stand alone is encoded when somebody waits for it, and not otherwise. When
//! a subscriber begins to wait while the newest raw frame has not been encoded for its track, the
//! encoder is asked to do that at once, so that no picture is held until the next one arrives.
//! A track whose packets build on one another is encoded frame by frame while somebody watches it,
//! at a bit rate that all who watch it can take; a subscriber begins at a key, and gets one soon.
//!
//! [`Keeping::Newest`]: crate::media::Keeping::Newest
//! [`Keeping::FromKey`]: crate::media::Keeping::FromKey

mod subscription;
#[cfg(test)]
mod tests;
mod track;
mod work;

use std::{
    sync::{Arc, Weak},
    task::Waker,
};

use parking_lot::Mutex;

use self::track::Slot;
pub use self::{
    subscription::Subscription,
    track::{Follows, Order},
    work::WorkList,
};
use crate::media::{Packet, RawFrame, Timestamp, Track};

/// One camera's hub.
pub struct Hub {
    name: String,
    tracks: Mutex<Tracks>,
    work: Arc<WorkList>,
    /// The list for tracks whose packets build on one another.
    streams: Arc<WorkList>,
    /// Told when the first subscription watches, and when none does any more.
    watched: Box<dyn Fn(bool) + Send + Sync>,
    me: Weak<Self>,
}

#[derive(Default)]
struct Tracks {
    newest: Option<Arc<RawFrame>>,
    /// The camera makes this one by itself: nothing is encoded for it.
    given: Option<Track>,
    slots: Vec<Slot>,
    /// Subscriptions that keep the camera on.
    watchers: usize,
    /// Where the next wake-up begins, so that no subscriber is always the first on a shared link.
    turn: usize,
}

/// What is known of a track, for the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackUse {
    /// The track that is in use.
    pub track: Track,
    /// Subscriptions on it.
    pub users: usize,
    /// Packets encoded since it came into use.
    pub encoded: u64,
    /// Recent average size, bytes; 0 before the first.
    pub average_bytes: f64,
    /// The least bits a second that anybody on it asks for.
    pub bit_rate: Option<u32>,
}

impl Hub {
    /// A camera's hub. What is not encoded by its capture thread is put on the list `work`, or, of
    /// tracks whose packets build on one another, on `streams`. `watched` is told when the first
    /// subscription comes and when the last goes.
    pub fn new(
        name: String,
        [work, streams]: [Arc<WorkList>; 2],
        watched: impl Fn(bool) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            name,
            tracks: Mutex::default(),
            work,
            streams,
            watched: Box::new(watched),
            me: me.clone(),
        })
    }

    /// Takes a frame from the capture thread. Returns the best track that is wanted of those whose
    /// packets stand alone; the caller encodes it and must [`publish`](Self::publish) or
    /// [`abandon`](Self::abandon) it. All others that are wanted are on the work list then.
    pub fn offer(&self, raw: &Arc<RawFrame>) -> Option<Track> {
        let mut tracks = self.tracks.lock();
        tracks.newest = Some(Arc::clone(raw));
        let given = tracks.given;
        let mut best: Option<usize> = None;
        for i in 0..tracks.slots.len() {
            let slot = &tracks.slots[i];
            if slot.encoding || given == Some(slot.track) || !slot.is_wanted(raw.captured) {
                continue;
            }
            let later = match best {
                _ if !slot.track.stands_alone() => Some(i),
                Some(b) if slot.track.is_better_than(tracks.slots[b].track) => best.replace(i),
                Some(_) => Some(i),
                None => best.replace(i),
            };
            if let Some(later) = later {
                self.enqueue(&mut tracks.slots[later]);
            }
        }
        best.map(|i| {
            tracks.slots[i].encoding = true;
            tracks.slots[i].track
        })
    }

    /// The frame to encode for `track` now; `None` if it is encoded, being encoded, or wanted by
    /// nobody any more. What is begun must be published or abandoned.
    pub fn begin(&self, track: Track) -> Option<Arc<RawFrame>> {
        let mut tracks = self.tracks.lock();
        let given = tracks.given == Some(track);
        let newest = tracks.newest.clone();
        let slot = tracks.slot(track)?;
        slot.queued = false;
        let newest = newest.filter(|_| !given)?;
        let done = slot.kept.last().is_some_and(|last| last >= newest.sequence);
        if done || slot.encoding || !slot.is_wanted(newest.captured) {
            return None;
        }
        slot.encoding = true;
        Some(newest)
    }

    /// The camera makes this track by itself from now on, and whoever takes its frames
    /// [publishes](Self::publish) it; `None` where all of them are encoded here.
    pub fn give(&self, track: Option<Track>) {
        self.tracks.lock().given = track;
    }

    /// How the frame that has [begun](Self::begin) is to be encoded, where it builds on those before.
    pub fn order(&self, track: Track, captured: Timestamp) -> Order {
        let mut tracks = self.tracks.lock();
        let order = tracks.slot(track).map(|slot| slot.order(captured));
        order.unwrap_or(Order {
            key: true,
            bit_rate: None,
        })
    }

    /// Hands an encoded packet to all who wait for it.
    pub fn publish(&self, packet: Arc<Packet>) {
        let mut wake = Vec::new();
        {
            let mut tracks = self.tracks.lock();
            let newest = tracks.newest_raw();
            tracks.turn = tracks.turn.wrapping_add(1);
            let turn = tracks.turn;
            let sequence = packet.sequence;
            let Some(slot) = tracks.slot(packet.track) else {
                return;
            };
            slot.put(packet, &mut wake);
            if !wake.is_empty() {
                let start = turn % wake.len();
                wake.rotate_left(start);
            }
            // A newer frame came while this one was encoded, and is wanted too.
            if let Some((newest, captured)) = newest
                && newest > sequence
                && slot.is_wanted(captured)
            {
                self.enqueue(slot);
            }
        }
        wake.into_iter().for_each(Waker::wake);
    }

    /// Gives up encoding what [`offer`](Self::offer) or [`begin`](Self::begin) gave: it is broken.
    pub fn abandon(&self, track: Track) {
        if let Some(slot) = self.tracks.lock().slot(track) {
            slot.encoding = false;
        }
    }

    /// Forgets all frames: the camera is switched off, and what comes next is new.
    pub fn clear(&self) {
        let mut tracks = self.tracks.lock();
        tracks.newest = None;
        for slot in &mut tracks.slots {
            slot.kept.clear();
        }
    }

    /// A new subscription. It keeps the camera on while it lives and watches.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(self.me.upgrade().expect("self is borrowed from an Arc"))
    }

    /// The tracks in use.
    pub fn tracks(&self) -> Vec<TrackUse> {
        let used = |slot: &Slot| TrackUse {
            track: slot.track,
            users: slot.users,
            encoded: slot.encoded,
            average_bytes: slot.average_bytes,
            bit_rate: slot.bit_rate(),
        };
        self.tracks.lock().slots.iter().map(used).collect()
    }

    fn enqueue(&self, slot: &mut Slot) {
        if !slot.queued
            && let Some(me) = self.me.upgrade()
        {
            slot.queued = true;
            let list = match slot.track.stands_alone() {
                true => &self.work,
                false => &self.streams,
            };
            list.push((me, slot.track));
        }
    }
}

impl Tracks {
    fn slot(&mut self, track: Track) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.track == track)
    }

    /// Number and capture time of the newest raw frame.
    fn newest_raw(&self) -> Option<(u64, Timestamp)> {
        let newest = self.newest.as_ref();
        newest.map(|raw| (raw.sequence, raw.captured))
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hub({})", self.name)
    }
}
