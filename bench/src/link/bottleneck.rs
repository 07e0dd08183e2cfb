//! The narrow place of a link: a rate, and a queue that drops what would wait too long.
//!
//! No I/O, no clock: nanoseconds of any clock are handed in.

use super::profile::Profile;

/// A bottleneck with its drop-tail queue.
#[derive(Debug, Clone)]
pub struct Bottleneck {
    profile: Profile,
    /// Longest wait, in ns.
    queue: u64,
    /// When the profile begins.
    origin: u64,
    /// When everything accepted has passed.
    free: u64,
}

impl Bottleneck {
    /// Of this rate, with a queue of so many nanoseconds.
    pub fn new(profile: Profile, queue: u64) -> Self {
        Self {
            profile,
            queue,
            origin: 0,
            free: 0,
        }
    }

    /// The profile begins now. What is in the queue keeps its time.
    pub fn restart(&mut self, now: u64) {
        self.origin = now;
    }

    /// A packet comes. When it will have passed; `None` if the queue is full, and it is dropped.
    pub fn offer(&mut self, now: u64, bytes: usize) -> Option<u64> {
        if self.free.saturating_sub(now) > self.queue {
            return None;
        }
        self.free = self.passes(self.free.max(now), bytes);
        Some(self.free)
    }

    /// Bytes that could have passed between two moments.
    pub fn capacity(&self, from: u64, to: u64) -> f64 {
        let since = |moment: u64| moment.saturating_sub(self.origin);
        self.profile.capacity(since(from), since(to))
    }

    /// When so many bytes will have passed that begin at that moment and find nothing before them.
    pub fn passes(&self, begin: u64, bytes: usize) -> u64 {
        let begin = begin.saturating_sub(self.origin);
        let end = self.profile.finish(begin, bytes as f64);
        end.saturating_add(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn packets_wait_for_those_before_them_and_are_dropped_when_that_is_too_long() {
        // 1500 bytes at 1.2 Mb/s are 10 ms.
        let mut link = Bottleneck::new(Profile::constant(1.2), 25 * MS);
        let mut offer = |at: u64| link.offer(at * MS, 1500).map(|end| end / MS);
        assert_eq!(offer(0), Some(10));
        assert_eq!(offer(0), Some(20));
        assert_eq!(offer(0), Some(30));
        assert_eq!(offer(0), None);
        assert_eq!(offer(5), Some(40));
        assert_eq!(offer(100), Some(110));
    }

    #[test]
    fn a_restart_moves_the_steps() {
        let mut link = Bottleneck::new(Profile::parse("12:0,1.2:1").unwrap(), 500 * MS);
        assert_eq!(link.offer(5000 * MS, 1500), Some(5010 * MS));
        link.restart(6000 * MS);
        assert_eq!(link.offer(6000 * MS, 1500), Some(6001 * MS));
        assert_eq!(link.offer(7000 * MS, 1500), Some(7010 * MS));
        assert!((link.capacity(6000 * MS, 8000 * MS) - 1.65e6).abs() < 1.0);
    }

    proptest! {
        #[test]
        fn no_packet_overtakes_or_waits_too_long_and_no_more_passes_than_can(
            packets in prop::collection::vec((0u64..3 * MS, 40usize..1500), 1..300),
            queue in 1u64..200,
        ) {
            let mut link = Bottleneck::new(Profile::constant(4.0), queue * MS);
            let (mut now, mut last, mut passed) = (MS, 0, 0.0);
            for (gap, bytes) in packets {
                now += gap;
                if let Some(end) = link.offer(now, bytes) {
                    prop_assert!(end >= last && end > now);
                    let transfer = (bytes as f64 * 2000.0).ceil() as u64;
                    prop_assert!(end <= now + queue * MS + transfer + 1);
                    last = end;
                    passed += bytes as f64;
                }
            }
            prop_assert!(passed <= link.capacity(MS, last) + 1500.0);
        }
    }
}
