//! That viewers come and go, said in the log and to whoever listens.

use std::sync::Arc;

use streamd_protocol::{limits::Limits, printable::printable, stats::Transport};

use super::{figures::FeedFigures, framing::Goodbye, registry::Guard, viewers::Viewers};
use crate::{access::role::Shown, events, media::Timestamp, news::EventKind};

/// What a paused viewer is told that loses its place.
pub(super) const GAVE_WAY: &str = "it was paused, and its place was needed";

/// What a viewer is told that may not watch any more.
pub(super) const REVOKED: &str = "it may not watch any more";

/// Characters of a name at most.
const MAX_NAME: usize = 64;

/// A name as it is shown on terminals, in logs and on the page.
pub fn shown_name(name: &str) -> String {
    printable(name).chars().take(MAX_NAME).collect()
}

/// What somebody watches who comes by datagrams: one camera, as its only feed.
pub struct Watches<'a> {
    /// The camera.
    pub camera: &'a str,
    /// By what.
    pub transport: Transport,
    /// The limits that it asked for.
    pub limits: Limits,
}

/// Enters such a viewer, and says that it has come. `name` is what it calls itself.
pub fn enter(
    viewers: &Arc<Viewers>,
    peer: String,
    name: &str,
    who: Shown,
    watches: &Watches<'_>,
) -> Guard {
    let id = viewers.registry.reserve();
    let entry = viewers
        .registry
        .enter(id, peer, watches.transport, watches.limits);
    entry.show(who);
    viewers.bandwidth.come(viewers.registry.count());
    {
        let mut figures = entry.figures();
        figures.name = shown_name(name);
        figures.feeds.push(FeedFigures {
            id: 1,
            camera: watches.camera.to_owned(),
            since: Timestamp::now(),
            ..FeedFigures::default()
        });
    }
    announce(viewers, &entry);
    entry
}

/// Says that a viewer has come.
pub fn announce(viewers: &Viewers, entry: &Guard) {
    tracing::info!(
        message_id = events::CLIENT_CONNECTED,
        client = entry.id,
        peer = %entry.peer,
        camera = %entry.figures().cameras(),
        transport = ?entry.transport,
        token = %entry.shown().name,
        "client connected: {}",
        entry.peer
    );
    let text = format!("client {} has come: {}", entry.id, entry.peer);
    viewers.tell(EventKind::ClientConnected, text, entry, "");
}

/// Says that it has gone, and why; true if it was dropped for a fault of its own.
pub fn part(viewers: &Viewers, entry: &Guard, why: Goodbye) -> bool {
    let (id, reason) = match why {
        Goodbye::Kicked(reason) => (events::CLIENT_KICKED, format!("kicked: {reason}")),
        Goodbye::Revoked => (events::CLIENT_KICKED, REVOKED.into()),
        Goodbye::GaveWay => (events::CLIENT_DISCONNECTED, GAVE_WAY.into()),
        Goodbye::Stopping | Goodbye::Kept => {
            (events::CLIENT_DISCONNECTED, "the server stops".into())
        }
        Goodbye::Violation(violation) => (events::CLIENT_DROPPED, violation.reason),
        Goodbye::TimedOut => (
            events::CLIENT_DROPPED,
            format!("took nothing for {:?}", viewers.client_timeout()),
        ),
        Goodbye::Silent(long) => (events::CLIENT_DROPPED, format!("said nothing for {long:?}")),
        Goodbye::Closed => (events::CLIENT_DISCONNECTED, "closed by the client".into()),
    };
    let now = Timestamp::now();
    let stats = entry.stats(now);
    let cameras = entry.figures().cameras();
    tracing::info!(
        message_id = id,
        client = entry.id,
        peer = %entry.peer,
        camera = %cameras,
        frames = stats.frames(),
        bytes = stats.bytes(),
        seconds = entry.age(now).as_secs(),
        reason = reason.as_str(),
        "client disconnected: {}, {reason}",
        entry.peer
    );
    let kind = match id {
        events::CLIENT_KICKED => EventKind::ClientKicked,
        _ => EventKind::ClientDisconnected,
    };
    let text = format!("client {} has gone: {}, {reason}", entry.id, entry.peer);
    viewers.tell(kind, text, entry, &reason);
    id == events::CLIENT_DROPPED
}
