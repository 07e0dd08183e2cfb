//! Publishes this machine's cameras: one link for all of them, one picture after the other, each
//! when the server has taken so many of those before it that it will not wait.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use serde::Deserialize;
use streamd_protocol::fleet::PRESENT;

use super::{
    engine::Engine,
    name::{Name, Standing},
    outlet::{Arrived, Outlet},
    service, subject,
    words::{self, Presence, Want},
};
use crate::{
    camera::Camera,
    config::values::Machine,
    events,
    link::{
        acks::Acks,
        estimate::Forecast,
        gate::{Gate, Verdict},
    },
    media::{Origin, Packet, Timestamp},
    meters::NatsTopic,
    viewer::{framing::Goodbye, viewers::Viewers},
};

/// Where nobody takes pictures, or they are refused, the next one goes after so long.
const REFUSED: Duration = Duration::from_millis(250);

/// Pictures whose acknowledgement is awaited at most.
const AWAITED: usize = 256;

/// What the server says to a picture.
#[derive(Debug, Deserialize)]
struct Ack {
    error: Option<super::stream::Wrong>,
    stream: Option<String>,
}

/// A picture that has been sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    outlet: usize,
    sequence: u64,
    captured: Timestamp,
}

/// What publishes the cameras.
pub struct Publisher {
    engine: Engine,
    host: Machine,
    id: String,
    outlets: Vec<Outlet>,
    /// The camera that is asked first for the next picture.
    turn: usize,
    name: Name,
    standing: Standing,
    link: Link,
    /// Since when there are cameras for others, µs since the epoch.
    started: u64,
    /// When it is said next that we are there.
    present: Timestamp,
}

/// The way to the server.
#[derive(Default)]
struct Link {
    acks: Acks,
    gate: Gate,
    sent: VecDeque<Sent>,
    number: u64,
    /// When the gate is to be asked again.
    again: Option<Timestamp>,
    /// Nothing goes before this, after something was refused.
    refused: Timestamp,
}

/// What is heard while there is a connection.
struct Ears {
    wants: Subscriber,
    presences: Subscriber,
    replies: Subscriber,
    /// Tools that look for services.
    tools: SelectAll<Subscriber>,
    /// What replies come back to, before the number.
    inbox: String,
}

enum Happened {
    Condition,
    Want(Message),
    Presence(Message),
    Reply(Message),
    Tool(Message),
    Ordered,
    Picture(usize, Arc<Packet>),
    Tick,
}

impl Publisher {
    /// For these cameras.
    pub fn new(
        engine: Engine,
        host: Machine,
        id: String,
        viewers: Arc<Viewers>,
        cameras: Vec<Arc<Camera>>,
    ) -> Self {
        let started = Timestamp::now().unix_micros();
        let presence = Presence {
            id: id.clone(),
            holds: false,
            since: started,
            cameras: cameras.iter().map(|camera| camera.name.clone()).collect(),
            states: Vec::new(),
        };
        let outlet = |camera: Arc<Camera>| {
            let subject = subject::pictures(&host, &camera.name);
            Outlet::new(camera, Arc::clone(&viewers), subject)
        };
        Self {
            outlets: cameras.into_iter().map(outlet).collect(),
            engine,
            host,
            id,
            turn: 0,
            name: Name::new(presence),
            standing: Standing::Wanted,
            started,
            link: Link::default(),
            present: Timestamp::default(),
        }
    }

    /// Publishes for as long as the daemon lives.
    pub async fn run(mut self) {
        let mut times = 0;
        while let Some(now) = self.engine.connected(times).await {
            times = now;
            // What is on its way is lost, and all that was learnt of this connection.
            self.link = Link {
                number: self.link.number,
                ..Link::default()
            };
            match self.listen().await {
                Ok(ears) => self.serve(ears, times).await,
                Err(error) => tracing::debug!(%error, "NATS: not subscribed"),
            }
            for outlet in &mut self.outlets {
                outlet.close(Goodbye::Closed);
            }
        }
    }

    async fn listen(&self) -> Result<Ears, async_nats::SubscribeError> {
        let client = &self.engine.client;
        let inbox = client.new_inbox();
        let mut tools = Vec::new();
        for subject in service::subjects(&self.id) {
            tools.push(client.subscribe(subject).await?);
        }
        Ok(Ears {
            tools: select_all(tools),
            wants: client.subscribe(subject::all_wants(&self.host)).await?,
            presences: client.subscribe(subject::presence(&self.host)).await?,
            replies: client.subscribe(format!("{inbox}.*")).await?,
            inbox,
        })
    }

    /// Publishes while there is a connection.
    async fn serve(&mut self, mut ears: Ears, times: u64) {
        self.name.listen(Timestamp::now());
        self.present = Timestamp::default();
        loop {
            self.look(&ears).await;
            let happened = self.happens(&mut ears).await;
            let now = Timestamp::now();
            match happened {
                Happened::Condition => {
                    if self.engine.is_over(times) {
                        return;
                    }
                }
                Happened::Want(message) => self.want(message, now).await,
                Happened::Presence(message) => self.presence(&message, now),
                Happened::Tool(message) => self.answer_tool(&message).await,
                Happened::Reply(message) => self.reply(&message, now),
                Happened::Picture(outlet, packet) => self.send(outlet, packet, &ears, now).await,
                Happened::Ordered | Happened::Tick => {}
            }
        }
    }

