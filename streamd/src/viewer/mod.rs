//! One viewer's life: a task that waits for whatever happens next and never for anything else.
//!
//! What it awaits: a frame from the hub (only while the gate is open), its socket (readable,
//! writable, a time stamp), an order from outside, a timer. What it sends: at most one frame at a
//! time, the newest; messages go between frames.

pub mod bandwidth;
pub mod coming;
pub mod door;
pub mod feed;
pub mod figures;
pub mod framing;
pub mod handover;
mod hear;
mod listening;
mod outgoing;
pub mod registry;
#[cfg(any(feature = "nats", feature = "rtsp", feature = "whep"))]
pub mod single;
mod talk;
pub mod tcp;
pub mod viewers;
mod watching;
mod wire;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use streamd_protocol::limits::Limits;

use self::{
    coming::shown_name,
    feed::HeldUp,
    framing::{Framing, Goodbye, Sending},
    listening::Listening,
    outgoing::Outgoing,
    registry::Guard,
    talk::{Heard, Talk},
    viewers::Viewers,
    watching::Watching,
    wire::Wire,
};
use crate::{
    access::{counts::Share, role::Shown},
    camera::Place,
    config::values::Congestion,
    link::{channel::Channel, gate::Path, receipts::Receipts},
    media::{Origin, Packet, Timestamp},
};

/// A viewer: what it watches, what is on its way to it, what it says and hears.
pub struct Viewer {
    viewers: Arc<Viewers>,
    entry: Guard,
    watching: Watching,
    wire: Wire,
    talk: Talk,
    listening: Listening,
    /// The cameras it asked for, until the frame under way is whole.
    asked: Option<Vec<String>>,
    #[allow(dead_code, reason = "held, and given back")]
    share: Option<Share>,
    timer: Pin<Box<tokio::time::Sleep>>,
}

/// What a new viewer comes with.
pub struct Arrival {
    /// Its number, by [`Registry::reserve`](registry::Registry::reserve).
    pub id: u64,
    /// Its connection.
    pub channel: Channel,
    /// Where it is, also behind a proxy.
    pub peer: String,
    /// How its transport wraps things.
    pub framing: Box<dyn Framing>,
    /// Who it is.
    pub who: Shown,
    /// Its place among the connections of its address.
    pub share: Option<Share>,
    /// Its place at its first camera.
    pub place: Place,
    /// What it calls itself; may be empty.
    pub name: String,
    /// Bytes that were read from it already.
    pub input: BytesMut,
    /// The limits it asked for so far.
    pub limits: Limits,
    /// Congestion control of the connection.
    pub congestion: Congestion,
}

impl Viewer {
    /// Enters a viewer.
    ///
    /// # Errors
    /// When its connection has been reset already, or the kernel can't watch its socket.
    pub fn new(viewers: Arc<Viewers>, arrival: Arrival) -> io::Result<Self> {
        let Arrival {
            id,
            mut channel,
            peer,
            framing,
            who,
            share,
            place,
            name,
            input,
            limits,
            congestion,
        } = arrival;
        if channel.socket().is_gone() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let now = Timestamp::now();
        let timeout = viewers.client_timeout();
        channel.socket_mut().prepare(congestion, timeout);
        let registration = viewers.readiness.register(&channel)?;
        let transport = framing.transport();
        let keys_every = framing.keys_every();
        let listening = Listening::new(&*framing, place.camera());
        let entry = viewers.registry.enter(id, peer, transport, limits);
        entry.show(who);
        viewers.bandwidth.come(viewers.registry.count());
        let watching = {
            let mut figures = entry.figures();
            figures.name = shown_name(&name);
            Watching::new(place, limits, &mut figures, now)
        };
        if let Some(interval) = keys_every {
            let feeds = watching.feeds().iter();
            feeds.for_each(|feed| feed.keys_every(interval));
        }
        Ok(Self {
            timer: Box::pin(tokio::time::sleep(viewers.client_timeout())),
            viewers,
            entry,
            watching,
            wire: Wire::new(registration, channel, now),
            talk: Talk::new(framing, input),
            listening,
            asked: None,
            share,
        })
    }

