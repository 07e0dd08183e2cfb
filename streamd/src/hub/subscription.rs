//! One subscriber's claim on a camera: a viewer, a snapshot, later a recorder or a publisher.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Poll, Waker},
    time::Duration,
};

use super::{
    Hub, Tracks,
    track::{Follows, Next, Seat, Slot},
};
use crate::media::{Packet, Timestamp, Track};

/// A claim on one track of a camera at a time.
pub struct Subscription {
    hub: Arc<Hub>,
    seat: Arc<Seat>,
    track: Option<Track>,
    /// The number of the last frame taken; of packets that build on one another, of this track.
    seen: Option<u64>,
    follows: Follows,
    watching: bool,
}

impl Subscription {
    /// A claim that keeps the camera on, on no track yet.
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        let mut subscription = Self {
            hub,
            seat: Arc::default(),
            track: None,
            seen: None,
            follows: Follows::default(),
            watching: false,
        };
        subscription.watch(true);
        subscription
    }

    /// The track selected.
    pub fn selected(&self) -> Option<Track> {
        self.track
    }

    /// Whether this subscription keeps the camera on, and tracks of which every packet counts
    /// encoded.
    pub fn watch(&mut self, on: bool) {
        if self.watching == on {
            return;
        }
        self.watching = on;
        let mut tracks = self.hub.tracks.lock();
        if let Some(slot) = self.track.and_then(|track| tracks.slot(track)) {
            sit(slot, &self.seat, on);
        }
        tracks.watchers = step(tracks.watchers, on);
        // Under the lock, so that the last word told is the true one.
        match (on, tracks.watchers) {
            (true, 1) => (self.hub.watched)(true),
            (false, 0) => (self.hub.watched)(false),
            _ => {}
        }
    }

    /// Moves to a track.
    pub fn select(&mut self, track: Track) {
        if self.track == Some(track) {
            return;
        }
        let hub = Arc::clone(&self.hub);
        let mut tracks = hub.tracks.lock();
        self.leave(&mut tracks);
        if tracks.slot(track).is_none() {
            tracks.slots.push(Slot::new(track));
        }
        let slot = tracks.slot(track).expect("it has just been made");
        slot.users += 1;
        if self.watching {
            sit(slot, &self.seat, true);
        }
        if !track.stands_alone() {
            self.seen = None;
        }
        self.track = Some(track);
    }

    /// How packets that build on one another are taken.
    pub fn follow(&mut self, follows: Follows) {
        self.follows = follows;
    }

    /// So many bits a second can be taken; the encoder of a track with a bit rate keeps to the least
    /// of all who watch it.
    pub fn take_bit_rate(&self, bits: u32) {
        self.seat.bit_rate.store(bits, Ordering::Relaxed);
    }

    /// Of packets that build on one another, one is to be a key at least so often.
    pub fn keys_every(&self, interval: Duration) {
        let nanos = interval.as_nanos() as u64;
        self.seat.keys_every.store(nanos, Ordering::Relaxed);
    }

    /// What was taken last is of no use, since something before it is missing: a key is needed.
    pub fn begin_anew(&mut self) {
        if self.track.is_some_and(|track| !track.stands_alone()) {
            self.seen = None;
        }
    }

    /// The next packet of the selected track. Of packets that stand alone it is the newest, if it
    /// was captured at `due` or later and has not been taken yet; of others the one after the last
    /// one taken, or the newest key where that is gone or too late: the packets' numbers tell what
    /// was missed. Where there is none, the subscription waits for it: `waker` is called, and the
    /// frame is encoded because of this.
    pub fn poll_next(&mut self, due: Timestamp, waker: &Waker) -> Poll<Arc<Packet>> {
        let Some(track) = self.track else {
            return Poll::Pending;
        };
        let hub = Arc::clone(&self.hub);
        let mut tracks = hub.tracks.lock();
        let newest = tracks.newest_raw();
        let Some(slot) = tracks.slot(track) else {
            return Poll::Pending;
        };
        match slot.kept.next(self.seen, due, self.follows) {
            Next::Packet(packet) => {
                let packet = Arc::clone(packet);
                self.seen = Some(packet.sequence);
                self.seat.wants.store(false, Ordering::Relaxed);
                return Poll::Ready(packet);
            }
            Next::Key => {
                self.seen = None;
                slot.key_wanted = true;
            }
            Next::Wait => {}
        }
        self.seat.waker.register(waker);
        self.seat.due.store(due.as_nanos(), Ordering::Relaxed);
        self.seat.wants.store(true, Ordering::Relaxed);
        if !self.seat.seated.swap(true, Ordering::Relaxed) {
            slot.waiting.push(Arc::clone(&self.seat));
        }
        if let Some((sequence, captured)) = newest
            && captured >= due
            && self.seen.is_none_or(|seen| sequence > seen)
            && !slot.encoding
        {
            hub.enqueue(slot);
        }
        Poll::Pending
    }

    /// Waits as [`poll_next`](Self::poll_next) does, but takes nothing; true if a packet is there.
    pub fn poll_ready(&mut self, due: Timestamp, waker: &Waker) -> bool {
        let seen = self.seen;
        let ready = self.poll_next(due, waker).is_ready();
        if ready {
            self.seen = seen;
        }
        ready
    }

    /// Number and capture time of the newest raw frame, encoded or not.
    pub fn newest_raw(&self) -> Option<(u64, Timestamp)> {
        self.hub.tracks.lock().newest_raw()
    }

    /// Stops waiting: nothing is encoded for this subscription until the next `poll_next`.
    pub fn rest(&self) {
        self.seat.wants.store(false, Ordering::Relaxed);
    }

    /// The next packet of `track` captured at `due` or later.
    pub async fn next(&mut self, track: Track, due: Timestamp) -> Arc<Packet> {
        self.select(track);
        std::future::poll_fn(|cx| self.poll_next(due, cx.waker())).await
    }

    fn leave(&mut self, tracks: &mut Tracks) {
        let Some(track) = self.track.take() else {
            return;
        };
        self.seat.wants.store(false, Ordering::Relaxed);
        let Some(index) = tracks.slots.iter().position(|slot| slot.track == track) else {
            return;
        };
        let slot = &mut tracks.slots[index];
        slot.users -= 1;
        if self.watching {
            sit(slot, &self.seat, false);
        }
        if self.seat.seated.swap(false, Ordering::Relaxed) {
            slot.waiting.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        }
        if slot.users == 0 {
            tracks.slots.swap_remove(index);
        }
    }
}

/// Somebody begins or ceases to watch a track.
fn sit(slot: &mut Slot, seat: &Arc<Seat>, on: bool) {
    slot.watching = step(slot.watching, on);
    if slot.track.stands_alone() {
        return;
    }
    match on {
        true => slot.members.push(Arc::clone(seat)),
        false => slot.members.retain(|member| !Arc::ptr_eq(member, seat)),
    }
}

fn step(count: usize, up: bool) -> usize {
    if up { count + 1 } else { count - 1 }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.watch(false);
        let hub = Arc::clone(&self.hub);
        self.leave(&mut hub.tracks.lock());
    }
}
