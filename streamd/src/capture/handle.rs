//! What the rest of the daemon holds of a capture thread: orders go in without waiting.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Settings, Start, thread::Worker};
use crate::config::values::Fps;

/// A camera's capture thread. Clones are handles of the same thread; when the last one is dropped
/// the thread is stopped and joined. The [`Sink`](super::Sink) must not hold one, or that never happens.
#[derive(Clone)]
pub struct Capture(Arc<Inner>);

struct Inner {
    mailbox: Arc<Mailbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is to do, as of now.
#[derive(Debug, Clone)]
pub(super) struct Orders {
    pub settings: Settings,
    pub watched: bool,
    pub stop: bool,
}

/// Orders and the event that wakes the thread to read them. The lock is held for an assignment
/// or a clone, never while anything waits.
pub(super) struct Mailbox {
    orders: Mutex<Orders>,
    wake: EventFd,
}

impl Capture {
    /// Starts the thread `capture-NAME`. It opens the device, reports its status, and streams once
    /// somebody watches. A device that is absent or unusable is a status, not an error.
    ///
    /// # Errors
    /// When the kernel has no descriptor (an eventfd, an inotify instance) or thread to spare.
    pub fn spawn(start: Start) -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox {
            orders: Mutex::new(Orders {
                settings: start.settings.clone(),
                watched: false,
                stop: false,
            }),
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        });
        let name = format!("capture-{}", start.settings.name);
        let worker = Worker::new(start, Arc::clone(&mailbox))?;
        let thread = thread::Builder::new().name(name).spawn(|| worker.run())?;
        Ok(Self(Arc::new(Inner {
            mailbox,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// Switches the camera on, or at once off.
    pub fn set_watched(&self, watched: bool) {
        self.order(|orders| orders.watched = watched);
    }

    /// Changes the rate from the next frame on.
    pub fn set_fps(&self, fps: Fps) {
        self.order(|orders| orders.settings.fps = fps);
    }

    /// Takes new settings; the device is opened anew if more than the rate differs.
    pub fn reconfigure(&self, settings: Settings) {
        self.order(|orders| orders.settings = settings);
    }

    /// Ends the thread; [`join`](Self::join), or dropping the last handle, waits for it.
    pub fn stop(&self) {
        self.order(|orders| orders.stop = true);
    }

    /// Waits until the thread has ended, and with it the device is closed.
    pub fn join(&self) {
        self.0.join();
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.0.mailbox.lock());
        self.0.mailbox.wake();
    }
}

impl Inner {
    fn join(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread.filter(|t| t.thread().id() != thread::current().id())
            && thread.join().is_err()
        {
            tracing::error!("a capture thread panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.mailbox.lock().stop = true;
        self.mailbox.wake();
        self.join();
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Fails only when the count is at its limit, and then the thread is awake already.
        let _ = self.wake.write(1);
    }

    /// The orders as of now; the event is cleared first, so that none is missed.
    pub fn read(&self) -> Orders {
        // Fails when nothing has happened since the last time.
        let _ = self.wake.read();
        self.lock().clone()
    }

    /// Readable when there are new orders.
    pub fn event(&self) -> &EventFd {
        &self.wake
    }
}