    /// Says in the log that it has come.
    pub fn announce(self) -> Self {
        coming::announce(&self.viewers, &self.entry);
        self
    }

    /// Serves the viewer until it goes, and says in the log why it went.
    pub async fn run(mut self) {
        let mut why = std::future::poll_fn(|cx| self.poll(cx)).await;
        if why == Goodbye::Kept {
            // What was agreed on by TLS can't be handed over.
            match self.wire.channel.is_secure() {
                true => why = Goodbye::Stopping,
                false => return self.hand_over(),
            }
        }
        self.say_goodbye(&why);
        if coming::part(&self.viewers, &self.entry, why) {
            self.watching.feeds()[0].camera().dropped_clients.add(1);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Goodbye> {
        match self.step(cx) {
            Ok(()) => Poll::Pending,
            Err(goodbye) => Poll::Ready(goodbye),
        }
    }

    /// Does all that can be done now; what is left will wake the task.
    fn step(&mut self, cx: &mut Context<'_>) -> Result<(), Goodbye> {
        loop {
            if let Some(orders) = self.entry.take_orders(cx.waker()) {
                self.watching.set_limits(orders.limits);
                orders.end.map_or(Ok(()), Err)?;
            }
            self.wire.poll_ready(cx.waker());
            self.take_stamps()?;
            self.read(cx)?;
            let sent = self.wire.outgoing.is_some();
            let is_paused = self.entry.limits().paused;
            self.listening.hear(&mut self.talk, is_paused, cx);
            let written = self.wire.write(&mut self.talk.outbox)?;
            if let Some(frame) = written.whole {
                self.count(frame);
            }
            if !written.all {
                return self.await_room(cx);
            }
            if let Some(names) = self.asked.take() {
                self.watch(&names);
                continue;
            }
            // A frame has just gone out: on a fast link the next thing to happen is the next frame.
            if sent && self.wire.fast && !self.watching.is_ready(cx.waker()) {
                return Ok(());
            }
            let now = Timestamp::now();
            let path = self.wire.look(now, self.viewers.client_timeout())?;
            if let Err((again, why)) = self.wire.check(now, &path, self.watching.stand_alone()) {
                return self.await_gate(cx, &path, (again, why), now);
            }
            match self.next_frame(cx, &path) {
                Some((frame, feed)) => self.begin(frame, feed, &path, now),
                None => return Ok(()),
            }
        }
    }

    /// Hears what the viewer has said, a turn's worth of it.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Goodbye> {
        if !self.wire.readable {
            return Ok(());
        }
        let mut said = Vec::new();
        let heard = self
            .talk
            .read(&mut self.wire.channel, &mut said, Timestamp::now())?;
        for received in said {
            self.hear(received)?;
        }
        self.wire.readable = heard == Heard::More;
        if self.wire.readable {
            // After the others' turn.
            cx.waker().wake_by_ref();
        }
        Ok(())
    }

    fn next_frame(&mut self, cx: &Context<'_>, path: &Path) -> Option<(Arc<Packet>, u32)> {
        let (entry, talk) = (&self.entry, &mut self.talk);
        self.watching
            .next(&self.wire, path, cx.waker(), |feed, change| {
                hear::rendition_changed(entry, talk, feed, change);
            })
    }

    fn begin(&mut self, packet: Arc<Packet>, feed: u32, path: &Path, now: Timestamp) {
        let Some(of) = self.watching.feed(feed) else {
            return;
        };
        if let Some(news) = of.signal_changed(packet.origin) {
            self.talk.say(&news);
        }
        let with_frame = path.with(packet.bytes.len() as u32);
        let wire = &mut self.wire;
        wire.fast = Wire::is_fast(&with_frame, of.interval());
        let pace = if wire.fast {
            self.viewers.stamp_pace()
        } else {
            Duration::ZERO
        };
        let stamping = wire.deliveries.stamping(pace, now);
        let spare = std::mem::take(&mut wire.spare);
        let mut outgoing = Outgoing::new(packet, feed, stamping, spare, now);
        let framing = &mut self.talk.framing;
        let sending = sending(&self.entry, feed, framing.wants_fps(), now);
        framing.before(&outgoing.packet, &sending, &mut outgoing.before);
        framing.cuts(&outgoing.packet, outgoing.before.len(), &mut outgoing.cuts);
        framing.after(&outgoing.packet, &sending, &mut outgoing.after);
        let question = outgoing.packet.sequence;
        if wire.receipts.are_missing(now) && framing.ask(question, &mut outgoing.after) {
            wire.receipts.ask(question);
        }
        wire.outgoing = Some(wire.marked(outgoing));
    }

    /// A frame has been handed to the kernel whole.
    fn count(&mut self, sent: Outgoing) {
        let most = self.viewers.bandwidth.of_each();
        let heard = self.listening.take_bytes();
        self.watching
            .spend(sent.total() + heard, most, Timestamp::now());
        if let Some(feed) = self.watching.feed(sent.feed) {
            let left_out = feed.sent(&sent.packet);
            let camera = feed.camera();
            let is_frame = sent.packet.origin != Origin::Blank;
            camera.sent.add(is_frame.into());
            camera.bytes.add(sent.total() as u64);
            if let Some(figures) = self.entry.figures().feed(sent.feed) {
                figures.sent(sent.total(), is_frame, &left_out, Timestamp::now());
            }
        }
        self.wire.spare = sent.spare();
    }

    fn take_stamps(&mut self) -> Result<(), Goodbye> {
        let (entry, watching) = (&self.entry, &mut self.watching);
        let arrived = |receipts: &Receipts, frame| watching.arrived(entry, receipts, frame);
        if self.wire.take_stamps(arrived)? {
            self.show_connection();
        }
        Ok(())
    }

    /// Puts what is known of the connection into the figures.
    fn show_connection(&mut self) {
        let mut figures = self.entry.figures();
        (figures.rtt, figures.link_rate, figures.backlog) = self.wire.figures();
    }

    /// The gate is shut: nothing is wanted until it opens, unless it will have opened anyway when
    /// the next frame comes.
    fn await_gate(
        &mut self,
        cx: &mut Context<'_>,
        path: &Path,
        (again, why): (Timestamp, HeldUp),
        now: Timestamp,
    ) -> Result<(), Goodbye> {
        let mut feeds = self.watching.feeds().iter();
        let fast = feeds.all(|feed| Wire::is_fast(path, feed.interval()));
        if why != HeldUp::Unread && fast && !self.watching.is_ready(cx.waker()) {
            return Ok(());
        }
        self.show_connection();
        tracing::trace!(client = self.entry.id, ?path, ?why, wait = ?again.since(now), "gate shut");
        self.watching.rest(why);
        self.wake_after(cx, again.since(now));
        Ok(())
    }

    /// The socket takes no more now.
    fn await_room(&mut self, cx: &mut Context<'_>) -> Result<(), Goodbye> {
        let now = Timestamp::now();
        let timeout = self.viewers.client_timeout();
        self.wire.look(now, timeout)?;
        let why = self.wire.held_up_by();
        self.show_connection();
        self.watching.rest(why);
        let left = timeout.saturating_sub(self.wire.stalled_for(now));
        self.wake_after(cx, left + Duration::from_millis(1));
        Ok(())
    }

    fn wake_after(&mut self, cx: &mut Context<'_>, delay: Duration) {
        self.timer
            .as_mut()
            .reset(tokio::time::Instant::now() + delay);
        // Already over: the task is woken at once, not forgotten.
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

/// What the transport may tell a viewer of its own connection.
fn sending(entry: &Guard, feed: u32, wants_fps: bool, now: Timestamp) -> Sending {
    let mut figures = entry.figures();
    let figures = figures.feed(feed);
    Sending {
        client: entry.id,
        fps: match &figures {
            Some(figures) if wants_fps => figures.rate.rate(now),
            _ => 0.0,
        },
        dropped: figures.map_or(0, |figures| figures.dropped.total as u64),
        now,
    }
}
