//! What the server of a stream acknowledges of the pictures that it was given, one by one: what is
//! on its way there, and what the link carries.
//!
//! It is to pictures handed to somebody else's connection what the kernel's acknowledgements are to
//! those of our own connections. How long the bare path takes is told by probes, which are empty: a
//! picture's own acknowledgement has its transfer in it.
//!
//! No I/O, no clock.

use std::{collections::VecDeque, time::Duration};

use super::{
    estimate::{Delivery, Estimate, Forecast, Progress},
    gate::Path,
};
use crate::media::Timestamp;

/// Pictures that are awaited at most; older ones are forgotten.
const AWAITED: usize = 256;

/// What was not acknowledged for so long will not be: the server has lost it, and the next one may try.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Between two probes: while nothing is on its way, where they tell most; and otherwise.
const PROBES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(2));

/// The quickest probe of so long counts: paths change.
const QUICKEST_OF: Duration = Duration::from_secs(10);

/// Of so many probes that found nothing before them, the middle one is what is usual.
const USUAL_OF: usize = 9;

/// Something on its way.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    bytes: usize,
    sent: Timestamp,
    /// Nothing was before it.
    alone: bool,
}

/// One connection's acknowledgements.
#[derive(Debug, Default)]
pub struct Acks {
    awaited: VecDeque<Sent>,
    estimate: Estimate,
    /// The quickest probes of late, each quicker than those before it.
    probes: VecDeque<(Timestamp, Duration)>,
    /// The last probes that found nothing before them.
    usual: VecDeque<(Timestamp, Duration)>,
    /// When the last probe was sent.
    probed: Option<Timestamp>,
}

impl Acks {
    /// A picture of so many bytes was sent.
    pub fn sent(&mut self, number: u64, bytes: usize, now: Timestamp) {
        if self.awaited.len() == AWAITED {
            self.awaited.pop_front();
        }
        self.awaited.push_back(Sent {
            number,
            bytes,
            sent: now,
            alone: self.awaited.is_empty(),
        });
    }

    /// Whether it is time for a probe.
    pub fn wants_probe(&self, now: Timestamp) -> bool {
        let pause = match self.is_idle() {
            true => PROBES.0,
            false => PROBES.1,
        };
        self.probed.is_none_or(|then| now.since(then) >= pause)
    }

    /// A probe was sent.
    pub fn probe(&mut self, number: u64, now: Timestamp) {
        self.probed = Some(now);
        self.sent(number, 0, now);
    }

