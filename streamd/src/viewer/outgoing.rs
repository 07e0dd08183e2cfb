//! A frame that is being written, and what is left of it.

use std::sync::Arc;

use crate::{
    link::delivery::{Sent, Stamping},
    media::{Packet, Timestamp},
};

/// Bytes of a frame's first segment when that goes ahead: within one segment of any usual path.
const LEAD: usize = 1200;

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

    /// Whether its first segment goes next, ahead of the rest.
    pub fn leads(&self) -> bool {
        self.stamping.lead && self.done == 0
    }

    /// What to write next.
    pub fn rest(&self) -> [&[u8]; 3] {
        let mut skip = self.done;
        let mut room = if self.leads() { LEAD } else { usize::MAX };
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
        }
    }
}
