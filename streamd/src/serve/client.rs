//! One client's life: a task that waits for whatever happens next and never for anything else.
//!
//! What it awaits: a frame from the hub (only while the gate is open), its socket (readable,
//! writable, a time stamp), an order from outside, a timer. What it sends: at most one frame at a
//! time, the newest; messages go between frames.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use streamd_protocol::stream::{Event, FromClient, ToClient};

use super::{
    delivery::{Arrived, Outgoing, Pending},
    feed::{Change, Feed, HeldUp},
    framing::{Framing, Goodbye, Received, Sending, Violation},
    gate::{Gate, Path, Verdict},
    link::Link,
    readiness::{READABLE, Registration, STAMPED, WRITABLE},
    registry::{Guard, Limits, Orders},
    socket::{Info, Socket},
    stage::Stage,
};
use crate::{
    camera::Place,
    config::values::Congestion,
    events,
    frame::{JpegFrame, Timestamp},
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
    stage: Arc<Stage>,
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
    pub fn new(stage: Arc<Stage>, arrival: Arrival) -> io::Result<Self> {
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
        socket.prepare(congestion, stage.client_timeout());
        let registration = stage.readiness.register(&socket)?;
        let entry = stage.registry.enter(socket.peer(), framing.transport());
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
            timer: Box::pin(tokio::time::sleep(stage.client_timeout())),
            stage,
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
                format!("took nothing for {:?}", self.stage.client_timeout()),
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
            // A frame has just gone out: on a fast link the next thing to happen is the next frame.
            if sent && self.fast && !self.feeds.iter_mut().any(|feed| feed.ready(cx.waker())) {
                return Ok(());
            }
            if let Some(names) = self.asked.take() {
                self.watch(&names);
                continue;
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
        } else if now.since(self.progress) >= self.stage.client_timeout() {
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

    fn next_frame(&mut self, cx: &Context<'_>) -> Option<(Arc<JpegFrame>, usize)> {
        let now = Timestamp::now();
        for i in 0..self.feeds.len() {
            let i = (self.turn + i) % self.feeds.len();
            self.decide(i, now);
            if let Some(frame) = self.feeds[i].next(cx.waker()) {
                self.turn = i + 1;
                return Some((frame, i));
            }
        }
        None
    }

    fn decide(&mut self, index: usize, now: Timestamp) {
        let share = 1.0 / self.feeds.len() as f64;
        let feed = &mut self.feeds[index];
        if let Some(change) = feed.decide(&self.link, share, now) {
            change.record(&self.entry, &feed.camera().name);
            self.tell_rendition(index, &change);
        }
    }

    fn begin(&mut self, frame: Arc<JpegFrame>, feed: usize, path: &Path, now: Timestamp) {
        self.tell_origin(&frame, feed);
        let with_frame = Path {
            in_flight: path.in_flight.saturating_add(frame.bytes.len() as u32),
            ..*path
        };
        self.fast = self.is_fast(&with_frame, feed);
        let spare = std::mem::take(&mut self.spare);
        let pace = if self.fast {
            self.stage.stamp_pace()
        } else {
            Duration::ZERO
        };
        let mut outgoing = self.pending.begin(frame, feed, spare, pace, now);
        outgoing.bare = !self.framing.carries_pictures();
        let sending = {
            let figures = self.entry.figures();
            let fps = if self.framing.wants_fps() {
                figures.rate.rate(now)
            } else {
                0.0
            };
            Sending {
                client: self.entry.id,
                fps,
                dropped: figures.dropped.total as u64,
                now,
            }
        };
        self.framing
            .before(&outgoing.frame, &sending, &mut outgoing.before);
        self.framing
            .after(&outgoing.frame, &sending, &mut outgoing.after);
        self.outgoing = Some(outgoing);
    }

    /// Whether frames drain so quickly that the gate need not be watched between them.
    fn is_fast(&self, path: &Path, feed: usize) -> bool {
        if path.rate == 0.0 {
            return true;
        }
        let drain = f64::from(path.in_flight) / path.rate + path.min_rtt.as_secs_f64();
        drain <= self.feeds[feed].interval().as_secs_f64() * FAST
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
            .stage
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

    /// Writes messages, then the frame that is under way; false when the socket takes no more.
    fn write(&mut self) -> Result<bool, Goodbye> {
        if !self.writable {
            return Ok(false);
        }
        match self.write_all() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.writable = false;
                Ok(false)
            }
            Err(error) => Err(self.closed(&error)),
        }
    }

    /// Messages go before a frame that has not been begun, and after one that has.
    fn write_all(&mut self) -> io::Result<()> {
        loop {
            if self.outgoing.as_ref().is_none_or(|frame| !frame.begun()) {
                while !self.outbox.is_empty() {
                    let sent = self.socket.send([&self.outbox, &[], &[]], false)?;
                    self.outbox.drain(..sent);
                }
            }
            let Some(outgoing) = &mut self.outgoing else {
                return Ok(());
            };
            if outgoing.write(&mut self.socket, &mut self.pending)? {
                self.finish();
            }
        }
    }

    /// A frame has been handed to the kernel whole.
    fn finish(&mut self) {
        let Some(outgoing) = self.outgoing.take() else {
            return;
        };
        self.pending.written(&outgoing, &self.socket);
        self.receiver_limited = self
            .info
            .map_or(Duration::ZERO, |info| info.receiver_limited);
        let feed = &mut self.feeds[outgoing.feed];
        let left_out = feed.sent(&outgoing.frame);
        let camera = feed.camera();
        camera.sent.add(1);
        camera.bytes.add(outgoing.total() as u64);
        let mut figures = self.entry.figures();
        figures.frames += 1;
        figures.bytes += outgoing.total() as u64;
        figures.rate.add(Timestamp::now());
        left_out.add_to(&mut figures.dropped);
        self.spare = (outgoing.before, outgoing.after);
    }

    fn take_stamps(&mut self) -> Result<(), Goodbye> {
        let mut any = false;
        while let Some(stamp) = self.socket.take_stamp() {
            if !std::mem::replace(&mut any, true) {
                self.refresh();
            }
            if let Some(info) = self.info
                && let Some(arrived) = self.pending.stamped(stamp, &info, &mut self.link)
            {
                self.arrived(arrived);
            }
            if !self.pending.awaits_stamp() {
                return Ok(());
            }
        }
        // Without a stamp, the event can only mean that the connection has failed.
        match self.socket.error().filter(|_| !any) {
            Some(error) => Err(self.closed(&error)),
            None => Ok(()),
        }
    }

    fn arrived(&mut self, arrived: Arrived) {
        tracing::trace!(
            client = self.entry.id,
            latency = ?arrived.latency,
            rate = self.link.rate(),
            info = ?self.info,
            "delivered"
        );
        self.entry.figures().latency.add(arrived.latency);
        if let Some(feed) = self.feeds.get(arrived.feed) {
            feed.camera().delivery.add(arrived.latency);
        }
    }

    /// Asks the kernel about the connection anew.
    fn ask(&mut self) {
        self.info = self.socket.info();
        if self.info.is_some_and(|info| info.probing) {
            self.pending.disturb(self.outgoing.as_mut());
        }
    }

    /// The same, and shows it in the figures.
    fn refresh(&mut self) {
        self.ask();
        let mut figures = self.entry.figures();
        if let Some(info) = self.info {
            figures.rtt = info.rtt;
        }
        figures.link_rate = self.link.rate().unwrap_or(0.0);
        figures.backlog = self.socket.unacknowledged();
    }

    fn read(&mut self, from_socket: bool) -> Result<(), Goodbye> {
        let mut more = from_socket;
        loop {
            while let Some(received) = self
                .framing
                .receive(&mut self.input, &mut self.outbox)
                .map_err(Goodbye::Violation)?
            {
                self.take(received)?;
            }
            let too_long = self.input.len() > MAX_INPUT;
            if too_long || self.outbox.len() > MAX_OUTBOX {
                let what = if too_long {
                    "says too much at once"
                } else {
                    "does not read its messages"
                };
                return Err(Goodbye::Violation(Violation {
                    reason: what.into(),
                    code: 1008,
                }));
            }
            if !more {
                break;
            }
            match self.socket.receive(&mut self.input) {
                Ok(0) => return Err(Goodbye::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => more = false,
                Err(error) => return Err(self.closed(&error)),
            }
        }
        if self.input.is_empty() {
            // An idle client keeps no buffer.
            self.input = BytesMut::new();
        }
        Ok(())
    }

    fn take(&mut self, received: Received) -> Result<(), Goodbye> {
        match received {
            Received::Message(message) => self.hear(message),
            Received::Bad(why) => self.bad(why),
            Received::Close => return Err(Goodbye::Closed),
        }
        Ok(())
    }

    fn hear(&mut self, message: FromClient) {
        match message {
            FromClient::Hello { name, want } => {
                if let Some(name) = name {
                    self.entry.figures().name = printable(&name);
                }
                self.talks = true;
                self.limit(&want);
                self.welcome();
                for index in 0..self.feeds.len() {
                    if let Some(change) = self.feeds[index].current() {
                        self.tell_rendition(index, &change);
                    }
                }
            }
            FromClient::Want(want) => self.limit(&want),
            FromClient::Subscribe { cameras } => self.asked = Some(cameras),
            FromClient::Ping { t } => {
                let server_time = Timestamp::now().unix_micros();
                self.say(&ToClient::Pong { t, server_time });
            }
            FromClient::Receipt {
                sequence,
                t,
                camera,
            } => {
                let at = Timestamp::from_unix_nanos(t.saturating_mul(1000));
                let of = |feed: &Feed| camera.as_ref().is_none_or(|c| feed.camera().name == *c);
                if let Some(feed) = self.feeds.iter().position(of)
                    && let Some(arrived) = self.pending.receipt(feed, sequence, at)
                {
                    self.arrived(arrived);
                }
            }
        }
    }

    fn limit(&mut self, want: &streamd_protocol::stream::Want) {
        if let Err(why) = self.limits.apply(want) {
            return self.bad(why);
        }
        self.entry.figures().limits = self.limits;
        for feed in &mut self.feeds {
            feed.set_limits(self.limits);
        }
    }

    /// Watches other cameras over the same connection, in the order of `names`.
    fn watch(&mut self, names: &[String]) {
        let mut old = std::mem::take(&mut self.feeds);
        let mut new: Vec<Feed> = Vec::new();
        let mut refused = None;
        for name in names {
            if new.iter().any(|f| f.camera().name == *name) {
                continue;
            }
            match old.iter().position(|f| f.camera().name == *name) {
                Some(i) => new.push(old.swap_remove(i)),
                None => match self.stage.admit(Some(name)) {
                    Ok(place) => new.push(Feed::new(place, self.limits, Timestamp::now())),
                    Err(why) => refused = Some(why.to_string()),
                },
            }
        }
        self.feeds = if new.is_empty() { old } else { new };
        self.turn = 0;
        let all: Vec<_> = self
            .feeds
            .iter()
            .map(|f| f.camera().name.as_str())
            .collect();
        self.entry.figures().cameras = all.join(",");
        if let Some(why) = refused {
            self.bad(why);
        }
        self.welcome();
    }

    fn bad(&mut self, why: String) {
        self.entry.figures().errors += 1;
        self.say(&ToClient::Notice {
            event: Event::BadMessage,
            camera: None,
            message: why,
        });
    }

    fn say(&mut self, message: &ToClient) {
        if self.talks {
            let json = serde_json::to_string(message).expect("our messages are plain JSON");
            self.framing.message(&json, &mut self.outbox);
        }
    }

    fn welcome(&mut self) {
        let camera = Arc::clone(self.feeds[0].camera());
        let (width, height) = camera.size();
        let live = camera.live();
        self.say(&ToClient::Welcome {
            client_id: self.entry.id,
            camera: camera.name.clone(),
            width,
            height,
            fps: live.config.fps.get(),
            quality: live.config.quality.get(),
            server_time: Timestamp::now().unix_micros(),
            cameras: self.stage.names(),
        });
    }

    fn tell_rendition(&mut self, feed: usize, change: &Change) {
        self.say(&ToClient::Rendition {
            camera: self.feeds[feed].camera().name.clone(),
            quality: change.rendition.quality,
            width: change.width,
            height: change.height,
            fps: change.fps,
            reason: change.reason.to_string(),
        });
    }

    fn tell_origin(&mut self, frame: &JpegFrame, feed: usize) {
        if let Some((event, message)) = self.feeds[feed].origin_changed(frame.origin) {
            let camera = Some(self.feeds[feed].camera().name.clone());
            self.say(&ToClient::Notice {
                event,
                camera,
                message,
            });
        }
    }

    fn obey(&mut self, orders: Orders) -> Result<(), Goodbye> {
        if let Some(want) = orders.want {
            self.limit(&want);
        }
        orders.end.map_or(Ok(()), Err)
    }

    fn closed(&self, error: &io::Error) -> Goodbye {
        match error.raw_os_error() {
            Some(libc::ETIMEDOUT) => Goodbye::TimedOut,
            _ => Goodbye::Closed,
        }
    }

    /// The last words, as far as the socket takes them at once. In the middle of a frame there are none.
    fn say_goodbye(&mut self, why: &Goodbye) {
        match why {
            Goodbye::Kicked(reason) => {
                self.say(&ToClient::Notice {
                    event: Event::Kicked,
                    camera: None,
                    message: reason.clone(),
                });
            }
            Goodbye::Stopping => {
                let message = "the server stops".into();
                self.say(&ToClient::Notice {
                    event: Event::Stopping,
                    camera: None,
                    message,
                });
            }
            _ => {}
        }
        let _ = self.write_all();
        if self.outgoing.is_none() {
            self.framing.farewell(why, &mut self.outbox);
            let _ = self.write_all();
        }
        let _ = nix::sys::socket::shutdown(
            std::os::fd::AsRawFd::as_raw_fd(&self.socket),
            nix::sys::socket::Shutdown::Write,
        );
    }
}

/// A name as it is shown on terminals and in logs: nothing in it may move a cursor.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}
