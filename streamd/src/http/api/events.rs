//! What happens, as it happens, as Server-Sent Events (WHATWG HTML, section 9.2): the same replies
//! as on the control socket.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{
        HeaderMap, HeaderValue,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::Value;
use streamd_protocol::control::{Error, WatchEvents, WatchEventsReply};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    operation::{Answered, ask},
    scope,
};
use crate::{
    access::role::{Action, Identity, may},
    calls::{method::Answer, watch_events},
    http::{
        connection::Lasting, origin::Origins, refusal::Refusal, served::Served, visitor::Visitor,
    },
    news::Listener,
};

/// Streams at once: each holds a connection for as long as it likes.
const MAX_STREAMS: usize = 64;

static STREAMS: Semaphore = Semaphore::const_new(MAX_STREAMS);

/// Whether its reader may still be told is looked at so often; an event is looked at in any case.
const LOOK: Duration = Duration::from_secs(2);

/// After so many looks without an event comes a comment: only by writing is a reader noticed that
/// has gone.
const QUIET: u32 = 5;

const COMMENT: &str = ":\n\n";

/// A reader's stream.
struct Told {
    served: Served,
    who: Identity,
    listener: Listener,
    looks: Interval,
    has_begun: bool,
    _place: SemaphorePermit<'static>,
}

/// Tells what happens from now on.
pub async fn answer(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Answered {
    Origins::of(&served.state)
        .check(&headers)
        .map_err(Refusal::from)?;
    let Answer::Events = ask::<WatchEvents>(Value::Null, true, &served, &visitor)? else {
        return Err(Error::ExpectedMore {}.into());
    };
    let place = STREAMS.try_acquire().map_err(|_| {
        Refusal::Unavailable(format!("{MAX_STREAMS} streams of events are being read"))
    })?;
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let told = Told {
        listener: served.state.viewers.news.listen(),
        served,
        who: visitor.who,
        looks,
        has_begun: false,
        _place: place,
    };
    let body = stream::unfold(told, async |mut told| {
        let next = told.next().await?;
        Some((Ok::<_, Infallible>(next), told))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // nginx would hold events back until its buffer is full.
        (X_ACCEL_BUFFERING, "no"),
    ];
    let mut response: Response = (headers, Body::from_stream(body)).into_response();
    response.extensions_mut().insert(Lasting);
    let last = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, last);
    Ok(response)
}

const X_ACCEL_BUFFERING: axum::http::HeaderName =
    axum::http::HeaderName::from_static("x-accel-buffering");

impl Told {
    /// What is written next; `None` once its reader may not be told any more, or nothing happens
    /// any more.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(line(&WatchEventsReply {
                event: None,
                lost: 0,
            }));
        }
        let mut lost = 0;
        let mut quiet = 0;
        loop {
            let reply = watch_events::next(&mut self.listener);
            tokio::pin!(reply);
            let reply = loop {
                tokio::select! {
                    reply = &mut reply => break reply?,
                    _ = self.looks.tick() => {
                        if !may_know(&self.served, &self.who) {
                            return None;
                        }
                        quiet += 1;
                        if quiet >= QUIET {
                            return Some(COMMENT.into());
                        }
                    }
                }
            };
            if !may_know(&self.served, &self.who) {
                return None;
            }
            lost += reply.lost;
            match reply.event {
                Some(event) if scope::tells(&event, &self.who) => {
                    let event = Some(event);
                    return Some(line(&WatchEventsReply { event, lost }));
                }
                _ if lost > 0 => return Some(line(&WatchEventsReply { event: None, lost })),
                _ => {}
            }
        }
    }
}

/// Whether somebody may still do what they could when they came.
fn may_know(served: &Served, who: &Identity) -> bool {
    let now = served.state.viewers.rules.identity(who.proof.as_ref());
    now.camera == who.camera && may(&now, Action::Operate, None)
}

/// An event as it is sent.
fn line(reply: &WatchEventsReply) -> String {
    let json = serde_json::to_string(reply).expect("replies hold strings and numbers");
    format!("data: {json}\n\n")
}
