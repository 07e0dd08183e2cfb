//! One client's life: a task that waits for whatever happens next and never for anything else.
//!
//! What it awaits: a frame from the hub (only while the gate is open), its socket (readable,
//! writable, a time stamp), an order from outside, a timer. What it sends: at most one frame at a
//! time, the newest; messages go between frames.

pub mod feed;
pub mod framing;
pub mod registry;
mod send;
mod talk;
pub mod tcp;
pub mod viewers;

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;

use crate::{
    camera::Place,
    config::values::Congestion,
    events,
    link::{
        delivery::{Outgoing, Pending},
        estimate::Link,
        gate::{Gate, Path, Verdict},
        readiness::{READABLE, Registration, STAMPED, WRITABLE},
        socket::{Info, Socket},
    },
    media::Timestamp,
    viewer::{
        feed::{Feed, HeldUp},
        framing::{Framing, Goodbye},
        registry::{Guard, Limits},
        viewers::Viewers,
    },
};

/// Messages to a client that reads none of them: beyond this it is dropped.
const MAX_OUTBOX: usize = 64 * 1024;

/// Bytes of input without a whole message, for any framing: beyond this it is dropped.
const MAX_INPUT: usize = 64 * 1024;

/// A frame that takes less than this part of the interval to drain needs no gate in between.
const FAST: f64 = 0.5;

/// A client and its socket.
pub struct Client {
    // Dropped before the socket that it watches.
    registration: Registration,
    socket: Socket,
    framing: Box<dyn Framing>,
    viewers: Arc<Viewers>,
    entry: Guard,
    feeds: Vec<Feed>,
    turn: usize,
    limits: Limits,
    gate: Gate,
    link: Link,
    info: Option<Info>,
    pending: Pending,
    outgoing: Option<Outgoing>,
    spare: (Vec<u8>, Vec<u8>),
    outbox: Vec<u8>,
    input: BytesMut,
    talks: bool,
    writable: bool,
    /// Whether the link was fast at the last frame.
    fast: bool,
    /// The cameras it asked for, until the frame under way is whole.
    asked: Option<Vec<String>>,
    /// How long its receive window had held us up at the last frame.
    receiver_limited: Duration,
    /// Bytes acknowledged at the last look, and when they last grew.
    taken: u32,
    progress: Timestamp,
    timer: Pin<Box<tokio::time::Sleep>>,
}

/// What a new client comes with.
pub struct Arrival {
    /// Its connected socket.
    pub socket: Socket,
    /// How its transport wraps things.
    pub framing: Box<dyn Framing>,
    /// Its place at its first camera.
    pub place: Place,
    /// What it calls itself; may be empty.
    pub name: String,
    /// Bytes that were read from it already.
    pub input: BytesMut,
    /// Its limits so far.
    pub limits: Limits,
    /// Whether it gets messages from the start.
    pub talks: bool,
    /// Congestion control of the connection.
    pub congestion: Congestion,
}

impl Client {
    /// Enters a client.
    ///
    /// # Errors
    /// When the kernel can't watch its socket.
    pub fn new(viewers: Arc<Viewers>, arrival: Arrival) -> io::Result<Self> {
        let Arrival {
            mut socket,
            mut framing,
            place,
            name,
            input,
            limits,
            talks,
            congestion,
        } = arrival;
        let now = Timestamp::now();
        socket.prepare(congestion, viewers.client_timeout());
        let registration = viewers.readiness.register(&socket)?;
        let entry = viewers.registry.enter(socket.peer(), framing.transport());
        let camera = &place.camera().name;
        {
            let mut figures = entry.figures();
            figures.cameras.clone_from(camera);
            figures.name = printable(&name);
            figures.limits = limits;
        }
        tracing::info!(
            message_id = events::CLIENT_CONNECTED,
            client = entry.id,
            peer = %entry.peer,
            camera = %camera,
            transport = ?entry.transport,
            "client connected: {}",
            entry.peer
        );
        let mut greeting = Vec::new();
        framing.greeting(entry.id, &mut greeting);
        let mut client = Self {
            registration,
            socket,
            framing,
            entry,
            feeds: vec![Feed::new(place, limits, now)],
            turn: 0,
            limits,
            gate: Gate::default(),
            link: Link::default(),
            info: None,
            pending: Pending::default(),
            outgoing: None,
            spare: Default::default(),
            outbox: greeting,
            input,
            talks,
            writable: true,
            fast: true,
            asked: None,
            receiver_limited: Duration::ZERO,
            taken: 0,
            progress: now,
            timer: Box::pin(tokio::time::sleep(viewers.client_timeout())),
            viewers,
        };
        if talks {
            client.welcome();
        }
        Ok(client)
    }

