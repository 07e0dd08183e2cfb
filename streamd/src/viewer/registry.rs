//! All connected viewers: what they are, what they may be sent, and what they are told to do.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use streamd_protocol::{
    limits::{BadLimit, Limits},
    stats::{ClientStats, Transport},
    stream::Want,
};

use super::{figures::Figures, framing::Goodbye};
use crate::{access::role::Shown, media::Timestamp};

/// All viewers, by number.
#[derive(Debug, Default)]
pub struct Registry {
    next: AtomicU64,
    count: AtomicUsize,
    viewers: Mutex<BTreeMap<u64, Arc<Entry>>>,
}

/// One viewer in the registry.
#[derive(Debug)]
pub struct Entry {
    /// Its number; never used again.
    pub id: u64,
    /// Its address.
    pub peer: String,
    /// How it is connected.
    pub transport: Transport,
    /// Since when, on the clock of frames, which goes on over a restart.
    connected: AtomicU64,
    /// Who it is.
    shown: Mutex<Shown>,
    figures: Mutex<Figures>,
    limits: Mutex<OwnAndSet>,
    /// The end of the connection, once somebody has asked for it.
    end: Mutex<Option<Goodbye>>,
    /// Somebody has asked for its end.
    ending: AtomicBool,
    told: AtomicBool,
    waker: AtomicWaker,
}

/// The limits that a viewer asked for itself, and those that were set for it.
#[derive(Debug, Clone, Copy, Default)]
struct OwnAndSet {
    own: Limits,
    set: Limits,
}

/// What a viewer's task is told from outside: whole values, as of now.
#[derive(Debug)]
pub struct Orders {
    /// The limits in force.
    pub limits: Limits,
    /// End the connection.
    pub end: Option<Goodbye>,
}

