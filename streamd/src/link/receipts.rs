//! What a viewer says itself of its frames: when it had each, and so what is still on its way to it.
//!
//! The kernel's acknowledgements end at the next machine. Where that is a proxy, seconds of video
//! wait in its buffers, and the kernel knows of none. So for a viewer that sends a receipt for each
//! frame, receipts take the place of acknowledgements: in flight is what it has not receipted, and
//! what its link carries is learnt from them. What a receipt says harms only its sender: the figures
//! of the camera, and what others get, have nothing of it.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use super::{
    delivery::{Arrived, By, Sent},
    estimate::{Delivery, Estimate, Progress},
};
use crate::media::Timestamp;

/// So many receipts in a row that left no frame out mean that there is one for each frame. A viewer
/// that sends them now and then is judged by the kernel's acknowledgements.
const IN_A_ROW: u32 = 3;

/// Frames whose receipt is awaited at most: before the first receipt, and after it, where it is the
/// receipts that let frames go.
const AWAITED: (usize, usize) = (32, 1024);

/// A frame that was not receipted for so long lets one more go: the receipt may have been forgotten,
/// and a viewer that was away has no more than this to catch up on.
const OVERDUE: Duration = Duration::from_secs(1);

/// What a viewer says of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Receipt {
    /// Which of the viewer's feeds it belongs to.
    pub feed: u32,
    /// Its number.
    pub sequence: u64,
    /// When the viewer had it, as it says.
    pub at: Timestamp,
}

/// What is known here when a receipt comes in.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Now.
    pub now: Timestamp,
    /// The smallest round trip time that the kernel knows.
    pub min_rtt: Duration,
    /// Segments sent again so far.
    pub sent_again: u32,
    /// Bytes wait in the bottleneck's queue: then what is lost is lost to congestion.
    pub congested: bool,
}

/// A receipt that can't be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receipt's time is before the frame was sent, or still to come")]
pub struct Untrue;

/// One viewer's receipts.
#[derive(Debug, Default)]
pub struct Receipts {
    /// Frames without a receipt, oldest first. A viewer that has said nothing yet sends none.
    awaited: VecDeque<Sent>,
    listens: bool,
    any: bool,
    in_a_row: u32,
    /// When the last one came in, or would have, had it not been held back.
    last: Timestamp,
    estimate: Estimate,
}

impl Receipts {
    /// The viewer has said something: so it may send receipts of what it gets from now on.
    pub fn listen(&mut self) {
        self.listens = true;
    }

    /// Whether it says something, but not when it has each frame. Such a receiver holds
    /// acknowledgements back.
    pub fn only_talks(&self) -> bool {
        self.listens && self.estimate().is_none()
    }

    /// Whether it has sent any.
    pub fn any(&self) -> bool {
        self.any
    }

    /// What its link carries, where it sends one for each frame.
    pub fn estimate(&self) -> Option<&Estimate> {
        (self.in_a_row >= IN_A_ROW).then_some(&self.estimate)
    }

    /// A frame has been written whole.
    pub fn written(&mut self, sent: Sent) {
        if !self.listens {
            return;
        }
        let most = if self.any { AWAITED.1 } else { AWAITED.0 };
        if self.awaited.len() >= most {
            self.awaited.pop_front();
        }
        self.awaited.push_back(sent);
    }

    /// What is on its way now is held up by the congestion control for reasons of its own.
    pub fn disturb(&mut self) {
        self.awaited
            .iter_mut()
            .for_each(|sent| sent.disturbed = true);
    }

    /// The viewer says that it had a frame, and so all that went before it over the same connection.
    ///
    /// # Errors
    /// When it can't have had it then. That it has it now counts all the same.
    pub fn receipt(&mut self, said: &Receipt, seen: &Seen) -> Result<Option<Arrived>, Untrue> {
        self.listens = true;
        let is_it = |sent: &Sent| sent.sequence == said.sequence && sent.feed == said.feed;
        let Some(index) = self.awaited.iter().position(is_it) else {
            return match said.at > seen.now {
                true => Err(Untrue),
                false => {
                    self.any = true;
                    Ok(None)
                }
            };
        };
        self.any = true;
        let sent = self.awaited[index];
        self.awaited.drain(..=index);
        self.in_a_row = if index == 0 { self.in_a_row + 1 } else { 0 };
        let can_be = (sent.began..=seen.now).contains(&said.at);
        if can_be {
            self.round_trip(&sent, said.at, seen.now);
        }
        let min_rtt = self.estimate.min_rtt(seen.min_rtt);
        let back = said.at + min_rtt / 2;
        // Some hold receipts back (Nagle's algorithm, a busy browser) that say the right time.
        let came = if can_be { back.min(seen.now) } else { seen.now };
        let busy = self.learn(&sent, seen, came, min_rtt);
        self.last = came;
        if !can_be {
            return Err(Untrue);
        }
        Ok(Some(Arrived {
            feed: sent.feed,
            sequence: sent.sequence,
            latency: said.at.since(sent.captured),
            busy,
            by: By::Receipt,
        }))
    }

