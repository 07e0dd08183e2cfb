//! Which sockets have become readable, writable, or have a time stamp for us.
//!
//! An epoll instance of our own, itself watched by tokio. tokio's own sockets can't be used for
//! the clients: a time stamp in a socket's error queue is an `EPOLLERR`, which mio reports as the
//! write side being closed, and tokio never forgets that: each later wait for room to write would
//! return at once, and the client's task would spin.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::Waker,
};

use parking_lot::Mutex;

use futures_util::task::AtomicWaker;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::{Interest, unix::AsyncFd};

/// Events taken from the kernel at a time.
const BATCH: usize = 256;

/// There is something to read, or the peer has closed.
pub const READABLE: u8 = 1;
/// There is room to write again.
pub const WRITABLE: u8 = 2;
/// The error queue has something: a time stamp, or the connection's end.
pub const STAMPED: u8 = 4;

/// All sockets that are waited for.
#[derive(Clone)]
pub struct Readiness(Arc<Watched>);

struct Watched {
    epoll: Epoll,
    next: AtomicU64,
    sockets: Mutex<HashMap<u64, Arc<Flags>>>,
}

#[derive(Default)]
struct Flags {
    set: AtomicU8,
    waker: AtomicWaker,
}

/// One socket's readiness. The socket must outlive it.
pub struct Registration {
    key: u64,
    fd: RawFd,
    flags: Arc<Flags>,
    all: Arc<Watched>,
}

impl Readiness {
    /// Starts watching; the task runs as long as the runtime.
    ///
    /// # Errors
    /// When the kernel has no more file descriptors or memory for us.
    pub fn spawn() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let duplicate = epoll.0.try_clone()?;
        // SAFETY: an OwnedFd returns the same open descriptor from as_raw_fd as long as it lives.
        let watched = unsafe { AsyncFd::register_with_interest(duplicate, Interest::READABLE)? };
        let shared = Arc::new(Watched {
            epoll,
            next: AtomicU64::new(0),
            sockets: Mutex::default(),
        });
        tokio::spawn(run(Arc::clone(&shared), watched));
        Ok(Self(shared))
    }

    /// Watches a socket from now on.
    ///
    /// # Errors
    /// When the kernel refuses it (no memory, or not a socket).
    pub fn register(&self, socket: &(impl AsFd + AsRawFd)) -> io::Result<Registration> {
        let key = self.0.next.fetch_add(1, Ordering::Relaxed);
        let flags = Arc::<Flags>::default();
        self.0.sockets.lock().insert(key, Arc::clone(&flags));
        let events = EpollFlags::EPOLLIN
            | EpollFlags::EPOLLOUT
            | EpollFlags::EPOLLRDHUP
            | EpollFlags::EPOLLET;
        let registration = Registration {
            key,
            fd: socket.as_raw_fd(),
            flags,
            all: Arc::clone(&self.0),
        };
        self.0.epoll.add(socket, EpollEvent::new(events, key))?;
        Ok(registration)
    }
}

impl Registration {
    /// Takes what has become ready since the last call; `waker` is called when more does.
    pub fn take(&self, waker: &Waker) -> u8 {
        self.flags.waker.register(waker);
        self.flags.set.swap(0, Ordering::AcqRel)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.all.sockets.lock().remove(&self.key);
        // SAFETY: the socket outlives its registration, so the descriptor is still its own.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(self.fd) };
        let _ = self.all.epoll.delete(fd);
    }
}

impl Watched {}

async fn run(shared: Arc<Watched>, watched: AsyncFd<std::os::fd::OwnedFd>) {
    let mut events = [EpollEvent::empty(); BATCH];
    while let Ok(mut guard) = watched.readable().await {
        loop {
            let count = shared
                .epoll
                .wait(&mut events, EpollTimeout::ZERO)
                .unwrap_or(0);
            let sockets = shared.sockets.lock();
            for event in &events[..count] {
                if let Some(flags) = sockets.get(&event.data()) {
                    flags
                        .set
                        .fetch_or(meaning(event.events()), Ordering::AcqRel);
                    flags.waker.wake();
                }
            }
            if count < BATCH {
                break;
            }
        }
        guard.clear_ready();
    }
}

fn meaning(events: EpollFlags) -> u8 {
    let mut set = 0;
    if events.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP) {
        set |= READABLE;
    }
    if events.contains(EpollFlags::EPOLLOUT) {
        set |= WRITABLE;
    }
    if events.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP) {
        set |= STAMPED;
    }
    set
}
