//! Whether usable pictures come from a stream. No I/O and no clock.

use crate::media::Timestamp;

/// What is known of the pictures of one stream.
#[derive(Debug)]
pub(super) struct Pulse {
    /// When the last whole picture came, or the stream was started.
    pub last: Timestamp,
    /// What is wrong with the pictures that have come since, if any have.
    pub fault: Option<String>,
    /// A usable picture has come since the device was opened.
    pub delivered: bool,
    /// It has been said that nothing usable comes.
    pub silence_told: bool,
}

impl Pulse {
    /// A device was opened at this moment.
    pub fn new(now: Timestamp) -> Self {
        Self {
            last: now,
            fault: None,
            delivered: false,
            silence_told: false,
        }
    }

    /// The stream was started at this moment.
    pub fn starts(&mut self, now: Timestamp) {
        *self = Self {
            delivered: self.delivered,
            ..Self::new(now)
        };
    }

    /// A picture was looked at, and is one.
    pub fn beats(&mut self) {
        self.delivered = true;
        self.silence_told = false;
        self.fault = None;
    }

    /// The last picture that came is none after all, for this reason if one is known; the one
    /// before it came at `last`.
    pub fn skips(&mut self, what: Option<String>, last: Timestamp) {
        self.fault = what.or(self.fault.take());
        self.last = last;
    }

    /// Whether the last pictures were none, as far as anybody looked.
    pub fn is_doubtful(&self) -> bool {
        self.fault.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_no_life_until_one_is_seen_again() {
        let at = Timestamp::from_nanos;
        let mut pulse = Pulse::new(at(1));
        pulse.last = at(5);
        pulse.skips(Some("cut off".into()), at(1));
        assert_eq!((pulse.last, pulse.is_doubtful()), (at(1), true));
        pulse.last = at(6);
        pulse.skips(None, at(1));
        assert_eq!(pulse.fault.as_deref(), Some("cut off"), "nobody looked");
        pulse.silence_told = true;
        pulse.last = at(7);
        pulse.beats();
        assert!(!pulse.is_doubtful() && !pulse.silence_told && pulse.delivered);
        pulse.skips(Some("empty".into()), at(7));
        pulse.starts(at(9));
        assert!(!pulse.is_doubtful() && pulse.delivered && pulse.last == at(9));
    }
}