    /// Does what is due.
    async fn look(&mut self, ears: &Ears) {
        let now = Timestamp::now();
        self.stand(now);
        if now >= self.present {
            self.present = now + PRESENT;
            if let Some(said) = self.name.says() {
                let states = self.outlets.iter().map(Outlet::state).collect();
                let said = Presence {
                    states,
                    ..said.clone()
                };
                let (to, said) = (subject::presence(&self.host), words::write(&said));
                self.engine.send(to, None, said).await;
            }
        }
        let peer = &self.engine.meters.servers;
        self.outlets
            .iter_mut()
            .for_each(|outlet| outlet.look(peer, now));
        self.link.acks.look(now);
        let watched = self.outlets.iter().any(Outlet::is_open);
        if watched && self.link.acks.wants_probe(now) {
            self.link.number += 1;
            let number = self.link.number;
            self.link.acks.probe(number, now);
            let reply = format!("{}.{number}", ears.inbox);
            let to = subject::probes(&self.host);
            self.engine.send(to, Some(reply), bytes::Bytes::new()).await;
        }
        let verdict = self.link.gate.check(now, &self.link.acks.path());
        self.link.again = match verdict {
            _ if self.link.refused > now => Some(self.link.refused),
            Verdict::Open => None,
            Verdict::Shut(again) => Some(again),
        };
        if self.link.again.is_some() {
            self.outlets.iter_mut().for_each(Outlet::rest);
        }
    }

    /// Says in the log whose the name is.
    fn stand(&mut self, now: Timestamp) {
        let before = std::mem::replace(&mut self.standing, self.name.standing(now));
        match (before, self.standing) {
            (before, Standing::Taken) if before != Standing::Taken => {
                let host = &self.host;
                let what = format!(
                    "another machine is {host} already: this one publishes nothing (nats.host)"
                );
                self.engine.complain(NatsTopic::Name, &what);
                for outlet in &mut self.outlets {
                    outlet.close(Goodbye::Closed);
                }
            }
            (Standing::Taken, Standing::Held | Standing::Wanted) => {
                self.engine.content(NatsTopic::Name);
            }
            (Standing::Wanted, Standing::Held) => {
                // Whoever waits for us need not wait any longer.
                self.present = now;
                tracing::debug!(host = %self.host, "NATS: the name is ours");
            }
            _ => {}
        }
    }

    async fn happens(&mut self, ears: &mut Ears) -> Happened {
        let now = Timestamp::now();
        let soon = now + Duration::from_millis(500);
        let ends = self.outlets.iter().filter_map(Outlet::until);
        let next = ends
            .chain(self.link.again)
            .chain([self.present, soon])
            .min()
            .unwrap_or(soon);
        let next = Instant::now() + next.since(now);
        let may_send = self.link.again.is_none() && self.standing == Standing::Held;
        let streams = self.outlets.iter().filter(|o| o.is_open()).count();
        let forecast = self.link.acks.forecast(now, streams);
        let (outlets, turn) = (&mut self.outlets, self.turn);
        let happens = poll_fn(|cx| poll(outlets, turn, may_send, forecast, cx));
        tokio::select! {
            biased;
            _ = self.engine.condition.changed() => Happened::Condition,
            Some(message) = ears.replies.next() => Happened::Reply(message),
            Some(message) = ears.wants.next() => Happened::Want(message),
            Some(message) = ears.tools.next() => Happened::Tool(message),
            Some(message) = ears.presences.next() => Happened::Presence(message),
            happened = happens => happened,
            () = tokio::time::sleep_until(next.into()) => Happened::Tick,
        }
    }

    /// Another machine wants a camera, or to know how it is.
    async fn want(&mut self, message: Message, now: Timestamp) {
        let camera = subject::wanted(&message.subject);
        let want = words::read::<Want>(&message.payload);
        let (Some(camera), Some(want)) = (camera, want) else {
            return self.engine.foreign(&message);
        };
        if want.id == self.id || self.standing != Standing::Held {
            return;
        }
        let mut outlets = self.outlets.iter_mut();
        let Some(outlet) = outlets.find(|outlet| outlet.name() == camera.as_str()) else {
            // Our presence says which there are.
            return;
        };
        let understood = outlet.want(want, now);
        let reply = message.reply.as_ref().filter(|_| understood.is_ok());
        if let Some(reply) = reply {
            let answer = words::write(&outlet.answer());
            self.engine.send(reply.to_string(), None, answer).await;
        }
        outlet.asked(understood, Timestamp::now().since(now));
        if understood.is_err() {
            self.engine.foreign(&message);
        }
    }

