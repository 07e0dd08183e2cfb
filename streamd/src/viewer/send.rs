//! A client's frames on their way: what is written, and what the kernel says of it.

use std::{io, sync::Arc, task::Context, time::Duration};

use crate::{
    link::{delivery::Arrived, gate::Path},
    media::{JpegFrame, Timestamp},
    viewer::{
        Client, FAST,
        framing::{Goodbye, Sending},
    },
};

impl Client {
    pub(super) fn next_frame(&mut self, cx: &Context<'_>) -> Option<(Arc<JpegFrame>, usize)> {
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

    pub(super) fn decide(&mut self, index: usize, now: Timestamp) {
        let share = 1.0 / self.feeds.len() as f64;
        let feed = &mut self.feeds[index];
        if let Some(change) = feed.decide(&self.link, share, now) {
            change.record(&self.entry, &feed.camera().name);
            self.tell_rendition(index, &change);
        }
    }

    pub(super) fn begin(
        &mut self,
        frame: Arc<JpegFrame>,
        feed: usize,
        path: &Path,
        now: Timestamp,
    ) {
        self.tell_origin(&frame, feed);
        let with_frame = Path {
            in_flight: path.in_flight.saturating_add(frame.bytes.len() as u32),
            ..*path
        };
        self.fast = self.is_fast(&with_frame, feed);
        let spare = std::mem::take(&mut self.spare);
        let pace = if self.fast {
            self.viewers.stamp_pace()
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
    pub(super) fn is_fast(&self, path: &Path, feed: usize) -> bool {
        if path.rate == 0.0 {
            return true;
        }
        let drain = f64::from(path.in_flight) / path.rate + path.min_rtt.as_secs_f64();
        drain <= self.feeds[feed].interval().as_secs_f64() * FAST
    }

    /// Writes messages, then the frame that is under way; false when the socket takes no more.
    pub(super) fn write(&mut self) -> Result<bool, Goodbye> {
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
    pub(super) fn write_all(&mut self) -> io::Result<()> {
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

    pub(super) fn take_stamps(&mut self) -> Result<(), Goodbye> {
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

    pub(super) fn arrived(&mut self, arrived: Arrived) {
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
    pub(super) fn ask(&mut self) {
        self.info = self.socket.info();
        if self.info.is_some_and(|info| info.probing) {
            self.pending.disturb(self.outgoing.as_mut());
        }
    }

    /// The same, and shows it in the figures.
    pub(super) fn refresh(&mut self) {
        self.ask();
        let mut figures = self.entry.figures();
        if let Some(info) = self.info {
            figures.rtt = info.rtt;
        }
        figures.link_rate = self.link.rate().unwrap_or(0.0);
        figures.backlog = self.socket.unacknowledged();
    }
}
