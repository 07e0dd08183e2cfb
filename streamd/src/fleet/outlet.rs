//! One camera that is published: who wants it, and, while somebody does, its pictures.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use streamd_protocol::{
    limits::Limits,
    stats::{CameraState, Transport},
    stream,
};

use super::{
    service::Endpoint,
    subject,
    wants::Wants,
    words::{Answer, Want},
};
use crate::{
    access::role::Shown,
    camera::Camera,
    config::values::Machine,
    link::{budget::Budget, estimate::Forecast},
    media::{Packet, Timestamp},
    viewer::{
        coming,
        feed::{Feed, HeldUp},
        framing::Goodbye,
        registry::Guard,
        single,
        viewers::Viewers,
    },
};

/// Bytes a second of a link of which nothing is known: more than any has.
const UNKNOWN: f64 = 1e12;

/// A camera that is published.
pub struct Outlet {
    camera: Arc<Camera>,
    viewers: Arc<Viewers>,
    /// Where its pictures go.
    pub subject: String,
    wants: Wants,
    /// Questions, those of them that were none of ours, and how long the answers took.
    asked: (u64, u64, Duration),
    open: Option<Open>,
    /// Bytes that the server takes, once a picture had more.
    room: Option<u32>,
}

/// What there is while somebody wants it: it is a client of the camera like others.
struct Open {
    feed: Feed,
    entry: Guard,
    budget: Budget,
    limits: Limits,
}

impl Outlet {
    /// A camera that nobody wants yet.
    pub fn new(camera: Arc<Camera>, viewers: Arc<Viewers>, subject: String) -> Self {
        Self {
            camera,
            viewers,
            subject,
            wants: Wants::default(),
            asked: Default::default(),
            open: None,
            room: None,
        }
    }

    /// The camera's name.
    pub fn name(&self) -> &str {
        &self.camera.name
    }

    /// Whether somebody wants it.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A machine says what it wants.
    ///
    /// # Errors
    /// When that can't be had: it is none of ours.
    pub fn want(&mut self, want: Want, now: Timestamp) -> Result<(), ()> {
        let mut limits = Limits::default();
        limits.apply(&want.what).map_err(|_| ())?;
        if want.id.is_empty() || want.id.len() > 64 {
            return Err(());
        }
        self.wants.say(want.id, limits, now);
        Ok(())
    }

    /// A question was answered after so long, or was none of ours.
    pub fn asked(&mut self, understood: Result<(), ()>, took: Duration) {
        let (asked, errors, busy) = &mut self.asked;
        *asked += 1;
        *errors += u64::from(understood.is_err());
        *busy += took;
    }

    /// What tools are told of it.
    pub fn endpoint(&self, host: &Machine) -> Endpoint {
        let (requests, errors, busy) = self.asked;
        Endpoint {
            name: self.camera.name.clone(),
            subject: subject::wants(host, &self.camera.name),
            requests,
            errors,
            busy,
        }
    }

    /// What the camera does.
    pub fn state(&self) -> CameraState {
        self.camera.status().state
    }

    /// How the camera is.
    pub fn answer(&self) -> Answer {
        let status = self.camera.status();
        let (width, height) = self.camera.size();
        Answer {
            time: Timestamp::now().unix_micros(),
            reason: match status.state {
                CameraState::Lost => status.reason,
                _ => String::new(),
            },
            state: status.state,
            width,
            height,
            fps: self.camera.settings().config.fps.get(),
        }
    }

    /// When it is to be looked after.
    pub fn until(&self) -> Option<Timestamp> {
        self.wants.until()
    }

    /// Begins or ends, by who wants it; `peer` is the server.
    pub fn look(&mut self, peer: &str, now: Timestamp) {
        match (self.wants.limits(now), &mut self.open) {
            (None, None) => {}
            (None, Some(_)) => self.close(Goodbye::Closed),
            (Some(limits), Some(open)) if open.limits != limits => {
                open.limits = limits;
                // In its range each of them is, having been looked at one by one.
                let _ = open.entry.want(&stream::Want {
                    fps: Some(limits.fps.unwrap_or(0.0)),
                    quality: Some(limits.quality.unwrap_or(0)),
                    max_width: Some(limits.max_width.unwrap_or(0)),
                    ..stream::Want::default()
                });
            }
            (Some(_), Some(_)) => {}
            (Some(limits), None) => self.begin(peer, limits, now),
        }
    }

