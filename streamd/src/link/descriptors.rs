//! Descriptors that connections for data may not take: the control socket, cameras that come back
//! and the configuration need some when clients have taken all others.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit, rlim_t};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::events;

/// So many are kept: 16 control connections, and a few for each of several cameras. Of a limit that
/// is very low, a quarter.
const KEPT: rlim_t = 48;

/// Without a shortage for so long, the next one is a new one, and logged.
const OVER_AFTER: Duration = Duration::from_secs(60);

/// Whether a connection has one of the descriptors that are kept. The kernel gives the lowest number
/// that is free: one this high means that all lower ones are taken.
pub fn is_kept(connection: &OwnedFd) -> bool {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((rlim_t::MAX, rlim_t::MAX));
    connection.as_raw_fd() as rlim_t >= limit - KEPT.min(limit / 4)
}

/// A want of descriptors, which is said once and not each time that somebody pays for it.
#[derive(Debug, Default)]
pub struct Shortage(Mutex<Option<Instant>>);

impl Shortage {
    /// There is none for a client now.
    pub fn felt(&self, why: &str) {
        if self.begins(Instant::now()) {
            tracing::warn!(
                message_id = events::NO_DESCRIPTORS,
                "no more clients are accepted for now: {why} (LimitNOFILE=)"
            );
        }
    }

    fn begins(&self, now: Instant) -> bool {
        let last = self.0.lock().replace(now);
        last.is_none_or(|last| now - last >= OVER_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::FromRawFd};

    use super::*;

    #[test]
    fn the_highest_numbers_are_kept() {
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let low = OwnedFd::from(File::open("/dev/null").unwrap());
        assert!(!is_kept(&low));
        // SAFETY: the new descriptor belongs to nobody else.
        let high = unsafe {
            let high = libc::fcntl(low.as_raw_fd(), libc::F_DUPFD_CLOEXEC, (limit - 3) as i32);
            assert!(high >= 0);
            OwnedFd::from_raw_fd(high)
        };
        assert!(is_kept(&high));
    }

    #[test]
    fn a_shortage_is_said_once_however_long_it_lasts() {
        let (shortage, start) = (Shortage::default(), Instant::now());
        let at = |s| start + Duration::from_secs(s);
        let said: Vec<_> = [0, 1, 50, 100, 150, 211]
            .map(|s| shortage.begins(at(s)))
            .into();
        assert_eq!(said, [true, false, false, false, false, true]);
    }
}
