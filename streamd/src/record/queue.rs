//! What waits for the disk: a bounded queue from the hub's side, which never waits, to the thread
//! that writes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};

use super::names::Kind;
use crate::{media::Packet, sound};

/// Bytes that wait at most: ten seconds of a large JPEG camera.
const MOST: usize = 64 * 1024 * 1024;

/// Packets that wait at most: a disk that takes nothing for so long is too slow.
const MOST_PACKETS: usize = 600;

/// Packets of sound that wait at most: as long as the pictures of 30 a second.
const MOST_SOUND: usize = 1000;

/// Something for the disk.
#[derive(Debug)]
pub enum Item {
    /// A picture.
    Packet(Kind, Arc<Packet>),
    /// Sound beside the pictures of the recording.
    Sound(Arc<sound::Packet>),
    /// Those before an event, which were kept in memory already.
    Before(Kind, Vec<Arc<Packet>>),
    /// Nothing follows for now: the file is ended, and then it is so.
    End(Rest),
    /// The same of the time lapse.
    EndLapse,
    /// Nothing follows any more.
    Stop,
}

/// Why nothing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing is to be recorded.
    Off,
    /// Pictures are kept for an event that may come.
    Armed,
    /// No picture comes.
    Waiting,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
    packets: usize,
    sounds: usize,
}

impl Queue {
    /// Puts a picture behind the others; false where there is no room for it.
    pub fn put(&self, kind: Kind, packet: Arc<Packet>) -> bool {
        let mut waiting = self.waiting.lock();
        let bytes = waiting.bytes + packet.bytes.len();
        if waiting.packets >= MOST_PACKETS || bytes > MOST {
            return false;
        }
        waiting.bytes = bytes;
        waiting.packets += 1;
        waiting.items.push_back(Item::Packet(kind, packet));
        drop(waiting);
        self.came.notify_one();
        true
    }

    /// Puts sound behind the pictures that came before it; false where there is no room for it.
    pub fn put_sound(&self, packet: Arc<sound::Packet>) -> bool {
        let mut waiting = self.waiting.lock();
        if waiting.sounds >= MOST_SOUND {
            return false;
        }
        waiting.sounds += 1;
        waiting.items.push_back(Item::Sound(packet));
        drop(waiting);
        self.came.notify_one();
        true
    }

    /// Puts a word behind the pictures. Of several of one kind, the last one counts.
    pub fn say(&self, word: Item) {
        let mut waiting = self.waiting.lock();
        let is_said = |last: &Item| std::mem::discriminant(last) == std::mem::discriminant(&word);
        if waiting.items.back().is_some_and(is_said) {
            waiting.items.pop_back();
        }
        waiting.items.push_back(word);
        drop(waiting);
        self.came.notify_one();
    }

    /// The next one, if there is one within `patience`.
    pub fn next(&self, patience: Duration) -> Option<Item> {
        let mut waiting = self.waiting.lock();
        if waiting.items.is_empty() {
            self.came.wait_for(&mut waiting, patience);
        }
        let item = waiting.items.pop_front()?;
        match &item {
            Item::Packet(_, packet) => {
                waiting.bytes -= packet.bytes.len();
                waiting.packets -= 1;
            }
            Item::Sound(_) => waiting.sounds -= 1,
            _ => {}
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn it_takes_no_more_than_its_bound_and_then_again() {
        let queue = Queue::default();
        let put = || queue.put(Kind::Continuous, Arc::new(fixtures::frame(1)));
        assert_eq!(
            (0..2 * MOST_PACKETS).filter(|_| put()).count(),
            MOST_PACKETS
        );
        queue.say(Item::End(Rest::Waiting));
        queue.say(Item::End(Rest::Off));
        assert!(matches!(queue.next(Duration::ZERO), Some(Item::Packet(..))));
        assert!(put() && !put());
        let rest = std::iter::from_fn(|| queue.next(Duration::ZERO));
        let said: Vec<_> = rest.filter(|i| !matches!(i, Item::Packet(..))).collect();
        assert!(matches!(said[..], [Item::End(Rest::Off)]), "{said:?}");
        assert!(put());
    }
}
