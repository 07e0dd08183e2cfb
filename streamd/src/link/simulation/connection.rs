//! An emulated connection: a sender with a congestion window and loss recovery, a bottleneck with
//! a drop-tail queue, a receiver that takes bytes in order. Times are in milliseconds.

use std::collections::{BTreeSet, VecDeque};

const MSS: f64 = 1448.0;
/// One way. Both together are the bare round trip.
pub const DELAY: f64 = 20.0;
/// The longest wait in the bottleneck's queue.
const QUEUE: f64 = 500.0;
/// The least time until the sender gives a packet up without being told.
const LEAST_TIMEOUT: f64 = 200.0;

/// When the bottleneck may send how many bytes; in order, and again from the beginning.
#[derive(Debug, Clone)]
pub struct Service {
    pub turns: Vec<f64>,
    pub bytes: f64,
    pub period: f64,
}

impl Service {
    /// Mb/s, each from a second on, served in bursts `every` ms; 0: evenly.
    pub fn steps(steps: &[(f64, f64)], every: f64) -> Self {
        let (bytes, period) = (100.0, 60_000.0);
        let (mut turns, mut at) = (Vec::new(), 0.0);
        while at < period {
            let now = steps.iter().rev().find(|step| step.1 * 1e3 <= at);
            at += bytes * 8.0 / (now.expect("the first is from 0 on").0 * 1e3);
            turns.push(if every > 0.0 {
                (at / every).ceil() * every
            } else {
                at
            });
        }
        let period = turns[turns.len() - 1];
        Self {
            turns,
            bytes,
            period,
        }
    }

    /// Bytes that it could carry between two moments.
    pub fn capacity(&self, from: f64, to: f64) -> f64 {
        let mut base = 0.0;
        let mut turns = 0;
        while base < to {
            let within = |turn: &&f64| (from..to).contains(&(base + **turn));
            turns += self.turns.iter().filter(within).count();
            base += self.period;
        }
        turns as f64 * self.bytes
    }
}

/// The bottleneck: sends packets one after another, as its turns come.
struct Bottleneck {
    service: Service,
    next: usize,
    base: f64,
    left: f64,
    free: f64,
}

impl Bottleneck {
    /// When a packet that arrives now has been sent; `None` if it finds the queue full.
    fn send(&mut self, now: f64, bytes: f64) -> Option<f64> {
        if self.free - now > QUEUE {
            return None;
        }
        while self.turn() < now {
            self.advance();
            self.left = 0.0;
        }
        let mut at = if self.left > 0.0 { self.free } else { now };
        let mut need = bytes;
        while need > self.left {
            need -= self.left;
            at = self.turn();
            self.left = self.service.bytes;
            self.advance();
        }
        self.left -= need;
        self.free = at.max(now);
        Some(self.free)
    }

    fn turn(&self) -> f64 {
        self.base + self.service.turns[self.next]
    }

    fn advance(&mut self) {
        self.next += 1;
        if self.next == self.service.turns.len() {
            self.next = 0;
            self.base += self.service.period;
        }
    }
}

/// The first one, if it is such.
fn pop_if<T>(queue: &mut VecDeque<T>, is_such: impl Fn(&T) -> bool) -> Option<T> {
    queue.front().filter(|first| is_such(first))?;
    queue.pop_front()
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    number: u64,
    bytes: f64,
    sent: f64,
    arrived: bool,
    lost: bool,
}

/// A segment or its acknowledgement on the way: when it arrives, its number, when it was sent.
type OnTheWay = VecDeque<(f64, u64, f64)>;

pub struct Connection {
    bottleneck: Bottleneck,
    loss: f64,
    chance: u64,
    /// BBR's probe: a window of four segments for 200 ms every ten seconds.
    probes: bool,
    unsent: VecDeque<f64>,
    out: VecDeque<Segment>,
    next: u64,
    written: f64,
    acknowledged: f64,
    window: f64,
    threshold: f64,
    recover: u64,
    limited: f64,
    active: f64,
    round_trip: f64,
    least_round_trip: f64,
    there: OnTheWay,
    back: OnTheWay,
    got: BTreeSet<u64>,
    wanted: u64,
    ends: VecDeque<u64>,
    ends_there: VecDeque<u64>,
    /// Segments sent again, in all.
    pub sent_again: u32,
    /// Last segments of frames, and when the receiver had all up to them.
    pub arrivals: Vec<(u64, f64)>,
    /// The same with the moment of the acknowledgement.
    pub stamps: Vec<(u64, f64)>,
}

impl Connection {
    pub fn new(service: Service, loss: f64, probes: bool) -> Self {
        Self {
            bottleneck: Bottleneck {
                service,
                next: 0,
                base: 0.0,
                left: 0.0,
                free: 0.0,
            },
            loss,
            chance: 0x9e37_79b9_7f4a_7c15,
            probes,
            unsent: VecDeque::new(),
            out: VecDeque::new(),
            next: 0,
            written: 0.0,
            acknowledged: 0.0,
            window: 10.0,
            threshold: f64::MAX,
            recover: 0,
            limited: f64::MIN,
            active: 0.0,
            round_trip: 2.0 * DELAY,
            least_round_trip: 2.0 * DELAY + 2.0,
            there: VecDeque::new(),
            back: VecDeque::new(),
            got: BTreeSet::new(),
            wanted: 0,
            ends: VecDeque::new(),
            ends_there: VecDeque::new(),
            sent_again: 0,
            arrivals: Vec::new(),
            stamps: Vec::new(),
        }
    }

