//! What is to be encoded beside the capture threads: a list for the encode threads.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::{Condvar, Mutex};

use super::Hub;
use crate::media::Track;

/// The newest raw frame of this hub is wanted in this track.
pub type Work = (Arc<Hub>, Track);

/// The tracks to encode that did not fit on the capture thread. Each track of a hub is in it at
/// most once, so it is bounded by the number of tracks in use.
#[derive(Debug, Default)]
pub struct WorkList {
    list: Mutex<List>,
    added: Condvar,
}

#[derive(Debug, Default)]
struct List {
    work: VecDeque<Work>,
    stopped: bool,
}

impl WorkList {
    pub(super) fn push(&self, work: Work) {
        self.list.lock().work.push_back(work);
        self.added.notify_one();
    }

    /// Waits for work; `None` when the daemon stops. `idle` is called before the wait.
    pub fn next(&self, idle: impl Fn()) -> Option<Work> {
        let mut list = self.list.lock();
        loop {
            if list.stopped {
                return None;
            }
            if let Some(work) = list.work.pop_front() {
                return Some(work);
            }
            idle();
            self.added.wait(&mut list);
        }
    }

    /// Ends all waits, now and later.
    pub fn stop(&self) {
        self.list.lock().stopped = true;
        self.added.notify_all();
    }
}
