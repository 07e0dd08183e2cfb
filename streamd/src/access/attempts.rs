//! Wrong tokens, by address: the answer to one is held back, for twice as long each time.
//!
//! Nobody can guess a token of 256 random bits. Who tries all the same is slowed down, counted and
//! seen, and costs nobody else anything. A good token is let in at once wherever it comes from:
//! else who shares an address with somebody who tries could be shut out by them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::address::Address;

/// So many wrong tokens of an address are answered at once: people mistype.
const FREE: u32 = 3;

/// How long the answer to the next one is held back, and how long at most.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(16);

/// After so long without another one, an address begins anew.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);

/// Answers of one address, and of all, that are held back at a time: each holds a connection.
const HELD_EACH: u32 = 4;
const HELD_ALL: u32 = 256;

/// Addresses that are remembered at most: beyond them, all others are taken for one.
const MAX_ADDRESSES: usize = 4096;

/// The wrong tokens of late.
#[derive(Debug, Default)]
pub struct Attempts {
    wrong: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    held: u32,
    /// `None` stands for all who are not remembered one by one.
    addresses: HashMap<Option<Address>, Wrong>,
}

/// What is known of an address.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    last: Instant,
    held: u32,
}

/// Too many answers to an address are held back already. It may ask again after this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wrong tokens; try again in {} s", self.seconds())]
pub struct TooMany(Duration);

/// An answer that is held back.
#[derive(Debug)]
pub struct Held {
    /// For how long.
    delay: Duration,
    from: Option<Address>,
    attempts: Arc<Attempts>,
}

impl TooMany {
    /// Whole seconds until it may ask again; at least one.
    pub fn seconds(&self) -> u64 {
        self.0.as_secs().max(1)
    }
}

impl Attempts {
    /// Wrong tokens so far, of all.
    pub fn wrong(&self) -> u64 {
        self.wrong.load(Ordering::Relaxed)
    }

    /// Counts a wrong token of an address.
    ///
    /// # Errors
    /// As many answers are held back as may be: this one is not held back, and says so.
    pub fn count(self: &Arc<Self>, address: Address, now: Instant) -> Result<Held, TooMany> {
        self.wrong.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner.lock();
        let Inner { held, addresses } = &mut *inner;
        if addresses.len() >= MAX_ADDRESSES {
            addresses.retain(|_, wrong| wrong.held > 0 || !wrong.is_over(now));
        }
        let known = Some(address);
        let from =
            known.filter(|_| addresses.len() < MAX_ADDRESSES || addresses.contains_key(&known));
        let wrong = addresses.entry(from).or_insert(Wrong {
            count: 0,
            last: now,
            held: 0,
        });
        if wrong.is_over(now) {
            wrong.count = 0;
        }
        wrong.count = wrong.count.saturating_add(1);
        wrong.last = now;
        let delay = wrong.delay();
        if !delay.is_zero() && (wrong.held >= HELD_EACH || *held >= HELD_ALL) {
            return Err(TooMany(delay));
        }
        wrong.held += 1;
        *held += 1;
        drop(inner);
        Ok(Held {
            delay,
            from,
            attempts: Arc::clone(self),
        })
    }
}

impl Wrong {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= FORGOTTEN
    }

    fn delay(&self) -> Duration {
        match self.count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST),
        }
    }
}

impl Held {
    /// Comes when the answer may be given.
    pub async fn over(self) {
        tokio::time::sleep(self.delay).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut inner = self.attempts.inner.lock();
        inner.held -= 1;
        if let Some(wrong) = inner.addresses.get_mut(&self.from) {
            wrong.held -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Address {
        Address::V4(n.into())
    }

    /// How long answers to so many wrong tokens of an address are held back, one after the other.
    fn delays(attempts: &Arc<Attempts>, of: Address, count: usize, now: Instant) -> Vec<u64> {
        let delay = |_| attempts.count(of, now).unwrap().delay.as_millis() as u64;
        (0..count).map(delay).collect()
    }

    #[test]
    fn each_wrong_token_costs_its_address_twice_as_much_up_to_a_bound() {
        let attempts = Arc::<Attempts>::default();
        let now = Instant::now();
        assert_eq!(
            delays(&attempts, address(1), 10, now),
            [0, 0, 0, 500, 1000, 2000, 4000, 8000, 16000, 16000]
        );
        assert_eq!(delays(&attempts, address(2), 4, now), [0, 0, 0, 500]);
        let later = now + FORGOTTEN;
        assert_eq!(delays(&attempts, address(1), 4, later), [0, 0, 0, 500]);
        assert_eq!(attempts.wrong(), 18);
    }

    #[test]
    fn a_few_answers_are_held_back_and_the_rest_is_sent_away() {
        let attempts = Arc::<Attempts>::default();
        let now = Instant::now();
        let mut held = Vec::new();
        let mut refused = 0;
        for _ in 0..1000 {
            match attempts.count(address(1), now) {
                Ok(one) => held.push(one),
                Err(TooMany(after)) => {
                    refused += 1;
                    assert!(after >= FIRST && after <= LONGEST);
                }
            }
        }
        // Those that cost nothing take no room from those that do.
        assert!(held.len() <= (FREE + HELD_EACH) as usize, "{}", held.len());
        assert_eq!(refused + held.len(), 1000);
        drop(held);
        assert!(attempts.count(address(1), now).is_ok());
        let inner = attempts.inner.lock();
        assert_eq!(
            (inner.held, inner.addresses[&Some(address(1))].held),
            (0, 0)
        );
    }

    #[test]
    fn a_crowd_of_addresses_takes_bounded_room_and_bounded_patience() {
        let attempts = Arc::<Attempts>::default();
        let now = Instant::now();
        let mut held = Vec::new();
        for n in 0..20_000 {
            held.extend(attempts.count(address(n), now));
            held.extend(attempts.count(address(n), now));
        }
        assert!(attempts.inner.lock().addresses.len() <= MAX_ADDRESSES + 1);
        drop(held);
        let later = now + FORGOTTEN;
        assert!(attempts.count(address(70_000), later).is_ok());
        assert_eq!(attempts.inner.lock().addresses.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_back_comes_in_the_end() {
        let attempts = Arc::<Attempts>::default();
        let began = Instant::now();
        for _ in 0..6 {
            attempts
                .count(address(1), Instant::now())
                .unwrap()
                .over()
                .await;
        }
        assert_eq!(began.elapsed(), Duration::from_millis(500 + 1000 + 2000));
    }
}
