//! The way of one viewer's frames from the last `send` to the acknowledgement of the last byte.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use super::{
    estimate::{Delivery, Estimate, Progress},
    reader::{Reader, Taken},
};
use crate::media::Timestamp;

/// Frames whose acknowledgement is awaited at most; older ones are forgotten.
const AWAITED: usize = 32;

/// On a slow link, the first bytes of one frame in so long are sent ahead and time-stamped.
const LEAD_EVERY: Duration = Duration::from_secs(1);

/// Receivers may hold back the acknowledgement of the last segment for up to 41 ms (Linux's delayed
/// ACK), as they do where they send something themselves.
const HELD_BACK: Duration = Duration::from_millis(45);

/// Frames whose bodies' acknowledgement is remembered at most.
const BODIES: usize = 8;

/// What is to be stamped of a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamping {
    /// Its last byte.
    pub end: bool,
    /// Its first segment, which goes ahead on its own.
    pub lead: bool,
}

/// A frame whose last byte has been written.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Which of the viewer's feeds it belongs to.
    pub feed: u32,
    /// Its number.
    pub sequence: u64,
    /// When it was captured.
    pub captured: Timestamp,
    /// When its first byte was written.
    pub began: Timestamp,
    /// Its bytes on the wire.
    pub bytes: usize,
    /// The kernel's key of the last byte.
    pub key: u32,
    /// Whether the kernel will stamp that byte.
    pub stamped: bool,
    /// A loss or the congestion control held it up: it says nothing of what the link carries.
    pub disturbed: bool,
    /// Segments of the connection sent again when it was written.
    pub sent_again: u32,
    /// The part before its tail, if that went on its own.
    pub body: Option<Body>,
}

/// A frame but for its last segments. Its end is acknowledged at once, since more follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    /// The kernel's key of its last byte.
    pub key: u32,
    /// Its bytes on the wire.
    pub bytes: usize,
}

/// The peer's kernel has acknowledged a byte.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledged {
    /// The kernel's key of the byte.
    pub key: u32,
    /// The moment of the acknowledgement.
    pub at: Timestamp,
    /// The smallest round trip time that the kernel knows.
    pub min_rtt: Duration,
    /// Bytes of a full segment.
    pub segment: u32,
    /// Segments sent again so far.
    pub sent_again: u32,
    /// Bytes wait in the bottleneck's queue: then what is lost is lost to congestion.
    pub congested: bool,
    /// Bytes of the window that the peer advertises.
    pub peer_window: Option<u32>,
}

/// A frame that has arrived, or has been acknowledged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrived {
    /// Which of the viewer's feeds it belongs to.
    pub feed: u32,
    /// Its number.
    pub sequence: u64,
    /// From capture to delivery.
    pub latency: Duration,
    /// For how long the link was busy with it, where that is known.
    pub busy: Option<Duration>,
    /// Who says so.
    pub by: By,
}

/// Who says that a frame has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The kernel: nobody at the other end can forge it.
    Kernel,
    /// The viewer.
    Receipt,
}

/// What is on its way to one viewer.
#[derive(Default)]
pub struct Deliveries {
    sent: VecDeque<Sent>,
    stamped_last: Timestamp,
    led_last: Timestamp,
    /// The kernel's key of a frame's first segment, and when it was sent.
    lead: Option<(u32, Timestamp)>,
    /// Last bytes of bodies, and when they were acknowledged.
    bodies: VecDeque<(u32, Option<Timestamp>)>,
    reader: Reader,
}

impl Deliveries {
    /// What is to be stamped of a frame that begins now: its end if the last one that was is at
    /// least `pace` ago, and now and then its first segment where every frame is stamped.
    pub fn stamping(&mut self, pace: Duration, now: Timestamp) -> Stamping {
        let end = now.since(self.stamped_last) >= pace;
        if end {
            self.stamped_last = now;
        }
        let lead = pace.is_zero() && now.since(self.led_last) >= LEAD_EVERY;
        if lead {
            self.led_last = now;
        }
        Stamping { end, lead }
    }

    /// A frame's first segment, begun then, has been written; this is its last byte's key.
    pub fn led(&mut self, key: u32, began: Timestamp) {
        self.lead = Some((key, began));
    }

    /// A frame's body has been written; this is its last byte's key.
    pub fn body(&mut self, key: u32) {
        if self.bodies.len() == BODIES {
            self.bodies.pop_front();
        }
        self.bodies.push_back((key, None));
    }

    /// A frame has been written whole.
    pub fn written(&mut self, sent: Sent) {
        if self.sent.len() == AWAITED {
            self.sent.pop_front();
        }
        self.reader.sent(sent.began);
        self.sent.push_back(sent);
    }

