//! The newest frame per rendition, and who wants what: one hub a camera.
//!
//! Nothing queues here. The hub holds the newest raw frame and the newest picture of each
//! rendition. A client that is ready for a picture *waits* in its rendition's slot, and that wait
//! is the demand: a rendition is encoded when somebody waits in it, and not otherwise. When a
//! client begins to wait while the newest raw frame has not been encoded in its rendition, the
//! encoder is asked to do that at once, so that no picture is held until the next one arrives.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

use futures_util::task::AtomicWaker;

use crate::media::{JpegFrame, RawFrame, Rendition, Timestamp};

/// What a hub needs of the encoder's side: a request to encode the newest raw frame in a rendition.
pub type Work = (Arc<Hub>, Rendition);

/// The list of renditions to encode that did not fit on the capture thread. Each slot of a hub is
/// in it at most once, so it is bounded by the number of renditions in use.
#[derive(Debug, Default)]
pub struct WorkList {
    list: Mutex<(VecDeque<Work>, bool)>,
    added: Condvar,
}

impl WorkList {
    fn push(&self, work: Work) {
        lock(&self.list).0.push_back(work);
        self.added.notify_one();
    }

    /// Waits for work; `None` when the daemon stops. `idle` is called before the wait.
    pub fn next(&self, idle: impl Fn()) -> Option<Work> {
        let mut list = lock(&self.list);
        loop {
            if list.1 {
                return None;
            }
            if let Some(work) = list.0.pop_front() {
                return Some(work);
            }
            idle();
            list = self
                .added
                .wait(list)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends all waits, now and later.
    pub fn stop(&self) {
        lock(&self.list).1 = true;
        self.added.notify_all();
    }
}

/// One camera's hub.
pub struct Hub {
    name: String,
    state: Mutex<State>,
    work: Arc<WorkList>,
    /// Subscriptions alive, that is, reasons to keep the camera on.
    watched: Box<dyn Fn(bool) + Send + Sync>,
    me: Weak<Self>,
}

#[derive(Default)]
struct State {
    newest: Option<Arc<RawFrame>>,
    slots: Vec<Slot>,
    watchers: usize,
    /// Where the next wake-up begins, so that no client is always the first on a shared link.
    turn: usize,
}

struct Slot {
    rendition: Rendition,
    /// Subscriptions that stand on this rendition; the slot goes when the last one leaves.
    users: usize,
    newest: Option<Arc<JpegFrame>>,
    /// The sequence that is being encoded now.
    encoding: Option<u64>,
    /// Whether it is on the work list.
    queued: bool,
    waiting: Vec<Arc<Seat>>,
    encoded: u64,
    average_bytes: f64,
}

/// A subscription's place in a slot's waiting list.
#[derive(Default)]
struct Seat {
    waker: AtomicWaker,
    /// It waits for a frame now.
    wants: AtomicBool,
    /// It is in the waiting list of its slot.
    seated: AtomicBool,
    /// It wants no frame captured before this (`CLOCK_MONOTONIC` ns).
    due: AtomicU64,
}

impl Seat {
    fn wants(&self, captured: Timestamp) -> bool {
        self.wants.load(Ordering::Relaxed)
            && self.due.load(Ordering::Relaxed) <= captured.as_nanos()
    }
}

/// What is known of a rendition, for stats and for predicting sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenditionUse {
    /// Which.
    pub rendition: Rendition,
    /// Subscriptions on it.
    pub users: usize,
    /// Pictures encoded since it came into use.
    pub encoded: u64,
    /// Recent average size, bytes; 0 before the first.
    pub average_bytes: f64,
}

impl Hub {
    /// A camera's hub. `watched` is told when the first subscription comes and when the last goes.
    pub fn new(
        name: String,
        work: Arc<WorkList>,
        watched: impl Fn(bool) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            name,
            state: Mutex::default(),
            work,
            watched: Box::new(watched),
            me: me.clone(),
        })
    }

    /// The camera's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes a frame from the capture thread. Returns the renditions to encode it in, the best
    /// first; the caller encodes that one and must [`publish`](Self::publish) or
    /// [`abandon`](Self::abandon) it; the others are already on the work list.
    pub fn offer(&self, raw: &Arc<RawFrame>) -> Option<Rendition> {
        let mut state = self.lock();
        state.newest = Some(Arc::clone(raw));
        let mut best: Option<usize> = None;
        for i in 0..state.slots.len() {
            let slot = &state.slots[i];
            if slot.encoding.is_some() || !slot.waiting.iter().any(|s| s.wants(raw.captured)) {
                continue;
            }
            let later = match best {
                Some(b) if better(slot.rendition, state.slots[b].rendition) => best.replace(i),
                Some(_) => Some(i),
                None => best.replace(i),
            };
            if let Some(later) = later {
                self.enqueue(&mut state.slots[later]);
            }
        }
        best.map(|i| {
            state.slots[i].encoding = Some(raw.sequence);
            state.slots[i].rendition
        })
    }

    /// The frame to encode in `rendition` now; `None` if it is encoded, being encoded, or wanted
    /// by nobody any more. What is begun must be published or abandoned.
    pub fn begin(&self, rendition: Rendition) -> Option<Arc<RawFrame>> {
        let mut state = self.lock();
        let newest = state.newest.clone()?;
        let slot = state.slots.iter_mut().find(|s| s.rendition == rendition)?;
        slot.queued = false;
        let done = slot
            .newest
            .as_ref()
            .is_some_and(|f| f.sequence >= newest.sequence);
        if done || slot.encoding.is_some() || !slot.waiting.iter().any(|s| s.wants(newest.captured))
        {
            return None;
        }
        slot.encoding = Some(newest.sequence);
        Some(newest)
    }

    /// Hands an encoded frame to all who wait for it.
    pub fn publish(&self, frame: Arc<JpegFrame>) {
        let mut wake = Vec::new();
        {
            let mut state = self.lock();
            let newest = state
                .newest
                .as_ref()
                .map(|raw| (raw.sequence, raw.captured));
            state.turn = state.turn.wrapping_add(1);
            let turn = state.turn;
            let Some(slot) = state
                .slots
                .iter_mut()
                .find(|s| s.rendition == frame.rendition)
            else {
                return;
            };
            slot.encoding = None;
            slot.encoded += 1;
            let size = frame.bytes.len() as f64;
            let weight = if slot.average_bytes == 0.0 { 1.0 } else { 0.1 };
            slot.average_bytes += (size - slot.average_bytes) * weight;
            take_due(&mut slot.waiting, frame.captured, &mut wake);
            if !wake.is_empty() {
                let start = turn % wake.len();
                wake.rotate_left(start);
            }
            // A newer frame came while this one was encoded, and somebody waits only for that.
            if let Some((sequence, captured)) = newest
                && sequence > frame.sequence
                && slot.waiting.iter().any(|s| s.wants(captured))
            {
                self.enqueue(slot);
            }
            slot.newest = Some(frame);
        }
        wake.into_iter().for_each(Waker::wake);
    }

    /// Gives up encoding what [`offer`](Self::offer) or [`begin`](Self::begin) gave: it is broken.
    pub fn abandon(&self, rendition: Rendition) {
        if let Some(slot) = self
            .lock()
            .slots
            .iter_mut()
            .find(|s| s.rendition == rendition)
        {
            slot.encoding = None;
        }
    }

    /// Forgets the newest frames: the camera is switched off, and what comes next is new.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.newest = None;
        for slot in &mut state.slots {
            slot.newest = None;
        }
    }

    /// A new subscription. It keeps the camera on while it lives and is not paused.
    pub fn subscribe(&self) -> Subscription {
        let mut subscription = Subscription {
            hub: self.me.upgrade().expect("self is borrowed from an Arc"),
            seat: Arc::default(),
            rendition: None,
            seen: None,
            watching: false,
        };
        subscription.watch(true);
        subscription
    }

    /// The renditions in use.
    pub fn renditions(&self) -> Vec<RenditionUse> {
        self.lock()
            .slots
            .iter()
            .map(|s| RenditionUse {
                rendition: s.rendition,
                users: s.users,
                encoded: s.encoded,
                average_bytes: s.average_bytes,
            })
            .collect()
    }

    fn enqueue(&self, slot: &mut Slot) {
        if !slot.queued
            && let Some(me) = self.me.upgrade()
        {
            slot.queued = true;
            self.work.push((me, slot.rendition));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hub({})", self.name)
    }
}

