//! How often something may happen in a second, by address and in all: TLS handshakes, calls of the
//! API. Each has a leaky bucket; what does not fit is refused at once, and counted.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::address::Address;

/// A bucket holds so many seconds of its rate: a page opens several connections at once, and after
/// a restart all come back.
const BURST: f64 = 5.0;

/// Addresses that are remembered at most: beyond them, all others share a bucket.
const MAX_ADDRESSES: usize = 4096;

/// The rate of one thing.
#[derive(Debug)]
pub struct Rates {
    what: &'static str,
    /// The keys of the configuration, by address and in all.
    keys: [&'static str; 2],
    refused: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// In a second, by address and in all; 0 for any number.
    most: [u32; 2],
    all: Option<Bucket>,
    /// `None` stands for all who are not remembered one by one.
    addresses: HashMap<Option<Address>, Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    filled: f64,
    at: Instant,
}

/// It is too much for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {most} {what} in a second{} ({key})", if *is_own { " from this address" } else { "" })]
pub struct TooOften {
    what: &'static str,
    most: u32,
    is_own: bool,
    key: &'static str,
}

impl Bucket {
    /// What is in it by now, of a rate of so many a second.
    fn look(&mut self, most: u32, now: Instant) -> f64 {
        let seconds = now.duration_since(self.at).as_secs_f64();
        self.filled = (self.filled - seconds * f64::from(most)).max(0.0);
        self.at = now;
        self.filled
    }

    fn has_room(&mut self, most: u32, now: Instant) -> bool {
        most == 0 || self.look(most, now) + 1.0 <= f64::from(most) * BURST
    }
}

impl Rates {
    /// Of something in the plural, limited by these keys: of one address, and of all.
    pub fn new(what: &'static str, keys: [&'static str; 2]) -> Self {
        Self {
            what,
            keys,
            refused: AtomicU64::new(0),
            inner: Mutex::default(),
        }
    }

    /// Puts other limits in force: of one address, and of all; 0 for any number.
    pub fn change(&self, most: [u32; 2]) {
        self.inner.lock().most = most;
    }

    /// How often it was too much so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Counts one of an address.
    ///
    /// # Errors
    /// When that has had too many of late, or all together have.
    pub fn take(&self, address: Address, now: Instant) -> Result<(), TooOften> {
        let mut inner = self.inner.lock();
        inner.take(address, now).map_err(|limit| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            TooOften {
                what: self.what,
                most: inner.most[limit],
                is_own: limit == 0,
                key: self.keys[limit],
            }
        })
    }
}

impl Inner {
    /// Counts one; else which of the two limits is reached.
    fn take(&mut self, address: Address, now: Instant) -> Result<(), usize> {
        let [own, all] = self.most;
        let empty = Bucket {
            filled: 0.0,
            at: now,
        };
        if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses
                .retain(|_, bucket| bucket.look(own, now) > 0.0);
        }
        let known = Some(address);
        let is_room = self.addresses.len() < MAX_ADDRESSES || self.addresses.contains_key(&known);
        let key = known.filter(|_| is_room);
        let limited = address.is_limited() && own > 0;
        if limited {
            let bucket = self.addresses.entry(key).or_insert(empty);
            if !bucket.has_room(own, now) {
                return Err(0);
            }
        }
        let total = self.all.get_or_insert(empty);
        if !total.has_room(all, now) {
            return Err(1);
        }
        total.filled += 1.0;
        if let Some(bucket) = self.addresses.get_mut(&key).filter(|_| limited) {
            bucket.filled += 1.0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(n: u32) -> Address {
        Address::V4(n.into())
    }

    fn rates(own: u32, all: u32) -> Rates {
        let rates = Rates::new("calls", ["max-calls-per-address", "max-calls"]);
        rates.change([own, all]);
        rates
    }

    fn taken(rates: &Rates, of: Address, tries: u32, now: Instant) -> usize {
        let take = |_| rates.take(of, now).is_ok();
        (0..tries).filter(|n| take(*n)).count()
    }

    #[test]
    fn an_address_has_its_rate_and_no_other_pays_for_it() {
        let (rates, now) = (rates(10, 0), Instant::now());
        assert_eq!(taken(&rates, address(1), 100, now), 50);
        assert_eq!(taken(&rates, address(2), 100, now), 50);
        let later = now + Duration::from_secs(1);
        assert_eq!(taken(&rates, address(1), 100, later), 10);
        assert_eq!(taken(&rates, Address::Machine, 1000, now), 1000);
        let error = rates.take(address(1), later).unwrap_err().to_string();
        assert_eq!(
            error,
            "more than 10 calls in a second from this address (max-calls-per-address)"
        );
        assert_eq!(rates.refused(), 50 + 50 + 90 + 1);
    }

    #[test]
    fn all_have_a_rate_together_and_what_one_is_refused_costs_the_others_nothing() {
        let (rates, now) = (rates(10, 20), Instant::now());
        assert_eq!(taken(&rates, address(1), 1000, now), 50);
        assert_eq!(taken(&rates, address(2), 1000, now), 50);
        let error = rates.take(address(3), now).unwrap_err().to_string();
        assert_eq!(error, "more than 20 calls in a second (max-calls)");
        assert!(rates.take(Address::Machine, now).is_err());
        let later = now + Duration::from_secs(60);
        assert_eq!(taken(&rates, address(3), 1, later), 1);
    }

    #[test]
    fn none_is_any_number() {
        let (rates, now) = (rates(0, 0), Instant::now());
        assert_eq!(taken(&rates, address(1), 10_000, now), 10_000);
        assert!(rates.inner.lock().addresses.is_empty());
    }

    #[test]
    fn a_crowd_of_addresses_takes_bounded_room() {
        let (rates, now) = (rates(1, 0), Instant::now());
        for n in 0..20_000 {
            let _ = rates.take(address(n), now);
        }
        assert!(rates.inner.lock().addresses.len() <= MAX_ADDRESSES + 1);
        assert_eq!(
            taken(&rates, address(30_000), 100, now),
            0,
            "the rest share one"
        );
        let later = now + Duration::from_secs(60);
        assert_eq!(taken(&rates, address(30_000), 100, later), 5);
        assert_eq!(rates.inner.lock().addresses.len(), 1);
    }
}