    /// The way there is as long as the way back, which is what the receipt was on its way for. No
    /// round trip is longer than the frame's whole time.
    fn round_trip(&mut self, sent: &Sent, had: Timestamp, now: Timestamp) {
        let took = (now.since(had) * 2).min(now.since(sent.began));
        self.estimate.round_trip(now, took);
    }

    fn learn(
        &mut self,
        sent: &Sent,
        seen: &Seen,
        came: Timestamp,
        min_rtt: Duration,
    ) -> Option<Duration> {
        let by_loss = sent.sent_again != seen.sent_again && !seen.congested;
        if (sent.disturbed || by_loss) && self.estimate.rate().is_some() {
            self.estimate.disturbed(came);
            return None;
        }
        self.estimate.delivered(&Delivery {
            bytes: sent.bytes,
            sent: sent.began,
            acknowledged: came,
            min_rtt,
            // A receipt is not held back, as the acknowledgement of a single segment may be.
            segment: 0,
        })
    }

    /// Bytes that the viewer is not known to have, where it sends a receipt for each frame. The
    /// oldest frame is believed to come on as forecast, and for no longer than forecast.
    pub fn in_flight(&self, now: Timestamp, min_rtt: Duration) -> Option<u32> {
        let estimate = self.estimate()?;
        let (Some(oldest), Some(newest)) = (self.awaited.front(), self.awaited.back()) else {
            return Some(0);
        };
        if now.since(newest.began.max(self.last)) >= OVERDUE {
            return Some(0);
        }
        let begin = (oldest.began + min_rtt).max(self.last);
        let come = now.since(begin).as_secs_f64() * estimate.rate().unwrap_or(0.0);
        let come = if come < oldest.bytes as f64 {
            come
        } else {
            0.0
        };
        let all: usize = self.awaited.iter().map(|sent| sent.bytes).sum();
        Some((all as f64 - come) as u32)
    }

