//! The way of one client's frames from the first `send` to the acknowledgement of the last byte.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    link::{
        estimate::{Delivery, Link},
        socket::{Info, Socket, Stamp},
    },
    media::{JpegFrame, Timestamp},
};

/// Frames whose acknowledgement is awaited at most; older ones are forgotten.
const AWAITED: usize = 32;

/// On a slow link, the first bytes of one frame in so long are sent ahead and time-stamped.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// So many: within one segment of any usual path.
const LEAD: usize = 1200;

/// A frame that is being written.
pub struct Outgoing {
    /// The frame.
    pub frame: Arc<JpegFrame>,
    /// Which of the client's feeds it belongs to.
    pub feed: usize,
    /// The bytes before and after the picture.
    pub before: Vec<u8>,
    /// See `before`.
    pub after: Vec<u8>,
    /// Only those are sent, and not the picture.
    pub bare: bool,
    done: usize,
    began: Timestamp,
    stamp: bool,
    /// Its first segment goes ahead and is time-stamped on its own.
    lead: bool,
    disturbed: bool,
}

impl Outgoing {
    /// Bytes on the wire.
    pub fn total(&self) -> usize {
        self.before.len() + self.picture().len() + self.after.len()
    }

    fn picture(&self) -> &[u8] {
        if self.bare { &[] } else { &self.frame.bytes }
    }

    /// Whether some of it has been written.
    pub fn begun(&self) -> bool {
        self.done > 0
    }

    /// Writes what the socket takes; true when all is written.
    ///
    /// # Errors
    /// The socket's; `WouldBlock` when it takes no more now.
    pub fn write(&mut self, socket: &mut Socket, pending: &mut Pending) -> std::io::Result<bool> {
        let leading = self.lead && self.done == 0;
        let mut skip = self.done;
        let mut room = if leading { LEAD } else { usize::MAX };
        let parts = [&self.before[..], self.picture(), &self.after[..]].map(|part| {
            let cut = skip.min(part.len());
            skip -= cut;
            let part = &part[cut..];
            let part = &part[..part.len().min(room)];
            room -= part.len();
            part
        });
        self.done += socket.send(parts, self.stamp)?;
        if leading {
            pending.probe = Some((socket.written().wrapping_sub(1), self.began));
        }
        Ok(self.done == self.total())
    }
}

/// A frame whose last byte has been written.
struct Sent {
    /// The kernel's key of the last byte.
    key: u32,
    stamped: bool,
    sequence: u64,
    captured: Timestamp,
    began: Timestamp,
    bytes: usize,
    feed: usize,
    /// The congestion control held it up for reasons of its own: it says nothing of the link.
    disturbed: bool,
}

/// A frame that has arrived.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrived {
    /// From capture to delivery.
    pub latency: Duration,
    /// Which of the client's feeds it belongs to.
    pub feed: usize,
}

/// What is on its way to one client.
#[derive(Default)]
pub struct Pending {
    sent: VecDeque<Sent>,
    stamped_last: Timestamp,
    probed_last: Timestamp,
    /// The kernel's key of a frame's first segment, and when it was sent.
    probe: Option<(u32, Timestamp)>,
    /// The client says itself when it had a frame; the kernel's stamps then count for the link only.
    receipts: bool,
}

impl Pending {
    /// Begins a frame. It is time-stamped if the last one that was is at least `pace` ago.
    pub fn begin(
        &mut self,
        frame: Arc<JpegFrame>,
        feed: usize,
        mut spare: (Vec<u8>, Vec<u8>),
        pace: Duration,
        now: Timestamp,
    ) -> Outgoing {
        let stamp = now.since(self.stamped_last) >= pace;
        if stamp {
            self.stamped_last = now;
        }
        let lead = pace.is_zero() && now.since(self.probed_last) >= PROBE_EVERY;
        if lead {
            self.probed_last = now;
        }
        spare.0.clear();
        spare.1.clear();
        Outgoing {
            frame,
            feed,
            before: spare.0,
            after: spare.1,
            bare: false,
            done: 0,
            began: now,
            stamp,
            lead,
            disturbed: false,
        }
    }

    /// A frame has been written whole.
    pub fn written(&mut self, outgoing: &Outgoing, socket: &Socket) {
        if self.sent.len() == AWAITED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            key: socket.written().wrapping_sub(1),
            stamped: outgoing.stamp && socket.is_tcp(),
            sequence: outgoing.frame.sequence,
            captured: outgoing.frame.captured,
            began: outgoing.began,
            bytes: outgoing.total(),
            feed: outgoing.feed,
            disturbed: outgoing.disturbed,
        });
    }

    /// What is on its way now is held up by the congestion control for reasons of its own.
    pub fn disturb(&mut self, outgoing: Option<&mut Outgoing>) {
        self.sent.iter_mut().for_each(|sent| sent.disturbed = true);
        if let Some(outgoing) = outgoing {
            outgoing.disturbed = true;
        }
    }

    /// Whether the kernel still owes a time stamp.
    pub fn awaits_stamp(&self) -> bool {
        self.probe.is_some() || self.sent.iter().any(|s| s.stamped)
    }

    /// The peer's kernel has acknowledged a byte. If it is a frame's last one, the link has learnt
    /// something, and the frame has arrived: half the smallest round trip before the
    /// acknowledgement was seen here, the way back being as long as the way there.
    pub fn stamped(&mut self, stamp: Stamp, info: &Info, link: &mut Link) -> Option<Arrived> {
        if let Some((_, sent)) = self.probe.take_if(|(key, _)| *key == stamp.key) {
            link.round_trip(stamp.at, stamp.at.since(sent));
            return None;
        }
        let at = self
            .sent
            .iter()
            .position(|s| s.stamped && s.key == stamp.key)?;
        let sent = if self.receipts {
            let sent = &mut self.sent[at];
            sent.stamped = false;
            &self.sent[at]
        } else {
            self.sent.drain(..at);
            &self.sent.pop_front()?
        };
        let min_rtt = link.min_rtt(info.min_rtt);
        if sent.disturbed {
            link.disturbed(stamp.at);
        } else {
            link.delivered(&Delivery {
                bytes: sent.bytes,
                sent: sent.began,
                acknowledged: stamp.at,
                min_rtt,
                segment: info.segment,
            });
        }
        let latency = stamp.at.since(sent.captured).saturating_sub(min_rtt / 2);
        (!self.receipts).then_some(Arrived {
            latency,
            feed: sent.feed,
        })
    }

    /// The client says that it had a frame at this moment. Receipts of frames that are not awaited
    /// count for nothing.
    pub fn receipt(&mut self, feed: usize, sequence: u64, at: Timestamp) -> Option<Arrived> {
        self.receipts = true;
        let said = |s: &Sent| s.sequence == sequence && s.feed == feed;
        let index = self.sent.iter().position(said)?;
        let stamped = self.sent[index].stamped;
        let latency = at.since(self.sent[index].captured);
        if stamped {
            // Its acknowledgement is still to come, for the link.
            self.sent[index].sequence = u64::MAX;
        } else {
            self.sent.remove(index);
        }
        Some(Arrived { latency, feed })
    }
}
