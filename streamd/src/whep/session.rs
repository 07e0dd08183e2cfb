//! A viewer over WebRTC, from its answer to its end.

use std::{
    collections::VecDeque,
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use str0m::{
    Event, IceConnectionState, Input, Output,
    media::{Frequency, MediaTime},
    net::{Protocol, Receive},
    rtp::{RawPacket, rtcp::Rtcp},
};
use streamd_protocol::{limits::Limits, stats::Transport};

use super::{
    endpoint::{Datagram, Endpoint, Seat},
    listening::{self, Listening},
    offer::Agreed,
};
use crate::{
    access::{counts::Share, role::Shown},
    camera::Place,
    link::{
        budget::Budget,
        delivery::{Arrived as Delivered, By},
        estimate::Forecast,
        feedback::{Feedback, Reported},
        gate::{Gate, Verdict},
    },
    media::{Packet, Timestamp},
    sound,
    viewer::{
        coming,
        feed::{Feed, HeldUp},
        framing::Goodbye,
        registry::Guard,
        single,
        viewers::Viewers,
    },
};

/// A client that has not connected after so long does not.
const CONNECTS: Duration = Duration::from_secs(15);

/// Units of a picture's time a second.
const CLOCK: u32 = 90_000;

/// Pictures whose arrival is awaited at most.
const AWAITED: usize = 256;

/// Bytes that SRTP adds to a packet.
const SRTP: usize = 10;

/// Bytes of an RTP header with the extensions that are sent.
const RTP: usize = 24;

/// Sound that would wait for longer than this on its way, behind what is in flight, is left out: the
/// link does not carry it.
const LATE: Duration = Duration::from_millis(200);

/// For how long a receiver may hold pictures back that have sound beside them, to play both in step, in
/// hundredths of a second; others are shown at once.
const IN_STEP: u64 = 40;

/// What a new viewer comes with.
pub struct Arrived {
    /// Where it is.
    pub peer: Arc<str>,
    /// What it calls itself; may be empty.
    pub name: String,
    /// What was agreed on.
    pub agreed: Agreed,
    /// Where its datagrams come in.
    pub seat: Seat,
    /// The port.
    pub endpoint: Arc<Endpoint>,
    /// The limits that it asked for.
    pub limits: Limits,
    /// Who it is, by what it has shown.
    pub who: Shown,
    /// Its place at the camera.
    pub place: Place,
    /// Its place among the connections of its address.
    pub share: Share,
}

/// A picture that has been sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    sequence: u64,
    captured: Timestamp,
}

/// A viewer.
pub struct Watcher {
    viewers: Arc<Viewers>,
    entry: Guard,
    feed: Feed,
    agreed: Agreed,
    listening: Option<Listening>,
    seat: Seat,
    endpoint: Arc<Endpoint>,
    feedback: Feedback,
    gate: Gate,
    budget: Budget,
    /// The pictures on their way.
    sent: VecDeque<Sent>,
    pictures: u64,
    connected: bool,
    began: Instant,
    /// When the protocols want to look at the clock.
    tick: Instant,
    /// When the gate is to be asked again.
    again: Option<Timestamp>,
    #[allow(dead_code, reason = "held, and given back")]
    share: Share,
}

/// What has happened.
enum Happened {
    Ordered(Option<Goodbye>),
    Came(Option<Datagram>),
    Ended,
    Tick,
    Picture(Arc<Packet>),
    Sound(Arc<sound::Packet>),
}

impl Watcher {
    /// Enters it, and says in the log that it has come.
    pub fn new(viewers: Arc<Viewers>, arrived: Arrived) -> Self {
        let Arrived {
            peer,
            name,
            agreed,
            seat,
            endpoint,
            limits,
            who,
            place,
            share,
        } = arrived;
        let now = Timestamp::now();
        let watches = coming::Watches {
            camera: &place.camera().name,
            transport: Transport::Webrtc,
            limits,
        };
        let entry = coming::enter(&viewers, peer.to_string(), &name, who, &watches);
        let heard = place.camera().sound().filter(|_| agreed.sound.is_some());
        Self {
            listening: heard.cloned().map(Listening::new),
            feed: Feed::new(1, place, limits, now),
            viewers,
            entry,
            agreed,
            seat,
            endpoint,
            feedback: Feedback::default(),
            gate: Gate::default(),
            budget: Budget::default(),
            sent: VecDeque::new(),
            pictures: 0,
            connected: false,
            began: Instant::now(),
            tick: Instant::now(),
            again: None,
            share,
        }
    }

    /// Serves it until it goes, and says in the log why it went.
    pub async fn run(mut self) {
        let why = loop {
            if let Err(why) = self.drain() {
                break why;
            }
            let happened = self.happens().await;
            if let Err(why) = self.meet(happened) {
                break why;
            }
        };
        // Its last words: that it is over.
        if self.agreed.rtc.close().is_ok() {
            let _ = self.drain();
        }
        if coming::part(&self.viewers, &self.entry, why) {
            self.feed.camera().dropped_clients.add(1);
        }
    }

