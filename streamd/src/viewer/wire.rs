//! What is on its way to one viewer: its socket, the frame under way, and what the kernel says of
//! those before.

use std::{io, task::Waker, time::Duration};

use super::{
    feed::HeldUp,
    framing::Goodbye,
    outgoing::{Outgoing, Spare},
};
use crate::{
    link::{
        channel::Channel,
        delivery::{Acknowledged, Arrived, Deliveries},
        estimate::{Estimate, Forecast},
        gate::{Gate, Path, Verdict, Whole},
        readiness::{READABLE, Registration, STAMPED, WRITABLE},
        receipts::{Receipt, Receipts, Seen, Untrue},
        socket::{Info, Socket},
    },
    media::Timestamp,
};

/// A frame that takes less than this part of the interval to drain needs no gate in between.
const FAST: f64 = 0.5;

/// A round trip so much longer than the smallest, in part and in all, has a queue in it.
const QUEUED: (f64, Duration) = (1.5, Duration::from_millis(15));

/// A viewer's connection.
pub(super) struct Wire {
    // Dropped before the socket that it watches.
    registration: Registration,
    pub channel: Channel,
    gate: Gate,
    estimate: Estimate,
    pub deliveries: Deliveries,
    pub receipts: Receipts,
    pub outgoing: Option<Outgoing>,
    /// What another process has left unsent of a frame and of messages; it goes first.
    pub unsent: Vec<u8>,
    /// Buffers of the last frame, to use again.
    pub spare: Spare,
    /// There may be something to read.
    pub readable: bool,
    writable: bool,
    stamped: bool,
    /// Whether the link was fast at the last frame.
    pub fast: bool,
    info: Option<Info>,
    /// How long its receive window had held us up at the last frame.
    receiver_limited: Duration,
    /// Bytes acknowledged at the last look, and when they last grew.
    taken: (u32, Timestamp),
}

impl Wire {
    pub fn new(registration: Registration, channel: Channel, now: Timestamp) -> Self {
        Self {
            registration,
            channel,
            gate: Gate::default(),
            estimate: Estimate::default(),
            deliveries: Deliveries::default(),
            receipts: Receipts::default(),
            outgoing: None,
            unsent: Vec::new(),
            spare: Spare::default(),
            readable: true,
            writable: true,
            stamped: false,
            fast: true,
            info: None,
            receiver_limited: Duration::ZERO,
            taken: (0, now),
        }
    }

    /// Notes what has become ready; `waker` is called when more does.
    pub fn poll_ready(&mut self, waker: &Waker) {
        let ready = self.registration.take(waker);
        self.readable |= ready & READABLE != 0;
        self.writable |= ready & WRITABLE != 0;
        self.stamped |= ready & STAMPED != 0;
    }

    /// Looks at what is in flight, and drops a viewer that takes nothing for `timeout`.
    pub fn look(&mut self, now: Timestamp, timeout: Duration) -> Result<Path, Goodbye> {
        self.receipts.look(now);
        let in_flight = self.channel.socket().unacknowledged();
        if !self.fast || in_flight > 0 {
            self.ask();
        }
        let taken = self.channel.socket().written().wrapping_sub(in_flight);
        if in_flight == 0 || taken != self.taken.0 {
            self.taken = (taken, now);
        } else if now.since(self.taken.1) >= timeout {
            return Err(Goodbye::TimedOut);
        }
        let info = self.info.unwrap_or(Info::UNKNOWN);
        Ok(Path {
            in_flight: in_flight.saturating_sub(info.beyond_loss),
            rate: self.estimate().rate().unwrap_or(0.0),
            min_rtt: self.estimate.min_rtt(info.min_rtt),
            window: info.window,
            unsent: info.unsent,
            segment: info.segment,
            probing: info.probing,
            losing: info.losing,
            whole: self.whole_way(now, &info),
        })
    }

    /// Whether a frame may go now, and else who holds it up. `stand_alone`: any picture may be left
    /// out, and none needs a key after that.
    pub fn check(
        &mut self,
        now: Timestamp,
        path: &Path,
        stand_alone: bool,
    ) -> Result<(), (Timestamp, HeldUp)> {
        if let Verdict::Shut(again) = self.gate.check(now, path) {
            return Err((again, self.held_up_by()));
        }
        // Who says when it has each frame tells more than its kernel.
        match self.deliveries.reader().due() {
            due if due > now && stand_alone && path.whole.is_none() => Err((due, HeldUp::Unread)),
            _ => Ok(()),
        }
    }

