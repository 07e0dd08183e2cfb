//! Which rendition a client gets: the best one whose frames its link can carry in time.
//!
//! The decision is by the predicted time of a frame of that size, with its uncertainty, as in Fugu
//! (Yan et al., NSDI 2020), and not by buffer levels, since there is no buffer. A step down is
//! taken at once, to the best rung that fits. A step up waits until a better rung has fitted for
//! a moment. A rung is a rendition, and where detail is preferred also how many of the frames are
//! sent in it ([`steps`]); below the last rung the gate skips frames.
//!
//! Any picture may follow any other. So a single frame may be another than the rung's: a smaller
//! one where only that comes in time ([`Adapt::pick`]), a larger one to try whether the link
//! carries it, which a stream of small frames cannot tell.
//!
//! No I/O, no clock.

mod sizes;
mod steps;
mod stood;
mod trials;
mod view;

use std::time::Duration;

use self::{sizes::Sizes, stood::Stood, trials::Trials};
pub use self::{
    steps::{Step, steps},
    view::{Frame, Reason, View},
};
use super::estimate::Forecast;
use crate::media::Timestamp;

/// Part of the frame interval that a frame's transfer may take where we choose it: the rest is for
/// frames larger than the last ones, and for the link's own swings.
const FILL: f64 = 0.75;

/// Standard deviations that are added to the time of a frame where we choose it.
const SURE: f64 = 0.5;

/// Part of the interval above which the present rung is given up at once.
const FULL: f64 = 1.3;

/// Part of the interval above which it is given up when that lasts as long as [`SETTLED`].
const TIGHT: f64 = 0.9;

/// A better rung must have fitted, or the present one been too tight, for so long: many bursts
/// of a link that swings.
const SETTLED: Duration = Duration::from_millis(250);

/// A rung that was left is not taken again within this time, if only one other was between.
pub const HOLD: Duration = Duration::from_secs(4);

/// A single frame may be smaller than the rung's where that would not come in what is left of
/// this part of the interval, which counts as no less than the second one.
const DIP: (f64, f64) = (0.85, 0.2);

/// A trial has at most so many times the bytes of the present rung.
const TRIAL: f64 = 1.6;

/// Frames over which skipped ones are counted.
const WINDOW: u32 = 16;

/// So many skipped frames in the window mean that the rung is too large, whatever the forecast.
const TOO_MANY_SKIPPED: u32 = 4;

/// One client's place on a camera's ladder.
#[derive(Debug)]
pub struct Adapt {
    rung: usize,
    reason: Reason,
    changed: Timestamp,
    /// The rung before this one, and when it was left.
    left: Option<(usize, Timestamp)>,
    stood: Stood,
    /// Since when better rungs have fitted, and the least of them.
    better: Option<(Timestamp, usize)>,
    /// Since when the present rung has been tight.
    tight: Option<Timestamp>,
    sizes: Sizes,
    trials: Trials,
    /// Skipped and offered frames in the present window.
    skipped: u32,
    offered: u32,
}

impl Adapt {
    /// A client that has just come; it begins at the best rung it may have.
    pub fn new(now: Timestamp) -> Self {
        Self {
            rung: 0,
            reason: Reason::Top,
            changed: now,
            left: None,
            stood: Stood::default(),
            better: None,
            tight: None,
            sizes: Sizes::default(),
            trials: Trials::new(now),
            skipped: 0,
            offered: 0,
        }
    }

    /// The rung it stands on.
    pub fn rung(&self) -> usize {
        self.rung
    }

    /// What keeps it on this rung.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// A frame was sent.
    pub fn sent(&mut self, frame: &Frame, now: Timestamp) {
        self.sizes.learn(frame.rendition, frame.bytes as f64);
        if self.offered >= WINDOW {
            self.offered /= 2;
            self.skipped /= 2;
        }
        self.offered += 1 + frame.skipped;
        self.skipped += frame.skipped;
        if frame.rung < self.rung {
            self.trials.sent(frame.rung, frame.sequence, now);
        }
    }

    /// That frame has arrived; the link was busy with it for so long, if that is known. `interval` is
    /// that of the view.
    pub fn delivered(
        &mut self,
        sequence: u64,
        busy: Option<Duration>,
        ladder: &[Step],
        interval: Duration,
    ) {
        let in_time = |rung: usize| {
            let every = ladder.get(rung).map_or(1, |step| step.every);
            Some(busy? <= (interval * every).mul_f64(FILL))
        };
        self.trials.delivered(sequence, in_time);
    }

    /// Decides; true if the rung has changed.
    pub fn decide(&mut self, view: &View) -> bool {
        let (best, last) = (view.best(), view.last());
        let floor = floor(best);
        if !view.allowed.contains(&self.rung) {
            return self.go(view.from(self.rung), floor, view.now);
        }
        if !view.adapts {
            return self.go(best, floor, view.now);
        }
        let Some(forecast) = view.forecast.filter(|_| self.sizes.known()) else {
            // Nothing is known of the link, so only the limits count.
            return self.sizes.known() && self.go(best, floor, view.now);
        };
        let fits = |r: &usize| self.takes(view, &forecast, *r, SURE) <= view.part(*r, FILL);
        let target = view.allowed.iter().copied().find(fits).unwrap_or(last);
        let (rate, kept_by) = (forecast.rate.min(forecast.most), kept_by(&forecast));
        let stood = self.stood.best(rate).unwrap_or(last);
        let target = target.min(view.from(stood));
        if self.rung < last && self.is_too_large(view, &forecast) {
            self.stood.no_more(self.rung, rate);
            let to = self.not_back(target.max(view.from(self.rung + 1)), view);
            return self.go(to, kept_by, view.now);
        }
        if view.now.since(self.changed) >= HOLD {
            self.stood.on(self.rung, rate);
        }
        if let Some(proven) = self.trials.proven.take() {
            let to = self.not_back(view.from(proven), view);
            return to < self.rung && self.go(to, reason_at(to, view, kept_by), view.now);
        }
        self.rise(view, target, best, kept_by)
    }

