//! What tools for NATS find us by: its service protocol (ADR-32). A machine that publishes is the
//! service `streamd`, and each of its cameras an endpoint of it.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

/// What all machines are called there: they are one kind of service.
pub const NAME: &str = "streamd";

/// What tools ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Who is there.
    Ping,
    /// What it offers.
    Info,
    /// How much it was used.
    Stats,
}

/// Subjects by which all services are asked, those of this name, and this one.
pub fn subjects(id: &str) -> [String; 3] {
    [
        "$SRV.*".into(),
        format!("$SRV.*.{NAME}"),
        format!("$SRV.*.{NAME}.{id}"),
    ]
}

/// What a subject asks for.
pub fn asked(subject: &str) -> Option<Asked> {
    match subject.split('.').nth(1)? {
        "PING" => Some(Asked::Ping),
        "INFO" => Some(Asked::Info),
        "STATS" => Some(Asked::Stats),
        _ => None,
    }
}

/// A camera, as an endpoint.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Where it is asked for.
    pub subject: String,
    /// Questions.
    pub requests: u64,
    /// Those that were none of ours.
    pub errors: u64,
    /// How long the answers took, all together.
    pub busy: Duration,
}

/// The answer.
pub fn answer(
    asked: Asked,
    host: &str,
    id: &str,
    started: u64,
    endpoints: &[Endpoint],
) -> bytes::Bytes {
    let kind = match asked {
        Asked::Ping => "ping",
        Asked::Info => "info",
        Asked::Stats => "stats",
    };
    let mut said = json!({
        "type": format!("io.nats.micro.v1.{kind}_response"),
        "name": NAME,
        "id": id,
        "version": env!("CARGO_PKG_VERSION"),
        "metadata": { "host": host },
    });
    match asked {
        Asked::Ping => {}
        Asked::Info => {
            said["description"] = format!("cameras of {host}").into();
            said["endpoints"] = endpoints.iter().map(Endpoint::info).collect();
        }
        Asked::Stats => {
            let started =
                DateTime::<Utc>::from_timestamp_micros(started as i64).unwrap_or_default();
            said["started"] = started.to_rfc3339_opts(SecondsFormat::Micros, true).into();
            said["endpoints"] = endpoints.iter().map(Endpoint::stats).collect();
        }
    }
    said.to_string().into()
}

impl Endpoint {
    fn info(&self) -> Value {
        json!({ "name": self.name, "subject": self.subject, "queue_group": "", "metadata": {} })
    }

    fn stats(&self) -> Value {
        let busy = self.busy.as_nanos() as u64;
        json!({
            "name": self.name,
            "subject": self.subject,
            "queue_group": "",
            "num_requests": self.requests,
            "num_errors": self.errors,
            "last_error": "",
            "processing_time": busy,
            "average_processing_time": busy.checked_div(self.requests).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_stands_in_the_subject() {
        for (subject, what) in [
            ("$SRV.PING", Some(Asked::Ping)),
            ("$SRV.INFO.streamd", Some(Asked::Info)),
            ("$SRV.STATS.streamd.0123", Some(Asked::Stats)),
            ("$SRV.SCHEMA", None),
            ("$SRV", None),
        ] {
            assert_eq!(asked(subject), what, "{subject}");
        }
    }

    #[test]
    fn the_time_of_an_answer_is_that_of_all_by_their_number() {
        let one = Endpoint {
            requests: 4,
            busy: Duration::from_nanos(100),
            ..Endpoint::default()
        };
        assert_eq!(one.stats()["average_processing_time"], 25);
        assert_eq!(Endpoint::default().stats()["average_processing_time"], 0);
    }
}