    /// The way to the viewer itself, where that sends a receipt for each frame.
    fn whole_way(&self, now: Timestamp, info: &Info) -> Option<Whole> {
        let min_rtt = self.receipts.estimate()?.min_rtt(info.min_rtt);
        let in_flight = self.receipts.in_flight(now, min_rtt)?;
        Some(Whole {
            in_flight: in_flight.saturating_sub(info.beyond_loss),
            min_rtt,
        })
    }

    /// What the link carries: as far as the viewer, where its receipts tell, else as far as the
    /// next kernel.
    fn estimate(&self) -> &Estimate {
        self.receipts.estimate().unwrap_or(&self.estimate)
    }

    /// The viewer says that it had a frame.
    ///
    /// # Errors
    /// When that can't be true.
    pub fn receipt(&mut self, said: &Receipt, now: Timestamp) -> Result<Option<Arrived>, Untrue> {
        let info = self.info.unwrap_or(Info::UNKNOWN);
        let seen = Seen {
            now,
            min_rtt: info.min_rtt,
            sent_again: info.sent_again,
            congested: is_congested(&info),
        };
        self.receipts.receipt(said, &seen)
    }

    /// What the next bytes may expect.
    pub fn forecast(&self, now: Timestamp, path: &Path) -> Option<Forecast> {
        let progress = match self.info {
            // What waits for a lost packet tells of no fall.
            Some(info) if info.losing => None,
            _ => match path.whole {
                Some(way) => self.receipts.progress(way.min_rtt),
                None => self.deliveries.progress(self.taken.0, path.min_rtt),
            },
        };
        let forecast = self.estimate().forecast(now, progress)?;
        Some(Forecast {
            rate: forecast.rate.min(path.let_through()),
            ..forecast
        })
    }

    /// Notes of a frame that begins what is known of the connection.
    pub fn marked(&self, mut outgoing: Outgoing) -> Outgoing {
        if let Some(info) = self.info {
            outgoing.sent_again = info.sent_again;
            outgoing.disturbed = info.losing && !is_congested(&info);
        }
        let is_held_back = self.receipts.only_talks() || self.deliveries.reader().is_slow();
        if !self.fast && is_held_back {
            outgoing.part_tail();
        }
        outgoing
    }

    /// For how long it has taken nothing.
    pub fn stalled_for(&self, now: Timestamp) -> Duration {
        now.since(self.taken.1)
    }

    /// Whose fault it is that bytes are still on their way.
    pub fn held_up_by(&mut self) -> HeldUp {
        self.ask();
        match self.info {
            Some(info) if info.probing => HeldUp::Probe,
            Some(info) if info.receiver_limited == self.receiver_limited => HeldUp::Link,
            _ => HeldUp::Reader,
        }
    }

    /// Whether frames drain so quickly that the gate need not be watched between them.
    pub fn is_fast(path: &Path, interval: Duration) -> bool {
        if path.rate == 0.0 {
            return true;
        }
        path.drain() <= interval.as_secs_f64() * FAST
    }