/// Whether `a` is worth encoding before `b`: larger, then of higher quality.
fn better(a: Rendition, b: Rendition) -> bool {
    (b.scale, a.quality) > (a.scale, b.quality)
}

/// Takes the wakers of all who wait for a frame captured then; who no longer waits leaves the list.
fn take_due(waiting: &mut Vec<Arc<Seat>>, captured: Timestamp, wake: &mut Vec<Waker>) {
    waiting.retain(|seat| {
        if seat.wants.load(Ordering::Relaxed) && !seat.wants(captured) {
            return true;
        }
        if seat.wants.swap(false, Ordering::Relaxed) {
            wake.extend(seat.waker.take());
        }
        seat.seated.store(false, Ordering::Relaxed);
        false
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One client's claim on a camera's frames.
pub struct Subscription {
    hub: Arc<Hub>,
    seat: Arc<Seat>,
    rendition: Option<Rendition>,
    /// The last sequence taken.
    seen: Option<u64>,
    watching: bool,
}

impl Subscription {
    /// The hub it belongs to.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// The rendition selected.
    pub fn selected(&self) -> Option<Rendition> {
        self.rendition
    }

    /// Whether this subscription keeps the camera on.
    pub fn watch(&mut self, on: bool) {
        if self.watching == on {
            return;
        }
        self.watching = on;
        let mut state = self.hub.lock();
        state.watchers = if on {
            state.watchers + 1
        } else {
            state.watchers - 1
        };
        // Under the lock, so that the last word told is the true one.
        match (on, state.watchers) {
            (true, 1) => (self.hub.watched)(true),
            (false, 0) => (self.hub.watched)(false),
            _ => {}
        }
    }

    /// Moves to a rendition.
    pub fn select(&mut self, rendition: Rendition) {
        if self.rendition == Some(rendition) {
            return;
        }
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        self.leave(&mut state);
        match state.slots.iter_mut().find(|s| s.rendition == rendition) {
            Some(slot) => slot.users += 1,
            None => state.slots.push(Slot {
                rendition,
                users: 1,
                newest: None,
                encoding: None,
                queued: false,
                waiting: Vec::new(),
                encoded: 0,
                average_bytes: 0.0,
            }),
        }
        self.rendition = Some(rendition);
    }

    /// The newest frame of the selected rendition that was captured at `due` or later and has not
    /// been taken yet. Where there is none, the subscription waits for it: `waker` is called, and
    /// the frame is encoded because of this.
    pub fn poll_next(&mut self, due: Timestamp, waker: &Waker) -> Poll<Arc<JpegFrame>> {
        let Some(rendition) = self.rendition else {
            return Poll::Pending;
        };
        let seen = self.seen;
        let fresh = |sequence: u64, captured: Timestamp| {
            captured >= due && seen.is_none_or(|seen| sequence > seen)
        };
        let hub = Arc::clone(&self.hub);
        let mut state = hub.lock();
        let newest = state
            .newest
            .as_ref()
            .map(|raw| (raw.sequence, raw.captured));
        let Some(slot) = state.slots.iter_mut().find(|s| s.rendition == rendition) else {
            return Poll::Pending;
        };
        if let Some(frame) = slot
            .newest
            .as_ref()
            .filter(|f| fresh(f.sequence, f.captured))
        {
            let frame = Arc::clone(frame);
            self.seen = Some(frame.sequence);
            self.seat.wants.store(false, Ordering::Relaxed);
            return Poll::Ready(frame);
        }
        self.seat.waker.register(waker);
        self.seat.due.store(due.as_nanos(), Ordering::Relaxed);
        self.seat.wants.store(true, Ordering::Relaxed);
        if !self.seat.seated.swap(true, Ordering::Relaxed) {
            slot.waiting.push(Arc::clone(&self.seat));
        }
        if let Some((sequence, captured)) = newest
            && fresh(sequence, captured)
            && slot.encoding.is_none()
        {
            hub.enqueue(slot);
        }
        Poll::Pending
    }

    /// Waits as [`poll_next`](Self::poll_next) does, but takes nothing; true if a frame is there.
    pub fn poll_ready(&mut self, due: Timestamp, waker: &Waker) -> bool {
        let seen = self.seen;
        match self.poll_next(due, waker) {
            Poll::Ready(_) => {
                self.seen = seen;
                true
            }
            Poll::Pending => false,
        }
    }

    /// Stops waiting: nothing is encoded for this subscription until the next `poll_next`.
    pub fn rest(&self) {
        self.seat.wants.store(false, Ordering::Relaxed);
    }

    /// The next frame of `rendition` captured at `due` or later.
    pub async fn next(&mut self, rendition: Rendition, due: Timestamp) -> Arc<JpegFrame> {
        self.select(rendition);
        std::future::poll_fn(|cx| self.poll_next(due, cx.waker())).await
    }

    fn leave(&mut self, state: &mut State) {
        let Some(rendition) = self.rendition.take() else {
            return;
        };
        self.seat.wants.store(false, Ordering::Relaxed);
        if let Some(i) = state.slots.iter().position(|s| s.rendition == rendition) {
            let slot = &mut state.slots[i];
            slot.users -= 1;
            if self.seat.seated.swap(false, Ordering::Relaxed) {
                slot.waiting.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
            }
            if slot.users == 0 {
                state.slots.swap_remove(i);
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.watch(false);
        let hub = Arc::clone(&self.hub);
        self.leave(&mut hub.lock());
    }
}
