//! A viewer that gets its pictures in datagrams: no more than one picture is ever under way, in
//! small bursts, and a picture that can't be got rid of is given up for a newer one.

use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use streamd_protocol::{limits::Limits, stats::Transport, stream::Want};
use tokio::time::Instant;

use super::{
    connection::{Connection, Ended},
    listening::{Listening, listen},
    payload::Pieces,
    request::Said,
    rtcp,
    rtp::HEAD,
    session::{KEYS_EVERY, Session, TIMEOUT, Then},
    sockets::{Datagrams, Pair},
};
use crate::{
    access::{counts::Share, role::Shown},
    camera::Place,
    link::{budget::Budget, estimate::Forecast},
    media::{Packet, Timestamp},
    viewer::{
        coming,
        feed::{Feed, HeldUp},
        framing::{Goodbye, Violation},
        registry::Guard,
        single,
        viewers::Viewers,
    },
};

/// Bytes of a datagram: within the smallest path that is usual, tunnels included.
const MOST: usize = 1400;

/// Datagrams that go at once, and the time until the next ones: some 100 Mb/s, in bursts that fit
/// into the smallest buffers on the way.
const BURST: usize = 10;
const PAUSE: Duration = Duration::from_millis(1);

/// The part of the time between two pictures in which one has gone, however large it is.
const WITHIN: f64 = 0.5;

/// A picture that has not gone after so many intervals is given up.
const GIVEN_UP: f64 = 2.0;

/// Bytes of a report that is read at most; more of it is cut off, and it is none then.
const MAX_REPORT: usize = 1500;

/// A picture on its way.
struct Outgoing {
    packet: Arc<Packet>,
    datagrams: Datagrams,
    /// How many go at once.
    burst: usize,
    began: Timestamp,
}

/// What a new viewer comes with.
pub struct Arrived {
    /// Where it is.
    pub peer: String,
    /// What it calls itself; may be empty.
    pub name: String,
    /// Where it is asked, and answers.
    pub connection: Connection,
    /// What was agreed on.
    pub session: Session,
    /// Where pictures go.
    pub pair: Pair,
    /// Where sound goes, if it is wanted.
    pub sound: Option<Pair>,
    /// The limits that it asked for.
    pub limits: Limits,
    /// Who it is, by what it has shown.
    pub who: Shown,
    /// Its place at the camera.
    pub place: Place,
    /// Its place among the connections of its address.
    pub share: Share,
}

/// A viewer.
pub struct Watcher {
    viewers: Arc<Viewers>,
    entry: Guard,
    feed: Feed,
    session: Session,
    pair: Pair,
    connection: Connection,
    listening: Option<Listening>,
    outgoing: Option<Outgoing>,
    pieces: Pieces,
    budget: Budget,
    /// When the next burst goes.
    next: Instant,
    /// When it ends, unless its client says something.
    end: Instant,
    #[allow(dead_code, reason = "held, and given back")]
    share: Share,
}

/// What has happened.
enum Event {
    Ordered(Option<Goodbye>),
    Said(Result<Said, Ended>),
    Reported(io::Result<usize>),
    /// The client has no such port, or says something there, which means nothing.
    Answered(io::Result<usize>),
    /// So many bytes of sound have gone, or the client has said something there.
    Heard(usize),
    Burst,
    Picture(Arc<Packet>),
    Over,
}

impl Watcher {
    /// Enters it, and says in the log that it has come.
    pub fn new(viewers: Arc<Viewers>, arrived: Arrived) -> Self {
        let Arrived {
            peer,
            name,
            connection,
            session,
            pair,
            sound,
            limits,
            who,
            place,
            share,
        } = arrived;
        let now = Timestamp::now();
        let watches = coming::Watches {
            camera: &place.camera().name,
            transport: Transport::Rtsp,
            limits,
        };
        let entry = coming::enter(&viewers, peer, &name, who, &watches);
        let feed = Feed::new(1, place, limits, now);
        feed.keys_every(KEYS_EVERY);
        let heard = feed.camera().sound().cloned();
        Self {
            listening: heard
                .zip(sound)
                .map(|(sound, pair)| Listening::new(sound, pair)),
            feed,
            viewers,
            entry,
            session,
            pair,
            connection,
            outgoing: None,
            pieces: Pieces::default(),
            budget: Budget::default(),
            next: Instant::now(),
            end: Instant::now() + TIMEOUT,
            share,
        }
    }

    /// Serves it until it goes, and says in the log why it went.
    pub async fn run(mut self) {
        let why = loop {
            let event = self.happens().await;
            if let Err(why) = self.meet(event).await {
                break why;
            }
        };
        let mut bye = Vec::new();
        self.session.stream.bye(&mut bye);
        let _ = self.pair.rtcp.try_send(&bye);
        if let (Some(listening), Some(sound)) = (&self.listening, &self.session.sound) {
            listening.end(sound);
        }
        if coming::part(&self.viewers, &self.entry, why) {
            self.feed.camera().dropped_clients.add(1);
        }
    }

    async fn happens(&mut self) -> Event {
        let mut report = [0; MAX_REPORT];
        let mut word = [0; 16];
        let (entry, feed) = (&self.entry, &mut self.feed);
        let is_sending = self.outgoing.is_some();
        // Nothing is known of the link but what may be sent.
        let forecast = Forecast::within(None, self.viewers.bandwidth.of_each());
        let is_paused = entry.limits().paused;
        tokio::select! {
            biased;
            orders = poll_fn(|cx| entry.take_orders(cx.waker()).map_or(Poll::Pending, Poll::Ready)) => {
                feed.set_limits(orders.limits);
                Event::Ordered(orders.end)
            }
            said = self.connection.said() => Event::Said(said),
            got = self.pair.rtcp.recv(&mut report) => Event::Reported(got.inspect(|length| {
                hear(&report[..*length], &self.session, entry, &self.viewers);
            })),
            got = self.pair.rtp.recv(&mut word) => Event::Answered(got),
            heard = listen(&mut self.listening, &mut self.session, is_paused) => Event::Heard(heard),
            () = tokio::time::sleep_until(self.next), if is_sending => Event::Burst,
            packet = poll_fn(|cx| single::next_picture(feed, entry, forecast, None, cx)), if !is_sending => Event::Picture(packet),
            () = tokio::time::sleep_until(self.end) => Event::Over,
        }
    }

