//! The sound that goes beside a viewer's pictures: each packet at once as it comes.

use std::{future::pending, sync::Arc, time::Duration};

use crate::{
    media::Timestamp,
    sound::{Packet, RATE, Sound, Subscription},
};

/// So much later than it was due a packet comes only where sound is missing before it: devices and
/// their clocks are more even.
const GAP: Duration = Duration::from_millis(5);

/// What a viewer hears.
pub struct Listening {
    sound: Arc<Sound>,
    /// While it is not paused.
    subscription: Option<Subscription>,
    clock: SampleClock,
}

impl Listening {
    /// The sound of a camera, to which nobody listens yet.
    pub fn new(sound: Arc<Sound>) -> Self {
        Self {
            sound,
            subscription: None,
            clock: SampleClock::default(),
        }
    }

    /// The time of a packet that is sent, in samples.
    pub fn stamp(&mut self, packet: &Packet) -> u64 {
        self.clock.stamp(packet)
    }

    /// A packet was not sent.
    pub fn left_out(&self) {
        self.sound.dropped.add(1);
    }
}

/// The next packet; for ever where nothing is to be heard.
pub async fn next(listening: &mut Option<Listening>, is_wanted: bool) -> Arc<Packet> {
    let Some(listening) = listening else {
        return pending().await;
    };
    if !is_wanted {
        listening.subscription = None;
        return pending().await;
    }
    let sound = &listening.sound;
    let subscription = listening
        .subscription
        .get_or_insert_with(|| sound.subscribe());
    subscription.next().await
}

/// The clock of the stream: it counts samples, and passes over those that are missing.
///
/// Receivers take a packet that begins a sample too late for a gap, and one a sample too early for
/// an overlap, and mend what is whole. So what the device's clock is off by is not in the numbers of
/// the samples, but in the sender reports, which say when a sample was captured.
#[derive(Debug, Default)]
struct SampleClock {
    /// The number of the sample behind the last packet.
    next: u64,
    /// When that one was due.
    due: Timestamp,
}

impl SampleClock {
    fn stamp(&mut self, packet: &Packet) -> u64 {
        let missing = packet.captured.since(self.due);
        if missing > GAP {
            let samples = missing.as_nanos() * u128::from(RATE) / 1_000_000_000;
            self.next += samples as u64;
        }
        let stamp = self.next;
        self.next += u64::from(packet.samples);
        self.due = packet.captured + packet.duration();
        stamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_counted_and_missing_ones_too() {
        let mut clock = SampleClock::default();
        let mut stamp = |micros: u64| {
            clock.stamp(&Packet {
                captured: Timestamp::from_nanos(micros * 1000),
                samples: 960,
                data: bytes::Bytes::new(),
            })
        };
        let first = stamp(5_000_000);
        assert_eq!(first, 240_000);
        // A device whose clock drifts, and looks at it that are uneven.
        for (n, late) in [3, -40, 150, 900, -200].into_iter().enumerate() {
            let at = 5_020_000 + 20_000 * n as i64 + late;
            assert_eq!(stamp(at as u64), first + 960 * (n as u64 + 1));
        }
        // 100 ms are missing.
        assert_eq!(stamp(5_220_000), first + 960 * 6 + 4809);
        assert_eq!(stamp(5_240_000), first + 960 * 7 + 4809);
    }
}