    async fn happens(&mut self) -> Happened {
        let now = Timestamp::now();
        self.again = match self.gate.check(now, &self.feedback.path(now)) {
            Verdict::Open => None,
            Verdict::Shut(again) => {
                self.feed.rest(HeldUp::Link);
                Some(again)
            }
        };
        let may_send = self.connected && self.again.is_none();
        let gate = self.again.map(|again| Instant::now() + again.since(now));
        let next = gate.map_or(self.tick, |gate| gate.min(self.tick));
        let most = self.viewers.bandwidth.of_each();
        let forecast = Forecast::within(self.feedback.forecast(now), most);
        let (entry, feed) = (&self.entry, &mut self.feed);
        let hears = self.connected && !entry.limits().paused;
        tokio::select! {
            biased;
            orders = poll_fn(|cx| entry.take_orders(cx.waker()).map_or(Poll::Pending, Poll::Ready)) => {
                feed.set_limits(orders.limits);
                Happened::Ordered(orders.end)
            }
            () = self.seat.end.cancelled() => Happened::Ended,
            came = self.seat.datagrams.recv() => Happened::Came(came),
            packet = listening::next(&mut self.listening, hears) => Happened::Sound(packet),
            packet = poll_fn(|cx| single::next_picture(feed, entry, forecast, None, cx)), if may_send => Happened::Picture(packet),
            () = tokio::time::sleep_until(next.into()) => Happened::Tick,
        }
    }

    fn meet(&mut self, happened: Happened) -> Result<(), Goodbye> {
        let now = Instant::now();
        match happened {
            Happened::Ordered(end) => end.map_or(Ok(()), Err),
            Happened::Ended | Happened::Came(None) => Err(Goodbye::Closed),
            Happened::Came(Some((bytes, from))) => {
                let Ok(contents) = bytes.as_slice().try_into() else {
                    return self.broken();
                };
                let received = Receive {
                    proto: Protocol::Udp,
                    source: from,
                    destination: self.agreed.local,
                    contents,
                };
                match self.agreed.rtc.handle_input(Input::Receive(now, received)) {
                    Ok(()) => Ok(()),
                    Err(error) => {
                        tracing::debug!(client = self.entry.id, %error, "WebRTC");
                        self.broken()?;
                        Err(Goodbye::Closed)
                    }
                }
            }
            Happened::Tick => {
                if !self.connected && now >= self.began + CONNECTS {
                    return Err(Goodbye::Silent(CONNECTS));
                }
                self.turn(now)
            }
            Happened::Sound(packet) => self.speak(&packet, now),
            Happened::Picture(packet) => self.send(packet, now),
        }
    }

    fn broken(&mut self) -> Result<(), Goodbye> {
        self.entry.figures().errors += 1;
        self.viewers.broken.add(1);
        Ok(())
    }

    fn turn(&mut self, now: Instant) -> Result<(), Goodbye> {
        let turned = self.agreed.rtc.handle_input(Input::Timeout(now));
        turned.map_err(|_| Goodbye::Closed)
    }

    /// Sends what the protocols have to send, and hears what they say.
    fn drain(&mut self) -> Result<(), Goodbye> {
        // Behind the others, so that what loses several at once does not take both.
        let mut copies: Vec<(Vec<u8>, SocketAddr)> = Vec::new();
        loop {
            match self.agreed.rtc.poll_output().map_err(|_| Goodbye::Closed)? {
                Output::Timeout(at) => {
                    for (copy, to) in copies {
                        self.endpoint.send(&copy, to);
                    }
                    self.tick = match self.connected {
                        true => at,
                        false => at.min(self.began + CONNECTS),
                    };
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    self.endpoint.send(&datagram.contents, datagram.destination);
                    if self.feedback.goes_twice() && is_media(&datagram.contents) {
                        copies.push((datagram.contents.to_vec(), datagram.destination));
                    }
                }
                Output::Event(event) => self.hear(event)?,
            }
        }
    }

    fn hear(&mut self, event: Event) -> Result<(), Goodbye> {
        match event {
            Event::Connected => {
                self.connected = true;
                self.feed.begin_anew();
                tracing::debug!(client = self.entry.id, "WebRTC: connected");
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) if self.connected => {
                return Err(Goodbye::TimedOut);
            }
            Event::Closed => return Err(Goodbye::Closed),
            Event::KeyframeRequest(_) => self.feed.begin_anew(),
            Event::RawPacket(raw) => self.see(*raw),
            _ => {}
        }
        Ok(())
    }

