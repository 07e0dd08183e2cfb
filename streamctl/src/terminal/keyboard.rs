//! Sleeps until the terminal says something, the wakeups rings or the time has come.

use std::{
    io,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, poll},
    unistd,
};

use super::{
    input::{Input, Parser},
    wake::{Wakeups, until},
};

/// An escape that nothing follows for this long is the key.
const ESCAPE: Duration = Duration::from_millis(50);

/// Standard input, a terminal in raw mode.
#[derive(Debug, Default)]
pub struct Keyboard {
    parser: Parser,
}

impl Keyboard {
    /// What the terminal said until the wakeups or `patience`; `None` when it has gone away.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn listen(
        &mut self,
        wakeups: &Wakeups,
        patience: Duration,
    ) -> io::Result<Option<Vec<Input>>> {
        let waits = self.parser.waits();
        let patience = if waits { ESCAPE } else { patience };
        let stdin = io::stdin();
        let mut fds = [
            PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            PollFd::new(wakeups.as_fd(), PollFlags::POLLIN),
        ];
        let woken = match poll(&mut fds, until(Instant::now() + patience)) {
            Ok(woken) => woken,
            Err(Errno::EINTR) => return Ok(Some(Vec::new())),
            Err(errno) => return Err(errno.into()),
        };
        let (said, rung) = (fds[0].any() == Some(true), fds[1].any() == Some(true));
        if rung {
            wakeups.drain();
        }
        if said {
            return self.read();
        }
        let flushed = (woken == 0 && waits).then(|| self.parser.flush());
        Ok(Some(flushed.flatten().into_iter().collect()))
    }

    fn read(&mut self) -> io::Result<Option<Vec<Input>>> {
        let mut bytes = [0; 1024];
        match unistd::read(io::stdin(), &mut bytes) {
            Ok(0) | Err(Errno::EIO) => Ok(None),
            Ok(count) => Ok(Some(self.parser.feed(&bytes[..count]))),
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(Some(Vec::new())),
            Err(errno) => Err(errno.into()),
        }
    }
}