    /// The rung of the next frame: the present one, or another for this frame alone.
    pub fn pick(&self, view: &View) -> usize {
        let forecast = view.forecast.filter(|_| self.sizes.known() && view.adapts);
        let Some(forecast) = forecast else {
            return view.from(self.rung);
        };
        let left = view.part(self.rung, DIP.0) - view.late.as_secs_f64();
        let left = left.max(view.part(self.rung, DIP.1));
        let comes = |r: &usize| {
            self.takes(view, &forecast, *r, 0.0) <= left
                && view
                    .room
                    .is_none_or(|room| self.sizes.of(view.ladder[*r].rendition) <= f64::from(room))
        };
        if !comes(&self.rung) {
            let mut worse = view.allowed.iter().copied().filter(|r| *r >= self.rung);
            return worse.find(comes).unwrap_or(view.last());
        }
        let trial = view.room.is_none()
            && !forecast.is_limited()
            && self.rung > view.best()
            && view.now.since(self.changed) >= SETTLED
            && self.trials.due(view.now);
        match trial {
            true => self.trial(view, forecast.most),
            false => self.rung,
        }
    }

    /// The next better rung; at first, and after a trial that was in time, the best one that is
    /// not too far above the present one.
    fn trial(&self, view: &View, may_be_sent: f64) -> usize {
        let bytes = |rung: usize| self.sizes.of(view.ladder[rung].rendition);
        let fits = |rung: &usize| bytes(*rung) <= may_be_sent * view.part(*rung, FILL);
        let most = TRIAL * bytes(self.rung);
        let mut better = view.allowed.iter().copied().filter(|r| *r < self.rung);
        better
            .find(|r| self.trials.bold && bytes(*r) <= most && fits(r))
            .or(Some(view.above(self.rung)).filter(fits))
            .unwrap_or(self.rung)
    }

    fn is_too_large(&mut self, view: &View, forecast: &Forecast) -> bool {
        let takes = self.takes(view, forecast, self.rung, 0.0);
        if takes <= view.part(self.rung, TIGHT) {
            self.tight = None;
        } else if self.tight.is_none() {
            self.tight = Some(view.now);
        }
        let long = self
            .tight
            .is_some_and(|since| view.now.since(since) >= SETTLED * 2);
        let skips = self.offered >= WINDOW / 2 && self.skipped >= TOO_MANY_SKIPPED;
        long || skips || takes > view.part(self.rung, FULL)
    }

    fn rise(&mut self, view: &View, target: usize, best: usize, kept_by: Reason) -> bool {
        if self.rung == best {
            self.reason = floor(best);
        }
        // Where a limit held it down that is lifted now, the link has nothing to prove first.
        if self.reason == Reason::Limit && self.rung > best {
            let to = target.min(self.rung);
            return self.go(to, reason_at(to, view, kept_by), view.now);
        }
        if target >= self.rung {
            self.better = None;
            return false;
        }
        let (since, least) = self.better.get_or_insert((view.now, target));
        *least = target.max(*least);
        let (since, least) = (*since, *least);
        if view.now.since(since.max(self.changed)) < SETTLED {
            return false;
        }
        self.better = None;
        let to = self.not_back(least, view);
        to < self.rung && self.go(to, reason_at(to, view, kept_by), view.now)
    }

    /// Seconds that the next frame would take on this rung.
    fn takes(&self, view: &View, forecast: &Forecast, rung: usize, sure: f64) -> f64 {
        forecast.time(self.sizes.of(view.ladder[rung].rendition), sure)
    }

    /// That rung, or the next one if that would be a step back to what has just been left.
    fn not_back(&self, rung: usize, view: &View) -> usize {
        let just_left = |(left, at): (usize, Timestamp)| left == rung && view.now.since(at) < HOLD;
        match self.left.is_some_and(just_left) {
            true => view.from(rung + 1),
            false => rung,
        }
    }

    fn go(&mut self, rung: usize, reason: Reason, now: Timestamp) -> bool {
        self.reason = reason;
        if rung == self.rung {
            return false;
        }
        self.left = Some((self.rung, now));
        self.rung = rung;
        self.changed = now;
        self.better = None;
        self.tight = None;
        self.trials.forget();
        self.skipped = 0;
        self.offered = 0;
        true
    }
}

/// What keeps a client on the best rung that its limits allow.
fn floor(best: usize) -> Reason {
    if best == 0 {
        Reason::Top
    } else {
        Reason::Limit
    }
}

/// What keeps a client on this rung, where that is not the best one.
fn reason_at(rung: usize, view: &View, kept_by: Reason) -> Reason {
    if rung == view.best() {
        floor(rung)
    } else {
        kept_by
    }
}

/// What says how much may be sent.
pub(super) fn kept_by(forecast: &Forecast) -> Reason {
    match forecast.is_limited() {
        true => Reason::Bandwidth(forecast.most),
        false => Reason::Link(forecast.rate),
    }
}

#[cfg(test)]
mod tests;
