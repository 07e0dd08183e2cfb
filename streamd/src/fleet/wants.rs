//! Who wants a camera, and what of it at most. No I/O, no clock.

use std::time::Duration;

use streamd_protocol::limits::Limits;

use crate::media::Timestamp;

/// What is wanted counts for so long, unless it is said again.
pub const VALID: Duration = Duration::from_secs(5);

/// Machines that want one camera: who would be one more is not listened to.
const MOST: usize = 1024;

/// The machines that want one camera.
#[derive(Debug, Default)]
pub struct Wants(Vec<Wanted>);

/// What one machine wants.
#[derive(Debug)]
struct Wanted {
    id: String,
    limits: Limits,
    until: Timestamp,
}

impl Wants {
    /// A machine says what it wants.
    pub fn say(&mut self, id: String, limits: Limits, now: Timestamp) {
        self.look(now);
        self.0.retain(|other| other.id != id);
        if !limits.paused && self.0.len() < MOST {
            let until = now + VALID;
            self.0.push(Wanted { id, limits, until });
        }
    }

    /// Forgets those that have said nothing for too long.
    fn look(&mut self, now: Timestamp) {
        self.0.retain(|one| one.until > now);
    }

    /// When the next of them is forgotten.
    pub fn until(&self) -> Option<Timestamp> {
        self.0.iter().map(|one| one.until).min()
    }

    /// What all of them together want at most; `None` where nobody wants anything.
    pub fn limits(&mut self, now: Timestamp) -> Option<Limits> {
        self.look(now);
        if self.0.is_empty() {
            return None;
        }
        // Who has no limit lifts that of the others.
        fn most<T: PartialOrd + Copy>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
            let first = all.next()??;
            all.try_fold(first, |most, one| {
                Some(if one? > most { one? } else { most })
            })
        }
        let wants = || self.0.iter().map(|one| one.limits);
        Some(Limits {
            fps: most(wants().map(|want| want.fps)),
            quality: most(wants().map(|want| want.quality)),
            max_width: most(wants().map(|want| want.max_width)),
            ..Limits::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(fps: Option<f64>) -> Limits {
        Limits {
            fps,
            quality: Some(80),
            ..Limits::default()
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn the_most_of_all_counts_until_it_is_over() {
        let mut wants = Wants::default();
        assert_eq!(wants.limits(at(1)), None);
        wants.say("a".into(), limits(Some(10.0)), at(1));
        wants.say("b".into(), limits(Some(5.0)), at(3));
        let fps = |wants: &mut Wants, s| wants.limits(at(s)).map(|limits| limits.fps);
        assert_eq!(fps(&mut wants, 4), Some(Some(10.0)));
        assert_eq!(wants.until(), Some(at(6)));
        assert_eq!(fps(&mut wants, 7), Some(Some(5.0)));
        wants.say("c".into(), limits(None), at(7));
        assert_eq!(fps(&mut wants, 7), Some(None), "no limit");
        assert_eq!(wants.limits(at(7)).unwrap().quality, Some(80));
        let paused = Limits {
            paused: true,
            ..limits(None)
        };
        wants.say("c".into(), paused, at(7));
        assert_eq!(fps(&mut wants, 7), Some(Some(5.0)));
        assert_eq!(fps(&mut wants, 8), None);
    }

    #[test]
    fn who_says_it_again_is_one() {
        let mut wants = Wants::default();
        (0..3000).for_each(|n| wants.say("a".into(), limits(Some(f64::from(n))), at(1)));
        assert_eq!(wants.0.len(), 1);
        (0..3000).for_each(|n| wants.say(n.to_string(), limits(None), at(1)));
        assert_eq!(wants.0.len(), MOST);
    }
}
