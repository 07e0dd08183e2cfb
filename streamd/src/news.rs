//! What happens, told to whoever listens: the control socket and the hook.
//!
//! Telling never waits. Whoever does not listen in time loses events, and learns how many.

use std::sync::Arc;

pub use streamd_protocol::control::{Event, EventKind};
use tokio::sync::broadcast;

use crate::media::Timestamp;

/// Events that are kept for a listener that is behind: a hundred clients that come and go at once,
/// and a bit more.
const KEPT: usize = 256;

/// Where events are told.
#[derive(Debug, Clone)]
pub struct News(broadcast::Sender<Arc<Event>>);

/// A listener.
pub type Listener = broadcast::Receiver<Arc<Event>>;

impl Default for News {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl News {
    /// Tells what has happened.
    pub fn tell(&self, event: Event) {
        // Nobody needs to listen.
        let _ = self.0.send(Arc::new(event));
    }

    /// Listens to what happens from now on.
    pub fn listen(&self) -> Listener {
        self.0.subscribe()
    }
}

/// An event of this moment, with its line for people; the caller fills in what its kind has.
pub fn event(kind: EventKind, text: String) -> Event {
    Event {
        kind,
        time: Timestamp::now().unix_micros() as f64 / 1e6,
        text,
        cameras: Vec::new(),
        client: 0,
        name: String::new(),
        peer: String::new(),
        reason: String::new(),
        method: String::new(),
        parameters: String::new(),
        uid: -1,
        applied: Vec::new(),
        needs_restart: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    #[test]
    fn a_listener_that_is_behind_loses_the_oldest_and_learns_how_many() {
        let news = News::default();
        news.tell(event(EventKind::Changed, "before".into()));
        let mut listener = news.listen();
        for n in 0..KEPT + 3 {
            news.tell(event(EventKind::Changed, n.to_string()));
        }
        assert_eq!(listener.try_recv(), Err(TryRecvError::Lagged(3)));
        for n in 3..KEPT + 3 {
            assert_eq!(listener.try_recv().unwrap().text, n.to_string());
        }
        assert_eq!(listener.try_recv(), Err(TryRecvError::Empty));
    }
}
