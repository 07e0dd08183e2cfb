//! The way of one viewer's frames from the last `send` to the acknowledgement of the last byte.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use super::estimate::{Delivery, Estimate, Progress};
use crate::media::Timestamp;

/// Frames whose acknowledgement is awaited at most; older ones are forgotten.
const AWAITED: usize = 32;

/// On a slow link, the first bytes of one frame in so long are sent ahead and time-stamped.
const LEAD_EVERY: Duration = Duration::from_secs(1);

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
    /// The viewer has said when it had it.
    pub receipted: bool,
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
}

/// A frame that has arrived, or has been acknowledged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrived {
    /// Which of the viewer's feeds it belongs to.
    pub feed: u32,
    /// Its number.
    pub sequence: u64,
    /// Who says so.
    pub by: By,
    /// From capture to delivery.
    pub latency: Duration,
    /// For how long the link was busy with it, where an acknowledgement tells that.
    pub busy: Option<Duration>,
}

/// Who says that a frame has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The kernel: nobody at the other end can forge it.
    Kernel,
    /// The viewer, for its own figures.
    Receipt,
}

/// A receipt that can't be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receipt's time is before the frame was sent, or still to come")]
pub struct Untrue;

/// What is on its way to one viewer.
#[derive(Default)]
pub struct Deliveries {
    sent: VecDeque<Sent>,
    stamped_last: Timestamp,
    led_last: Timestamp,
    /// The kernel's key of a frame's first segment, and when it was sent.
    lead: Option<(u32, Timestamp)>,
    /// The viewer says itself when it had a frame.
    receipts: bool,
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

    /// A frame has been written whole.
    pub fn written(&mut self, sent: Sent) {
        if self.sent.len() == AWAITED {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
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
        let is_it = |sent: &Sent| sent.stamped && sent.key == ack.key;
        let index = self.sent.iter().position(is_it)?;
        let sent = self.sent[index];
        if self.receipts {
            self.sent[index].stamped = false;
        } else {
            self.sent.drain(..=index);
        }
        let min_rtt = estimate.min_rtt(ack.min_rtt);
        let by_loss = sent.sent_again != ack.sent_again && !ack.congested;
        // A poor estimate is better than none.
        let busy = if (sent.disturbed || by_loss) && estimate.rate().is_some() {
            estimate.disturbed(ack.at);
            None
        } else {
            estimate.delivered(&Delivery {
                bytes: sent.bytes,
                sent: sent.began,
                acknowledged: ack.at,
                min_rtt,
                segment: ack.segment,
            })
        };
        Some(Arrived {
            feed: sent.feed,
            sequence: sent.sequence,
            by: By::Kernel,
            latency: ack.at.since(sent.captured).saturating_sub(min_rtt / 2),
            busy,
        })
    }

    /// How far the oldest frame has come whose stamp is awaited, when the kernel's key of the next
    /// byte to be acknowledged is `next`.
    pub fn progress(&self, next: u32, min_rtt: Duration) -> Option<Progress> {
        let first = self.sent.iter().find(|sent| sent.stamped)?;
        let start = first.key.wrapping_add(1).wrapping_sub(first.bytes as u32);
        // Keys wrap: what is behind the start is a negative distance.
        let bytes = (next.wrapping_sub(start) as i32).max(0);
        Some(Progress {
            sent: first.began,
            bytes: f64::from(bytes),
            min_rtt,
        })
    }

    /// Whether the viewer says itself when it has its frames.
    pub fn has_receipts(&self) -> bool {
        self.receipts
    }

    /// The viewer says, `now`, that it had a frame at this moment. Receipts of frames that are not
    /// awaited count for nothing.
    ///
    /// # Errors
    /// When it can't have been then.
    pub fn receipt(
        &mut self,
        feed: u32,
        sequence: u64,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Arrived>, Untrue> {
        if at > now {
            return Err(Untrue);
        }
        let is_it = |sent: &Sent| sent.sequence == sequence && sent.feed == feed && !sent.receipted;
        let Some(index) = self.sent.iter().position(is_it) else {
            self.receipts = true;
            return Ok(None);
        };
        let sent = self.sent[index];
        if at < sent.began {
            return Err(Untrue);
        }
        self.receipts = true;
        if sent.stamped {
            // Its acknowledgement is still to come, for the link.
            self.sent[index].receipted = true;
        } else {
            self.sent.remove(index);
        }
        Ok(Some(Arrived {
            feed,
            sequence,
            by: By::Receipt,
            latency: at.since(sent.captured),
            busy: None,
        }))
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
            receipted: false,
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
        assert!(!arrived.latency.is_zero());
        way.written(sent(2, true));
        let arrived = way.acknowledged(&lost(2, true), &mut estimate).unwrap();
        assert!(arrived.busy.is_some(), "lost to a full queue, it does");
    }

    #[test]
    fn the_kernels_stamp_is_the_arrival_until_the_viewer_says_it_itself() {
        let (mut way, mut estimate) = (Deliveries::default(), Estimate::default());
        way.written(sent(1, false));
        way.written(sent(2, true));
        let ms = Duration::from_millis;
        let arrived = |sequence, by, latency: u64, busy: Option<u64>| Arrived {
            feed: 1,
            sequence,
            by,
            latency: ms(latency),
            busy: busy.map(ms),
        };
        let acknowledged = way.acknowledged(&ack(2, 150), &mut estimate);
        let kernel = arrived(2, By::Kernel, 50 - 20 / 2, Some(29));
        assert_eq!(acknowledged, Some(kernel));
        assert!(estimate.rate().is_some() && !way.awaits_stamp());
        assert!(!way.has_receipts());
        way.written(sent(3, true));
        let receipt = way.receipt(1, 3, at(140), at(145));
        assert_eq!(receipt, Ok(Some(arrived(3, By::Receipt, 40, None))));
        assert!(way.has_receipts());
        assert_eq!(way.receipt(1, 3, at(141), at(145)), Ok(None), "once");
        let acknowledged = way.acknowledged(&ack(3, 180), &mut estimate);
        let kernel = arrived(3, By::Kernel, 80 - 20 / 2, Some(30));
        assert_eq!(acknowledged, Some(kernel), "the kernel's word stays");
        let never_sent = way.receipt(2, 9, at(141), at(145));
        assert_eq!(never_sent, Ok(None));
    }

    #[test]
    fn a_receipt_of_another_time_is_refused_and_the_true_one_still_counts() {
        let mut way = Deliveries::default();
        way.written(sent(1, false));
        for untrue in [at(0), at(100), at(201), Timestamp::from_nanos(u64::MAX)] {
            assert_eq!(way.receipt(1, 1, untrue, at(200)), Err(Untrue));
        }
        assert!(!way.has_receipts());
        let arrived = way.receipt(1, 1, at(101), at(200)).unwrap().unwrap();
        assert_eq!(arrived.latency, Duration::from_millis(1));
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
