//! Who has a place at the control socket, and who gives way: nobody who may connect can keep
//! others, or an administrator, from it.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::access::Peer;

/// Connections at a time: administrators and a monitoring system or two; each may hold a call of
/// 64 KiB and a picture.
pub const MAX_CONNECTIONS: usize = 16;

/// Of these, so many are kept for root and the daemon's own user.
const KEPT: usize = 4;

/// Connections of one other user at a time.
const MAX_PER_USER: usize = 4;

/// The places of all connections.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Numbers given to connections so far.
    numbered: u64,
    /// Turns given so far: who waits with a lower one has waited longer.
    turns: u64,
    taken: BTreeMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    uid: u32,
    is_administrator: bool,
    /// Since when it has had no call; `None` while one is answered.
    idle_since: Option<u64>,
    leave: CancellationToken,
}

/// A connection's place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    leave: CancellationToken,
}

impl Places {
    /// A place for a peer. Where there is none left for it, the connection that has been idle for
    /// longest gives way, of its own where it has as many as it may have; `None` when none is idle.
    pub fn take(self: &Arc<Self>, peer: &Peer) -> Option<Place> {
        let mut inner = self.0.lock();
        if !peer.is_administrator {
            inner.make_room(MAX_PER_USER, |taken| taken.uid == peer.uid)?;
            inner.make_room(MAX_CONNECTIONS - KEPT, |taken| !taken.is_administrator)?;
        }
        inner.make_room(MAX_CONNECTIONS, |_| true)?;
        let leave = CancellationToken::new();
        inner.numbered += 1;
        inner.turns += 1;
        let (number, turn) = (inner.numbered, inner.turns);
        let taken = Taken {
            uid: peer.uid,
            is_administrator: peer.is_administrator,
            idle_since: Some(turn),
            leave: leave.clone(),
        };
        inner.taken.insert(number, taken);
        Some(Place {
            places: Arc::clone(self),
            number,
            leave,
        })
    }
}

impl Inner {
    /// Sees to it that fewer than `most` of these have a place.
    fn make_room(&mut self, most: usize, of: impl Fn(&Taken) -> bool) -> Option<()> {
        if self.taken.values().filter(|taken| of(taken)).count() < most {
            return Some(());
        }
        let idle = self.taken.iter().filter(|(_, taken)| of(taken));
        let idle = idle.filter_map(|(number, taken)| Some((taken.idle_since?, *number)));
        let (_, longest) = idle.min()?;
        self.taken.remove(&longest)?.leave.cancel();
        Some(())
    }
}

impl Place {
    /// A call has begun: the connection does not give way.
    pub fn busy(&self) {
        if let Some(taken) = self.places.0.lock().taken.get_mut(&self.number) {
            taken.idle_since = None;
        }
    }

    /// It waits for a call.
    pub fn idle(&self) {
        let mut inner = self.places.0.lock();
        inner.turns += 1;
        let turn = inner.turns;
        if let Some(taken) = inner.taken.get_mut(&self.number) {
            taken.idle_since = Some(turn);
        }
    }

    /// Comes when it is to give way.
    pub async fn to_leave(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.0.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(uid: u32) -> Peer {
        Peer {
            uid,
            pid: 1,
            may_change: true,
            is_administrator: uid == 0,
        }
    }

    fn left(places: &[Place]) -> Vec<usize> {
        let left = |(_, place): &(usize, &Place)| place.leave.is_cancelled();
        let gone = places.iter().enumerate().filter(left);
        gone.map(|(n, _)| n).collect()
    }

    #[test]
    fn one_user_has_four_and_the_longest_idle_gives_way() {
        let all = Arc::<Places>::default();
        let mut places: Vec<_> = (0..4).map(|_| all.take(&peer(1000)).unwrap()).collect();
        places[0].busy();
        places[1].idle();
        places.push(all.take(&peer(1000)).unwrap());
        assert_eq!(left(&places), [2]);
        places.iter().for_each(Place::busy);
        assert!(all.take(&peer(1000)).is_none(), "none is idle");
        assert!(all.take(&peer(1001)).is_some(), "another user has its own");
    }

    #[test]
    fn however_many_users_come_administrators_find_a_place() {
        let all = Arc::<Places>::default();
        let users: Vec<_> = (1..=12).map(|uid| all.take(&peer(uid)).unwrap()).collect();
        users.iter().for_each(Place::busy);
        assert!(all.take(&peer(13)).is_none());
        let roots: Vec<_> = (0..4).map(|_| all.take(&peer(0)).unwrap()).collect();
        roots.iter().for_each(Place::busy);
        assert!(all.take(&peer(0)).is_none());
        users[5].idle();
        assert!(all.take(&peer(0)).is_some());
        assert_eq!(left(&users), [5]);
        drop((users, roots));
        assert!(all.0.lock().taken.is_empty());
    }
}
