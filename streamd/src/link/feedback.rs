//! What the receiver of datagrams reports of them, packet by packet (transport-wide congestion
//! control, draft-holmer-rmcat-transport-wide-cc-extensions-01): what is on its way, and what the
//! link carries.
//!
//! It is to datagrams what acknowledgements are to TCP, with two differences. Reports come some 50
//! to 250 ms apart, so between two of them packets are believed to arrive as forecast. And they say
//! when each packet arrived by the receiver's clock: the quickest packet of late tells what its
//! clock is ahead, and what another one took longer it has waited.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use super::{
    estimate::{Delivery, Estimate, Forecast, Progress},
    gate::Path,
    twice::Twice,
};
use crate::media::Timestamp;

/// Packets that are awaited at most; older ones are forgotten.
const AWAITED: usize = 2048;

/// The quickest way of so long counts: clocks drift, and paths change.
const QUICKEST_OF: Duration = Duration::from_secs(10);

/// Without a report for so many of their usual intervals, and this besides, nothing is believed to
/// arrive.
const OVERDUE: (u32, Duration) = (2, Duration::from_millis(40));

/// After so long without a report a picture goes all the same, and the next one after twice as long, so
/// many times: reports get lost, too, and who gets nothing has nothing to report.
const SILENT: Duration = Duration::from_millis(500);
const TWICE: u32 = 3;

/// The interval between reports that is expected before the second one, and the longest.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(300));

/// How fast the usual interval follows.
const FOLLOWS: f64 = 0.2;

/// A packet that has waited for so long has waited in a queue: what is lost beside it is lost to
/// congestion.
const QUEUED: Duration = Duration::from_millis(15);

/// Bytes of the headers of IP and UDP.
const HEADERS: usize = 28;

/// A packet on its way.
#[derive(Debug, Clone, Copy)]
struct Packet {
    number: u64,
    bytes: usize,
    sent: Timestamp,
    /// The picture that it is a part of; `None` for sound.
    picture: Option<u64>,
}

/// What has been reported so far of the oldest picture.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    picture: u64,
    bytes: usize,
    /// Of the packet that arrived first.
    first: Option<(usize, Timestamp)>,
    sent: Timestamp,
    came: Timestamp,
    lost: bool,
    waited: Duration,
}

/// What a report says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Its number, of which 16 bits are sent.
    pub number: u64,
    /// When it arrived, in nanoseconds of the receiver's clock; `None` if it did not.
    pub arrived: Option<i64>,
}

/// A picture of which all packets have been reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delivered {
    /// The number that it was sent by.
    pub picture: u64,
    /// When its last packet arrived, half a round trip before that could be known here.
    pub arrived: Timestamp,
    /// For how long the link was busy with it, where that is known.
    pub busy: Option<Duration>,
    /// A part of it did not arrive.
    pub lost: bool,
}

/// One receiver's reports.
#[derive(Debug, Default)]
pub struct Feedback {
    packets: VecDeque<Packet>,
    picture: u64,
    /// When the last packet of a picture was sent.
    tried: Timestamp,
    part: Part,
    estimate: Estimate,
    /// The quickest ways of late: receiver's clock at the arrival less ours at the sending, in ns.
    quickest: VecDeque<(Timestamp, i64)>,
    min_rtt: Option<Duration>,
    /// When the last report came, and how far apart they usually are.
    last: Option<Timestamp>,
    interval: Option<Duration>,
    /// When the newest packet that was reported arrived.
    came: Timestamp,
    packets_lost: u64,
    /// Pictures that went without a report since the last one.
    tries: u32,
    twice: Twice,
}

impl Feedback {
    /// What is sent from now on is a part of this picture.
    pub fn begin(&mut self, picture: u64) {
        self.picture = picture;
    }

    /// A packet of the picture was sent; `bytes` without the headers of IP and UDP.
    pub fn sent(&mut self, number: u16, bytes: usize, now: Timestamp) {
        if self.is_silent(now) {
            self.tries += 1;
        }
        self.tried = now;
        self.send(number, bytes, now, Some(self.picture));
    }

    /// A packet was sent beside the pictures, such as sound: it is in flight like theirs. How long it
    /// took tells nothing of what the link carries: it is small, and alone. So what it takes of the
    /// link is not in the rate, which is what is left for pictures.
    pub fn sent_beside(&mut self, number: u16, bytes: usize, now: Timestamp) {
        self.send(number, bytes, now, None);
    }

