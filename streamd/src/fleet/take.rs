//! Takes a camera of another machine over: says what is wanted of it, pulls its pictures, and hands
//! them to the capture thread, which goes on with them as if a camera were there.

mod pictures;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use streamd_protocol::{stats::CameraState, stream::Want as Wanted};

use self::pictures::{Consumer, REFUSED};
use super::{
    clocks::{Asked, Clocks},
    engine::Engine,
    name::SILENT,
    pulls::{Least, Pulls},
    subject,
    words::{self, Answer, Presence, Want},
};
use crate::{
    camera::Camera,
    capture::{
        DeviceError,
        remote::{Heard, Remote as Known, told_seconds},
    },
    config::values::{Device, Remote},
    media::Timestamp,
};

/// How often it is said what is wanted; and, until that is answered for the first time, how soon again.
const SAYS: Duration = Duration::from_secs(2);
const SAYS_ANEW: Duration = Duration::from_millis(100);

/// Between two looks at what has not come.
const LOOKS: Duration = Duration::from_millis(500);

/// Without a connection for so long the camera is lost.
const AWAY: Duration = Duration::from_secs(2);

/// A camera whose device may change to one of another machine is looked at so often.
const ANOTHER: Duration = Duration::from_secs(1);

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
    /// What was asked, and is not answered yet.
    asked: Asked,
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
            asked: Asked::default(),
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
        let number = talk.asked.next(now);
        let config = &self.taker.camera.settings().config;
        let want = Want {
            id: format!("{}-{}", self.taker.id, self.taker.camera.name),
            what: Wanted {
                fps: Some(config.fps.get()),
                max_width: Some(config.size.width),
                paused: Some(!watched),
                ..Wanted::default()
            },
        };
        let reply = format!("{}.want.{number}", talk.inbox);
        let to = subject::wants(&self.remote.host, self.remote.camera.as_str());
        self.engine.send(to, Some(reply), words::write(&want)).await;
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
        let number = number.parse().ok();
        if let Some(took) = number.and_then(|number| talk.asked.answered(number, now)) {
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