    /// The oldest frame on its way: that it does not come tells of a fall, as soon as it is overdue.
    pub fn progress(&self, min_rtt: Duration) -> Option<Progress> {
        let first = self.awaited.front()?;
        Some(Progress {
            sent: first.began,
            bytes: first.bytes as f64,
            min_rtt,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000 + ms * 1_000_000)
    }

    fn sent(sequence: u64, ms: u64, bytes: usize) -> Sent {
        Sent {
            feed: 1,
            sequence,
            captured: at(ms),
            began: at(ms),
            bytes,
            key: 0,
            stamped: false,
            disturbed: false,
            sent_again: 0,
            body: None,
        }
    }

    fn said(sequence: u64, at: Timestamp) -> Receipt {
        Receipt {
            feed: 1,
            sequence,
            at,
        }
    }

    fn seen(ms: u64) -> Seen {
        Seen {
            now: at(ms),
            min_rtt: Duration::ZERO,
            sent_again: 0,
            congested: false,
        }
    }

    /// A viewer that has had so many frames of 10 kB in 20 ms each, and whose receipts take 10 ms.
    fn followed(frames: u64) -> Receipts {
        let mut receipts = Receipts::default();
        receipts.listen();
        for n in 0..frames {
            receipts.written(sent(n, n * 50, 10_000));
            let arrived = receipts.receipt(&said(n, at(n * 50 + 30)), &seen(n * 50 + 40));
            let arrived = arrived.unwrap().unwrap();
            assert_eq!(arrived.latency, Duration::from_millis(30));
        }
        receipts
    }

    const RTT: Duration = Duration::from_millis(20);

    #[test]
    fn in_flight_is_what_was_not_receipted_and_is_believed_to_come_on_until_it_is_overdue() {
        let mut receipts = followed(10);
        let rate = receipts.estimate().unwrap().rate().unwrap();
        assert!((rate - 500e3).abs() < 5e3, "{rate}");
        assert_eq!(receipts.in_flight(at(495), RTT), Some(0));
        receipts.written(sent(10, 500, 10_000));
        receipts.written(sent(11, 510, 6_000));
        let in_flight = |ms| receipts.in_flight(at(ms), RTT).unwrap();
        assert_eq!(in_flight(515), 16_000, "nothing can have come yet");
        assert!((10_500..11_500).contains(&in_flight(530)));
        assert_eq!(in_flight(545), 16_000, "overdue: nothing is believed");
        assert_eq!(in_flight(1600), 0, "one more may go after a second");
    }

    #[test]
    fn a_frame_that_is_overdue_lowers_the_forecast_and_one_that_is_not_does_not() {
        let mut receipts = followed(10);
        receipts.written(sent(10, 500, 10_000));
        let rate = |ms| {
            let estimate = receipts.estimate().unwrap();
            let progress = receipts.progress(RTT);
            estimate.forecast(at(ms), progress).unwrap().rate
        };
        assert!((rate(530) - 500e3).abs() < 5e3);
        assert!(rate(700) < 400e3);
    }

    #[test]
    fn receipts_count_however_late() {
        let mut receipts = followed(3);
        for n in 3..500 {
            receipts.written(sent(n, n * 50, 10_000));
        }
        for n in 3..500 {
            let at_last = at(60_000 + n);
            let arrived = receipts.receipt(&said(n, at_last), &seen(60_000 + n));
            let arrived = arrived.unwrap().unwrap();
            assert_eq!(arrived.latency, at_last.since(at(n * 50)));
        }
        assert_eq!(receipts.in_flight(at(61_000), RTT), Some(0));
    }

    #[test]
    fn a_viewer_that_receipts_now_and_then_is_not_judged_by_that() {
        let mut receipts = Receipts::default();
        receipts.listen();
        for n in 0..50 {
            receipts.written(sent(n, n * 33, 10_000));
            if n % 2 == 1 {
                let receipt = receipts.receipt(&said(n, at(n * 33 + 5)), &seen(n * 33 + 6));
                assert!(receipt.unwrap().is_some(), "for the figures it counts");
            }
            assert!(receipts.in_flight(at(n * 33 + 7), RTT).is_none());
        }
        assert!(receipts.any());
    }

    #[test]
    fn an_untrue_receipt_is_refused_and_its_frame_is_there_all_the_same() {
        let mut receipts = followed(3);
        for (n, untrue) in [(3, at(0)), (4, at(100_000)), (5, Timestamp::from_nanos(0))] {
            receipts.written(sent(n, 1000, 10_000));
            assert_eq!(receipts.receipt(&said(n, untrue), &seen(1010)), Err(Untrue));
        }
        assert_eq!(receipts.in_flight(at(1011), RTT), Some(0));
        let unknown = receipts.receipt(&said(99, at(100_000)), &seen(1010));
        assert_eq!(unknown, Err(Untrue));
        assert_eq!(receipts.receipt(&said(99, at(0)), &seen(1010)), Ok(None));
    }

    #[test]
    fn nothing_is_kept_for_a_viewer_that_says_nothing() {
        let mut receipts = Receipts::default();
        receipts.written(sent(1, 0, 10_000));
        assert!(receipts.awaited.is_empty() && !receipts.any());
    }

    proptest! {
        /// Whatever a viewer says, what is in flight is no more than what was sent, and a second of
        /// silence lets a frame go.
        #[test]
        fn no_receipt_shuts_the_gate_for_long(
            said_of in prop::collection::vec((0u64..60, any::<u64>(), 0u64..100), 0..120),
        ) {
            let mut receipts = Receipts::default();
            receipts.listen();
            let (mut now, mut bytes) = (0, 0);
            for (n, (sequence, nanos, later)) in said_of.into_iter().enumerate() {
                now += later;
                receipts.written(sent(n as u64, now, 5_000));
                bytes += 5_000;
                let untrue = Timestamp::from_nanos(nanos);
                let _ = receipts.receipt(&said(sequence, untrue), &seen(now));
                let in_flight = receipts.in_flight(at(now), RTT);
                prop_assert!(in_flight.is_none_or(|in_flight| in_flight <= bytes));
            }
            let later = receipts.in_flight(at(now + 1000), RTT);
            prop_assert!(later.is_none_or(|in_flight| in_flight == 0));
        }
    }
}
