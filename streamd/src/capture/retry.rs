//! When a lost device is tried again without an event that announces it. No I/O.
//!
//! Events take a device back, and a path that does not exist waits for nothing else. But a node
//! that is there and refuses may accept later without any event: another program closes it, a
//! driver comes back to life behind the same node (`ENODEV` ends), a USB bus gets room. For these
//! alone there is a timer.

use std::time::Duration;

use crate::media::Timestamp;

/// After the first refusal: long enough for udev or a driver's release to finish.
const FIRST: Duration = Duration::from_millis(50);

/// At most: a device is to be back in under a second.
const LONGEST: Duration = Duration::from_millis(500);

/// The timer of one camera.
#[derive(Debug, Default)]
pub(super) struct Retry {
    at: Option<Timestamp>,
    delay: Option<Duration>,
}

impl Retry {
    /// Tries again later: each time after twice as long, up to [`LONGEST`].
    pub fn schedule(&mut self, now: Timestamp) {
        let delay = self.delay.map_or(FIRST, |delay| (delay * 2).min(LONGEST));
        self.delay = Some(delay);
        self.at = Some(now + delay);
    }

    /// Tries again after this long.
    pub fn after(&mut self, delay: Duration, now: Timestamp) {
        self.at = Some(now + delay);
    }

    /// Does not try again by itself.
    pub fn cancel(&mut self) {
        self.at = None;
    }

    /// The device works, or something has happened to it: what went before does not count.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// When it is to be tried again.
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// True once, when the time has come.
    pub fn is_due(&mut self, now: Timestamp) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

/// A silent stream is left on for so long, beyond the time after which it counts as lost: what
/// comes late still comes, and a driver that has forgotten the stream is asked anew.
const LEFT_ON: Duration = Duration::from_secs(4);

/// At most, when opening it anew has not helped.
const LEFT_ON_LONGEST: Duration = Duration::from_secs(60);

/// For how long a stream that is lost but on is left so.
#[derive(Debug)]
pub(super) struct Restart(Duration);

impl Default for Restart {
    fn default() -> Self {
        Self(LEFT_ON)
    }
}

impl Restart {
    /// The time to leave it on.
    pub fn after(&self) -> Duration {
        self.0
    }

    /// It is opened anew, and left on longer the next time.
    pub fn restarts(&mut self) {
        self.0 = (self.0 * 2).min(LEFT_ON_LONGEST);
    }

    /// A frame has come `gap` after the one before: after a long one, the camera is slow, and
    /// another such gap would not be mended by opening it anew.
    pub fn delivered(&mut self, gap: Duration) {
        self.0 = (gap * 2).clamp(LEFT_ON, self.0.max(LEFT_ON));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_stream_is_left_on_longer_each_time_until_frames_come_steadily() {
        let mut restart = Restart::default();
        let left: Vec<_> = (0..6)
            .map(|_| {
                restart.restarts();
                restart.after().as_secs()
            })
            .collect();
        assert_eq!(left, [8, 16, 32, 60, 60, 60]);
        restart.delivered(Duration::from_secs(10));
        assert_eq!(restart.after().as_secs(), 20, "a frame each 10 s");
        restart.delivered(Duration::from_millis(33));
        assert_eq!(restart.after(), LEFT_ON);
    }

    #[test]
    fn delays_double_to_half_a_second_and_begin_anew_after_a_reset() {
        let mut retry = Retry::default();
        let start = Timestamp::from_nanos(0);
        let delay = |retry: &mut Retry| {
            retry.schedule(start);
            let at = retry.at().expect("scheduled");
            assert!(!retry.is_due(start));
            assert!(retry.is_due(at) && !retry.is_due(at), "once");
            at.since(start).as_millis()
        };
        let delays: Vec<_> = (0..6).map(|_| delay(&mut retry)).collect();
        assert_eq!(delays, [50, 100, 200, 400, 500, 500]);
        retry.reset();
        assert_eq!(delay(&mut retry), 50);
    }
}