    /// Serves the client until it goes, and says in the log why it went.
    pub async fn run(mut self) {
        let why = std::future::poll_fn(|cx| self.poll(cx)).await;
        self.say_goodbye(&why);
        let figures = self.entry.figures();
        let (frames, bytes, cameras) = (figures.frames, figures.bytes, figures.cameras.clone());
        drop(figures);
        let (id, reason) = match &why {
            Goodbye::Kicked(reason) => (events::CLIENT_KICKED, format!("kicked: {reason}")),
            Goodbye::Stopping => (events::CLIENT_DISCONNECTED, "the server stops".into()),
            Goodbye::Violation(violation) => (events::CLIENT_DROPPED, violation.reason.clone()),
            Goodbye::TimedOut => (
                events::CLIENT_DROPPED,
                format!("took nothing for {:?}", self.viewers.client_timeout()),
            ),
            Goodbye::Closed => (events::CLIENT_DISCONNECTED, "closed by the client".into()),
        };
        if id == events::CLIENT_DROPPED {
            self.feeds[0].camera().dropped_clients.add(1);
        }
        tracing::info!(
            message_id = id,
            client = self.entry.id,
            peer = %self.entry.peer,
            camera = %cameras,
            frames,
            bytes,
            seconds = self.entry.age(Timestamp::now()).as_secs(),
            reason,
            "client disconnected: {}, {reason}",
            self.entry.peer
        );
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
                self.obey(orders)?;
            }
            let ready = self.registration.take(cx.waker());
            self.writable |= ready & WRITABLE != 0;
            if ready & STAMPED != 0 {
                self.take_stamps()?;
            }
            if ready & READABLE != 0 || !self.input.is_empty() {
                self.read(ready & READABLE != 0)?;
            }
            let sent = self.outgoing.is_some();
            if !self.write()? {
                return self.await_room(cx);
            }
            if let Some(names) = self.asked.take() {
                self.watch(&names);
                continue;
            }
            // A frame has just gone out: on a fast link the next thing to happen is the next frame.
            if sent && self.fast && !self.feeds.iter_mut().any(|feed| feed.ready(cx.waker())) {
                return Ok(());
            }
            let now = Timestamp::now();
            let path = self.look(now)?;
            match self.gate.check(now, &path) {
                Verdict::Open => match self.next_frame(cx) {
                    Some((frame, feed)) => self.begin(frame, feed, &path, now),
                    None => return Ok(()),
                },
                Verdict::Shut(again) => return self.await_gate(cx, &path, again, now),
            }
        }
    }

    /// Looks at what is in flight, and drops a client that takes nothing.
    fn look(&mut self, now: Timestamp) -> Result<Path, Goodbye> {
        let in_flight = self.socket.unacknowledged();
        if !self.fast || in_flight > 0 {
            self.ask();
        }
        let taken = self.socket.written().wrapping_sub(in_flight);
        if in_flight == 0 || taken != self.taken {
            (self.taken, self.progress) = (taken, now);
        } else if now.since(self.progress) >= self.viewers.client_timeout() {
            return Err(Goodbye::TimedOut);
        }
        Ok(Path {
            in_flight,
            rate: self.link.rate().unwrap_or(0.0),
            min_rtt: self
                .link
                .min_rtt(self.info.map_or(Duration::ZERO, |info| info.min_rtt)),
            window: self.info.map_or(u32::MAX, |info| info.window),
            unsent: self.info.map_or(0, |info| info.unsent),
            segment: self.info.map_or(0, |info| info.segment),
        })
    }

    /// The gate is shut: nothing is wanted until it opens, unless it will have opened anyway when
    /// the next frame comes.
    fn await_gate(
        &mut self,
        cx: &mut Context<'_>,
        path: &Path,
        again: Timestamp,
        now: Timestamp,
    ) -> Result<(), Goodbye> {
        let fast = (0..self.feeds.len()).all(|i| self.is_fast(path, i));
        if fast && !self.feeds.iter_mut().any(|feed| feed.ready(cx.waker())) {
            return Ok(());
        }
        let why = self.held_up_by();
        tracing::trace!(client = self.entry.id, ?path, ?why, wait = ?again.since(now), "gate shut");
        self.feeds.iter_mut().for_each(|feed| feed.rest(why));
        self.wake_after(cx, again.since(now));
        Ok(())
    }

    /// Whose fault it is that bytes are still on their way.
    fn held_up_by(&mut self) -> HeldUp {
        self.refresh();
        match self.info {
            Some(info) if info.probing => HeldUp::Probe,
            Some(info) if info.receiver_limited == self.receiver_limited => HeldUp::Link,
            _ => HeldUp::Reader,
        }
    }

    /// The socket takes no more now.
    fn await_room(&mut self, cx: &mut Context<'_>) -> Result<(), Goodbye> {
        let now = Timestamp::now();
        self.look(now)?;
        let why = self.held_up_by();
        self.feeds.iter_mut().for_each(|feed| feed.rest(why));
        let left = self
            .viewers
            .client_timeout()
            .saturating_sub(now.since(self.progress));
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

/// A name as it is shown on terminals and in logs: nothing in it may move a cursor.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
