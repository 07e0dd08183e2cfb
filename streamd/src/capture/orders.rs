//! What a capture thread is told from outside: whole values, read without waiting.

use std::{io, sync::Arc};

use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Settings,
    remote::{Arrived, Heard, Inbox},
};

/// The mailbox of one capture thread. Each value in it replaces the one before. Its lock is held
/// for an assignment or a clone, never while anything waits.
#[derive(Debug)]
pub struct Orders {
    told: Mutex<Told>,
    remote: Mutex<Inbox>,
    changed: Notify,
    wake: EventFd,
}

/// What the thread is to do, as of now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub settings: Settings,
    pub watched: bool,
    pub stop: bool,
}

impl Orders {
    /// For a thread that begins with these settings, and nobody watches.
    ///
    /// # Errors
    /// When the kernel has no descriptor to spare.
    pub fn new(settings: Settings) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            told: Mutex::new(Told {
                settings,
                watched: false,
                stop: false,
            }),
            remote: Mutex::default(),
            changed: Notify::new(),
            wake: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        }))
    }

    /// These settings hold from now on. The device is opened anew if more than the rate differs.
    pub fn set_settings(&self, settings: Settings) {
        self.tell(|told| told.settings = settings);
    }

    /// Switches the camera on, or at once off.
    pub fn set_watched(&self, watched: bool) {
        self.tell(|told| told.watched = watched);
    }

    /// What is known of a camera of another machine.
    pub fn hear(&self, heard: Heard) {
        let news = {
            let mut inbox = self.remote.lock();
            let news = inbox.heard != heard;
            inbox.heard = heard;
            news
        };
        if news {
            self.wake();
        }
    }

    /// A picture of a camera of another machine has come; true if it takes the place of one that
    /// was not taken yet.
    pub fn arrive(&self, arrived: Arrived) -> bool {
        let overtakes = self.remote.lock().newest.replace(arrived).is_some();
        self.wake();
        overtakes
    }

    /// What is known of a camera of another machine, and its picture, if one has come.
    pub(super) fn take_remote(&self) -> (Heard, Option<Arrived>) {
        let mut inbox = self.remote.lock();
        (inbox.heard.clone(), inbox.newest.take())
    }

    /// Waits until something new has been told; for the one who brings what comes of a camera of
    /// another machine.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether somebody watches, by the last word.
    pub fn is_watched(&self) -> bool {
        self.told.lock().watched
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        self.tell(|told| told.stop = true);
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock());
        self.changed.notify_one();
        self.wake();
    }

    /// What is told as of now; the event is cleared first, so that nothing is missed.
    pub(super) fn read(&self) -> Told {
        // Fails when nothing has happened since the last time.
        let _ = self.wake.read();
        self.told.lock().clone()
    }

    /// What is told as of now, for somebody who looks on.
    pub(super) fn peek(&self) -> Told {
        self.told.lock().clone()
    }

    /// Has the thread look at what is told, and at its device.
    pub(super) fn wake(&self) {
        // Fails only when the count is at its limit, and then the thread is awake already.
        let _ = self.wake.write(1);
    }

    /// Readable when something new is told.
    pub(super) fn event(&self) -> &EventFd {
        &self.wake
    }
}
