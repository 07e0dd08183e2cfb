//! What the receiving thread hands to the screen: the newest picture, and what is known of the
//! stream. A picture that the screen has not taken is replaced by the next.

use std::{io, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::super::view::{Front, View};
use crate::terminal::wake::Waker;

/// The figures on the screen change this often: faster cannot be read.
const FIGURES: Duration = Duration::from_millis(250);

/// What is handed over.
#[derive(Debug, Default)]
pub struct Slot {
    /// The newest picture; empty before the first.
    pub jpeg: Vec<u8>,
    /// Whether it has come since the last [`Shared::take`].
    pub fresh: bool,
    /// What is known of the stream.
    pub view: View,
    /// What people should be told.
    pub notice: Option<String>,
}

/// The place of the hand-over.
#[derive(Debug)]
pub struct Shared {
    slot: Mutex<Slot>,
    waker: Waker,
}

impl Shared {
    /// An empty one, which wakes by `waker`.
    pub fn new(waker: Waker) -> Self {
        Self {
            slot: Mutex::new(Slot::default()),
            waker,
        }
    }

    /// Takes what is new into `mine`; a new picture only if `picture`, else it (or the next one)
    /// can be taken later.
    pub fn take(&self, mine: &mut Slot, picture: bool) {
        let mut slot = self.slot.lock();
        mine.view.clone_from(&slot.view);
        mine.notice = slot.notice.take();
        mine.fresh = picture && slot.fresh;
        if mine.fresh {
            slot.fresh = false;
            std::mem::swap(&mut mine.jpeg, &mut slot.jpeg);
        }
    }

    /// Wakes the screen.
    pub fn wake(&self) {
        self.waker.wake();
    }

    fn change(&self, change: impl FnOnce(&mut Slot)) {
        change(&mut self.slot.lock());
        self.waker.wake();
    }
}

/// The receiving thread's end.
#[derive(Debug)]
pub struct Publisher(pub Arc<Shared>);

impl Front for Publisher {
    fn changed(&mut self, view: &View) -> io::Result<()> {
        self.0.change(|slot| slot.view.clone_from(view));
        Ok(())
    }

    fn picture(&mut self, jpeg: &[u8]) {
        self.0.change(|slot| {
            slot.jpeg.clear();
            slot.jpeg.extend_from_slice(jpeg);
            slot.fresh = true;
        });
    }

    fn notice(&mut self, message: &str) -> io::Result<()> {
        self.0.change(|slot| slot.notice = Some(message.to_owned()));
        Ok(())
    }

    fn figures(&mut self, view: &View) -> io::Result<()> {
        self.changed(view)
    }

    fn interval(&self) -> Duration {
        FIGURES
    }
}

impl Drop for Publisher {
    /// The screen must notice the end of the thread, however it ends.
    fn drop(&mut self) {
        self.0.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::wake::Wakeups;

    #[test]
    fn the_newest_picture_wins_and_is_handed_over_once() {
        let wakeups = Wakeups::new().unwrap();
        let shared = Arc::new(Shared::new(wakeups.waker().unwrap()));
        let mut publisher = Publisher(Arc::clone(&shared));
        for jpeg in [&b"one"[..], b"two", b"three"] {
            publisher.picture(jpeg);
        }
        let mut mine = Slot::default();
        shared.take(&mut mine, false);
        assert!(!mine.fresh && mine.jpeg.is_empty());
        shared.take(&mut mine, true);
        assert!(mine.fresh);
        assert_eq!(mine.jpeg, b"three");
        shared.take(&mut mine, true);
        assert!(!mine.fresh);
        assert_eq!(mine.jpeg, b"three");
    }
}