    /// Whether nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.awaited.is_empty()
    }

    /// The server has this, and so all that went before it; for how long the link was busy with it,
    /// where that is known.
    pub fn acknowledged(&mut self, number: u64, now: Timestamp) -> Option<Duration> {
        let at = self.awaited.iter().position(|sent| sent.number == number)?;
        let sent = self.awaited.drain(..=at).next_back()?;
        if sent.bytes == 0 {
            let took = now.since(sent.sent);
            self.probes
                .retain(|(then, other)| now.since(*then) < QUICKEST_OF && *other < took);
            self.probes.push_back((now, took));
            if sent.alone {
                self.note_usual(took, now);
            }
            return None;
        }
        self.estimate.delivered(&Delivery {
            bytes: sent.bytes,
            sent: sent.sent,
            acknowledged: now,
            min_rtt: self.usual_rtt(),
            segment: 0,
        })
    }

    fn note_usual(&mut self, took: Duration, now: Timestamp) {
        self.usual
            .retain(|(then, _)| now.since(*then) < QUICKEST_OF);
        if self.usual.len() == USUAL_OF {
            self.usual.pop_front();
        }
        self.usual.push_back((now, took));
    }

    /// The server has refused this, or nobody is there who would have it.
    pub fn refused(&mut self, number: u64) {
        self.awaited.retain(|sent| sent.number != number);
    }

    /// What was not acknowledged for too long is forgotten.
    pub fn look(&mut self, now: Timestamp) {
        self.awaited.retain(|sent| now.since(sent.sent) < FORGOTTEN);
    }

    /// The bare round trip; zero while unknown.
    fn min_rtt(&self) -> Duration {
        self.probes
            .front()
            .map_or(Duration::ZERO, |(_, took)| *took)
    }

    /// What the way takes usually, with nothing to carry: the server's and the machines' time is in it,
    /// which is no time in which the link is busy. Small pictures of several cameras would make a slow
    /// link of it, and the pictures ever smaller.
    fn usual_rtt(&self) -> Duration {
        let mut all: Vec<Duration> = self.usual.iter().map(|(_, took)| *took).collect();
        all.sort_unstable();
        let middle = all.len().saturating_sub(1) / 2;
        all.get(middle).copied().unwrap_or(self.min_rtt())
    }

    fn in_flight(&self) -> u32 {
        let all: usize = self.awaited.iter().map(|sent| sent.bytes).sum();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    /// The path as the gate looks at it.
    pub fn path(&self) -> Path {
        Path {
            in_flight: self.in_flight(),
            rate: self.estimate.rate().unwrap_or(0.0),
            min_rtt: self.min_rtt(),
            window: u32::MAX,
            unsent: 0,
            segment: 0,
            probing: false,
            losing: false,
            whole: None,
        }
    }

    /// What the next bytes of one of so many streams may expect, that share the link fairly; `None`
    /// while nothing is known.
    pub fn forecast(&self, now: Timestamp, streams: usize) -> Option<Forecast> {
        let oldest = self.awaited.iter().find(|sent| sent.bytes > 0);
        let progress = oldest.and_then(|oldest| {
            let expected = oldest.bytes as f64 / self.estimate.rate()?;
            let begin = self.estimate.begin(oldest.sent, self.usual_rtt());
            let is_late = now.since(begin).as_secs_f64() > expected;
            is_late.then(|| Progress {
                sent: oldest.sent,
                bytes: oldest.bytes as f64,
                min_rtt: self.usual_rtt(),
            })
        });
        let forecast = self.estimate.forecast(now, progress)?;
        Some(Forecast {
            rate: forecast.rate / streams.max(1) as f64,
            ..forecast
        })
    }

    /// The bare round trip, the rate of the link in bytes a second (0 while unknown), and bytes on
    /// their way, for the figures.
    pub fn figures(&self) -> (Duration, f64, u32) {
        let rate = self.estimate.rate().unwrap_or(0.0);
        (self.min_rtt(), rate, self.in_flight())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::gate::{Gate, Verdict};
    use proptest::prelude::*;

    fn at(ms: f64) -> Timestamp {
        Timestamp::from_nanos((ms * 1e6) as u64)
    }

    proptest! {
        /// Over an ideal link of any rate and delay, which carries what is sent one after the other:
        /// the rate is found, and the gate lets no more wait than the path holds, and one picture.
        #[test]
        fn finds_the_rate_and_lets_no_queue_grow(
            rate in 100_000.0..5_000_000.0f64,
            rtt in 1.0..300.0f64,
            sizes in prop::collection::vec(10_000usize..60_000, 30..60),
        ) {
            let mut acks = Acks::default();
            let mut gate = Gate::default();
            acks.probe(0, at(0.0));
            acks.acknowledged(0, at(rtt));
            let mut free = 0.0f64;
            let mut coming: VecDeque<(u64, f64)> = VecDeque::new();
            let mut last = 0.0f64;
            for (i, bytes) in (1..).zip(&sizes) {
                // The next picture, or later, when the gate is open.
                let mut now = last + 33.0;
                loop {
                    while coming.front().is_some_and(|(_, came)| *came <= now) {
                        let (number, came) = coming.pop_front().unwrap();
                        acks.acknowledged(number, at(came));
                    }
                    if gate.check(at(now), &acks.path()) == Verdict::Open {
                        break;
                    }
                    now += 1.0;
                }
                let waits = (free - now).max(0.0) * rate / 1e3;
                // One picture, what the gate always lets through, and what the path holds: it may all
                // have been sent at once. By a rate that may be a twentieth too high.
                let most = 60_000.0 + 3_000.0 + rate / 1e3 * rtt * 1.05;
                prop_assert!(waits <= most, "{waits} bytes wait at {now}");
                free = free.max(now) + *bytes as f64 / rate * 1e3;
                acks.sent(i, *bytes, at(now));
                coming.push_back((i, free + rtt));
                last = now;
            }
            for (number, came) in coming {
                acks.acknowledged(number, at(came));
            }
            let (found_rtt, found, in_flight) = acks.figures();
            prop_assert!((found / rate - 1.0).abs() < 0.05, "{found} for {rate}");
            prop_assert!((found_rtt.as_secs_f64() * 1e3 - rtt).abs() < 0.01);
            prop_assert_eq!(in_flight, 0);
        }
    }

    #[test]
    fn a_server_that_says_nothing_gets_no_more_and_one_that_has_lost_some_does() {
        let mut acks = Acks::default();
        let mut gate = Gate::default();
        acks.sent(1, 50_000, at(0.0));
        acks.look(at(4000.0));
        assert!(matches!(
            gate.check(at(4000.0), &acks.path()),
            Verdict::Shut(_)
        ));
        acks.look(at(5001.0));
        assert_eq!(gate.check(at(5001.0), &acks.path()), Verdict::Open);
        assert_eq!(acks.acknowledged(1, at(6000.0)), None, "it is forgotten");
    }

    #[test]
    fn what_was_refused_is_not_on_its_way_and_a_later_word_holds_for_those_before() {
        let mut acks = Acks::default();
        (1..=3).for_each(|n| acks.sent(n, 10_000, at(n as f64)));
        acks.refused(2);
        assert_eq!(acks.figures().2, 20_000);
        acks.acknowledged(3, at(10.0));
        assert!(acks.is_idle());
    }

    #[test]
    fn several_streams_share_the_forecast_and_a_late_picture_lowers_it() {
        let mut acks = Acks::default();
        for n in 0..10 {
            acks.sent(n, 10_000, at(n as f64 * 33.0));
            acks.acknowledged(n, at(n as f64 * 33.0 + 10.0));
        }
        let rate = |acks: &Acks, ms: f64, n| acks.forecast(at(ms), n).unwrap().rate;
        let whole = rate(&acks, 400.0, 1);
        assert!((whole - 1e6).abs() < 1e4, "{whole}");
        assert!((rate(&acks, 400.0, 4) - whole / 4.0).abs() < 1.0);
        acks.sent(10, 10_000, at(400.0));
        assert!(
            (rate(&acks, 405.0, 1) - whole).abs() < 1.0,
            "it may still be on time"
        );
        assert!(rate(&acks, 600.0, 1) < whole * 0.8);
    }

    #[test]
    fn time_that_the_server_takes_is_no_time_of_the_link() {
        // Pictures of 2.5 kB over 1 MB/s and 40 ms; it answers after 0 to 8 ms, as it can.
        let answers = |n: u64| [0.0, 6.0, 3.0, 8.0, 4.0, 2.0, 5.0][n as usize % 7];
        let mut acks = Acks::default();
        for n in 0..300 {
            let sent = n as f64 * 100.0;
            if n % 10 == 0 {
                acks.probe(2 * n, at(sent));
                acks.acknowledged(2 * n, at(sent + 40.0 + answers(n)));
            }
            acks.sent(2 * n + 1, 2500, at(sent + 50.0));
            acks.acknowledged(2 * n + 1, at(sent + 50.0 + 42.5 + answers(n)));
        }
        let (rtt, rate, _) = acks.figures();
        assert!(
            rtt < Duration::from_millis(41),
            "the gate goes by the quickest"
        );
        assert!((0.7e6..2.0e6).contains(&rate), "{rate}");
    }

    #[test]
    fn probes_go_often_enough_to_see_a_path_change() {
        let mut acks = Acks::default();
        assert!(acks.wants_probe(at(0.0)));
        acks.probe(1, at(0.0));
        assert!(!acks.wants_probe(at(1500.0)), "it is on its way");
        acks.acknowledged(1, at(40.0));
        assert!(acks.wants_probe(at(1000.0)));
        for n in 2..16 {
            let sent = f64::from(n as u32) * 1000.0;
            acks.probe(n, at(sent));
            acks.acknowledged(n, at(sent + 90.0));
        }
        assert_eq!(acks.figures().0, Duration::from_millis(90));
    }
}
