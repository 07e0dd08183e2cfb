//! Waking a poll loop: from another thread, and from a signal.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use nix::poll::PollTimeout;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGWINCH};

/// The end that a poll loop listens to.
#[derive(Debug)]
pub struct Bell {
    ear: UnixStream,
    rope: UnixStream,
}

/// The end that wakes it; never blocks.
#[derive(Debug)]
pub struct Rope(UnixStream);

impl Bell {
    /// A new bell.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (ear, rope) = UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        rope.set_nonblocking(true)?;
        Ok(Self { ear, rope })
    }

    /// Another rope to ring it by.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn rope(&self) -> io::Result<Rope> {
        self.rope.try_clone().map(Rope)
    }

    /// Takes what has been rung so far, so that the next poll sleeps.
    pub fn hush(&self) {
        let mut rung = [0; 64];
        while matches!((&self.ear).read(&mut rung), Ok(n) if n == rung.len()) {}
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}

impl Rope {
    /// Wakes the loop. A full pipe is as good as a ring: the loop is being woken already.
    pub fn ring(&self) {
        let _ = (&self.0).write(&[1]);
    }
}

/// What signals have asked for. Each also rings the bell.
#[derive(Debug, Default)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    resized: Arc<AtomicBool>,
}

impl Signals {
    /// Takes over SIGINT, SIGTERM, SIGHUP and SIGWINCH of the process. The first of the three
    /// that end asks for an orderly end; a second one ends the process at once, in case the
    /// terminal takes no more output.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn catch(bell: &Bell) -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.stop))?;
            signal_hook::flag::register(signal, Arc::clone(&signals.stop))?;
            signal_hook::low_level::pipe::register(signal, bell.rope.try_clone()?)?;
        }
        signal_hook::flag::register(SIGWINCH, Arc::clone(&signals.resized))?;
        signal_hook::low_level::pipe::register(SIGWINCH, bell.rope.try_clone()?)?;
        Ok(signals)
    }

    /// Whether the process was asked to end.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the terminal's size has changed since the last call.
    pub fn take_resized(&self) -> bool {
        self.resized.swap(false, Ordering::Relaxed)
    }
}

/// The time left, rounded up to poll's milliseconds: rounding down would spin through the last one.
pub fn until(deadline: Instant) -> PollTimeout {
    let left = deadline.saturating_duration_since(Instant::now());
    let ms = left.as_micros().div_ceil(1000);
    PollTimeout::from(u16::try_from(ms).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, poll};

    use super::*;

    fn rings(bell: &Bell) -> bool {
        let mut fds = [PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn many_rings_are_one_waking() {
        let bell = Bell::new().unwrap();
        let rope = bell.rope().unwrap();
        assert!(!rings(&bell));
        for _ in 0..10_000 {
            rope.ring();
        }
        assert!(rings(&bell));
        bell.hush();
        assert!(!rings(&bell));
    }
}