    /// Packets as they go, and reports as they come.
    fn see(&mut self, raw: RawPacket) {
        let now = Timestamp::now();
        match raw {
            RawPacket::RtpTx(head, body) => {
                let sound = self.agreed.sound.map(|sound| sound.payload);
                let bytes = RTP + body.len() + SRTP;
                match head.ext_vals.transport_cc {
                    Some(number) if sound == Some(head.payload_type) => {
                        self.feedback.sent_beside(number, bytes, now);
                    }
                    Some(number) => self.feedback.sent(number, bytes, now),
                    None => {}
                }
            }
            RawPacket::RtcpRx(Rtcp::Twcc(report)) => {
                let zero = self.began;
                let near = self.feedback.newest();
                let reported = report.into_iter(zero, near.into());
                let reported = reported.map(|(number, _, arrived)| Reported {
                    number: *number,
                    arrived: arrived.map(|at| (at - zero).as_nanos() as i64),
                });
                let delivered = self.feedback.report(reported, now);
                self.delivered(&delivered, now);
            }
            _ => {}
        }
    }

    fn delivered(&mut self, all: &[crate::link::feedback::Delivered], now: Timestamp) {
        for one in all {
            while self
                .sent
                .front()
                .is_some_and(|sent| sent.number < one.picture)
            {
                self.sent.pop_front();
            }
            let Some(sent) = self.sent.front().filter(|sent| sent.number == one.picture) else {
                continue;
            };
            let arrived = Delivered {
                feed: self.feed.id,
                sequence: sent.sequence,
                latency: one.arrived.since(sent.captured),
                busy: one.busy,
                by: By::Receipt,
            };
            self.feed.delivered(arrived.sequence, arrived.busy);
            if let Some(figures) = self.entry.figures().feed(self.feed.id) {
                figures.latency.add(arrived.latency);
            }
        }
        if !all.is_empty() {
            let mut figures = self.entry.figures();
            (figures.rtt, figures.link_rate, figures.backlog) = self.feedback.figures(now);
        }
    }

    /// Hands a picture to the protocols.
    fn send(&mut self, packet: Arc<Packet>, now: Instant) -> Result<(), Goodbye> {
        let _ = self.feed.signal_changed(packet.origin);
        self.pictures += 1;
        self.feedback.begin(self.pictures);
        let pictures = self.agreed.pictures;
        let Some(writer) = self.agreed.rtc.writer(pictures.mid) else {
            return Err(Goodbye::Closed);
        };
        let micros = packet.captured.as_nanos() / 1000;
        let time = MediaTime::new(micros * u64::from(CLOCK) / 1_000_000, Frequency::NINETY_KHZ);
        let most = self.listening.as_ref().map_or(0, |_| IN_STEP);
        let [none, most] = [0, most].map(MediaTime::from_hundredths);
        let captured = instant(packet.captured, now);
        let written = writer.playout_delay(none, most).write(
            pictures.payload,
            captured,
            time,
            &*packet.bytes,
        );
        if let Err(error) = written {
            tracing::debug!(client = self.entry.id, %error, "WebRTC: a picture was not sent");
            return Ok(());
        }
        self.turn(now)?;
        if self.sent.len() == AWAITED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            number: self.pictures,
            sequence: packet.sequence,
            captured: packet.captured,
        });
        self.count(&packet);
        Ok(())
    }

    /// Hands a packet of sound to the protocols, unless it would be late. It goes before any picture
    /// that comes after it.
    fn speak(&mut self, packet: &sound::Packet, now: Instant) -> Result<(), Goodbye> {
        let (Some(listening), Some(sound)) = (&mut self.listening, self.agreed.sound) else {
            return Ok(());
        };
        let path = self.feedback.path(Timestamp::now());
        if path.rate > 0.0 && path.drain() > (path.min_rtt + LATE).as_secs_f64() {
            listening.left_out();
            return Ok(());
        }
        let Some(writer) = self.agreed.rtc.writer(sound.mid) else {
            return Ok(());
        };
        let time = MediaTime::new(listening.stamp(packet), Frequency::FORTY_EIGHT_KHZ);
        let captured = instant(packet.captured, now);
        let written = writer.write(sound.payload, captured, time, &*packet.data);
        if let Err(error) = written {
            tracing::debug!(client = self.entry.id, %error, "WebRTC: sound was not sent");
            listening.left_out();
            return Ok(());
        }
        self.turn(now)?;
        let most = self.viewers.bandwidth.of_each();
        let bytes = packet.data.len() * self.copies();
        let then = self.budget.spend(bytes, most, Timestamp::now());
        self.feed.afford(then);
        self.feed.camera().bytes.add(bytes as u64);
        Ok(())
    }

    /// How many times each datagram goes out.
    fn copies(&self) -> usize {
        if self.feedback.goes_twice() { 2 } else { 1 }
    }

    fn count(&mut self, packet: &Packet) {
        let most = self.viewers.bandwidth.of_each();
        let bytes = packet.bytes.len() * self.copies();
        let spent = (&mut self.budget, most);
        single::count(&mut self.feed, &self.entry, packet, bytes, spent);
    }
}

/// Whether a datagram is one of pictures or sound (RFC 5761, section 4; RFC 7983).
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

/// A moment as the protocols have it: of the same clock, so that the sender reports of pictures and of
/// sound say when both were captured.
fn instant(at: Timestamp, now: Instant) -> Instant {
    let ago = Timestamp::now().since(at);
    now.checked_sub(ago).unwrap_or(now)
}
