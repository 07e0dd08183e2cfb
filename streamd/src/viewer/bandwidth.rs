//! What clients may be sent in a second: each, and all together in shares that are fair.
//!
//! A client that its link, its own limits or the camera keep below its share leaves the rest to the
//! others (max-min fairness). So what each was sent of late is looked at now and then.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use super::registry::{Entry, Registry};
use crate::{config, media::Timestamp};

/// Who was sent less than this part of their share is kept below it by something else; a rendition
/// that fits leaves some of it free, and the next better one may be much larger.
const USED: f64 = 0.5;

/// Whoever is kept below their share may want so much more by the next look.
const GROWTH: f64 = 1.5;

/// The limits in force, and the present share.
#[derive(Debug)]
pub struct Bandwidth {
    inner: Mutex<Inner>,
    /// Bytes a second for each client, as bits of a float.
    each: AtomicU64,
}

#[derive(Debug)]
struct Inner {
    /// Bytes a second, of one client and of all; infinite for any amount.
    most: [f64; 2],
    /// What each had been sent at the last look, in bytes.
    sent: HashMap<u64, u64>,
    looked: Timestamp,
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                most: [f64::INFINITY; 2],
                sent: HashMap::new(),
                looked: Timestamp::default(),
            }),
            each: AtomicU64::new(f64::INFINITY.to_bits()),
        }
    }
}

impl Bandwidth {
    /// Puts other limits in force.
    pub fn change(&self, config: &config::Clients, viewers: &Registry) {
        let client = config.max_bandwidth_per_client.bytes();
        self.inner.lock().most = [client, config.max_bandwidth.bytes()];
        self.come(viewers.count());
    }

    /// Bytes a second that a client may be sent; infinite for any amount.
    pub fn of_each(&self) -> f64 {
        f64::from_bits(self.each.load(Ordering::Relaxed))
    }

    /// There are so many clients now: until the next look, all may have the same part.
    pub fn come(&self, clients: usize) {
        let [client, all] = self.inner.lock().most;
        self.set(client.min(all / clients.max(1) as f64));
    }

    /// Looks at what each was sent since the last time, and shares anew.
    pub fn look(&self, viewers: &Registry, now: Timestamp) {
        let mut inner = self.inner.lock();
        let [client, all] = inner.most;
        if all.is_infinite() {
            inner.sent.clear();
            return self.set(client);
        }
        let seconds = now.since(inner.looked).as_secs_f64();
        let (share, viewers) = (self.of_each(), viewers.all());
        let mut sent = HashMap::with_capacity(viewers.len());
        let active = viewers.iter().filter(|viewer| !viewer.limits().paused);
        let mut wanted: Vec<_> = active
            .map(|viewer| {
                let bytes = bytes(viewer);
                let before = inner.sent.get(&viewer.id).copied();
                sent.insert(viewer.id, bytes);
                // Nothing is known yet of who has just come.
                let was = before.map(|before| bytes.saturating_sub(before) as f64 / seconds);
                wanted(was.unwrap_or(share), share)
            })
            .collect();
        (inner.sent, inner.looked) = (sent, now);
        self.set(client.min(level(all, &mut wanted)));
    }

    fn set(&self, each: f64) {
        self.each.store(each.to_bits(), Ordering::Relaxed);
    }
}

/// What a viewer was sent in all.
fn bytes(viewer: &Arc<Entry>) -> u64 {
    let figures = viewer.figures();
    figures.feeds.iter().map(|feed| feed.bytes).sum()
}

/// What a client may want by the next look that was sent so much of this share, in bytes a second.
fn wanted(was: f64, share: f64) -> f64 {
    if was >= USED * share {
        f64::INFINITY
    } else {
        was * GROWTH
    }
}

/// The share of each, so that those who want less have what they want, and the others the same
/// each: together `all`.
fn level(all: f64, wanted: &mut [f64]) -> f64 {
    wanted.sort_unstable_by(f64::total_cmp);
    let mut left = all;
    for (i, want) in wanted.iter().enumerate() {
        let share = left / (wanted.len() - i) as f64;
        if *want >= share {
            return share;
        }
        left -= want;
    }
    // All have what they want: whoever wants more at once may have all that is left.
    left + wanted.last().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_some_do_not_use_is_for_the_others() {
        const ANY: f64 = f64::INFINITY;
        assert_eq!(level(100.0, &mut [ANY; 4]), 25.0);
        assert_eq!(level(100.0, &mut [ANY, 10.0, ANY, 20.0]), 35.0);
        assert_eq!(level(100.0, &mut [60.0, 10.0]), 90.0);
        assert_eq!(level(100.0, &mut []), 100.0);
        assert_eq!((wanted(50.0, 100.0), wanted(20.0, 100.0)), (ANY, 30.0));
    }

    proptest! {
        #[test]
        fn all_together_never_want_more_than_there_is(
            all in 1.0..1e9f64,
            mut wants in prop::collection::vec(prop_oneof![0.0..1e9f64, Just(f64::INFINITY)], 0..50),
        ) {
            let share = level(all, &mut wants);
            let together: f64 = wants.iter().map(|want| want.min(share)).sum();
            prop_assert!(together <= all * 1.000_001, "{share}: {together} of {all}");
            // And nobody goes without for nothing.
            let is_short = wants.iter().any(|want| *want > share);
            prop_assert!(!is_short || together >= all * 0.999_999);
            prop_assert!(share >= all / (wants.len().max(1) as f64) * 0.999_999);
        }
    }
}