impl Registry {
    /// A number for a viewer that is about to be entered.
    pub fn reserve(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Enters a viewer by a number that was reserved for it; it leaves when the guard is dropped.
    pub fn enter(
        self: &Arc<Self>,
        id: u64,
        peer: String,
        transport: Transport,
        own: Limits,
    ) -> Guard {
        let entry = Arc::new(Entry {
            id,
            peer,
            transport,
            connected: AtomicU64::new(Timestamp::now().as_nanos()),
            shown: Mutex::default(),
            figures: Mutex::default(),
            limits: Mutex::new(OwnAndSet {
                own,
                set: Limits::default(),
            }),
            end: Mutex::default(),
            ending: AtomicBool::new(false),
            told: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        self.viewers.lock().insert(id, Arc::clone(&entry));
        self.count.fetch_add(1, Ordering::Relaxed);
        Guard {
            entry,
            all: Arc::clone(self),
        }
    }

    /// The next number that will be reserved is above `last`.
    pub fn number_from(&self, last: u64) {
        self.next.fetch_max(last, Ordering::Relaxed);
    }

    /// The last number that was reserved.
    pub fn last(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// A viewer.
    pub fn get(&self, id: u64) -> Option<Arc<Entry>> {
        self.viewers.lock().get(&id).cloned()
    }

    /// All viewers, the oldest first.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.viewers.lock().values().cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Entry {
    /// Its figures, for a moment.
    pub fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock()
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        let limits = self.limits.lock();
        limits.own.min(limits.set)
    }

    /// Changes the limits that it asked for itself.
    ///
    /// # Errors
    /// What is out of its range; nothing is changed then.
    pub fn want(&self, want: &Want) -> Result<(), BadLimit> {
        self.limits.lock().own.apply(want)
    }

    /// Changes the limits that are set for it.
    ///
    /// # Errors
    /// What is out of its range; nothing is changed then.
    pub fn set_limits(&self, want: &Want) -> Result<(), BadLimit> {
        self.limits.lock().set.apply(want)?;
        self.tell();
        Ok(())
    }

    /// Who it is.
    pub fn shown(&self) -> Shown {
        self.shown.lock().clone()
    }

    /// Sets that.
    pub fn show(&self, shown: Shown) {
        *self.shown.lock() = shown;
    }

    /// Ends its connection, for this reason.
    pub fn end(&self, why: Goodbye) {
        self.ending.store(true, Ordering::Release);
        *self.end.lock() = Some(why);
        self.tell();
    }

    /// Ends its connection if it is paused; false if it is not, or ends already.
    pub fn give_way(&self) -> bool {
        if !self.limits().paused || self.ending.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.end(Goodbye::GaveWay);
        true
    }

    fn tell(&self) {
        self.told.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// What its task is told, if that has changed since the last call; `waker` is called when
    /// there is more.
    pub fn take_orders(&self, waker: &Waker) -> Option<Orders> {
        self.waker.register(waker);
        self.told.swap(false, Ordering::AcqRel).then(|| Orders {
            limits: self.limits(),
            end: self.end.lock().take(),
        })
    }

    /// For how long it has been connected.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.connected())
    }

    /// Since when it has been connected.
    pub fn connected(&self) -> Timestamp {
        Timestamp::from_nanos(self.connected.load(Ordering::Relaxed))
    }

    /// It has been connected since then, to the process before this one, which had set these
    /// limits for it.
    pub fn resume(&self, connected: Timestamp, set: Limits) {
        self.connected
            .store(connected.as_nanos(), Ordering::Relaxed);
        self.limits.lock().set = set;
    }

    /// The limits that it asked for itself, and those that were set for it.
    pub fn own_and_set(&self) -> (Limits, Limits) {
        let limits = self.limits.lock();
        (limits.own, limits.set)
    }

    /// Everything that is known of it.
    pub fn stats(&self, now: Timestamp) -> ClientStats {
        let limits = *self.limits.lock();
        let figures = self.figures();
        ClientStats {
            id: self.id as i64,
            name: figures.name.clone(),
            login: self.shown().name.to_string(),
            peer: self.peer.clone(),
            transport: self.transport,
            connected_since: self.connected().unix_micros() as f64 / 1e6,
            connected_seconds: self.age(now).as_secs_f64(),
            rtt_ms: figures.rtt.as_secs_f64() * 1e3,
            link_rate: figures.link_rate * 8.0,
            backlog_bytes: figures.backlog.into(),
            errors: figures.errors as i64,
            paused: limits.own.min(limits.set).paused,
            own: limits.own.into(),
            set: limits.set.into(),
            feeds: figures.feeds.iter().map(|feed| feed.stats(now)).collect(),
        }
    }
}

/// A viewer's entry while it is connected.
#[derive(Debug)]
pub struct Guard {
    entry: Arc<Entry>,
    all: Arc<Registry>,
}

impl std::ops::Deref for Guard {
    type Target = Arc<Entry>;
    fn deref(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.all.viewers.lock().remove(&self.entry.id);
        self.all.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(all: &Arc<Registry>) -> Guard {
        all.enter(all.reserve(), "a".into(), Transport::Tcp, Limits::default())
    }

    #[test]
    fn numbers_are_never_used_again() {
        let all = Arc::<Registry>::default();
        let first = enter(&all);
        assert_eq!(all.count(), 1);
        drop(first);
        assert_eq!(all.count(), 0);
        assert_eq!(enter(&all).id, 2);
    }

    #[test]
    fn changes_back_to_back_are_all_in_force() {
        let all = Arc::<Registry>::default();
        let viewer = enter(&all);
        let fps = Want {
            fps: Some(5.0),
            ..Want::default()
        };
        let quality = Want {
            quality: Some(30),
            ..Want::default()
        };
        viewer.set_limits(&fps).unwrap();
        viewer.set_limits(&quality).unwrap();
        viewer
            .want(&Want {
                fps: Some(2.0),
                ..Want::default()
            })
            .unwrap();
        let orders = viewer.take_orders(Waker::noop()).unwrap();
        assert_eq!(
            (orders.limits.fps, orders.limits.quality),
            (Some(2.0), Some(30))
        );
        assert!(viewer.take_orders(Waker::noop()).is_none());
        let stats = viewer.stats(Timestamp::now());
        assert_eq!(
            (stats.own.fps, stats.set.fps, stats.set.quality),
            (2.0, 5.0, 30)
        );
    }
}
