//! What a client says, and what it is told.

use std::{io, sync::Arc};

use bytes::BytesMut;
use streamd_protocol::stream::{Event, FromClient, ToClient, Want};

use crate::{
    media::{JpegFrame, Timestamp},
    viewer::{
        Client, MAX_INPUT, MAX_OUTBOX,
        feed::{Change, Feed},
        framing::{Goodbye, Received, Violation},
        printable,
        registry::{Limits, Orders},
    },
};

impl Client {
    pub(super) fn read(&mut self, from_socket: bool) -> Result<(), Goodbye> {
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

    pub(super) fn hear(&mut self, message: FromClient) {
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

    pub(super) fn limit(&mut self, want: &Want) {
        if let Err(why) = self.limits.apply(want) {
            return self.bad(why);
        }
        self.set_limits(self.limits);
    }

    fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.entry.figures().limits = self.limits;
        for feed in &mut self.feeds {
            feed.set_limits(self.limits);
        }
    }

    /// Watches other cameras over the same connection, in the order of `names`.
    pub(super) fn watch(&mut self, names: &[String]) {
        let mut old = std::mem::take(&mut self.feeds);
        let mut new: Vec<Feed> = Vec::new();
        let mut refused = None;
        for name in names {
            if new.iter().any(|f| f.camera().name == *name) {
                continue;
            }
            match old.iter().position(|f| f.camera().name == *name) {
                Some(i) => new.push(old.swap_remove(i)),
                None => match self.viewers.cameras.admit(Some(name)) {
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

    pub(super) fn welcome(&mut self) {
        let camera = Arc::clone(self.feeds[0].camera());
        let (width, height) = camera.size();
        let live = camera.settings();
        self.say(&ToClient::Welcome {
            client_id: self.entry.id,
            camera: camera.name.clone(),
            width,
            height,
            fps: live.config.fps.get(),
            quality: live.config.quality.get(),
            server_time: Timestamp::now().unix_micros(),
            cameras: self.viewers.cameras.names(),
        });
    }

    pub(super) fn tell_rendition(&mut self, feed: usize, change: &Change) {
        self.say(&ToClient::Rendition {
            camera: self.feeds[feed].camera().name.clone(),
            quality: change.rendition.quality,
            width: change.width,
            height: change.height,
            fps: change.fps,
            reason: change.reason.to_string(),
        });
    }

    pub(super) fn tell_origin(&mut self, frame: &JpegFrame, feed: usize) {
        if let Some((event, message)) = self.feeds[feed].origin_changed(frame.origin) {
            let camera = Some(self.feeds[feed].camera().name.clone());
            self.say(&ToClient::Notice {
                event,
                camera,
                message,
            });
        }
    }

    pub(super) fn obey(&mut self, orders: Orders) -> Result<(), Goodbye> {
        if let Some(limits) = orders.limits {
            self.set_limits(limits);
        }
        orders.end.map_or(Ok(()), Err)
    }

    pub(super) fn closed(&self, error: &io::Error) -> Goodbye {
        match error.raw_os_error() {
            Some(libc::ETIMEDOUT) => Goodbye::TimedOut,
            _ => Goodbye::Closed,
        }
    }

    /// The last words, as far as the socket takes them at once. In the middle of a frame there are none.
    pub(super) fn say_goodbye(&mut self, why: &Goodbye) {
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
