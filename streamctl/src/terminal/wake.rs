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
pub struct Wakeups {
    receiver: UnixStream,
    waker: UnixStream,
}

/// The end that wakes it; never blocks.
#[derive(Debug)]
pub struct Waker(UnixStream);

impl Wakeups {
    /// Nothing has been woken yet.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (receiver, waker) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        Ok(Self { receiver, waker })
    }

    /// Another end that wakes the loop.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn waker(&self) -> io::Result<Waker> {
        self.waker.try_clone().map(Waker)
    }

    /// Takes the wake-ups so far, so that the next poll sleeps.
    pub fn drain(&self) {
        let mut taken = [0; 64];
        while matches!((&self.receiver).read(&mut taken), Ok(n) if n == taken.len()) {}
    }
}

impl AsFd for Wakeups {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl Waker {
    /// Wakes the loop. A full pipe is as good: the loop is being woken already.
    pub fn wake(&self) {
        let _ = (&self.0).write(&[1]);
    }
}

/// What signals have asked for. Each also wakes the loop.
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
    pub fn catch(wakeups: &Wakeups) -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&signals.stop))?;
            signal_hook::flag::register(signal, Arc::clone(&signals.stop))?;
            signal_hook::low_level::pipe::register(signal, wakeups.waker.try_clone()?)?;
        }
        signal_hook::flag::register(SIGWINCH, Arc::clone(&signals.resized))?;
        signal_hook::low_level::pipe::register(SIGWINCH, wakeups.waker.try_clone()?)?;
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

    fn rings(wakeups: &Wakeups) -> bool {
        let mut fds = [PollFd::new(wakeups.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn many_rings_are_one_waking() {
        let wakeups = Wakeups::new().unwrap();
        let waker = wakeups.waker().unwrap();
        assert!(!rings(&wakeups));
        for _ in 0..10_000 {
            waker.wake();
        }
        assert!(rings(&wakeups));
        wakeups.drain();
        assert!(!rings(&wakeups));
    }
}
