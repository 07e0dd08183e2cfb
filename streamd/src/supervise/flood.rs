//! Lines that anybody can cause by connecting are written at a bounded rate; the rest is counted.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Filter};

use crate::{events, media::Timestamp};

/// The events that anybody can cause, and what they are called where they are counted.
const BOUNDED: [(&str, &str); 9] = [
    (events::CLIENT_CONNECTED, "connected"),
    (events::CLIENT_DISCONNECTED, "disconnected"),
    (events::CLIENT_REFUSED, "refused"),
    (events::CLIENT_DROPPED, "dropped"),
    (events::CONTROL_REFUSED, "refused at the control socket"),
    (events::LOGGED_IN, "logged in"),
    (events::LOGIN_REFUSED, "tokens refused"),
    (events::REQUEST_REFUSED, "requests refused"),
    (events::PANICKED, "panicked"),
];

/// Lines of one address, or one user of the control socket, in a minute. As many may have been saved
/// up, so that with the one that counts the rest an attack writes fewer than 20.
const EACH: f64 = 9.0;

/// Lines of all in a minute: a crowd that comes back after a restart is seen one by one.
const ALL: f64 = 100.0;

/// Over so long an allowance comes back, and what was left out is summed up.
const MINUTE: Duration = Duration::from_secs(60);

/// Addresses that are remembered at most: beyond them, all others share one allowance.
const MAX_SOURCES: usize = 1024;

/// What was written of late, and what was not.
#[derive(Debug, Default)]
pub struct Flood(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    all: Allowance,
    sources: HashMap<String, Allowance>,
    left_out: [u64; BOUNDED.len()],
    since: Option<Timestamp>,
}

/// Lines that were written of late (a leaky bucket).
#[derive(Debug, Default)]
struct Allowance {
    taken: f64,
    at: Timestamp,
}

impl Allowance {
    /// What is left of an allowance of `most` a minute.
    fn left(&mut self, most: f64, now: Timestamp) -> f64 {
        let back = now.since(self.at).as_secs_f64() / MINUTE.as_secs_f64() * most;
        self.taken = (self.taken - back).max(0.0);
        self.at = now;
        most - self.taken
    }
}

impl Flood {
    /// Whether a line of this kind, caused by this source, is written.
    fn admits(&self, kind: usize, source: &str, now: Timestamp) -> bool {
        let mut state = self.0.lock();
        let State { all, sources, .. } = &mut *state;
        if sources.len() >= MAX_SOURCES {
            sources.retain(|_, lines| lines.left(EACH, now) < EACH);
        }
        let is_known = sources.len() < MAX_SOURCES || sources.contains_key(source);
        let source = if is_known { source } else { "" };
        let lines = sources.entry(source.to_owned()).or_default();
        if lines.left(EACH, now) >= 1.0 && all.left(ALL, now) >= 1.0 {
            lines.taken += 1.0;
            all.taken += 1.0;
            return true;
        }
        state.left_out[kind] += 1;
        state.since.get_or_insert(now);
        false
    }

    /// What was left out in the last minute, once a minute: `5 connected, 4 disconnected`.
    fn sum(&self, now: Timestamp) -> Option<String> {
        let mut state = self.0.lock();
        state.since.take_if(|since| now.since(*since) >= MINUTE)?;
        let counts = std::mem::take(&mut state.left_out);
        let counted = BOUNDED.iter().zip(counts).filter(|(_, count)| *count > 0);
        let words: Vec<_> = counted
            .map(|((_, what), count)| format!("{count} {what}"))
            .collect();
        Some(words.join(", "))
    }

    /// Writes what was left out, if a minute is over.
    pub fn sum_up(&self) {
        if let Some(counts) = self.sum(Timestamp::now()) {
            tracing::warn!(
                message_id = events::LEFT_OUT,
                "left out of the log in the last minute: {counts}"
            );
        }
    }
}

/// What an event says of its kind and its source.
#[derive(Default)]
struct About {
    kind: Option<usize>,
    source: String,
}

impl Visit for About {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message_id" => self.kind = BOUNDED.iter().position(|(id, _)| *id == value),
            "peer" => {
                let host = value.rsplit_once(':').map_or(value, |(host, _)| host);
                host.clone_into(&mut self.source);
            }
            "uid" => value.clone_into(&mut self.source),
            _ => {}
        }
    }
}

/// The filter of the log's output.
#[derive(Debug, Clone)]
pub struct Bounded(pub Arc<Flood>);

impl<S: Subscriber> Filter<S> for Bounded {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if event.metadata().fields().field("message_id").is_none() {
            return true;
        }
        let mut about = About::default();
        event.record(&mut about);
        about
            .kind
            .is_none_or(|kind| self.0.admits(kind, &about.source, Timestamp::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000_000 + seconds * 1_000_000_000)
    }

    #[test]
    fn a_storm_from_one_address_is_counted_and_others_are_still_seen() {
        let flood = Flood::default();
        let written = (0..8000)
            .filter(|n| flood.admits(n % 2, "192.0.2.1", at(0)))
            .count();
        assert_eq!(written, 9);
        assert!(flood.admits(0, "192.0.2.2", at(1)));
        assert_eq!(flood.sum(at(59)), None);
        assert_eq!(
            flood.sum(at(60)).unwrap(),
            "3995 connected, 3996 disconnected"
        );
        assert_eq!(flood.sum(at(200)), None, "once");
        assert!(flood.admits(0, "192.0.2.1", at(60)), "and seen again");
    }

    #[test]
    fn a_storm_from_everywhere_is_bounded_in_lines_and_in_memory() {
        let flood = Flood::default();
        let written = (0..50_000)
            .filter(|n| flood.admits(0, &n.to_string(), at(0)))
            .count();
        assert_eq!(written, 100);
        assert!(flood.0.lock().sources.len() <= MAX_SOURCES);
    }
}
