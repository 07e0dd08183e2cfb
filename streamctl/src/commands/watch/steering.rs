//! How a watch is told to end or to pause, and how it sleeps until something happens.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, poll},
};

use crate::terminal::wake::{Signals, Wakeups, until};

/// Shared by the one who watches and the one who steers.
#[derive(Debug)]
pub struct Steering {
    wakeups: Wakeups,
    signals: Option<Signals>,
    stop: AtomicBool,
    paused: AtomicBool,
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The descriptor is ready, or broken.
    Ready,
    /// Somebody wants something: see [`Steering::stop`] and [`Steering::paused`].
    Wakeups,
    /// The time has come.
    Deadline,
}

impl Steering {
    /// A steering by the process's signals.
    ///
    /// # Errors
    /// When the kernel refuses descriptors or signals.
    pub fn by_signals() -> io::Result<Self> {
        let mut steering = Self::by_hand()?;
        steering.signals = Some(Signals::catch(&steering.wakeups)?);
        Ok(steering)
    }

    /// A steering by [`Steering::end`] and [`Steering::pause`] alone.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn by_hand() -> io::Result<Self> {
        Ok(Self {
            wakeups: Wakeups::new()?,
            signals: None,
            stop: AtomicBool::new(false),
            paused: AtomicBool::new(false),
        })
    }

    /// Ends the watch.
    ///
    /// # Errors
    /// When the process has no descriptors left to wake it by.
    pub fn end(&self) -> io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.wakeups.waker().map(|waker| waker.wake())
    }

    /// Pauses the stream or lets it go on.
    ///
    /// # Errors
    /// When the process has no descriptors left to wake it by.
    pub fn pause(&self, paused: bool) -> io::Result<()> {
        self.paused.store(paused, Ordering::Relaxed);
        self.wakeups.waker().map(|waker| waker.wake())
    }

    /// Whether the watch is to end.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.signals.as_ref().is_some_and(Signals::stop)
    }

    /// Whether it is to pause.
    pub fn paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Sleeps until the deadline or the wakeups.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn wait(&self, deadline: Instant) -> io::Result<Woken> {
        self.poll(None, deadline)
    }

    /// Sleeps until there is something to read; with `also_write`, until something can be written too.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn wait_readable(
        &self,
        fd: BorrowedFd<'_>,
        also_write: bool,
        deadline: Instant,
    ) -> io::Result<Woken> {
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, also_write);
        self.poll(Some(PollFd::new(fd, flags)), deadline)
    }

    /// Sleeps until something can be written.
    ///
    /// # Errors
    /// When the kernel has no memory.
    pub fn wait_writable(&self, fd: BorrowedFd<'_>, deadline: Instant) -> io::Result<Woken> {
        self.poll(Some(PollFd::new(fd, PollFlags::POLLOUT)), deadline)
    }

    fn poll(&self, fd: Option<PollFd<'_>>, deadline: Instant) -> io::Result<Woken> {
        let wakeups = PollFd::new(self.wakeups.as_fd(), PollFlags::POLLIN);
        let mut both = [wakeups.clone(), fd.clone().unwrap_or(wakeups)];
        let fds = if fd.is_some() {
            &mut both[..]
        } else {
            &mut both[..1]
        };
        match poll(fds, until(deadline)) {
            Ok(0) => return Ok(Woken::Deadline),
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Woken::Wakeups),
            Err(errno) => return Err(errno.into()),
        }
        if fds[0].any() == Some(true) {
            self.wakeups.drain();
            return Ok(Woken::Wakeups);
        }
        Ok(Woken::Ready)
    }
}