    /// A tool looks for services, or wants to know of this one. Whose name is another one's is none.
    async fn answer_tool(&self, message: &Message) {
        let asked = service::asked(&message.subject);
        let (Some(asked), Some(reply), Standing::Held) = (asked, &message.reply, self.standing)
        else {
            return;
        };
        let endpoints: Vec<_> = self
            .outlets
            .iter()
            .map(|o| o.endpoint(&self.host))
            .collect();
        let answer = service::answer(
            asked,
            self.host.as_str(),
            &self.id,
            self.started,
            &endpoints,
        );
        self.engine.send(reply.to_string(), None, answer).await;
    }

    /// Somebody has, or wants, our name.
    fn presence(&mut self, message: &Message, now: Timestamp) {
        match words::read::<Presence>(&message.payload) {
            Some(said) => {
                if self.name.hear(&said, now) {
                    self.present = now;
                }
            }
            None => self.engine.foreign(message),
        }
    }

    /// The server has a picture, or does not take it.
    fn reply(&mut self, message: &Message, now: Timestamp) {
        let number = message.subject.rsplit('.').next();
        let Some(number) = number.and_then(|number| number.parse().ok()) else {
            return;
        };
        let why = match serde_json::from_slice::<Ack>(&message.payload) {
            _ if message.status == Some(StatusCode::NO_RESPONDERS) => {
                format!("there is no stream {} that takes pictures", subject::STREAM)
            }
            Ok(Ack {
                error: Some(wrong), ..
            }) => format!("pictures are refused: {}", wrong.description),
            Ok(Ack {
                stream: Some(_), ..
            }) => return self.acknowledged(number, now),
            _ => return self.engine.foreign(message),
        };
        self.link.acks.refused(number);
        self.link.refused = now + REFUSED;
        self.engine.complain(NatsTopic::Pictures, &why);
    }

    fn acknowledged(&mut self, number: u64, now: Timestamp) {
        let link = &mut self.link;
        let busy = link.acks.acknowledged(number, now);
        while link.sent.front().is_some_and(|sent| sent.number < number) {
            link.sent.pop_front();
        }
        let Some(sent) = link.sent.pop_front() else {
            return;
        };
        if sent.number != number {
            link.sent.push_front(sent);
            return;
        }
        self.engine.content(NatsTopic::Pictures);
        let streams = self.outlets.iter().filter(|o| o.is_open()).count().max(1);
        let figures = link.acks.figures();
        if let Some(outlet) = self.outlets.get_mut(sent.outlet) {
            outlet.delivered(&Arrived {
                sequence: sent.sequence,
                latency: now.since(sent.captured).saturating_sub(figures.0 / 2),
                busy: busy.map(|busy| busy * streams as u32),
                link: figures,
            });
        }
    }

    async fn send(&mut self, index: usize, packet: Arc<Packet>, ears: &Ears, now: Timestamp) {
        self.turn = (index + 1) % self.outlets.len();
        let most = self.engine.client.max_payload();
        let bytes = packet.bytes.len();
        let outlet = &mut self.outlets[index];
        // That the camera is lost is said in words, which every machine draws by itself.
        if packet.origin == Origin::Blank {
            return outlet.sent(&packet, 0);
        }
        if bytes > most {
            self.engine.meters.too_large.add(1);
            if outlet.is_too_large(most) {
                let name = outlet.name().to_owned();
                tracing::warn!(
                    message_id = events::NATS_TROUBLE,
                    "NATS: a picture of {name} has {bytes} bytes, and the server takes {most}: raise \
                     max_payload in its configuration, or lower camera.{name}.quality"
                );
            }
            return self.outlets[index].sent(&packet, 0);
        }
        self.link.number += 1;
        let number = self.link.number;
        self.link.acks.sent(number, bytes, now);
        let reply = format!("{}.{number}", ears.inbox);
        let to = outlet.subject.clone();
        self.engine
            .send(to, Some(reply), packet.bytes.clone())
            .await;
        if self.link.sent.len() == AWAITED {
            self.link.sent.pop_front();
        }
        self.link.sent.push_back(Sent {
            number,
            outlet: index,
            sequence: packet.sequence,
            captured: packet.captured,
        });
        self.outlets[index].sent(&packet, bytes);
    }
}

/// What one of the cameras has for us: the first one is each time another.
fn poll(
    outlets: &mut [Outlet],
    turn: usize,
    may_send: bool,
    forecast: Option<Forecast>,
    cx: &Context<'_>,
) -> Poll<Happened> {
    let mut ordered = false;
    for outlet in &mut *outlets {
        ordered |= outlet.poll_orders(cx).is_ready();
    }
    if ordered {
        return Poll::Ready(Happened::Ordered);
    }
    let count = outlets.len();
    for index in (turn..turn + count).map(|n| n % count.max(1)) {
        if !may_send {
            break;
        }
        if let Poll::Ready(packet) = outlets[index].poll_picture(forecast, cx) {
            return Poll::Ready(Happened::Picture(index, packet));
        }
    }
    Poll::Pending
}