    fn send(&mut self, number: u16, bytes: usize, now: Timestamp, picture: Option<u64>) {
        let number = match self.packets.back() {
            Some(last) => extended(last.number, number),
            None => number.into(),
        };
        if self.packets.len() == AWAITED {
            self.packets.pop_front();
        }
        if self.packets.is_empty() && self.last.is_none() {
            self.last = Some(now);
        }
        self.packets.push_back(Packet {
            number,
            bytes: bytes + HEADERS,
            sent: now,
            picture,
        });
    }

    /// Whether each datagram is to go twice.
    pub fn goes_twice(&self) -> bool {
        self.twice.is_on()
    }

    /// The number of the newest packet, to extend the 16 bits of a report by.
    pub fn newest(&self) -> u64 {
        self.packets.back().map_or(0, |packet| packet.number)
    }

    /// A report came. Gives the pictures that are reported whole by it.
    pub fn report(
        &mut self,
        reported: impl IntoIterator<Item = Reported>,
        now: Timestamp,
    ) -> Vec<Delivered> {
        if let Some(last) = self.last.replace(now) {
            let gap = now.since(last).min(INTERVALS.1);
            let usual = self.interval.unwrap_or(gap);
            let change = gap.as_secs_f64() - usual.as_secs_f64();
            let usual = usual.as_secs_f64() + change * FOLLOWS;
            self.interval = Some(Duration::from_secs_f64(usual.max(0.0)));
        }
        self.tries = 0;
        let mut delivered = Vec::new();
        let mut all: Vec<Reported> = reported.into_iter().collect();
        all.sort_by_key(|one| one.number);
        for one in all {
            self.packet(&one, now, &mut delivered);
        }
        delivered
    }

    fn packet(&mut self, one: &Reported, now: Timestamp, delivered: &mut Vec<Delivered>) {
        let is_it = |packet: &Packet| packet.number & 0xFFFF == one.number & 0xFFFF;
        let Some(at) = self.packets.iter().position(is_it) else {
            return;
        };
        // What was sent before it and is in no report has been forgotten by the receiver.
        for _ in 0..at {
            self.take(None, now, delivered);
        }
        self.take(one.arrived, now, delivered);
    }

    /// The oldest packet is reported.
    fn take(&mut self, arrived: Option<i64>, now: Timestamp, delivered: &mut Vec<Delivered>) {
        let Some(packet) = self.packets.pop_front() else {
            return;
        };
        let Some(picture) = packet.picture else {
            return;
        };
        if self.part.picture != picture || self.part.sent == Timestamp::default() {
            self.finish(delivered);
            self.part = Part {
                picture,
                sent: packet.sent,
                ..Part::default()
            };
        }
        let is_lost = arrived.is_none() && self.part.waited < QUEUED;
        let min_rtt = self.min_rtt.unwrap_or_default();
        self.twice.reported(is_lost, min_rtt, now);
        match arrived {
            Some(arrived) => {
                let waited = self.waited(&packet, arrived, now);
                let round_trip = now.since(packet.sent).saturating_sub(waited);
                let least = self.min_rtt.get_or_insert(round_trip);
                *least = round_trip.min(*least);
                let came = packet.sent + waited + *least;
                let part = &mut self.part;
                part.bytes += packet.bytes;
                part.first.get_or_insert((packet.bytes, came));
                part.came = part.came.max(came);
                part.waited = part.waited.max(waited);
            }
            None => {
                self.packets_lost += 1;
                self.part.lost = true;
            }
        }
        let mut others = self.packets.iter().filter_map(|next| next.picture);
        let is_last = others.next().is_none_or(|next| next != picture);
        if is_last && self.picture != picture {
            self.finish(delivered);
        }
    }

    /// The picture under way has been reported whole.
    fn finish(&mut self, delivered: &mut Vec<Delivered>) {
        let part = std::mem::take(&mut self.part);
        let Some((first, first_came)) = part.first else {
            return;
        };
        let min_rtt = self.min_rtt.unwrap_or_default();
        let before = self.came;
        self.came = before.max(part.came);
        // Of a picture that found the link idle the first packet tells nothing: how long it was on
        // the link is a part of the quickest way.
        let idle = part.sent + min_rtt >= before;
        let bytes = part.bytes - if idle { first } else { 0 };
        let sent = match idle {
            true => part.sent + first_came.since(part.sent + min_rtt),
            false => part.sent,
        };
        let by_loss = part.lost && part.waited < QUEUED;
        let busy = match bytes {
            0 => None,
            _ if by_loss && self.estimate.rate().is_some() => {
                self.estimate.disturbed(part.came);
                None
            }
            bytes => self.estimate.delivered(&Delivery {
                bytes,
                sent,
                acknowledged: part.came,
                min_rtt,
                segment: 0,
            }),
        };
        delivered.push(Delivered {
            picture: part.picture,
            arrived: Timestamp::from_nanos(
                part.came
                    .as_nanos()
                    .saturating_sub(min_rtt.as_nanos() as u64 / 2),
            ),
            busy,
            lost: part.lost,
        });
    }