    /// Whether what has arrived is read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What is on its way now is held up by the congestion control for reasons of its own.
    pub fn disturb(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.disturbed = true);
    }

    /// Whether the kernel still owes a time stamp.
    pub fn awaits_stamp(&self) -> bool {
        self.lead.is_some() || self.sent.iter().any(|sent| sent.stamped)
    }

    /// The peer's kernel has acknowledged a byte. If it is a frame's last one, the estimate has
    /// learnt something, and the frame has arrived: half the smallest round trip before the
    /// acknowledgement was seen here, the way back being as long as the way there.
    pub fn acknowledged(&mut self, ack: &Acknowledged, estimate: &mut Estimate) -> Option<Arrived> {
        if let Some((_, began)) = self.lead.take_if(|(key, _)| *key == ack.key) {
            estimate.round_trip(ack.at, ack.at.since(began));
            return None;
        }
        if let Some((_, at)) = self.bodies.iter_mut().find(|(key, _)| *key == ack.key) {
            *at = Some(ack.at);
            return None;
        }
        let is_it = |sent: &Sent| sent.stamped && sent.key == ack.key;
        let index = self.sent.iter().position(is_it)?;
        let sent = self.sent[index];
        self.sent.drain(..=index);
        let min_rtt = estimate.min_rtt(ack.min_rtt);
        let by_reader = self.reader.holds_up(sent.bytes);
        self.reader.taken(&Taken {
            bytes: u32::try_from(sent.bytes).unwrap_or(u32::MAX),
            window: ack.peer_window,
        });
        let at = self.prompt(&sent, ack.at, estimate.begin(sent.began, min_rtt));
        let by_loss = sent.sent_again != ack.sent_again && !ack.congested;
        // A poor estimate is better than none.
        let busy = if (sent.disturbed || by_loss || by_reader) && estimate.rate().is_some() {
            estimate.disturbed(at);
            None
        } else {
            estimate.delivered(&Delivery {
                bytes: sent.bytes,
                sent: sent.began,
                acknowledged: at,
                min_rtt,
                segment: ack.segment,
            })
        };
        Some(Arrived {
            feed: sent.feed,
            sequence: sent.sequence,
            latency: at.since(sent.captured).saturating_sub(min_rtt / 2),
            busy,
            by: By::Kernel,
        })
    }

    /// When a frame's end would have been acknowledged by a receiver that holds nothing back: as soon
    /// after its body as the body's pace says.
    fn prompt(&mut self, sent: &Sent, acknowledged: Timestamp, begin: Timestamp) -> Timestamp {
        let is_it = |body: &Body| self.bodies.iter().position(|(key, _)| *key == body.key);
        let Some((body, index)) = sent.body.and_then(|body| Some((body, is_it(&body)?))) else {
            return acknowledged;
        };
        let Some((_, Some(at))) = self.bodies.drain(..=index).next_back() else {
            return acknowledged;
        };
        let tail = (sent.bytes - body.bytes) as f64 / body.bytes as f64;
        let due = at + at.since(begin).mul_f64(tail);
        if acknowledged.since(due) <= HELD_BACK {
            due.min(acknowledged)
        } else {
            acknowledged
        }
    }

    /// How far the oldest frame has come whose stamp is awaited, when the kernel's key of the next
    /// byte to be acknowledged is `next`; nothing where it waits for its reader.
    pub fn progress(&self, next: u32, min_rtt: Duration) -> Option<Progress> {
        let first = self.sent.iter().find(|sent| sent.stamped)?;
        if self.reader.holds_up(first.bytes) {
            return None;
        }
        let start = first.key.wrapping_add(1).wrapping_sub(first.bytes as u32);
        // Keys wrap: what is behind the start is a negative distance.
        let bytes = (next.wrapping_sub(start) as i32).max(0);
        Some(Progress {
            sent: first.began,
            bytes: f64::from(bytes),
            min_rtt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn sent(sequence: u64, stamped: bool) -> Sent {
        Sent {
            feed: 1,
            sequence,
            captured: at(100),
            began: at(101),
            bytes: 50_000,
            key: sequence as u32 * 1000,
            stamped,
            disturbed: false,
            sent_again: 0,
            body: None,
        }
    }

    fn ack(sequence: u64, ms: u64) -> Acknowledged {
        Acknowledged {
            key: sequence as u32 * 1000,
            at: at(ms),
            min_rtt: Duration::from_millis(20),
            segment: 1448,
            sent_again: 0,
            congested: false,
            peer_window: None,
        }
    }

    #[test]
    fn a_frame_that_waited_for_a_lost_packet_says_nothing_of_the_link() {
        let (mut way, mut estimate) = (Deliveries::default(), Estimate::default());
        let lost = |sequence, congested| Acknowledged {
            sent_again: 1,
            congested,
            ..ack(sequence, 250)
        };
        way.written(sent(1, true));
        way.acknowledged(&lost(1, false), &mut estimate);
        let rate = estimate.rate();
        assert!(rate.is_some(), "a poor one is better than none");
        way.written(sent(1, true));
        let arrived = way.acknowledged(&lost(1, false), &mut estimate).unwrap();
        assert_eq!((arrived.busy, estimate.rate()), (None, rate));
        assert!(arrived.latency > Duration::ZERO);
        way.written(sent(2, true));
        let arrived = way.acknowledged(&lost(2, true), &mut estimate).unwrap();
        assert!(arrived.busy.is_some(), "lost to a full queue, it does");
    }

    #[test]
    fn what_is_acknowledged_and_not_read_makes_a_slow_reader() {
        let slow = |change: fn(&mut Acknowledged)| {
            let (mut way, mut estimate) = (Deliveries::default(), Estimate::default());
            for n in 1..24 {
                way.written(Sent {
                    began: at(n * 100),
                    ..sent(n, true)
                });
                let mut ack = Acknowledged {
                    peer_window: Some(2_000_000 - n as u32 * 50_000),
                    ..ack(n, n * 100 + 60)
                };
                change(&mut ack);
                way.acknowledged(&ack, &mut estimate);
            }
            way.reader().is_slow()
        };
        assert!(slow(|_| {}), "the window shrinks");
        assert!(!slow(|ack| ack.peer_window = Some(2_000_000)));
        assert!(
            !slow(|ack| ack.peer_window = None),
            "older kernels do not say"
        );
    }

    #[test]
    fn the_kernels_stamp_is_the_arrival() {
        let (mut way, mut estimate) = (Deliveries::default(), Estimate::default());
        way.written(sent(1, false));
        way.written(sent(2, true));
        let arrived = way.acknowledged(&ack(2, 150), &mut estimate);
        let ms = Duration::from_millis;
        let expected = Arrived {
            feed: 1,
            sequence: 2,
            latency: ms(50 - 20 / 2),
            busy: Some(ms(29)),
            by: By::Kernel,
        };
        assert_eq!(arrived, Some(expected));
        assert!(estimate.rate().is_some() && !way.awaits_stamp());
        assert_eq!(way.acknowledged(&ack(2, 160), &mut estimate), None, "once");
    }

    #[test]
    fn a_viewer_is_not_judged_by_an_acknowledgement_that_it_holds_back() {
        let arrived = |end: u64, body: Option<u64>| {
            let (mut way, mut estimate) = (Deliveries::default(), Estimate::default());
            way.body(77);
            way.written(Sent {
                body: Some(Body {
                    key: 77,
                    bytes: 40_000,
                }),
                ..sent(1, true)
            });
            if let Some(at) = body {
                let ack = Acknowledged {
                    key: 77,
                    ..ack(0, at)
                };
                assert_eq!(way.acknowledged(&ack, &mut estimate), None);
            }
            let arrived = way.acknowledged(&ack(1, end), &mut estimate);
            assert!(!way.awaits_stamp());
            arrived.unwrap().busy.unwrap().as_millis()
        };
        // Begun at 101 ms, with a round trip of 20 ms: 40 kB took 40 ms, so 50 kB take 50.
        assert_eq!(arrived(211, Some(161)), 50, "held back for 40 ms");
        assert_eq!(arrived(170, Some(161)), 49, "it was not");
        assert_eq!(arrived(300, Some(161)), 179, "no receiver holds it so long");
        assert_eq!(arrived(211, None), 90, "nothing is known of the body");
    }

    #[test]
    fn progress_is_counted_from_the_oldest_frame_whose_stamp_is_awaited() {
        let mut way = Deliveries::default();
        let rtt = Duration::from_millis(20);
        assert_eq!(way.progress(7, rtt), None);
        way.written(sent(59, false));
        way.written(sent(60, true));
        way.written(sent(110, true));
        let bytes = |next| way.progress(next, rtt).map(|p| (p.sent, p.bytes));
        assert_eq!(bytes(10_001), Some((at(101), 0.0)));
        assert_eq!(bytes(12_501), Some((at(101), 2500.0)));
        assert_eq!(bytes(9_000), Some((at(101), 0.0)), "still at one before");
    }

    #[test]
    fn a_first_segment_tells_the_round_trip() {
        let (mut way, mut estimate) = (Deliveries::default(), Estimate::default());
        let stamping = way.stamping(Duration::ZERO, at(5000));
        assert_eq!(
            stamping,
            Stamping {
                end: true,
                lead: true
            }
        );
        way.led(77, at(5000));
        assert!(way.awaits_stamp());
        let ack = Acknowledged {
            key: 77,
            ..ack(0, 5100)
        };
        assert_eq!(way.acknowledged(&ack, &mut estimate), None);
        assert_eq!(
            estimate.min_rtt(Duration::from_millis(20)),
            Duration::from_millis(100)
        );
        assert!(
            !way.stamping(Duration::ZERO, at(5100)).lead,
            "once a second"
        );
        let rare = way.stamping(Duration::from_secs(1), at(5200));
        assert_eq!(rare, Stamping::default());
    }
}
