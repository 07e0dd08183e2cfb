//! The connections that are being answered: how many there may be, and who gives way to whom.
//!
//! A connection waits until a request has come whole, and again after the answer. One that waits
//! costs nobody anything but its place, so where places run out, the one that has waited longest
//! gives way. Streams and WebSockets have left the room: cameras count them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::access::address::Address;

/// Connections of the page, snapshots and states at once: a thousand snapshots at once must fit.
const MAX_SITE: usize = 4096;

/// Of these, so many may wait for a request; each has a buffer for its head, up to 16 KiB.
const MAX_WAITING: usize = 1024;

/// More than so many waiting ones of an address give way to others of the same address first.
const FEW: usize = 8;

/// Beyond all others, so many are let in to ask what the daemon does: when it is flooded, people
/// want to know.
const SPARE: usize = 64;

/// The connections to listeners of one kind.
#[derive(Debug)]
pub struct Room {
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Places taken, spare ones included.
    taken: usize,
    /// Turns given so far.
    turns: u64,
    /// Who waits, the longest first.
    waiting: BTreeMap<u64, (Address, CancellationToken)>,
    by_address: HashMap<Address, BTreeSet<u64>>,
}

/// A connection's place in the room, given back when dropped.
#[derive(Debug)]
pub struct Seat {
    room: Arc<Room>,
    address: Address,
    leave: CancellationToken,
    turn: Mutex<Option<u64>>,
    /// Beyond the limit: only questions about the daemon itself are answered.
    pub is_spare: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            most: MAX_SITE,
            inner: Mutex::default(),
        }
    }
}

impl Room {
    /// A place for a connection, which waits at first. `None` where even those who ask about the
    /// daemon have none left.
    pub fn enter(self: &Arc<Self>, address: Address) -> Option<Seat> {
        let mut inner = self.inner.lock();
        let crowded = inner.waiting.len() >= MAX_WAITING || inner.taken >= self.most;
        let made_way = crowded && inner.make_way(address);
        let is_spare = inner.taken >= self.most && !made_way;
        if is_spare && inner.taken >= self.most + SPARE {
            return None;
        }
        inner.taken += 1;
        drop(inner);
        let seat = Seat {
            room: Arc::clone(self),
            address,
            leave: CancellationToken::new(),
            turn: Mutex::default(),
            is_spare,
        };
        seat.wait();
        Some(seat)
    }

    /// Ends the longest waiting connection of this address; false where none waits.
    pub fn make_way_for(&self, address: Address) -> bool {
        let mut inner = self.inner.lock();
        let first = inner.by_address.get(&address).and_then(BTreeSet::first);
        first.copied().is_some_and(|turn| inner.end(turn))
    }
}

impl Inner {
    /// Ends a connection that waits, in favour of one of this address.
    fn make_way(&mut self, address: Address) -> bool {
        let own = self.by_address.get(&address);
        let own = own.filter(|turns| turns.len() > FEW);
        let turn = own
            .and_then(BTreeSet::first)
            .or_else(|| self.waiting.keys().next());
        turn.copied().is_some_and(|turn| self.end(turn))
    }

    fn end(&mut self, turn: u64) -> bool {
        let leave = self.forget(turn);
        leave.is_some_and(|leave| {
            leave.cancel();
            true
        })
    }

    fn forget(&mut self, turn: u64) -> Option<CancellationToken> {
        let (address, leave) = self.waiting.remove(&turn)?;
        if let Some(turns) = self.by_address.get_mut(&address) {
            turns.remove(&turn);
            if turns.is_empty() {
                self.by_address.remove(&address);
            }
        }
        Some(leave)
    }
}

impl Seat {
    /// A request has come: it is answered, and does not give way.
    pub fn answer(&self) {
        if let Some(turn) = self.turn.lock().take() {
            self.room.inner.lock().forget(turn);
        }
    }

    /// It waits for a request.
    pub fn wait(&self) {
        let mut inner = self.room.inner.lock();
        inner.turns += 1;
        let turn = inner.turns;
        let mine = (self.address, self.leave.clone());
        inner.waiting.insert(turn, mine);
        inner
            .by_address
            .entry(self.address)
            .or_default()
            .insert(turn);
        *self.turn.lock() = Some(turn);
    }

    /// Comes when it is to give way.
    pub async fn to_leave(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.answer();
        self.room.inner.lock().taken -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(most: usize) -> Arc<Room> {
        Arc::new(Room {
            most,
            ..Room::default()
        })
    }

    fn address(n: u8) -> Address {
        Address::of([192, 0, 2, n].into())
    }

    #[test]
    fn the_longest_waiting_gives_way_and_who_is_answered_does_not() {
        let room = room(3);
        let seats: Vec<_> = (0..3).map(|n| room.enter(address(n)).unwrap()).collect();
        seats[0].answer();
        let next = room.enter(address(9)).unwrap();
        let left = |seat: &Seat| seat.leave.is_cancelled();
        assert_eq!([0, 1, 2].map(|n| left(&seats[n])), [false, true, false]);
        assert!(!next.is_spare);
        seats[0].wait();
        room.enter(address(9)).unwrap();
        assert_eq!([0, 1, 2].map(|n| left(&seats[n])), [false, true, true]);
    }

    #[test]
    fn an_address_with_many_pays_itself() {
        let room = room(12);
        let first = room.enter(address(1)).unwrap();
        let many: Vec<_> = (0..40).map(|_| room.enter(address(2)).unwrap()).collect();
        assert!(!first.leave.is_cancelled());
        assert!(many[0].leave.is_cancelled());
        assert!(room.make_way_for(address(1)) && first.leave.is_cancelled());
        assert!(!room.make_way_for(address(1)), "none waits any more");
    }

    #[test]
    fn where_all_are_answered_some_may_still_ask_and_then_nobody() {
        let room = room(2);
        let enter = || room.enter(address(1)).inspect(|seat| seat.answer());
        let seats: Vec<_> = (0..2 + SPARE).map(|_| enter().unwrap()).collect();
        assert!(!seats[1].is_spare && seats[2].is_spare);
        assert!(enter().is_none());
        drop(seats);
        assert!(!enter().unwrap().is_spare);
        assert_eq!(room.inner.lock().taken, 0);
    }
}
