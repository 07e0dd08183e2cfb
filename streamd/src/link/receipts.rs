//! What a viewer says itself of its frames: when it had each, and so what is still on its way to it.
//!
//! The kernel's acknowledgements end at the next machine. Where that is a proxy, seconds of video
//! wait in its buffers, and the kernel knows of none. So for a viewer that sends a receipt for each
//! frame, receipts take the place of acknowledgements: in flight is what it has not receipted, and
//! what its link carries is learnt from them. What a receipt says harms only its sender: the figures
//! of the camera, and what others get, have nothing of it.
//!
//! Receipts may be late, or come no more. To tell one from the other a transport may have a question
//! that the receiver answers once it has read so far (a WebSocket's ping). A viewer that has answered,
//! and so has the frames before the question, but sends no receipts of them, is one that only talks.
//! Where nothing can be asked, only time tells.
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

/// A viewer that has answered may be busy for so long until its receipts come. Where it can't be
/// asked, it is believed to have ceased when none came for so long. Each time that was wrong, twice as
/// long, up to so many times.
const BUSY: Duration = Duration::from_secs(3);
const SILENT: Duration = Duration::from_secs(30);
const MOST_PATIENCE: u32 = 32;

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

/// Whether a viewer whose receipts are missing is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asked {
    /// It was not asked, or can't be.
    #[default]
    No,
    /// This was sent to it.
    Open(u64),
    /// It has answered.
    Answered(Timestamp),
}

/// One viewer's receipts.
#[derive(Debug)]
pub struct Receipts {
    /// Frames without a receipt, oldest first. A viewer that has said nothing yet sends none.
    awaited: VecDeque<Sent>,
    listens: bool,
    any: bool,
    in_a_row: u32,
    /// When the last one came in, or would have, had it not been held back.
    last: Timestamp,
    /// When the last one came in, or the first frame after it was sent.
    heard: Timestamp,
    asked: Asked,
    /// It sends none any more.
    ceased: bool,
    /// By how much more patient it is waited for than at first.
    patience: u32,
    estimate: Estimate,
}

impl Default for Receipts {
    fn default() -> Self {
        Self {
            awaited: VecDeque::new(),
            listens: false,
            any: false,
            in_a_row: 0,
            last: Timestamp::default(),
            heard: Timestamp::default(),
            asked: Asked::No,
            ceased: false,
            patience: 1,
            estimate: Estimate::default(),
        }
    }
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

    /// Whether it sends any.
    pub fn any(&self) -> bool {
        self.any && !self.ceased
    }

    /// What its link carries, where it sends one for each frame.
    pub fn estimate(&self) -> Option<&Estimate> {
        (self.in_a_row >= IN_A_ROW && !self.ceased).then_some(&self.estimate)
    }

    /// Whether receipts are missing for so long that the viewer is to be asked whether it has what was
    /// sent.
    pub fn are_missing(&self, now: Timestamp) -> bool {
        self.asked == Asked::No && self.estimate().is_some() && self.is_overdue(now)
    }

    /// The viewer is asked, by this.
    pub fn ask(&mut self, question: u64) {
        self.asked = Asked::Open(question);
    }

    /// The viewer has read as far as this question.
    pub fn answered(&mut self, question: u64, now: Timestamp) {
        if self.asked == Asked::Open(question) {
            self.asked = Asked::Answered(now);
        }
    }

    /// Looks whether they have ceased.
    pub fn look(&mut self, now: Timestamp) {
        if self.awaited.is_empty() || self.estimate().is_none() {
            return;
        }
        self.ceased = match self.asked {
            Asked::No => now.since(self.heard) >= SILENT * self.patience,
            Asked::Open(_) => false,
            Asked::Answered(at) => now.since(at) >= BUSY * self.patience,
        };
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        let newest = self.awaited.back();
        newest.is_some_and(|newest| now.since(newest.began.max(self.last)) >= OVERDUE)
    }

    /// A frame has been written whole.
    pub fn written(&mut self, sent: Sent) {
        if !self.listens {
            return;
        }
        if self.awaited.is_empty() {
            self.heard = sent.began;
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
        self.heard = seen.now;
        self.asked = Asked::No;
        let sent = self.awaited[index];
        if std::mem::take(&mut self.ceased) && index == 0 {
            // It was merely late.
            self.patience = (self.patience * 2).min(MOST_PATIENCE);
        }
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
        let Some(oldest) = self.awaited.front().filter(|_| !self.is_overdue(now)) else {
            return Some(0);
        };
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
mod tests;
