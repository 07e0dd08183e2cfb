//! Who came in, who was refused, and who changed what: the last of each kind, in memory. The
//! journal has the rest, by the same MESSAGE_IDs.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, Filter},
};

use crate::events;

/// What is kept, and what it is called.
const KINDS: [(&str, Kind); 9] = [
    (events::LOGGED_IN, Kind::Login),
    (events::CLIENT_CONNECTED, Kind::Login),
    (events::LOGIN_REFUSED, Kind::Refusal),
    (events::CLIENT_REFUSED, Kind::Refusal),
    (events::REQUEST_REFUSED, Kind::Refusal),
    (events::CONTROL_REFUSED, Kind::Refusal),
    (events::CONTROL_CHANGE, Kind::Change),
    (events::RELOADED, Kind::Change),
    (events::CLIENT_KICKED, Kind::Kick),
];

/// Of each kind so many are kept, so that a storm of refusals leaves the changes alone.
const MAX_EACH: usize = 200;

/// A kind of thing that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody showed a good token.
    Login,
    /// Somebody was not let in, or not let do something.
    Refusal,
    /// Something was changed.
    Change,
    /// Somebody was disconnected.
    Kick,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Login => "login",
            Self::Refusal => "refusal",
            Self::Change => "change",
            Self::Kick => "kick",
        })
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Seconds since the epoch.
    pub at: u64,
    /// Its kind.
    pub kind: Kind,
    /// The name of a token, or a user of the control socket; empty for nobody known.
    pub who: String,
    /// An address, or `control`; empty for the machine itself, by a signal.
    pub from: String,
    /// What it was.
    pub what: String,
}

/// What happened of late.
#[derive(Debug, Default)]
pub struct Audit(Mutex<[VecDeque<(u64, Entry)>; 4]>);

impl Audit {
    /// The last ones, at most `most`, the oldest first.
    pub fn last(&self, most: usize) -> Vec<Entry> {
        let kept = self.0.lock();
        let mut all: Vec<_> = kept.iter().flatten().cloned().collect();
        drop(kept);
        all.sort_by_key(|(number, _)| *number);
        let first = all.len().saturating_sub(most);
        all.split_off(first).into_iter().map(|(_, e)| e).collect()
    }

    fn keep(&self, entry: Entry) {
        let mut kept = self.0.lock();
        let newest = kept.iter().filter_map(|of| of.back()).map(|(n, _)| *n);
        let number = newest.max().map_or(0, |n| n + 1);
        let of = &mut kept[entry.kind as usize];
        if of.len() == MAX_EACH {
            of.pop_front();
        }
        of.push_back((number, entry));
    }
}

/// What an event says of itself.
#[derive(Default)]
struct About {
    kind: Option<Kind>,
    is_connection: bool,
    message: String,
    peer: String,
    token: String,
    uid: String,
    process: String,
    parameters: String,
}

impl Visit for About {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let to = match field.name() {
            "message_id" => {
                let found = KINDS.iter().find(|(id, _)| *id == value);
                self.kind = found.map(|(_, kind)| *kind);
                self.is_connection = value == events::CLIENT_CONNECTED;
                return;
            }
            "message" => &mut self.message,
            "peer" => &mut self.peer,
            "token" => &mut self.token,
            "uid" => &mut self.uid,
            "process" => &mut self.process,
            "parameters" => &mut self.parameters,
            _ => return,
        };
        value.clone_into(to);
    }
}

impl About {
    /// What is kept of it; `None` for a connection that came without a token, as all may.
    fn entry(self) -> Option<Entry> {
        let kind = self.kind?;
        if self.is_connection && self.token.is_empty() {
            return None;
        }
        let by_control = !self.uid.is_empty();
        let (who, from) = match by_control {
            true => (
                format!("uid {} {}", self.uid, self.process),
                "control".into(),
            ),
            false => (self.token, self.peer),
        };
        let what = match &*self.parameters {
            "" | "null" | "{}" => self.message,
            parameters => format!("{} {parameters}", self.message),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Some(Entry {
            at: now.unwrap_or_default().as_secs(),
            kind,
            who: who.trim_end().into(),
            from,
            what,
        })
    }
}

/// Keeps what is logged of this, whatever the level of the log is.
#[derive(Debug, Clone)]
pub struct Keeping(pub Arc<Audit>);

impl<S: Subscriber> Layer<S> for Keeping {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut about = About::default();
        event.record(&mut about);
        if let Some(entry) = about.entry() {
            self.0.keep(entry);
        }
    }
}

/// The events that have a MESSAGE_ID, of those that are no details.
#[derive(Debug, Clone, Copy)]
pub struct WithId;

impl<S> Filter<S> for WithId {
    fn enabled(&self, of: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        of.is_event() && *of.level() <= Level::INFO && of.fields().field("message_id").is_some()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }
}

#[cfg(test)]
mod tests {
    use tracing::info;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn kept(run: impl FnOnce()) -> Arc<Audit> {
        let audit = Arc::<Audit>::default();
        let keeping = Keeping(Arc::clone(&audit)).with_filter(WithId);
        let subscriber = tracing_subscriber::registry().with(keeping);
        tracing::subscriber::with_default(subscriber, run);
        audit
    }

    #[test]
    fn who_from_where_and_what_are_kept_in_their_order() {
        let audit = kept(|| {
            let connected = |token: &str| {
                info!(
                    message_id = events::CLIENT_CONNECTED,
                    peer = "192.0.2.1:5",
                    token,
                    "client connected"
                );
            };
            connected("");
            connected("phone");
            info!(
                message_id = events::CONTROL_CHANGE,
                uid = 1000,
                process = "streamctl",
                parameters = "{\"fps\":5}",
                "SetCamera: done"
            );
            info!(message_id = events::READY, "ready");
            info!("no id at all");
            info!(
                message_id = events::LOGIN_REFUSED,
                peer = "192.0.2.2:6",
                "a token was refused"
            );
        });
        let entries = audit.last(10);
        let words: Vec<_> = entries
            .iter()
            .map(|e| [&e.kind.to_string(), &*e.who, &*e.from, &*e.what].join("|"))
            .collect();
        assert_eq!(
            words,
            [
                "login|phone|192.0.2.1:5|client connected",
                "change|uid 1000 streamctl|control|SetCamera: done {\"fps\":5}",
                "refusal||192.0.2.2:6|a token was refused",
            ]
        );
        assert_eq!(audit.last(1)[0].kind, Kind::Refusal);
    }

    #[test]
    fn a_storm_of_refusals_leaves_the_changes_alone() {
        let audit = kept(|| {
            info!(message_id = events::CONTROL_CHANGE, uid = 0, "Reload: done");
            for _ in 0..5000 {
                info!(
                    message_id = events::LOGIN_REFUSED,
                    peer = "unix",
                    "a token was refused"
                );
            }
        });
        let entries = audit.last(usize::MAX);
        assert_eq!(entries.len(), MAX_EACH + 1);
        assert_eq!(entries[0].kind, Kind::Change);
    }
}
