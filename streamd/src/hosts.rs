//! The machines that say on NATS that they are there: what is known of each. No I/O, no clock.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use streamd_protocol::{fleet::SILENT, stats::CameraState};

use crate::media::Timestamp;

/// Machines that are remembered; of more, the one that has been silent for longest is forgotten.
const MOST: usize = 1024;

/// The machines that have been heard of.
#[derive(Debug, Default)]
pub struct Hosts {
    known: Mutex<BTreeMap<String, Host>>,
    /// Whether anybody listens to them here.
    listening: std::sync::atomic::AtomicBool,
}

/// What is known of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Since when it has been heard of without a break.
    pub since: Timestamp,
    /// When it was heard last.
    pub heard: Timestamp,
    /// Its cameras, and what they do, where it says so.
    pub cameras: Vec<(String, Option<CameraState>)>,
}

impl Host {
    /// For how long it has been silent, where that is long enough to be gone.
    pub fn silent(&self, now: Timestamp) -> Option<Duration> {
        Some(now.since(self.heard)).filter(|silent| *silent >= SILENT)
    }
}

impl Hosts {
    /// Somebody listens from now on.
    pub fn listen(&self) {
        self.listening
            .store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether somebody listens.
    pub fn is_listening(&self) -> bool {
        self.listening.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// A machine says that it is there, with these cameras.
    pub fn hear(&self, name: &str, cameras: Vec<(String, Option<CameraState>)>, now: Timestamp) {
        let mut known = self.known.lock();
        if !known.contains_key(name) && known.len() >= MOST {
            let oldest = known.iter().min_by_key(|(_, host)| host.heard);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                known.remove(&oldest);
            }
        }
        let before = known.get(name).filter(|host| host.silent(now).is_none());
        let since = before.map_or(now, |host| host.since);
        known.insert(
            name.to_owned(),
            Host {
                since,
                heard: now,
                cameras,
            },
        );
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<(String, Host)> {
        let known = self.known.lock();
        let all = known.iter();
        all.map(|(name, host)| (name.clone(), host.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_machine_is_there_since_it_was_heard_without_a_break() {
        let hosts = Hosts::default();
        let only = || hosts.all().remove(0).1;
        for now in [1, 3, 5, 7, 9] {
            hosts.hear("robot7", Vec::new(), at(now));
        }
        assert_eq!((only().since, only().silent(at(14))), (at(1), None));
        assert_eq!(only().silent(at(15)), Some(Duration::from_secs(6)));
        hosts.hear("robot7", vec![("main".into(), None)], at(20));
        assert_eq!((only().since, only().silent(at(20))), (at(20), None));
        assert_eq!(only().cameras.len(), 1);
    }

    #[test]
    fn who_has_been_silent_for_longest_is_forgotten_first() {
        let hosts = Hosts::default();
        for n in 0..=MOST {
            hosts.hear(&format!("h{n}"), Vec::new(), at(n as u64 + 1));
        }
        let all = hosts.all();
        assert_eq!(all.len(), MOST);
        assert!(!all.iter().any(|(name, _)| name == "h0"));
    }
}
