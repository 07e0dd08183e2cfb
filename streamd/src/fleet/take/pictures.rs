//! The pictures of a camera of another machine: pulled from the stream, one question for each, and
//! handed on unless they are old.

use std::time::Duration;

use async_nats::Message;
use serde_json::json;
use streamd_protocol::stream::{AppSegment, Payload, is_stand_in};

use super::{SAYS, Taking, Talk};
use crate::{
    capture::remote::Arrived,
    fleet::{
        pulls::{EXPIRES, Pulls},
        stream::{self, Said},
        subject,
    },
    media::Timestamp,
    meters::NatsTopic,
};

/// The server forgets who has pulled nothing for so long.
const INACTIVE: Duration = Duration::from_secs(30);

/// Who asks the server for a consumer that can't be had asks again after so long.
pub(super) const REFUSED: Duration = Duration::from_secs(1);

/// A picture that is so much later than the quickest of late is not shown.
const STALE: Duration = Duration::from_millis(500);

/// Nor one that is so old, whatever those before were.
const OLDEST: Duration = Duration::from_secs(2);

/// The consumer at the server, by which pictures are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consumer {
    /// There is none, and one is to be asked for then.
    None(Timestamp),
    /// It has been asked for.
    Asked(Timestamp),
    /// It is there.
    There,
}