    async fn meet(&mut self, event: Event) -> Result<(), Goodbye> {
        match event {
            Event::Ordered(end) => end.map_or(Ok(()), Err),
            Event::Said(said) => {
                self.end = Instant::now() + TIMEOUT;
                self.obey(said.map_err(goodbye)?).await
            }
            Event::Reported(Ok(_)) => {
                self.end = Instant::now() + TIMEOUT;
                Ok(())
            }
            // It may have no port for reports.
            Event::Reported(Err(_)) => Ok(()),
            Event::Answered(Ok(_)) => Ok(()),
            Event::Answered(Err(_)) => Err(Goodbye::Closed),
            Event::Heard(bytes) => {
                if bytes == 0 {
                    self.end = Instant::now() + TIMEOUT;
                }
                let most = self.viewers.bandwidth.of_each();
                let then = self.budget.spend(bytes, most, Timestamp::now());
                self.feed.afford(then);
                self.feed.camera().bytes.add(bytes as u64);
                Ok(())
            }
            Event::Burst => self.send(),
            Event::Picture(packet) => {
                self.begin(packet);
                self.send()
            }
            Event::Over => Err(Goodbye::Silent(TIMEOUT)),
        }
    }

    async fn obey(&mut self, said: Said) -> Result<(), Goodbye> {
        let Said::Request(request) = said else {
            return Ok(());
        };
        let (answer, then) = self.session.answer(&request);
        let mut bytes = Vec::new();
        answer.write(request.number, &mut bytes);
        self.connection.send(&bytes).await.map_err(goodbye)?;
        let paused = match then {
            Then::Nothing => return Ok(()),
            Then::End => return Err(Goodbye::Closed),
            Then::Play => false,
            Then::Pause => true,
        };
        let want = Want {
            paused: Some(paused),
            ..Want::default()
        };
        // It is in its range.
        let _ = self.entry.want(&want);
        self.feed.set_limits(self.entry.limits());
        Ok(())
    }

    /// Makes datagrams of a picture.
    fn begin(&mut self, packet: Arc<Packet>) {
        let now = Timestamp::now();
        let stream = &mut self.session.stream;
        if stream.owes_report(now) {
            let mut report = Vec::new();
            stream.report(now, &mut report);
            // The next one says the same.
            let _ = self.pair.rtcp.try_send(&report);
        }
        let _ = self.feed.signal_changed(packet.origin);
        // What can't be sent is left out: whoever asks for such pictures is told so at once.
        let _ = self.pieces.cut(&packet, MOST - HEAD);
        let datagrams = Datagrams::new(&packet, &self.pieces, stream);
        let bursts = self.feed.interval().mul_f64(WITHIN).as_millis().max(1) as usize;
        self.outgoing = Some(Outgoing {
            burst: BURST.max(datagrams.count().div_ceil(bursts)),
            packet,
            datagrams,
            began: now,
        });
    }

    /// Sends the next burst.
    fn send(&mut self) -> Result<(), Goodbye> {
        let Some(outgoing) = &mut self.outgoing else {
            return Ok(());
        };
        let mut left = outgoing.burst;
        while left > 0 && !outgoing.datagrams.is_sent() {
            match outgoing.datagrams.send(&self.pair.rtp, left) {
                Ok(count) => left -= count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err(Goodbye::Closed);
                }
                // Of a network that is down for a moment: this is lost, as anything may be.
                Err(_) => outgoing.datagrams.skip(),
            }
        }
        self.next = Instant::now() + PAUSE;
        let is_whole = outgoing.datagrams.is_sent();
        let late = Timestamp::now().since(outgoing.began);
        if is_whole {
            self.count();
        } else if late > self.feed.interval().mul_f64(GIVEN_UP) {
            self.outgoing = None;
            self.feed.rest(HeldUp::Link);
            self.feed.begin_anew();
        }
        Ok(())
    }

    /// A picture has gone whole.
    fn count(&mut self) {
        let Some(sent) = self.outgoing.take() else {
            return;
        };
        let bytes = sent.datagrams.bytes();
        let spent = (&mut self.budget, self.viewers.bandwidth.of_each());
        single::count(&mut self.feed, &self.entry, &sent.packet, bytes, spent);
    }
}

/// What the client reports of what it gets.
fn hear(bytes: &[u8], session: &Session, entry: &Guard, viewers: &Viewers) {
    match rtcp::read(bytes, session.stream.ssrc()) {
        Ok(heard) => {
            let now = Timestamp::now().unix_micros();
            let report = heard.report.and_then(|report| report.round_trip(now));
            if let Some(round_trip) = report {
                entry.figures().rtt = round_trip;
            }
        }
        Err(_) => {
            viewers.broken.add(1);
            entry.figures().errors += 1;
        }
    }
}

fn goodbye(ended: Ended) -> Goodbye {
    match ended {
        Ended::Closed => Goodbye::Closed,
        Ended::Unread => Goodbye::TimedOut,
        Ended::Broken(_) | Ended::TooLate => Goodbye::Violation(Violation {
            reason: ended.to_string(),
            code: 1002,
        }),
    }
}