    fn begin(&mut self, peer: &str, limits: Limits, now: Timestamp) {
        let place = match self.viewers.admit(Some(&self.camera.name), peer) {
            Ok(place) => place,
            Err(refused) => {
                tracing::debug!(camera = self.camera.name, "not published: {refused}");
                return;
            }
        };
        let watches = coming::Watches {
            camera: &self.camera.name,
            transport: Transport::Nats,
            limits,
        };
        let (peer, who) = (peer.to_owned(), Shown::default());
        let entry = coming::enter(&self.viewers, peer, "", who, &watches);
        self.open = Some(Open {
            feed: Feed::new(1, place, limits, now),
            entry,
            budget: Budget::default(),
            limits,
        });
    }

    /// Ends it, as long as nobody says anew what it wants.
    pub fn close(&mut self, why: Goodbye) {
        self.wants = Wants::default();
        if let Some(open) = self.open.take() {
            coming::part(&self.viewers, &open.entry, why);
        }
    }

    /// Nothing may be sent for now.
    pub fn rest(&mut self) {
        if let Some(open) = &mut self.open {
            open.feed.rest(HeldUp::Link);
        }
    }

    /// Does what the figures' owner is told to: limits, an end.
    pub fn poll_orders(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(open) = &mut self.open else {
            return Poll::Pending;
        };
        let Some(orders) = open.entry.take_orders(cx.waker()) else {
            return Poll::Pending;
        };
        open.feed.set_limits(orders.limits);
        if let Some(why) = orders.end {
            self.close(why);
        }
        Poll::Ready(())
    }

    /// The next picture, of the rendition that the link carries.
    pub fn poll_picture(
        &mut self,
        forecast: Option<Forecast>,
        cx: &Context<'_>,
    ) -> Poll<Arc<Packet>> {
        let Some(open) = &mut self.open else {
            return Poll::Pending;
        };
        // To leave out what is too large, something has to be expected of the link.
        let unknown = self.room.map(|_| Forecast {
            rate: UNKNOWN,
            lump: 0.0,
            most: f64::INFINITY,
        });
        let most = self.viewers.bandwidth.of_each();
        let forecast = Forecast::within(forecast, most).or(unknown);
        single::next_picture(&mut open.feed, &open.entry, forecast, self.room, cx)
    }

    /// A picture has gone out, or was left out: then `bytes` is 0.
    pub fn sent(&mut self, packet: &Packet, bytes: usize) {
        let Some(open) = &mut self.open else {
            return;
        };
        let spent = (&mut open.budget, self.viewers.bandwidth.of_each());
        single::count(&mut open.feed, &open.entry, packet, bytes, spent);
    }

    /// A picture had more bytes than the server takes, which is so many; true if that is news.
    pub fn is_too_large(&mut self, room: usize) -> bool {
        let room = u32::try_from(room).ok();
        std::mem::replace(&mut self.room, room) != room
    }

    /// The server has a picture.
    pub fn delivered(&mut self, arrived: &Arrived) {
        let Some(open) = &mut self.open else {
            return;
        };
        open.feed.delivered(arrived.sequence, arrived.busy);
        let mut figures = open.entry.figures();
        (figures.rtt, figures.link_rate, figures.backlog) = arrived.link;
        if let Some(figures) = figures.feed(open.feed.id) {
            figures.latency.add(arrived.latency);
        }
        self.camera.delivery.add(arrived.latency);
    }
}

/// A picture that the server has.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// Its number.
    pub sequence: u64,
    /// From its capture until the server had it.
    pub latency: std::time::Duration,
    /// For how long the link would have been busy with it, had it this camera's share of it alone.
    pub busy: Option<std::time::Duration>,
    /// Round trip, rate and bytes on their way, for the figures.
    pub link: (std::time::Duration, f64, u32),
}