    /// Writes messages and the frame that is under way, as far as the socket takes them: messages
    /// go before a frame that has not been begun, and after one that has.
    ///
    /// # Errors
    /// The connection's end.
    pub fn write(&mut self, messages: &mut Vec<u8>) -> Result<Written, Goodbye> {
        let mut whole = None;
        if self.writable {
            match self.write_all(messages, &mut whole) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) => return Err(closed(&error)),
            }
        }
        Ok(Written {
            all: self.writable,
            whole,
        })
    }

    fn write_all(
        &mut self,
        messages: &mut Vec<u8>,
        whole: &mut Option<Outgoing>,
    ) -> io::Result<()> {
        self.channel.flush()?;
        self.write_unsent()?;
        if self.outgoing.as_ref().is_none_or(|frame| !frame.begun()) {
            self.write_messages(messages)?;
        }
        while let Some(outgoing) = &mut self.outgoing {
            let leads = outgoing.leads();
            let rest = outgoing.rest();
            let written = match rest.parts() {
                // It is taken, and not yet with the kernel.
                [] => self.channel.flush().map(|()| 0)?,
                parts => self
                    .channel
                    .send(parts, outgoing.stamping.end && rest.is_all)?,
            };
            let (taken, socket) = (outgoing.advance(written), self.channel.socket());
            let key = socket.written().wrapping_sub(1);
            if leads && self.channel.is_flushed() {
                self.deliveries.led(key, outgoing.began);
            }
            if self.channel.is_flushed() && outgoing.body_is_done(key) {
                self.deliveries.body(key);
            }
            if taken && self.channel.is_flushed() {
                let sent = outgoing.sent(key, socket.is_tcp());
                self.deliveries.written(sent);
                self.receipts.written(sent);
                let limited = self.info.map(|info| info.receiver_limited);
                self.receiver_limited = limited.unwrap_or_default();
                *whole = self.outgoing.take();
            }
        }
        // What was said while the frame was on its way.
        self.write_messages(messages)
    }

    fn write_unsent(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let sent = self.channel.send(&[&self.unsent], false)?;
            self.unsent.drain(..sent);
        }
        self.channel.flush()
    }

    /// Ends with the socket of a plain channel, and with what it has not taken yet: the rest of a frame, and
    /// `messages`.
    pub fn hand_over(self, messages: &mut Vec<u8>) -> (Socket, Vec<u8>) {
        let mut unsent = self.unsent;
        let frame = self.outgoing.as_ref();
        let begun = frame.is_some_and(Outgoing::begun);
        if !begun {
            unsent.append(messages);
        }
        unsent.extend(frame.map(Outgoing::left).unwrap_or_default());
        unsent.append(messages);
        drop(self.registration);
        (self.channel.into_socket(), unsent)
    }

    fn write_messages(&mut self, messages: &mut Vec<u8>) -> io::Result<()> {
        while !messages.is_empty() {
            let sent = self.channel.send(&[messages], false)?;
            messages.drain(..sent);
        }
        self.channel.flush()
    }

    /// Takes the kernel's stamps, if there are any; `arrived` is told of frames that are there.
    ///
    /// # Errors
    /// The connection has failed.
    pub fn take_stamps(
        &mut self,
        mut arrived: impl FnMut(&Receipts, Arrived),
    ) -> Result<bool, Goodbye> {
        if !std::mem::take(&mut self.stamped) {
            return Ok(false);
        }
        let mut any = false;
        while let Some(stamp) = self.channel.socket().take_stamp() {
            if !std::mem::replace(&mut any, true) {
                self.ask();
            }
            let info = self.info.unwrap_or(Info::UNKNOWN);
            let ack = Acknowledged {
                key: stamp.key,
                at: stamp.at,
                min_rtt: info.min_rtt,
                segment: info.segment,
                sent_again: info.sent_again,
                congested: is_congested(&info),
                peer_window: info.peer_window,
            };
            if let Some(frame) = self.deliveries.acknowledged(&ack, &mut self.estimate) {
                arrived(&self.receipts, frame);
            }
            if !self.deliveries.awaits_stamp() {
                return Ok(true);
            }
        }
        // Without a stamp, the event can only mean that the connection has failed.
        match self.channel.socket().error().filter(|_| !any) {
            Some(error) => Err(closed(&error)),
            None => Ok(any),
        }
    }

    /// Asks the kernel about the connection anew.
    fn ask(&mut self) {
        self.info = self.channel.socket().info();
        if self.info.is_some_and(|info| info.probing) {
            self.deliveries.disturb();
            self.receipts.disturb();
            if let Some(outgoing) = &mut self.outgoing {
                outgoing.disturbed = true;
            }
        }
    }

    /// What is known of the connection, for the figures: smoothed round trip time, rate of the
    /// link in bytes a second (0 while unknown), bytes that the viewer is not known to have.
    pub fn figures(&self) -> (Duration, f64, u32) {
        let info = self.info.unwrap_or(Info::UNKNOWN);
        let rate = self.estimate().rate().unwrap_or(0.0);
        let backlog = self.channel.socket().unacknowledged();
        match self.whole_way(Timestamp::now(), &info) {
            Some(way) => (info.rtt.max(way.min_rtt), rate, way.in_flight.max(backlog)),
            None => (info.rtt, rate, backlog),
        }
    }
}

/// Whether bytes wait in the bottleneck's queue.
fn is_congested(info: &Info) -> bool {
    info.rtt > info.min_rtt.mul_f64(QUEUED.0) + QUEUED.1
}

/// What came of writing.
pub(super) struct Written {
    /// The socket has taken everything; else it takes no more now.
    pub all: bool,
    /// The frame that was under way and is whole now.
    pub whole: Option<Outgoing>,
}

/// How a connection ends that fails with this error.
pub(super) fn closed(error: &io::Error) -> Goodbye {
    match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => Goodbye::TimedOut,
        _ => Goodbye::Closed,
    }
}
