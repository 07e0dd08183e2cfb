//! The service manager's store of descriptors: what is put there at a stop comes back, by its
//! name, in the next process of the same service (`FileDescriptorStoreMax=`; sd_notify(3)).

use std::{
    env,
    io::{self, Read, Seek},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::memfd::{MFdFlags, memfd_create},
    unistd::pipe,
};
use sd_notify::NotifyState::{Custom, FdName, FdStore, FdStoreRemove};

/// How long the service manager may take to store all that it was sent.
const SETTLE_MS: u16 = 1000;

/// How many descriptors it will take; 0 where there is no store.
pub fn room() -> usize {
    // Said by systemd 254 and later.
    let room = env::var("FDSTORE").ok();
    let room = room.filter(|_| env::var_os("NOTIFY_SOCKET").is_some());
    room.and_then(|room| room.parse().ok()).unwrap_or(0)
}

/// Puts a descriptor there.
///
/// # Errors
/// When the service manager can't be reached.
pub fn put(name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
    // It stays though the other side hangs up: its end is seen by who takes it.
    sd_notify::notify_with_fds(&[FdStore, FdName(name), Custom("FDPOLL=0")], &[fd])
}

/// Takes a descriptor out of it: what came from there stays there until then.
///
/// # Errors
/// When the service manager can't be reached.
pub fn remove(name: &str) -> io::Result<()> {
    sd_notify::notify(&[FdStoreRemove, FdName(name)])
}

/// Waits until the service manager has taken all that it was sent (`BARRIER=1`).
///
/// # Errors
/// When it can't be reached, or takes too long.
pub fn settle() -> io::Result<()> {
    let (read, write) = pipe()?;
    sd_notify::notify_with_fds(&[Custom("BARRIER=1")], &[write.as_fd()])?;
    drop(write);
    let mut closed = [PollFd::new(read.as_fd(), PollFlags::empty())];
    match poll(&mut closed, PollTimeout::from(SETTLE_MS))? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// A file in memory with this content, that can be stored as any descriptor.
///
/// # Errors
/// When there is no memory or no descriptor for it.
pub fn memory(content: &[u8]) -> io::Result<OwnedFd> {
    let fd = memfd_create(c"streamd", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(fd);
    io::Write::write_all(&mut file, content)?;
    Ok(file.into())
}

/// What such a file holds; at most `limit` bytes.
///
/// # Errors
/// When it can't be read.
pub fn content(fd: OwnedFd, limit: u64) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::from(fd);
    file.rewind()?;
    let mut content = Vec::new();
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}
