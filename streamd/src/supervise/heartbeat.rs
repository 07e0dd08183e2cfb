//! Heartbeats of the parts that a frame passes: the watchdog is fed only while all of them move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use crate::media::Timestamp;

/// How long a part may be busy without a beat before it counts as stuck.
pub const OVERDUE_AFTER: Duration = Duration::from_secs(5);

/// Stands for "waiting without a deadline, on purpose".
const IDLE: u64 = 0;

/// All heartbeats of the daemon.
#[derive(Debug, Clone, Default)]
pub struct Heartbeats(Arc<Mutex<Vec<Part>>>);

/// A name, and when it last moved: nanoseconds, or [`IDLE`].
type Part = (String, Arc<AtomicU64>);

/// One part's heartbeat. It leaves the list when it is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    last: Arc<AtomicU64>,
    all: Heartbeats,
}

impl Heartbeats {
    /// Adds a part, idle at first. `name` is shown when it is stuck, for instance `capture-main`.
    pub fn register(&self, name: impl Into<String>) -> Heartbeat {
        let last = Arc::new(AtomicU64::new(IDLE));
        self.0.lock().push((name.into(), Arc::clone(&last)));
        Heartbeat {
            last,
            all: self.clone(),
        }
    }

    /// The names of the parts that are busy and have not beaten for [`OVERDUE_AFTER`].
    pub fn overdue(&self, now: Timestamp) -> Vec<String> {
        let late = |last: &AtomicU64| match last.load(Ordering::Relaxed) {
            IDLE => false,
            nanos => now.since(Timestamp::from_nanos(nanos)) > OVERDUE_AFTER,
        };
        self.0
            .lock()
            .iter()
            .filter(|(_, last)| late(last))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

impl Heartbeat {
    /// The part moves. From here on it must beat again within [`OVERDUE_AFTER`] or declare itself idle.
    pub fn beat(&self) {
        self.last
            .store(Timestamp::now().as_nanos(), Ordering::Relaxed);
    }

    /// The part waits, on purpose and without a deadline, for something to do.
    pub fn idle(&self) {
        self.last.store(IDLE, Ordering::Relaxed);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.all
            .0
            .lock()
            .retain(|(_, last)| !Arc::ptr_eq(last, &self.last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_busy_silent_part_is_overdue() {
        let all = Heartbeats::default();
        let capture = all.register("capture-main");
        let encode = all.register("encode-0");
        let later = || Timestamp::now() + OVERDUE_AFTER + Duration::from_millis(1);
        assert!(all.overdue(later()).is_empty(), "both are idle");
        capture.beat();
        assert!(all.overdue(Timestamp::now()).is_empty());
        assert_eq!(all.overdue(later()), ["capture-main"]);
        capture.idle();
        assert!(all.overdue(later()).is_empty());
        encode.beat();
        drop(encode);
        assert!(
            all.overdue(later()).is_empty(),
            "a part that has ended is not stuck"
        );
    }
}
