//! A frame that is being written, and what is left of it.

use std::sync::Arc;

use crate::{
    link::delivery::{Body, Sent, Stamping},
    media::{Packet, Timestamp},
};

/// Bytes of a frame's first segment when that goes ahead: within one segment of any usual path.
const LEAD: usize = 1200;

/// Bytes of a frame's end that go on their own where a receiver holds acknowledgements back: a
/// segment of most paths. Of an even number of segments before it the last one is acknowledged at
/// once; of an odd number the tail makes it even.
const TAIL: usize = 1448;

/// A frame that is being written.
pub(super) struct Outgoing {
    pub packet: Arc<Packet>,
    /// Which of the viewer's feeds it belongs to.
    pub feed: u32,
    /// The bytes that the transport puts before the picture.
    pub before: Vec<u8>,
    /// The bytes that the transport puts after it.
    pub after: Vec<u8>,
    /// Only those are sent, and not the picture.
    pub bare: bool,
    /// What the kernel is to stamp.
    pub stamping: Stamping,
    /// When it was begun.
    pub began: Timestamp,
    /// A loss or the congestion control holds it up.
    pub disturbed: bool,
    /// Segments of the connection sent again when it was begun.
    pub sent_again: u32,
    /// Bytes of its end that go on their own.
    tail: usize,
    /// The kernel's key of the last byte before these.
    body: Option<u32>,
    /// Bytes written.
    done: usize,
}

impl Outgoing {
    /// Nothing of it is written; `spare` are buffers to use again.
    pub fn new(
        packet: Arc<Packet>,
        feed: u32,
        stamping: Stamping,
        (mut before, mut after): (Vec<u8>, Vec<u8>),
        began: Timestamp,
    ) -> Self {
        before.clear();
        after.clear();
        Self {
            packet,
            feed,
            before,
            after,
            bare: false,
            stamping,
            began,
            disturbed: false,
            sent_again: 0,
            tail: 0,
            body: None,
            done: 0,
        }
    }

    /// Bytes on the wire.
    pub fn total(&self) -> usize {
        self.before.len() + self.picture().len() + self.after.len()
    }

    fn picture(&self) -> &[u8] {
        if self.bare { &[] } else { &self.packet.bytes }
    }

    /// Whether some of it has been written.
    pub fn begun(&self) -> bool {
        self.done > 0
    }

    /// Its end goes on its own, where it is long enough.
    pub fn part_tail(&mut self) {
        if self.stamping.end && self.total() > 2 * TAIL {
            self.tail = TAIL;
        }
    }

    /// Whether all but its tail has been written just now; `key` is the kernel's key of the last byte.
    pub fn body_is_done(&mut self, key: u32) -> bool {
        let is_done = self.tail > 0 && self.done == self.total() - self.tail;
        if is_done {
            self.body = Some(key);
        }
        is_done
    }

    /// Whether its first segment goes next, ahead of the rest.
    pub fn leads(&self) -> bool {
        self.stamping.lead && self.done == 0
    }

    /// What to write next.
    pub fn rest(&self) -> [&[u8]; 3] {
        let mut skip = self.done;
        let body = self.total() - self.tail;
        let mut room = match self.leads() {
            true => LEAD,
            false if self.done < body => body - self.done,
            false => usize::MAX,
        };
        [&self.before[..], self.picture(), &self.after[..]].map(|part| {
            let cut = skip.min(part.len());
            skip -= cut;
            let part = &part[cut..];
            let part = &part[..part.len().min(room)];
            room -= part.len();
            part
        })
    }

    /// All that is left of it.
    pub fn left(&self) -> Vec<u8> {
        let whole = [&self.before[..], self.picture(), &self.after[..]].concat();
        whole[self.done..].to_vec()
    }

    /// So many bytes more have been written; true when that was all.
    pub fn advance(&mut self, bytes: usize) -> bool {
        self.done += bytes;
        self.done == self.total()
    }

    /// It has been written whole; `key` is the kernel's key of its last byte, which it will stamp
    /// if it `can_stamp`.
    pub fn sent(&self, key: u32, can_stamp: bool) -> Sent {
        Sent {
            feed: self.feed,
            sequence: self.packet.sequence,
            captured: self.packet.captured,
            began: self.began,
            bytes: self.total(),
            key,
            stamped: self.stamping.end && can_stamp,
            disturbed: self.disturbed,
            sent_again: self.sent_again,
            body: self.body.map(|key| Body {
                key,
                bytes: self.total() - self.tail,
            }),
        }
    }
}