    /// For how long a packet has waited on its way, against the quickest one of late.
    fn waited(&mut self, packet: &Packet, arrived: i64, now: Timestamp) -> Duration {
        let way = arrived.saturating_sub(packet.sent.as_nanos() as i64);
        self.quickest
            .retain(|(then, other)| now.since(*then) < QUICKEST_OF && *other < way);
        self.quickest.push_back((now, way));
        let quickest = self.quickest.front().map_or(way, |(_, way)| *way);
        Duration::from_nanos(way.saturating_sub(quickest).max(0) as u64)
    }

    /// Whether nothing was reported for longer than reports are usually apart.
    fn is_overdue(&self, now: Timestamp) -> bool {
        let usual = self.interval.unwrap_or(INTERVALS.0);
        let patience = usual * OVERDUE.0 + OVERDUE.1 + self.min_rtt.unwrap_or_default();
        self.last.is_some_and(|last| now.since(last) > patience)
    }

    /// Whether nothing has gone out for so long, and nothing was said of it, that one must try.
    fn is_silent(&self, now: Timestamp) -> bool {
        let patience = SILENT.max(self.min_rtt.unwrap_or_default() * 2);
        let patience = patience * (1 << self.tries.min(TWICE));
        !self.packets.is_empty() && now.since(self.tried) > patience
    }

    /// Bytes that are not known to have arrived, and are not believed to have.
    fn in_flight(&self, now: Timestamp) -> u32 {
        let Some(oldest) = self.packets.front() else {
            return 0;
        };
        if self.is_silent(now) {
            return 0;
        }
        let all: usize = self.packets.iter().map(|packet| packet.bytes).sum();
        if self.is_overdue(now) {
            return all as u32;
        }
        let min_rtt = self.min_rtt.unwrap_or_default();
        let rate = self.estimate.rate().unwrap_or(0.0);
        // Each has to wait for those before it, and is on the link as long as the rate says.
        let mut done = self.came.max(oldest.sent + min_rtt);
        let mut left = 0;
        for packet in &self.packets {
            done = done.max(packet.sent + min_rtt);
            done = done + Duration::from_secs_f64((packet.bytes as f64 / rate).min(10.0));
            if done > now {
                left += packet.bytes;
            }
        }
        if rate > 0.0 { left as u32 } else { all as u32 }
    }

    /// The path as the gate looks at it.
    pub fn path(&self, now: Timestamp) -> Path {
        Path {
            in_flight: self.in_flight(now),
            rate: self.estimate.rate().unwrap_or(0.0),
            min_rtt: self.min_rtt.unwrap_or_default(),
            window: u32::MAX,
            unsent: 0,
            segment: 0,
            probing: false,
            losing: false,
            whole: None,
        }
    }

    /// What the next bytes may expect; `None` while nothing is known.
    pub fn forecast(&self, now: Timestamp) -> Option<Forecast> {
        let oldest = self.packets.front();
        let progress = oldest
            .filter(|_| self.is_overdue(now))
            .map(|oldest| Progress {
                sent: oldest.sent,
                bytes: oldest.bytes as f64,
                min_rtt: self.min_rtt.unwrap_or_default(),
            });
        let forecast = self.estimate.forecast(now, progress)?;
        // What goes twice has half of it.
        let part = if self.goes_twice() { 0.5 } else { 1.0 };
        Some(Forecast {
            rate: forecast.rate * part,
            ..forecast
        })
    }

    /// The smallest round trip, the rate of the link in bytes a second (0 while unknown), and bytes
    /// on their way, for the figures.
    pub fn figures(&self, now: Timestamp) -> (Duration, f64, u32) {
        let rate = self.estimate.rate().unwrap_or(0.0);
        (self.min_rtt.unwrap_or_default(), rate, self.in_flight(now))
    }
}

/// The number with these lower 16 bits that is nearest to `near`.
fn extended(near: u64, low: u16) -> u64 {
    let ahead = low.wrapping_sub(near as u16) as i16;
    near.saturating_add_signed(ahead.into())
}

#[cfg(test)]
mod tests;
