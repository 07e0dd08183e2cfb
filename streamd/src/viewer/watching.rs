//! What a viewer watches: its feeds, and whose turn it is.

use std::{sync::Arc, task::Waker};

use streamd_protocol::limits::Limits;

use super::{
    feed::{Change, Feed, HeldUp},
    figures::{FeedFigures, Figures},
    registry::Entry,
    viewers::Viewers,
    wire::Wire,
};
use crate::{
    access::role::{Action, may},
    camera::{Place, Refused},
    link::{
        budget::Budget,
        delivery::{Arrived, By},
        estimate::Forecast,
        gate::Path,
        receipts::Receipts,
    },
    media::{Packet, Timestamp},
};

/// Why a camera is not shown to who asked for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWatched {
    /// There is none of this name, or no place at it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It may watch others only.
    #[error("you may not watch it")]
    MayNot,
}

/// The cameras that a viewer watches over one connection; at least one.
pub(super) struct Watching {
    feeds: Vec<Feed>,
    /// Which feed may send next.
    turn: usize,
    /// Numbers of feeds given so far.
    numbered: u32,
    budget: Budget,
    /// Bytes a second that may be sent; infinite for any amount.
    most: f64,
}

impl Watching {
    /// Watches one camera.
    pub fn new(place: Place, limits: Limits, figures: &mut Figures, now: Timestamp) -> Self {
        let mut watching = Self {
            feeds: Vec::new(),
            turn: 0,
            numbered: 0,
            budget: Budget::default(),
            most: f64::INFINITY,
        };
        let feed = watching.begin(place, limits, figures, now);
        watching.feeds.push(feed);
        watching
    }

    fn begin(
        &mut self,
        place: Place,
        limits: Limits,
        figures: &mut Figures,
        now: Timestamp,
    ) -> Feed {
        self.numbered += 1;
        figures.feeds.push(FeedFigures {
            id: self.numbered,
            camera: place.camera().name.clone(),
            since: now,
            ..FeedFigures::default()
        });
        Feed::new(self.numbered, place, limits, now)
    }

    /// Watches these cameras instead of those before, in this order, as far as there is a place;
    /// says which are refused, and why.
    pub fn watch(
        &mut self,
        names: &[String],
        (viewers, peer): (&Viewers, &str),
        limits: Limits,
        entry: &Entry,
    ) -> Vec<(String, NotWatched)> {
        let now = Timestamp::now();
        let who = viewers.rules.identity(entry.shown().proof.as_ref());
        let mut old = std::mem::take(&mut self.feeds);
        let mut new: Vec<Feed> = Vec::new();
        let mut refused = Vec::new();
        for name in names {
            let is_it = |feed: &Feed| feed.camera().name == *name;
            if new.iter().any(is_it) {
                continue;
            }
            match old.iter().position(is_it) {
                Some(i) => new.push(old.remove(i)),
                None if !may(&who, Action::Watch, Some(name)) => {
                    refused.push((name.clone(), NotWatched::MayNot));
                }
                None => match viewers.admit(Some(name), peer) {
                    Ok(place) => new.push(self.begin(place, limits, &mut entry.figures(), now)),
                    Err(why) => refused.push((name.clone(), why.into())),
                },
            }
        }
        self.feeds = if new.is_empty() { old } else { new };
        self.turn = 0;
        let mut figures = entry.figures();
        let place = |id: u32| self.feeds.iter().position(|feed| feed.id == id);
        figures.feeds.retain(|feed| place(feed.id).is_some());
        figures.feeds.sort_by_key(|feed| place(feed.id));
        refused
    }

    /// All feeds.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }

    /// Whether all their pictures can be shown without those before.
    pub fn stand_alone(&self) -> bool {
        self.feeds.iter().all(Feed::stands_alone)
    }

    /// A feed by its number; `None` when it is watched no more.
    pub fn feed(&mut self, id: u32) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.id == id)
    }

    /// A frame is there. Its latency goes into the viewer's figures, by the viewer's own receipts
    /// where it sends any, and into the camera's by the kernel alone, which no viewer can forge. Its
    /// feed learns how the link took it.
    pub fn arrived(&mut self, entry: &Entry, receipts: &Receipts, frame: Arrived) {
        tracing::trace!(client = entry.id, latency = ?frame.latency, busy = ?frame.busy, by = ?frame.by, "delivered");
        let by_viewer = frame.by == By::Receipt;
        if by_viewer == receipts.any()
            && let Some(figures) = entry.figures().feed(frame.feed)
        {
            figures.latency.add(frame.latency);
        }
        let Some(feed) = self.feed(frame.feed) else {
            return;
        };
        if !by_viewer {
            feed.camera().delivery.add(frame.latency);
        }
        if by_viewer == receipts.estimate().is_some() {
            feed.delivered(frame.sequence, frame.busy);
        }
    }

    /// So many bytes were sent, of all feeds together.
    pub fn spend(&mut self, bytes: usize, most: f64, now: Timestamp) {
        self.most = most;
        let then = self.budget.spend(bytes, most, now);
        self.feeds.iter_mut().for_each(|feed| feed.afford(then));
    }

    /// Other limits hold from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        for feed in &mut self.feeds {
            feed.set_limits(limits);
        }
    }

    /// What builds on earlier pictures begins anew, at a key.
    pub fn begin_anew(&mut self) {
        self.feeds.iter_mut().for_each(Feed::begin_anew);
    }

    /// Whether a frame is there for any feed; else all wait for one.
    pub fn is_ready(&mut self, waker: &Waker) -> bool {
        self.feeds.iter_mut().any(|feed| feed.ready(waker))
    }

    /// Nothing is wanted for now, because of this.
    pub fn rest(&mut self, why: HeldUp) {
        self.feeds.iter_mut().for_each(|feed| feed.rest(why));
    }

    /// The next frame, of the feeds in turn, each in the rendition that it decides on; `changed`
    /// is told where that is another one. Where there is none, all feeds wait.
    pub fn next(
        &mut self,
        wire: &Wire,
        path: &Path,
        waker: &Waker,
        mut changed: impl FnMut(&Feed, Change),
    ) -> Option<(Arc<Packet>, u32)> {
        let now = Timestamp::now();
        let share = 1.0 / self.feeds.len() as f64;
        let forecast = wire.forecast(now, path).map(|forecast| Forecast {
            rate: forecast.rate * share,
            most: self.most * share,
            ..forecast
        });
        for i in 0..self.feeds.len() {
            let i = (self.turn + i) % self.feeds.len();
            let feed = &mut self.feeds[i];
            let mut frame = feed.waits().then(|| feed.next(waker)).flatten();
            if frame.is_none() {
                if let Some(change) = feed.decide(now, forecast, path.left()) {
                    changed(feed, change);
                }
                frame = feed.next(waker);
            }
            if let Some(frame) = frame {
                self.turn = i + 1;
                return Some((frame, feed.id));
            }
        }
        None
    }
}
