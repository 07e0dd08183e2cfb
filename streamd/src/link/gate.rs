//! When the next frame may go: only when it will not wait behind older bytes.
//!
//! The newest frame is sent when the bytes in flight fit into the path itself, that is, when
//! `in flight ≤ max(floor, link rate × smallest round trip time)`: the path is full then, and the
//! queue of its bottleneck is empty. This is the bandwidth-delay product of BBR (Cardwell et al.,
//! ACM Queue 14(5), 2016) used as a limit on what an application hands down; TigerVNC's congestion
//! window does the same over TCP. Where the viewer sends receipts, the same holds for the whole way
//! to it as well.
//!
//! The gate does no I/O and reads no clock.

use std::time::Duration;

use crate::media::Timestamp;

/// Bytes that may always be in flight.
const FLOOR: u32 = 2 * 1448;

/// Segments of a frame's tail that a receiver may acknowledge late, up to 41 ms (delayed ACK, RFC
/// 1122 section 4.2.3.2). Once all is sent, so much in flight is not a queue.
const TAIL_SEGMENTS: u32 = 2;

/// The shortest and the longest wait before the kernel is asked again. Acknowledgements wake the
/// client earlier; the timer is there so that no wake-up is ever lost.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// What is known of the connection at a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// Bytes written that the peer is not known to have: not acknowledged, and not beyond a loss.
    /// What is beyond one waits in the peer for a packet to come again, and in no queue.
    pub in_flight: u32,
    /// Bytes a second that the link carries; 0 while unknown.
    pub rate: f64,
    /// The smallest round trip time.
    pub min_rtt: Duration,
    /// Bytes that the congestion control lets be in flight: what is beyond waits in our own kernel.
    pub window: u32,
    /// Of the bytes in flight, those that our kernel has not sent yet.
    pub unsent: u32,
    /// Bytes of a full segment.
    pub segment: u32,
    /// The congestion control has narrowed its window for reasons of its own, for a moment.
    pub probing: bool,
    /// Something is lost, and not yet made good.
    pub losing: bool,
    /// The way as far as the viewer itself, where that sends receipts: a proxy may be in between.
    pub whole: Option<Whole>,
}

/// The whole way to a viewer, by its receipts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whole {
    /// Bytes written that the viewer is not known to have.
    pub in_flight: u32,
    /// The smallest round trip time.
    pub min_rtt: Duration,
}

/// A window grows only when it is used up: so a little more is asked for than it lets through.
const STRETCH: f64 = 1.1;

impl Path {
    /// Bytes a second that the congestion control lets through, and somewhat more. On a link that
    /// loses packets this is less than the link could carry.
    pub fn let_through(&self) -> f64 {
        if self.probing || self.min_rtt.is_zero() {
            return f64::INFINITY;
        }
        // A window is counted in segments, and the last one of a frame is half full on average.
        let window = self.window.saturating_sub(self.segment / 2);
        STRETCH * f64::from(window) / self.min_rtt.as_secs_f64()
    }

    /// Bytes that the next frame may have while the window is narrow: because the congestion control
    /// probes, or because something is lost. What is beyond them would wait for a round trip.
    pub fn left(&self) -> Option<u32> {
        (self.probing || self.losing).then(|| self.window.saturating_sub(self.in_flight))
    }

    /// The same with so many bytes more in flight.
    pub fn with(&self, bytes: u32) -> Self {
        let add = |in_flight: u32| in_flight.saturating_add(bytes);
        Self {
            in_flight: add(self.in_flight),
            whole: self.whole.map(|way| Whole {
                in_flight: add(way.in_flight),
                ..way
            }),
            ..*self
        }
    }

    /// Seconds until all that is in flight is there.
    pub fn drain(&self) -> f64 {
        let of =
            |in_flight: u32, rtt: Duration| f64::from(in_flight) / self.rate + rtt.as_secs_f64();
        let whole = self.whole.map_or(0.0, |way| of(way.in_flight, way.min_rtt));
        of(self.in_flight, self.min_rtt).max(whole)
    }

    /// Bytes in flight that would wait in a queue; none where a frame may be added.
    fn excess(&self) -> u32 {
        let whole = self.whole.map_or(0, |way| {
            let product = self.rate * way.min_rtt.as_secs_f64();
            way.in_flight.saturating_sub(FLOOR.max(product as u32))
        });
        self.in_flight.saturating_sub(self.room()).max(whole)
    }

    /// Bytes that may be in flight between the two kernels.
    fn room(&self) -> u32 {
        let product = self.rate * self.min_rtt.as_secs_f64();
        let tail = if self.unsent == 0 {
            self.segment.saturating_mul(TAIL_SEGMENTS)
        } else {
            0
        };
        FLOOR
            .max(tail)
            .max(product.min(f64::from(self.window)) as u32)
    }
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The newest frame may go.
    Open,
    /// Not now. Ask again at this moment, or when something was acknowledged.
    Shut(Timestamp),
}

/// One connection's gate.
#[derive(Debug, Default)]
pub struct Gate {
    waits: u32,
}