    /// Takes a frame; returns the number of its last segment.
    pub fn write(&mut self, bytes: f64) -> u64 {
        let mut left = bytes;
        while left > 0.0 {
            self.unsent.push_back(left.min(MSS));
            left -= MSS;
        }
        self.written += bytes;
        let end = self.next + self.unsent.len() as u64 - 1;
        self.ends.push_back(end);
        self.ends_there.push_back(end);
        end
    }

    pub fn unacknowledged(&self) -> f64 {
        self.written - self.acknowledged
    }

    pub fn beyond_loss(&self) -> f64 {
        let arrived = self.out.iter().filter(|segment| segment.arrived);
        arrived.map(|segment| segment.bytes).sum()
    }

    pub fn unsent(&self) -> f64 {
        self.unsent.iter().sum()
    }

    pub fn window(&self, now: f64) -> f64 {
        MSS * if self.probing(now) { 4.0 } else { self.window }
    }

    pub fn min_rtt(&self) -> f64 {
        self.least_round_trip
    }

    pub fn probing(&self, now: f64) -> bool {
        self.probes && now > 1e4 && now % 1e4 < 200.0
    }

    pub fn is_losing(&self) -> bool {
        self.out
            .iter()
            .any(|segment| segment.lost || segment.arrived)
    }

    pub fn is_congested(&self) -> bool {
        self.round_trip > self.least_round_trip * 1.5 + 15.0
    }

    pub fn tick(&mut self, now: f64) {
        while let Some((at, number, sent)) = pop_if(&mut self.there, |there| there.0 <= now) {
            self.got.insert(number);
            while self.got.remove(&self.wanted) {
                self.wanted += 1;
            }
            let wanted = self.wanted;
            while let Some(end) = pop_if(&mut self.ends_there, |end| *end < wanted) {
                self.arrivals.push((end, at));
            }
            if !self.is_lost() {
                self.back.push_back((at + DELAY, number, sent));
            }
        }
        while let Some((at, number, sent)) = pop_if(&mut self.back, |back| back.0 <= now) {
            self.acknowledge(at, number, sent);
        }
        self.time_out(now);
        self.send(now);
    }

    /// By selective acknowledgements, as they are on every link today.
    fn acknowledge(&mut self, now: f64, number: u64, sent: f64) {
        self.round_trip += (now - sent - self.round_trip) / 8.0;
        self.least_round_trip = self.least_round_trip.min(now - sent);
        self.active = now;
        let news = self.out.iter_mut().find(|segment| segment.number == number);
        if let Some(segment) = news.filter(|segment| !segment.arrived) {
            (segment.arrived, segment.lost) = (true, false);
            self.grow(now);
        }
        while let Some(segment) = pop_if(&mut self.out, |segment| segment.arrived) {
            self.acknowledged += segment.bytes;
            let acknowledged = segment.number;
            while let Some(end) = pop_if(&mut self.ends, |end| *end <= acknowledged) {
                self.stamps.push((end, now));
            }
        }
        // Lost is what was sent well before something that has arrived (RACK, RFC 8985).
        let late = sent - self.least_round_trip / 4.0;
        let is_lost = |segment: &&mut Segment| !segment.arrived && segment.sent < late;
        let mut lost = false;
        for segment in self.out.iter_mut().filter(is_lost) {
            lost |= !std::mem::replace(&mut segment.lost, true);
        }
        if lost && number >= self.recover {
            self.recover = self.next;
            self.threshold = (self.window * 0.7).max(2.0);
            self.window = self.threshold;
        }
    }

    /// Only a window that was used grows.
    fn grow(&mut self, now: f64) {
        if self.window < self.threshold {
            if self.out.len() as f64 * 2.0 > self.window {
                self.window += 1.0;
            }
        } else if now - self.limited < self.round_trip {
            self.window += 1.0 / self.window;
        }
    }

    fn time_out(&mut self, now: f64) {
        let limit = self.round_trip + LEAST_TIMEOUT;
        if self.out.is_empty() || now - self.active < limit {
            return;
        }
        for segment in self.out.iter_mut().filter(|segment| !segment.arrived) {
            segment.lost = true;
        }
        self.threshold = (self.window * 0.7).max(2.0);
        self.window = 2.0;
        self.recover = self.next;
        self.active = now;
    }

    fn send(&mut self, now: f64) {
        loop {
            let on_the_way = |segment: &&Segment| !segment.arrived && !segment.lost;
            let on_the_way = self.out.iter().filter(on_the_way).count() as f64 * MSS;
            if on_the_way + MSS > self.window(now) {
                self.limited = now;
                return;
            }
            let Some((number, bytes)) = self.next_segment(now) else {
                return;
            };
            self.active = now;
            if !self.is_lost()
                && let Some(out) = self.bottleneck.send(now, bytes + 52.0)
            {
                self.there.push_back((out + DELAY, number, now));
            }
        }
    }

    /// What goes out now: what was lost first.
    fn next_segment(&mut self, now: f64) -> Option<(u64, f64)> {
        if let Some(lost) = self.out.iter_mut().find(|segment| segment.lost) {
            (lost.lost, lost.sent) = (false, now);
            self.sent_again += 1;
            return Some((lost.number, lost.bytes));
        }
        let bytes = self.unsent.pop_front()?;
        let number = self.next;
        self.next += 1;
        self.out.push_back(Segment {
            number,
            bytes,
            sent: now,
            arrived: false,
            lost: false,
        });
        Some((number, bytes))
    }

    /// Xorshift (Marsaglia, 2003): the same in every run.
    fn is_lost(&mut self) -> bool {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        ((self.chance >> 11) as f64) < self.loss * (1u64 << 53) as f64
    }
}
