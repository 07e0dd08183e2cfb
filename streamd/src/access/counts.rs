//! How much of something each address has.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::address::Address;

/// What each address has; one that has nothing takes no room.
#[derive(Debug, Default)]
pub struct Counts(Mutex<HashMap<Address, usize>>);

impl Counts {
    /// Takes one more for an address that has fewer than `most`; `None` when it has as many. This
    /// machine may have any number.
    pub fn take(self: &Arc<Self>, address: Address, most: usize) -> Option<Share> {
        let mut counts = self.0.lock();
        let count = counts.entry(address).or_default();
        if address.is_limited() && *count >= most {
            if *count == 0 {
                counts.remove(&address);
            }
            return None;
        }
        *count += 1;
        Some(Share {
            address,
            counts: Arc::clone(self),
        })
    }

    /// All together.
    pub fn total(&self) -> usize {
        self.0.lock().values().sum()
    }
}

/// One of what an address has, given back when dropped.
#[derive(Debug)]
pub struct Share {
    address: Address,
    counts: Arc<Counts>,
}

impl Share {
    /// Whose it is.
    pub fn address(&self) -> Address {
        self.address
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_no_other_pays_for_it() {
        let counts = Arc::<Counts>::default();
        let (a, b) = (
            Address::of_peer("192.0.2.1:1"),
            Address::of_peer("192.0.2.2:1"),
        );
        let first = counts.take(a, 2).unwrap();
        let _second = counts.take(a, 2).unwrap();
        assert!(counts.take(a, 2).is_none());
        assert!(counts.take(b, 2).is_some());
        drop(first);
        assert!(counts.take(a, 2).is_some());
        let machine: Vec<_> = (0..9).map(|_| counts.take(Address::Machine, 2)).collect();
        assert!(machine.iter().all(Option::is_some));
        assert_eq!(counts.total(), 10);
        drop((machine, _second));
        assert!(counts.0.lock().is_empty(), "nobody is remembered for ever");
    }
}
