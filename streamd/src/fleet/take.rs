//! Takes a camera of another machine over: says what is wanted of it, pulls its pictures, and hands
//! them to the capture thread, which goes on with them as if a camera were there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use streamd_protocol::{
    stats::CameraState,
    stream::{AppSegment, Payload, is_stand_in},
};

use super::{
    clocks::Clocks,
    engine::Engine,
    name::SILENT,
    pulls::{EXPIRES, Least, Pulls},
    stream::{self, Said},
    subject,
    words::{self, Answer, Presence, Want},
};
use crate::{
    camera::Camera,
    capture::{
        DeviceError,
        remote::{Arrived, Heard, Remote as Known, told_seconds},
    },
    config::values::{Device, Remote},
    media::Timestamp,
    meters::NatsTopic,
};

/// How often it is said what is wanted; and, until that is answered for the first time, how soon again.
const SAYS: Duration = Duration::from_secs(2);
const SAYS_ANEW: Duration = Duration::from_millis(100);

/// Between two looks at what has not come.
const LOOKS: Duration = Duration::from_millis(500);

/// Without a connection for so long the camera is lost.
const AWAY: Duration = Duration::from_secs(2);

/// A picture that is so much later than the quickest of late is not shown.
const STALE: Duration = Duration::from_millis(500);

/// Nor one that is so old, whatever those before were.
const OLDEST: Duration = Duration::from_secs(2);

/// A camera whose device may change to one of another machine is looked at so often.
const ANOTHER: Duration = Duration::from_secs(1);

/// The server forgets who has pulled nothing for so long.
const INACTIVE: Duration = Duration::from_secs(30);

/// Who asks the server for a consumer that can't be had asks again after so long.
const REFUSED: Duration = Duration::from_secs(1);

/// What takes a camera, if it is one of another machine.
pub struct Taker {
    engine: Engine,
    id: String,
    camera: Arc<Camera>,
}

impl Taker {
    /// For this camera.
    pub fn new(engine: Engine, id: String, camera: Arc<Camera>) -> Self {
        Self { engine, id, camera }
    }

    /// Takes it for as long as the daemon lives.
    pub async fn run(self) {
        loop {
            match &self.camera.settings().config.device {
                Device::Nats(remote) => {
                    let taking = Taking::new(&self, remote.clone());
                    taking.run().await;
                    self.camera.orders.hear(Heard::Nothing);
                }
                _ => tokio::time::sleep(ANOTHER).await,
            }
        }
    }
}

/// The consumer at the server, by which pictures are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consumer {
    /// There is none, and one is to be asked for then.
    None(Timestamp),
    /// It has been asked for.
    Asked(Timestamp),
    /// It is there.
    There,
}

/// One camera of another machine.
struct Taking<'t> {
    taker: &'t Taker,
    remote: Remote,
    engine: Engine,
    clocks: Clocks,
    /// How late pictures were, by both clocks.
    ages: Least,
    /// When it was heard of last, or since when we have listened; and of its machine.
    heard: Timestamp,
    presence: Option<(Timestamp, Vec<String>)>,
    /// The last thing that was said of the camera.
    known: Option<Answer>,
    /// Since when there is no connection.
    away: Option<Timestamp>,
}

/// What goes over one connection.
struct Talk {
    messages: Subscriber,
    presences: Subscriber,
    inbox: String,
    /// When it is said next what is wanted.
    says: Timestamp,
    watched: bool,
    /// What was asked: its number, and when.
    asked: (u64, Timestamp),
    answered: bool,
    consumer: Consumer,
    /// When the server was asked for the consumer last.
    looked: Timestamp,
    pulls: Pulls,
}

impl<'t> Taking<'t> {
    fn new(taker: &'t Taker, remote: Remote) -> Self {
        Self {
            engine: taker.engine.clone(),
            taker,
            remote,
            clocks: Clocks::default(),
            ages: Least::default(),
            heard: Timestamp::now(),
            presence: None,
            known: None,
            away: Some(Timestamp::now()),
        }
    }

    /// Whether it is still this camera that is meant.
    fn is_meant(&self) -> bool {
        let settings = self.taker.camera.settings();
        matches!(&settings.config.device, Device::Nats(remote) if *remote == self.remote)
    }

    async fn run(mut self) {
        let mut times = 0;
        while self.is_meant() {
            let connected = tokio::time::timeout(LOOKS, self.engine.connected(times)).await;
            match connected {
                Err(_) => self.look(Timestamp::now()),
                Ok(None) => return,
                Ok(Some(now)) => {
                    times = now;
                    self.away = None;
                    self.heard = Timestamp::now();
                    match self.listen().await {
                        Ok(talk) => self.serve(talk, times).await,
                        Err(error) => tracing::debug!(%error, "NATS: not subscribed"),
                    }
                    self.away = Some(Timestamp::now());
                }
            }
        }
    }

    async fn listen(&self) -> Result<Talk, async_nats::SubscribeError> {
        let client = &self.engine.client;
        let inbox = client.new_inbox();
        let now = Timestamp::now();
        Ok(Talk {
            messages: client.subscribe(format!("{inbox}.*.*")).await?,
            presences: client
                .subscribe(subject::presence(&self.remote.host))
                .await?,
            inbox,
            says: now,
            watched: false,
            asked: (0, now),
            answered: false,
            consumer: Consumer::None(now),
            looked: now,
            pulls: Pulls::new(now),
        })
    }

