//! One track of a camera in its hub: what is kept of it, and who waits for more.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;

use crate::media::{Keeping, Packet, Timestamp, Track};

/// Of packets that build on one another so much is kept: who is behind further goes on at a key.
const KEPT: Duration = Duration::from_secs(2);

/// Bytes of them that are kept at most: two seconds at 32 Mb/s.
const MAX_KEPT: usize = 8 * 1024 * 1024;

/// A key is good to begin at if no more than this has followed it; else another one is asked for.
/// Less than [`LATE`], so that nobody begins at a key who is late at once.
const FRESH: Duration = Duration::from_millis(200);

/// Who is behind the newest packet further than this goes on at a key.
const LATE: Duration = Duration::from_millis(250);

/// Time between two keys at least, however many ask: each costs all who watch some quality.
const SPACED: Duration = Duration::from_millis(400);

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
    /// Those who watch it, where packets build on one another: they have a say in each.
    pub members: Vec<Arc<Seat>>,
    /// Somebody needs a key to begin at.
    pub key_wanted: bool,
    /// When the last key was captured.
    pub keyed: Option<Timestamp>,
    /// Packets encoded since it came into use.
    pub encoded: u64,
    /// Recent average size of a packet; 0 before the first.
    pub average_bytes: f64,
}

/// What is kept of a track.
pub(super) enum Kept {
    /// Each packet stands alone.
    Newest(Option<Arc<Packet>>),
    /// The last ones without a gap; the first of all was a key.
    FromKey {
        last: VecDeque<Arc<Packet>>,
        bytes: usize,
    },
}

/// How a frame is to be encoded that builds on those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// It is to be a key.
    pub key: bool,
    /// Bits a second, the least that anybody on the track asks for; `None` where nobody asks for
    /// less than there may be.
    pub bit_rate: Option<u32>,
}

/// What is next for a subscriber of packets that build on one another.
pub(super) enum Next<'a> {
    Packet(&'a Arc<Packet>),
    /// It has had them all.
    Wait,
    /// It has to begin at a key, and there is none to begin at.
    Key,
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
    /// Bits a second that it can take; 0 while it does not say.
    pub bit_rate: AtomicU32,
    /// Nanoseconds after which it wants another key; 0 if never.
    pub keys_every: AtomicU64,
}

impl Slot {
    /// How the frame captured at this time is to be encoded.
    pub fn order(&mut self, captured: Timestamp) -> Order {
        let every = self.least(|seat| seat.keys_every.load(Ordering::Relaxed));
        let since = self.keyed.map(|keyed| captured.since(keyed));
        let asked = |since: Duration| self.key_wanted && since >= SPACED;
        let due = |since: Duration| every.is_some_and(|ns| since >= Duration::from_nanos(ns));
        let nothing_kept = self.kept.last().is_none();
        Order {
            key: nothing_kept || since.is_none_or(|since| asked(since) || due(since)),
            bit_rate: self.bit_rate(),
        }
    }

    /// Bits a second, the least that anybody on the track asks for.
    pub fn bit_rate(&self) -> Option<u32> {
        let least = self.least(|seat| seat.bit_rate.load(Ordering::Relaxed).into());
        least.map(|bits| bits as u32)
    }

    /// The least that any of those says who watch; 0 is nothing said.
    fn least(&self, of: impl Fn(&Seat) -> u64) -> Option<u64> {
        let all = self.members.iter().map(|seat| of(seat));
        all.filter(|said| *said > 0).min()
    }

    pub fn new(track: Track) -> Self {
        Self {
            track,
            users: 0,
            watching: 0,
            kept: Kept::new(track.keeping()),
            encoding: false,
            queued: false,
            waiting: Vec::new(),
            members: Vec::new(),
            key_wanted: false,
            keyed: None,
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
        if packet.key {
            self.key_wanted = false;
            self.keyed = Some(packet.captured);
        }
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
                last: VecDeque::new(),
                bytes: 0,
            },
        }
    }

    fn put(&mut self, packet: Arc<Packet>) {
        match self {
            Self::Newest(newest) => *newest = Some(packet),
            Self::FromKey { last, bytes } => {
                // What builds on packets that nobody has is of no use.
                if !packet.key && last.is_empty() {
                    return;
                }
                *bytes += packet.bytes.len();
                let newest = packet.captured;
                last.push_back(packet);
                let too_much = |first: &Arc<Packet>, bytes: usize| {
                    newest.since(first.captured) > KEPT || bytes > MAX_KEPT
                };
                while let Some(first) = last.front().filter(|first| too_much(first, *bytes)) {
                    *bytes -= first.bytes.len();
                    last.pop_front();
                }
            }
        }
    }

    /// Forgets everything: what comes next is new.
    pub fn clear(&mut self) {
        match self {
            Self::Newest(newest) => *newest = None,
            Self::FromKey { last, bytes } => {
                last.clear();
                *bytes = 0;
            }
        }
    }

    /// The number of the newest frame kept.
    pub fn last(&self) -> Option<u64> {
        match self {
            Self::Newest(newest) => newest.as_ref(),
            Self::FromKey { last, .. } => last.back(),
        }
        .map(|packet| packet.sequence)
    }

    /// What is next for a subscriber that has had frame `seen`, or none yet. Of packets that stand
    /// alone the newest one captured at `due` or later. Of others the one after `seen`; for one that
    /// [follows the newest](Follows::Newest) without those that may be left out, and from the newest
    /// key on, if it is behind.
    pub fn next(&self, seen: Option<u64>, due: Timestamp, follows: Follows) -> Next<'_> {
        let last = match self {
            Self::Newest(newest) => {
                let fresh = |packet: &&Arc<Packet>| seen.is_none_or(|seen| packet.sequence > seen);
                let newest = newest.as_ref().filter(fresh).filter(|p| p.captured >= due);
                return newest.map_or(Next::Wait, Next::Packet);
            }
            Self::FromKey { last, .. } => last,
        };
        let Some(newest) = last.back().map(|packet| packet.captured) else {
            return Next::Key;
        };
        let place = seen.and_then(|seen| last.iter().rposition(|packet| packet.sequence == seen));
        let Some(place) = place else {
            let key = last.iter().rfind(|packet| packet.key);
            let fresh = key.filter(|key| newest.since(key.captured) <= FRESH);
            return fresh.map_or(Next::Key, Next::Packet);
        };
        let mut rest = last.range(place + 1..);
        let Some(next) = rest.next() else {
            return Next::Wait;
        };
        if follows == Follows::All {
            return Next::Packet(next);
        }
        let key = rest.clone().rfind(|packet| packet.key);
        let next = key.unwrap_or(next);
        if newest.since(next.captured) > LATE {
            return Next::Key;
        }
        let needed = |packet: &&Arc<Packet>| !packet.droppable;
        match next.droppable {
            true if follows == Follows::Needed => {
                rest.find(needed).map_or(Next::Wait, Next::Packet)
            }
            // A newer one is there already.
            true => Next::Packet(rest.find(needed).unwrap_or(next)),
            false => Next::Packet(next),
        }
    }
}

/// How a subscriber takes packets that build on one another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Follows {
    /// It is to be up to date: what may be left out is, and the rest from the newest key on, where
    /// it is behind.
    #[default]
    Newest,
    /// As that, and what may be left out always is: half of the frames.
    Needed,
    /// It takes every one, however late.
    All,
}

impl Seat {
    /// Whether it waits for a frame captured then.
    pub fn wants(&self, captured: Timestamp) -> bool {
        self.wants.load(Ordering::Relaxed)
            && self.due.load(Ordering::Relaxed) <= captured.as_nanos()
    }
}
