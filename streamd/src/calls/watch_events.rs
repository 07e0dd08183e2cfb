//! `WatchEvents`: what happens, as it happens.

use std::{sync::Arc, time::Duration};

use streamd_protocol::control::{EVENTS_ALIVE_S, Error, WatchEvents, WatchEventsReply};
use tokio::{sync::broadcast::error::RecvError, time::timeout};

use crate::{
    calls::method::{Answer, Served},
    news::Listener,
    state::State,
};

/// A caller is told at least so often that the daemon is still there.
const ALIVE: Duration = Duration::from_secs(EVENTS_ALIVE_S);

impl Served for WatchEvents {
    fn answer(self, _: &Arc<State>) -> Result<Answer, Error> {
        Ok(Answer::Events)
    }
}

/// The next reply: an event, or that there has been none for a while; `None` when there will be
/// no more.
pub async fn next(listener: &mut Listener) -> Option<WatchEventsReply> {
    let mut lost = 0;
    loop {
        let event = match timeout(ALIVE, listener.recv()).await {
            Ok(Ok(event)) => Some((*event).clone()),
            Ok(Err(RecvError::Lagged(count))) => {
                lost += count as i64;
                continue;
            }
            Ok(Err(RecvError::Closed)) => return None,
            Err(_) => None,
        };
        return Some(WatchEventsReply { event, lost });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::news::{self, EventKind, News};

    #[tokio::test(start_paused = true)]
    async fn silence_is_told_too_and_what_was_lost_is_counted() {
        let news = News::default();
        let mut listener = news.listen();
        let silence = next(&mut listener).await.unwrap();
        assert_eq!((silence.event, silence.lost), (None, 0));
        for n in 0..1000 {
            news.tell(news::event(EventKind::Changed, n.to_string()));
        }
        let late = next(&mut listener).await.unwrap();
        let text = late.event.unwrap().text;
        assert!(late.lost > 0);
        assert_eq!(text, late.lost.to_string(), "the oldest that is left");
        assert_eq!(next(&mut listener).await.unwrap().lost, 0, "counted once");
        drop(news);
        while let Some(reply) = next(&mut listener).await {
            assert!(reply.event.is_some());
        }
    }
}