    async fn serve(&mut self, mut talk: Talk, times: u64) {
        let camera = &self.taker.camera;
        while self.is_meant() {
            let now = Timestamp::now();
            self.look(now);
            self.say(&mut talk, now).await;
            self.pull(&mut talk, now).await;
            let next = talk.says.min(now + LOOKS).since(now);
            tokio::select! {
                biased;
                _ = self.engine.condition.changed() => {
                    if self.engine.is_over(times) {
                        return;
                    }
                }
                Some(message) = talk.messages.next() => self.message(&mut talk, message),
                Some(message) = talk.presences.next() => {
                    self.hear(&message);
                    if !talk.answered {
                        talk.says = now;
                    }
                }
                () = camera.orders.changed() => {}
                () = tokio::time::sleep_until((Instant::now() + next).into()) => {}
            }
        }
    }

    /// Between two pictures.
    fn interval(&self) -> Duration {
        let own = self.taker.camera.settings().config.fps.get();
        let theirs = self.known.as_ref().map_or(own, |known| known.fps);
        Duration::from_secs_f64(1.0 / own.min(theirs).clamp(0.1, 1000.0))
    }

    /// Says what is wanted, when that is due or has changed.
    async fn say(&mut self, talk: &mut Talk, now: Timestamp) {
        let watched = self.taker.camera.orders.is_watched();
        if talk.watched == watched && now < talk.says {
            return;
        }
        talk.watched = watched;
        let lacks = !talk.answered || !self.clocks.are_known();
        let soon = lacks && now.since(self.heard) < SILENT;
        talk.says = now + if soon { SAYS_ANEW } else { SAYS };
        talk.asked = (talk.asked.0 + 1, now);
        let config = &self.taker.camera.settings().config;
        let want = Want {
            id: format!("{}-{}", self.taker.id, self.taker.camera.name),
            fps: Some(config.fps.get()),
            quality: None,
            max_width: Some(config.size.width),
            paused: !watched,
        };
        let reply = format!("{}.want.{}", talk.inbox, talk.asked.0);
        let to = subject::wants(&self.remote.host, self.remote.camera.as_str());
        self.engine.send(to, Some(reply), words::write(&want)).await;
    }

    /// Pulls pictures while somebody watches.
    async fn pull(&mut self, talk: &mut Talk, now: Timestamp) {
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

    fn message(&mut self, talk: &mut Talk, message: Message) {
        let now = Timestamp::now();
        // A picture comes under its own subject.
        let tail = message.subject.strip_prefix(talk.inbox.as_str());
        let mut tokens = tail.unwrap_or_default().split('.').skip(1);
        match (tokens.next(), tokens.next()) {
            (Some("want"), Some(number)) => self.answer(talk, number, &message, now),
            (Some("consumer"), Some(verb)) => self.consumer_said(talk, verb, &message, now),
            (Some("pull"), Some(number)) => {
                if let Ok(number) = number.parse() {
                    talk.pulls.refused(number);
                }
                match message.status {
                    Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {}
                    // The consumer is gone, or the server does not know it.
                    Some(_) => talk.consumer = Consumer::None(now + REFUSED),
                    None => self.engine.foreign(&message),
                }
            }
            _ => self.picture(talk, message, now),
        }
    }

    /// The camera's machine has answered.
    fn answer(&mut self, talk: &mut Talk, number: &str, message: &Message, now: Timestamp) {
        if message.status.is_some() {
            return;
        }
        let Some(answer) = words::read::<Answer>(&message.payload) else {
            return self.engine.foreign(message);
        };
        if number.parse() == Ok(talk.asked.0) {
            let took = now.since(talk.asked.1);
            self.clocks.answered(took, answer.time, now.unix_micros());
        }
        self.heard = now;
        talk.answered = true;
        let orders = &self.taker.camera.orders;
        match answer.state {
            CameraState::Lost => orders.hear(Heard::Lost(DeviceError::Elsewhere {
                host: self.remote.host.to_string(),
                why: answer.reason.clone(),
            })),
            _ => orders.hear(Heard::There(Known {
                host: self.remote.host.to_string(),
                camera: self.remote.camera.to_string(),
                width: answer.width,
                height: answer.height,
                fps: answer.fps,
            })),
        }
        self.known = Some(answer);
    }

    /// The server has answered something about our consumer.
    fn consumer_said(&mut self, talk: &mut Talk, verb: &str, message: &Message, now: Timestamp) {
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

    fn picture(&mut self, talk: &mut Talk, message: Message, now: Timestamp) {
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

    /// The camera's machine says that it is there.
    fn hear(&mut self, message: &Message) {
        match words::read::<Presence>(&message.payload) {
            Some(said) if said.holds => {
                self.presence = Some((Timestamp::now(), said.cameras));
            }
            Some(_) => {}
            None => self.engine.foreign(message),
        }
    }

    /// Says that nothing is heard of the camera, once that is so for long enough.
    fn look(&mut self, now: Timestamp) {
        let host = self.remote.host.to_string();
        let lost = |error| self.taker.camera.orders.hear(Heard::Lost(error));
        if let Some(since) = self.away {
            if now.since(since) >= AWAY {
                let why = self.engine.condition.borrow().why.clone();
                lost(DeviceError::Engine { why });
            }
            return;
        }
        let silent = now.since(self.heard);
        if silent < SILENT {
            return;
        }
        let there = self.presence.as_ref();
        match there.filter(|(then, _)| now.since(*then) < SILENT) {
            Some((_, cameras)) if !cameras.iter().any(|c| c == self.remote.camera.as_str()) => {
                let why = format!(
                    "it publishes no camera {} (it publishes {})",
                    self.remote.camera,
                    cameras.join(", ")
                );
                lost(DeviceError::Elsewhere { host, why });
            }
            _ => lost(DeviceError::Unheard {
                host,
                seconds: told_seconds(silent),
            }),
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