impl Taking<'_> {
    /// Pulls pictures while somebody watches.
    pub(super) async fn pull(&mut self, talk: &mut Talk, now: Timestamp) {
        if !talk.watched {
            // The server forgets the consumer by itself.
            if talk.consumer != Consumer::None(Timestamp::default()) {
                talk.consumer = Consumer::None(Timestamp::default());
                talk.pulls = Pulls::new(now);
                self.api("DELETE", talk, None).await;
            }
            return;
        }
        match talk.consumer {
            Consumer::None(then) if then <= now => {
                talk.consumer = Consumer::Asked(now);
                talk.pulls = Pulls::new(now);
                talk.looked = now;
                self.create(talk).await;
            }
            Consumer::Asked(then) if now.since(then) > EXPIRES => {
                talk.consumer = Consumer::None(now);
            }
            Consumer::There => {
                if now.since(talk.looked) >= SAYS {
                    talk.looked = now;
                    self.api("INFO", talk, None).await;
                }
                let interval = self.interval();
                while let Some(number) = talk.pulls.next(interval, now) {
                    let to = format!(
                        "$JS.API.CONSUMER.MSG.NEXT.{}.{}",
                        subject::STREAM,
                        self.consumer()
                    );
                    let reply = format!("{}.pull.{number}", talk.inbox);
                    let asks = json!({"batch": 1, "expires": EXPIRES.as_nanos() as u64});
                    let asks = asks.to_string().into();
                    self.engine.send(to, Some(reply), asks).await;
                }
            }
            _ => {}
        }
    }

    /// What our consumer is called.
    fn consumer(&self) -> String {
        format!("{}-{}", self.taker.id, self.taker.camera.name)
    }

    async fn create(&self, talk: &Talk) {
        let pictures = subject::pictures(&self.remote.host, self.remote.camera.as_str());
        let config = json!({
            "stream_name": subject::STREAM,
            "config": {
                "name": self.consumer(),
                "deliver_policy": "new",
                "ack_policy": "none",
                "replay_policy": "instant",
                "filter_subject": pictures,
                "inactive_threshold": INACTIVE.as_nanos() as u64,
                "mem_storage": true,
                "num_replicas": 1,
            },
        });
        self.api("CREATE", talk, Some((pictures, config))).await;
    }

    /// Asks the server something about our consumer.
    async fn api(&self, verb: &str, talk: &Talk, with: Option<(String, serde_json::Value)>) {
        let (stream, consumer) = (subject::STREAM, self.consumer());
        let mut to = format!("$JS.API.CONSUMER.{verb}.{stream}.{consumer}");
        let mut payload = bytes::Bytes::new();
        if let Some((filter, config)) = with {
            to += &format!(".{filter}");
            payload = config.to_string().into();
        }
        let reply = format!("{}.consumer.{}", talk.inbox, verb.to_lowercase());
        self.engine.send(to, Some(reply), payload).await;
    }

    /// The server has answered something about our consumer.
    pub(super) fn consumer_said(
        &mut self,
        talk: &mut Talk,
        verb: &str,
        message: &Message,
        now: Timestamp,
    ) {
        let said = match message.status {
            None => serde_json::from_slice::<Said>(&message.payload).ok(),
            Some(_) => None,
        };
        let wrong = said.as_ref().and_then(|said| said.error.as_ref());
        match (verb, &said, wrong) {
            ("delete", ..) => {}
            (_, Some(_), None) => {
                talk.pulls.round_trip(now.since(talk.looked), now);
                if matches!(talk.consumer, Consumer::Asked(_)) {
                    talk.consumer = Consumer::There;
                }
            }
            (_, _, wrong) => {
                let what = wrong.map_or("no JetStream", |wrong| wrong.description.as_str());
                tracing::debug!(camera = self.taker.camera.name, "NATS: consumer: {what}");
                talk.consumer = Consumer::None(now + REFUSED);
                let engine = self.engine.clone();
                tokio::spawn(async move {
                    if let Err(what) = stream::ensure(&engine).await {
                        engine.complain(NatsTopic::Stream, &what);
                    }
                });
            }
        }
    }

    pub(super) fn picture(&mut self, talk: &mut Talk, message: Message, now: Timestamp) {
        let stored = message.reply.as_deref().and_then(stored);
        let pictures = subject::pictures(&self.remote.host, self.remote.camera.as_str());
        let Some(stored) = stored.filter(|_| *message.subject == *pictures) else {
            return self.engine.foreign(&message);
        };
        let here = now.unix_micros() as i64 * 1000;
        talk.pulls.came(here - stored, self.interval(), now);
        let label = (Payload::of(&message.payload) == Some(Payload::Picture))
            .then(|| AppSegment::find(&message.payload))
            .flatten();
        let is_ours = label.filter(|label| label.camera == self.remote.camera.as_str());
        let Some(label) = is_ours.filter(|_| !is_stand_in(&message.payload)) else {
            return self.engine.foreign(&message);
        };
        let way = now.unix_micros() as i64 - label.captured_us as i64;
        let late = self.ages.add(way.saturating_mul(1000), now);
        if late > STALE {
            self.engine.meters.stale.add(1);
            return;
        }
        // Before the first answers nobody knows how old it is.
        let are_known = self.clocks.are_known();
        let ours = self.clocks.ours(label.captured_us);
        let Some(captured) = ours.filter(|_| are_known) else {
            return;
        };
        let captured = Timestamp::from_unix_nanos(captured.saturating_mul(1000)).min(now);
        // After a long silence nothing is known of those before.
        if now.since(captured) > OLDEST {
            self.engine.meters.stale.add(1);
            return;
        }
        let overtakes = self.taker.camera.orders.arrive(Arrived {
            sequence: label.sequence,
            captured,
            jpeg: message.payload,
        });
        if overtakes {
            self.taker.camera.captured.skipped.add(1);
        }
    }
}

/// When the server had a message, in ns of its clock, by the subject that it would be acknowledged to:
/// `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQUENCE.SEQUENCE.TIME.PENDING`, newer servers with domain and
/// account before the stream, and a token of their own at the end.
fn stored(reply: &str) -> Option<i64> {
    let tokens: Vec<_> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    let at = if tokens.len() == 7 { 5 } else { 7 };
    tokens.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::stored;

    #[test]
    fn the_time_of_the_server_is_in_both_kinds_of_subject() {
        let time = 1_700_000_000_123_456_789;
        for reply in [
            format!("$JS.ACK.streamd.name.1.5.6.{time}.0"),
            format!("$JS.ACK.hub.account.streamd.name.1.5.6.{time}.0"),
            format!("$JS.ACK._.account.streamd.name.1.5.6.{time}.0.token"),
        ] {
            assert_eq!(stored(&reply), Some(time), "{reply}");
        }
        for reply in ["", "$JS.ACK", "$JS.ACK.a.b", "_INBOX.a"] {
            assert_eq!(stored(reply), None, "{reply}");
        }
    }
}