impl Gate {
    /// Whether a frame may go now.
    pub fn check(&mut self, now: Timestamp, path: &Path) -> Verdict {
        let excess = path.excess();
        if excess == 0 {
            self.waits = 0;
            return Verdict::Open;
        }
        // By the estimate first; where that was wrong, ever more patiently.
        let backoff = SHORTEST_WAIT * (1 << self.waits.min(7));
        self.waits += 1;
        let estimate = if path.rate > 0.0 {
            Duration::from_secs_f64(f64::from(excess) / path.rate)
        } else {
            Duration::ZERO
        };
        Verdict::Shut(now + estimate.max(backoff).clamp(SHORTEST_WAIT, LONGEST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    proptest! {
        /// Whatever the kernel says, a shut gate names a moment to ask again, soon and not before now.
        #[test]
        fn a_shut_gate_always_asks_again(
            asks in prop::collection::vec((0u64..5000, any::<u32>(), 0.0..1e9, 0u64..2_000_000), 1..50),
        ) {
            let mut gate = Gate::default();
            let mut now = 0;
            for (later, in_flight, rate, rtt) in asks {
                now += later * 1000;
                let at = Timestamp::from_nanos(now);
                let path = Path { in_flight, rate, min_rtt: Duration::from_micros(rtt), window: u32::MAX, unsent: 0, segment: 1448, probing: false, losing: false, whole: None };
                match gate.check(at, &path) {
                    Verdict::Open => prop_assert!(in_flight <= path.room()),
                    Verdict::Shut(again) => {
                        prop_assert!(in_flight > path.room());
                        prop_assert!(again.since(at) >= SHORTEST_WAIT && again.since(at) <= LONGEST_WAIT);
                    }
                }
            }
        }
    }

    /// Every path of a small model: a client, a gate, a link of one unit a tick, a queue that is
    /// never longer than one frame beyond the room, a kernel that acknowledges late or early, and a
    /// timer that is the only wake-up. Frames keep going out in every one of them.
    #[test]
    fn exhaustively_no_lost_wake_up_and_no_queue() {
        // State: bytes in flight, ticks until the timer, ticks since the last send.
        let frame = 6 * FLOOR;
        let mut seen = std::collections::HashSet::new();
        let mut open = vec![(0u32, 0u32, 0u32)];
        while let Some((in_flight, timer, since)) = open.pop() {
            assert!(
                in_flight <= FLOOR + frame,
                "more than one frame beyond the room"
            );
            assert!(
                since < 1000,
                "starved with {in_flight} in flight and the timer at {timer}"
            );
            if !seen.insert((in_flight, timer, since)) {
                continue;
            }
            // The link delivers nothing (at most 8 ticks in a row are modelled by `since`), one
            // or two floors in this tick.
            for delivered in [0, FLOOR, 2 * FLOOR] {
                if delivered == 0 && in_flight > 0 && since % 9 != 0 {
                    continue;
                }
                let left = in_flight.saturating_sub(delivered);
                if timer > 0 {
                    open.push((left, timer - 1, since + 1));
                    continue;
                }
                let path = Path {
                    in_flight: left,
                    rate: 0.0,
                    min_rtt: Duration::ZERO,
                    window: u32::MAX,
                    unsent: 0,
                    segment: 1448,
                    probing: false,
                    losing: false,
                    whole: None,
                };
                match Gate::default().check(Timestamp::from_nanos(0), &path) {
                    Verdict::Open => open.push((left + frame, 0, 0)),
                    Verdict::Shut(again) => {
                        open.push((left, (again.as_nanos() / MS) as u32, since + 1));
                    }
                }
            }
        }
        assert!(seen.iter().any(|s| s.2 == 0 && s.0 > 0), "frames went out");
    }

    #[test]
    fn a_late_acknowledgement_is_no_queue() {
        // Loopback: one segment holds a whole frame.
        let path = |unsent| Path {
            in_flight: 50_000,
            rate: 1e6,
            min_rtt: Duration::from_micros(50),
            window: u32::MAX,
            unsent,
            segment: 65_483,
            probing: false,
            losing: false,
            whole: None,
        };
        let now = Timestamp::from_nanos(MS);
        assert_eq!(Gate::default().check(now, &path(0)), Verdict::Open);
        assert!(matches!(
            Gate::default().check(now, &path(1)),
            Verdict::Shut(_)
        ));
    }

    #[test]
    fn a_full_pipe_is_open_and_a_queue_is_not() {
        // 8 Mb/s and 40 ms: 40 kB fit into the path.
        let path = |in_flight| Path {
            in_flight,
            rate: 1e6,
            min_rtt: Duration::from_millis(40),
            window: u32::MAX,
            unsent: 0,
            segment: 1448,
            probing: false,
            losing: false,
            whole: None,
        };
        let mut gate = Gate::default();
        let now = Timestamp::from_nanos(MS);
        assert_eq!(gate.check(now, &path(40_000)), Verdict::Open);
        assert_eq!(
            gate.check(now, &path(50_000)),
            Verdict::Shut(now + Duration::from_millis(10))
        );
    }

    #[test]
    fn what_waits_in_a_proxy_shuts_the_gate() {
        let path = |whole| Path {
            in_flight: 0,
            rate: 1e6,
            min_rtt: Duration::from_micros(50),
            window: u32::MAX,
            unsent: 0,
            segment: 1448,
            probing: false,
            losing: false,
            whole: Some(Whole {
                in_flight: whole,
                min_rtt: Duration::from_millis(40),
            }),
        };
        let now = Timestamp::from_nanos(MS);
        assert_eq!(Gate::default().check(now, &path(40_000)), Verdict::Open);
        assert_eq!(
            Gate::default().check(now, &path(60_000)),
            Verdict::Shut(now + Duration::from_millis(20))
        );
        assert!((path(60_000).drain() - 0.1).abs() < 1e-9);
    }
}
