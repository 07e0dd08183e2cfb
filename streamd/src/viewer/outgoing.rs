//! A frame that is being written, and what is left of it.

use std::sync::Arc;

use super::framing::Cut;
use crate::{
    link::{
        channel::MAX_PARTS,
        delivery::{Body, Sent, Stamping},
    },
    media::{Packet, Timestamp},
};

/// Bytes of a frame's first segment when that goes ahead: within one segment of any usual path.
const LEAD: usize = 1200;

/// Bytes of a frame's end that go on their own where a receiver holds acknowledgements back: a
/// segment of most paths. Of an even number of segments before it the last one is acknowledged at
/// once; of an odd number the tail makes it even.
const TAIL: usize = 1448;

/// Buffers of a frame, to be used again.
#[derive(Default)]
pub(super) struct Spare {
    before: Vec<u8>,
    after: Vec<u8>,
    cuts: Vec<Cut>,
}

/// What is to be written next.
pub(super) struct Rest<'a> {
    parts: [&'a [u8]; MAX_PARTS],
    count: usize,
    /// What may be written in one go is all in these parts.
    pub is_all: bool,
}

impl<'a> Rest<'a> {
    /// The bytes; empty where nothing is left.
    pub fn parts(&self) -> &[&'a [u8]] {
        &self.parts[..self.count]
    }
}

/// A frame that is being written.
pub(super) struct Outgoing {
    pub packet: Arc<Packet>,
    /// Which of the viewer's feeds it belongs to.
    pub feed: u32,
    /// The bytes that the transport puts before the picture.
    pub before: Vec<u8>,
    /// The bytes that the transport puts after it.
    pub after: Vec<u8>,
    /// How the picture is parted by the bytes before it.
    pub cuts: Vec<Cut>,
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
        spare: Spare,
        began: Timestamp,
    ) -> Self {
        let Spare {
            mut before,
            mut after,
            mut cuts,
        } = spare;
        before.clear();
        after.clear();
        cuts.clear();
        Self {
            packet,
            feed,
            before,
            after,
            cuts,
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
        let picture: usize = self.cuts.iter().map(|cut| cut.picture.len()).sum();
        self.before.len() + picture + self.after.len()
    }

    /// All that goes out of it, in this order.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut before = 0;
        let cuts = self.cuts.iter().flat_map(move |cut| {
            let own = &self.before[before..before + cut.own];
            before += cut.own;
            [own, &self.packet.bytes[cut.picture.clone()]]
        });
        cuts.chain([&self.after[..]])
    }

    /// Its buffers, for the next one.
    pub fn spare(self) -> Spare {
        Spare {
            before: self.before,
            after: self.after,
            cuts: self.cuts,
        }
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
    pub fn rest(&self) -> Rest<'_> {
        let mut skip = self.done;
        let body = self.total() - self.tail;
        let mut room = match self.leads() {
            true => LEAD,
            false if self.done < body => body - self.done,
            false => usize::MAX,
        };
        let mut rest = Rest {
            parts: [&[]; MAX_PARTS],
            count: 0,
            is_all: true,
        };
        for part in self.parts() {
            let cut = skip.min(part.len());
            skip -= cut;
            let part = &part[cut..];
            let part = &part[..part.len().min(room)];
            room -= part.len();
            if part.is_empty() {
                continue;
            }
            let Some(place) = rest.parts.get_mut(rest.count) else {
                rest.is_all = false;
                break;
            };
            *place = part;
            rest.count += 1;
        }
        rest
    }

    /// All that is left of it.
    pub fn left(&self) -> Vec<u8> {
        let whole: Vec<u8> = self.parts().flatten().copied().collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// A frame of 1000 bytes behind 10 of the transport's, in parts of this many bytes each.
    fn cut(each: usize) -> Outgoing {
        let packet = Arc::new(Packet {
            bytes: (0..1000).map(|n| n as u8).collect(),
            ..fixtures::frame(1)
        });
        let stamping = Stamping {
            lead: false,
            end: true,
        };
        let mut outgoing = Outgoing::new(packet, 1, stamping, Spare::default(), Timestamp::now());
        for start in (0..1000).step_by(each) {
            let picture = start..1000.min(start + each);
            outgoing.before.extend([b'$'; 10]);
            outgoing.cuts.push(Cut { own: 10, picture });
        }
        outgoing.after.extend(b"end");
        outgoing
    }

    #[test]
    fn a_picture_that_is_cut_goes_out_in_order_however_much_is_taken_at_a_time() {
        for each in [1000, 400, 7] {
            let outgoing = cut(each);
            let mut whole = Vec::new();
            for start in (0..1000usize).step_by(each) {
                whole.extend([b'$'; 10]);
                whole.extend((start..1000.min(start + each)).map(|n| n as u8));
            }
            whole.extend(b"end");
            assert_eq!(outgoing.total(), whole.len());
            assert_eq!(outgoing.left(), whole);
            for taken in [1, 13, 5000] {
                let (mut outgoing, mut got) = (cut(each), Vec::new());
                loop {
                    let rest = outgoing.rest();
                    let is_all = rest.is_all;
                    let bytes = rest.parts().concat();
                    let bytes = &bytes[..bytes.len().min(taken)];
                    got.extend_from_slice(bytes);
                    let written = bytes.len();
                    if outgoing.advance(written) {
                        assert!(is_all);
                        break;
                    }
                }
                assert_eq!(got, whole, "{each} {taken}");
            }
        }
    }
}
