//! Whether each datagram is to go twice: where packets are lost and the way is long, what is asked
//! for again comes a round trip too late, and one in so many again is lost.
//!
//! The second copy is the same datagram, byte by byte: a receiver of SRTP takes the one that comes
//! first and ignores the other (RFC 3711, section 3.3.2, replay protection), so it needs to know
//! nothing of it. Of what is lost independently with a probability p there is p² left. It costs the
//! same bits again, which the bit rate makes room for: that is why it is for lossy long ways only.
//!
//! No I/O, no clock.

use std::time::Duration;

use crate::media::Timestamp;

/// On shorter ways what is lost is sent again in time.
const LONG: Duration = Duration::from_millis(60);

/// So much must be lost, as a part of the packets and in packets; each counts 1/e after so many.
const LOST: (f64, f64) = (0.01, 3.0);
const MEMORY: f64 = 500.0;

/// Where more is lost even so, it is not by chance.
const TOO_MUCH: f64 = 0.25;

/// It ends when nothing was lost for so long.
const QUIET: Duration = Duration::from_secs(20);

/// One way's losses.
#[derive(Debug, Default)]
pub struct Twice {
    packets: f64,
    lost: f64,
    /// When the last packet was lost by chance.
    last: Timestamp,
    on: bool,
}

impl Twice {
    /// A packet was reported, lost or not, on a way of this round trip. What is lost to a full queue
    /// is not to be told.
    pub fn reported(&mut self, is_lost: bool, min_rtt: Duration, now: Timestamp) {
        let keep = (-1.0 / MEMORY).exp();
        self.packets = self.packets * keep + 1.0;
        self.lost = self.lost * keep + f64::from(u8::from(is_lost));
        if is_lost {
            self.last = now;
        }
        let part = self.lost / self.packets;
        self.on = match self.on {
            true => part <= TOO_MUCH && now.since(self.last) < QUIET,
            false => {
                let much = part >= LOST.0 && part <= TOO_MUCH && self.lost >= LOST.1;
                much && min_rtt >= LONG
            }
        };
    }

    /// Whether each datagram is to go twice.
    pub fn is_on(&self) -> bool {
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports so many packets, 200 a second, of which every `nth` is lost.
    fn report(twice: &mut Twice, from: u64, packets: u64, nth: u64, rtt: u64) {
        for n in 0..packets {
            let now = Timestamp::from_nanos((from + n * 5) * 1_000_000);
            let is_lost = nth > 0 && n % nth == 0;
            twice.reported(is_lost, Duration::from_millis(rtt), now);
        }
    }

    fn after(nth: u64, rtt: u64) -> bool {
        let mut twice = Twice::default();
        report(&mut twice, 0, 2000, nth, rtt);
        twice.is_on()
    }

    #[test]
    fn on_a_long_way_that_loses_packets_each_goes_twice() {
        assert!(after(20, 100) && after(60, 300));
        assert!(!after(0, 300), "nothing is lost");
        assert!(!after(20, 40), "the way is short");
        assert!(!after(300, 300), "little is lost");
        assert!(!after(3, 300), "that is no chance");
    }

    #[test]
    fn it_goes_on_while_some_are_still_lost_and_ends_when_none_is() {
        let mut twice = Twice::default();
        report(&mut twice, 0, 2000, 20, 100);
        // One in 400 of both copies.
        report(&mut twice, 10_000, 8000, 400, 100);
        assert!(twice.is_on());
        report(&mut twice, 50_000, 4100, 0, 100);
        assert!(!twice.is_on());
    }

    #[test]
    fn it_ends_at_once_where_it_does_not_help() {
        let mut twice = Twice::default();
        report(&mut twice, 0, 2000, 20, 100);
        report(&mut twice, 10_000, 500, 2, 100);
        assert!(!twice.is_on());
    }
}
