//! Which rendition a client gets: the best one whose frames its link can carry in time.
//!
//! The decision is by the predicted time of a frame of that size, with its uncertainty, as in Fugu
//! (Yan et al., NSDI 2020), and not by buffer levels, since there is no buffer. A step down is
//! taken at once, to the best rung that fits. A step up waits until a better rung has fitted for
//! a moment. Below the last rung the gate skips frames: the frame rate gives way last.
//!
//! Any picture may follow any other. So a single frame may be another than the rung's: a smaller
//! one where only that comes in time ([`Adapt::pick`]), a larger one to try whether the link
//! carries it, which a stream of small frames cannot tell.
//!
//! No I/O, no clock.

mod sizes;
mod stood;
mod trials;

use std::time::Duration;

use self::{sizes::Sizes, stood::Stood, trials::Trials};
use super::estimate::Forecast;
use crate::media::{Rendition, Timestamp};

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

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub now: Timestamp,
    /// The renditions, best first.
    pub ladder: &'a [Rendition],
    /// The rungs that the viewer's limits allow, best first; at least one.
    pub allowed: &'a [usize],
    /// False where the camera's `adapt = false`: then only the limits count.
    pub adapts: bool,
    /// Time between two frames that this client wants.
    pub interval: Duration,
    /// What the link is expected to do; `None` while unknown.
    pub forecast: Option<Forecast>,
    /// For how long the frame that goes next has waited already.
    pub late: Duration,
    /// Bytes that the next frame may have, where the congestion control has narrowed its window for
    /// reasons of its own: what is beyond would wait.
    pub room: Option<u32>,
}

impl View<'_> {
    fn best(&self) -> usize {
        self.allowed[0]
    }

    fn last(&self) -> usize {
        self.allowed[self.allowed.len() - 1]
    }

    /// The best one of those that are allowed and no better than this.
    fn from(&self, rung: usize) -> usize {
        let mut worse = self.allowed.iter().filter(|r| **r >= rung);
        worse.next().copied().unwrap_or(self.last())
    }

    /// The next better one that is allowed.
    fn above(&self, rung: usize) -> usize {
        let better = self.allowed.iter().rev().find(|r| **r < rung);
        better.copied().unwrap_or(self.best())
    }
}

/// Why a client stands on a rung.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It is the best there is.
    Top,
    /// The client's own limit, or one set for it.
    Limit,
    /// The link carries so many bytes a second.
    Link(f64),
    /// It may be sent so many bytes a second, whatever its link carries.
    Bandwidth(f64),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top => f.write_str("top"),
            Self::Limit => f.write_str("limit"),
            Self::Link(rate) => write!(f, "link {:.1} Mb/s", rate * 8.0 / 1e6),
            Self::Bandwidth(rate) => write!(f, "max-bandwidth {:.1} Mb/s", rate * 8.0 / 1e6),
        }
    }
}

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

    /// A frame was sent, as [picked](Self::pick) from this ladder.
    pub fn sent(&mut self, frame: &Frame, ladder: &[Rendition], now: Timestamp) {
        self.sizes.learn(frame.rendition, frame.bytes as f64);
        if self.offered >= WINDOW {
            self.offered /= 2;
            self.skipped /= 2;
        }
        self.offered += 1 + frame.skipped;
        self.skipped += frame.skipped;
        let rung = ladder.iter().position(|r| *r == frame.rendition);
        if let Some(rung) = rung.filter(|rung| *rung < self.rung) {
            self.trials.sent(rung, frame.sequence, now);
        }
    }

    /// That frame has arrived; the link was busy with it for so long, if that is known, where
    /// frames are due at this interval.
    pub fn delivered(&mut self, sequence: u64, busy: Option<Duration>, interval: Duration) {
        let in_time = busy.map(|busy| busy <= interval.mul_f64(FILL));
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
        let fits = |r: &usize| self.takes(view, &forecast, *r, SURE) <= part(view, FILL);
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
        let left = part(view, DIP.0) - view.late.as_secs_f64();
        let left = left.max(part(view, DIP.1));
        let comes = |r: &usize| {
            self.takes(view, &forecast, *r, 0.0) <= left
                && view
                    .room
                    .is_none_or(|room| self.sizes.of(view.ladder[*r]) <= f64::from(room))
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
        let size = |rung: usize| self.sizes.of(view.ladder[rung]);
        let fits = |rung: &usize| size(*rung) <= may_be_sent * part(view, FILL);
        let most = TRIAL * size(self.rung);
        let mut better = view.allowed.iter().copied().filter(|r| *r < self.rung);
        better
            .find(|r| self.trials.bold && size(*r) <= most && fits(r))
            .or(Some(view.above(self.rung)).filter(fits))
            .unwrap_or(self.rung)
    }

    fn is_too_large(&mut self, view: &View, forecast: &Forecast) -> bool {
        let takes = self.takes(view, forecast, self.rung, 0.0);
        if takes <= part(view, TIGHT) {
            self.tight = None;
        } else if self.tight.is_none() {
            self.tight = Some(view.now);
        }
        let long = self
            .tight
            .is_some_and(|since| view.now.since(since) >= SETTLED * 2);
        let skips = self.offered >= WINDOW / 2 && self.skipped >= TOO_MANY_SKIPPED;
        long || skips || takes > part(view, FULL)
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
        forecast.time(self.sizes.of(view.ladder[rung]), sure)
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

/// A frame that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Its number.
    pub sequence: u64,
    /// What it was encoded as.
    pub rendition: Rendition,
    /// Its bytes.
    pub bytes: usize,
    /// Frames before it that were not sent, because older bytes were on their way.
    pub skipped: u32,
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

/// That part of the interval, in seconds.
fn part(view: &View, part: f64) -> f64 {
    view.interval.as_secs_f64() * part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{sizes::model, *};
    use crate::{
        config::values::Rung,
        link::estimate::{Delivery, Estimate},
        media::Scale,
    };

    const FRAME: Duration = Duration::from_millis(33);

    fn ladder() -> Vec<Rendition> {
        let top = Rendition {
            quality: 80,
            scale: Scale::Full,
        };
        std::iter::once(top)
            .chain(Rung::default_ladder().iter().map(|r| r.0))
            .collect()
    }

    /// A client on an ideal link whose rate changes by `steps` (bytes a second, and for how many
    /// frames), with pictures of `full` bytes at the top; returns the rung at each frame.
    fn simulate(steps: &[(f64, u32)], full: f64, wobble: &[f64]) -> Vec<(Timestamp, usize)> {
        let (ladder, rtt) = (ladder(), Duration::from_millis(40));
        let mut now = Timestamp::from_nanos(1_000_000_000);
        let (mut adapt, mut estimate) = (Adapt::new(now), Estimate::default());
        let (mut free, mut skipped) = (now, 0);
        let mut history = Vec::new();
        let rates = steps
            .iter()
            .flat_map(|(rate, n)| std::iter::repeat_n(*rate, *n as usize));
        for (i, rate) in rates.enumerate() {
            now = now + FRAME;
            let view = View {
                forecast: estimate.forecast(now, None),
                ..view(&ladder, now)
            };
            adapt.decide(&view);
            history.push((now, adapt.rung()));
            // The gate: not while older bytes are on their way.
            if free > now {
                skipped += 1;
                continue;
            }
            let rendition = ladder[adapt.pick(&view)];
            let bytes = full * model(rendition) * wobble[i % wobble.len()];
            free = now + Duration::from_secs_f64(bytes / rate);
            let frame = Frame {
                sequence: i as u64,
                rendition,
                bytes: bytes as usize,
                skipped: std::mem::take(&mut skipped),
            };
            adapt.sent(&frame, &ladder, now);
            let busy = estimate.delivered(&Delivery {
                bytes: bytes as usize,
                sent: now,
                acknowledged: free + rtt,
                min_rtt: rtt,
                segment: 1448,
            });
            adapt.delivered(i as u64, busy, FRAME);
        }
        history
    }

    /// The rungs that limits allow whose best one is of this number.
    const FROM: [&[usize]; 4] = [&[0, 1, 2], &[1, 2], &[2], &[3]];

    fn view(ladder: &[Rendition], now: Timestamp) -> View<'_> {
        const ALL: [usize; 32] = {
            let mut all = [0; 32];
            let mut n = 0;
            while n < all.len() {
                all[n] = n;
                n += 1;
            }
            all
        };
        View {
            now,
            ladder,
            allowed: &ALL[..ladder.len()],
            adapts: true,
            interval: FRAME,
            forecast: None,
            late: Duration::ZERO,
            room: None,
        }
    }

    const fn even(rate: f64) -> Option<Forecast> {
        Some(Forecast {
            rate,
            lump: 0.0,
            most: f64::INFINITY,
        })
    }

    /// The rungs in the order they were taken, each with the moment.
    fn changes(history: &[(Timestamp, usize)]) -> Vec<(Timestamp, usize)> {
        let mut changes = history.to_vec();
        changes.dedup_by_key(|(_, rung)| *rung);
        changes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Whatever the link does: no rung is left and taken again within the hold.
        #[test]
        fn no_a_b_a_within_the_hold(
            steps in prop::collection::vec((20_000.0..3_000_000.0f64, 5u32..400), 1..8),
            full in 15_000.0..200_000.0f64,
            wobble in prop::collection::vec(0.6..1.5f64, 1..20),
        ) {
            let taken = changes(&simulate(&steps, full, &wobble));
            for three in taken.windows(3) {
                let back = three[2].1 == three[0].1;
                // The lowest rung has nothing below it to step aside to.
                let lowest = three[2].1 + 1 == ladder().len();
                let lasted = three[2].0.since(three[1].0);
                prop_assert!(!back || lowest || lasted >= HOLD, "{taken:?}");
            }
        }

        /// On a steady link a client comes to rest on a rung that fits, and uses the link.
        #[test]
        fn a_steady_link_is_used_and_not_overrun(
            rate in 150_000.0..3_000_000.0f64,
            full in 30_000.0..80_000.0f64,
        ) {
            let history = simulate(&[(rate, 600)], full, &[1.0]);
            let settled = &history[300..];
            prop_assert!(settled.iter().all(|h| h.1 == settled[0].1), "still moving");
            let ladder = ladder();
            let part = |rung: usize| full * model(ladder[rung]) / (rate * FRAME.as_secs_f64());
            let rung = settled[0].1;
            prop_assert!(part(rung) <= TIGHT, "{} of the link", part(rung));
            prop_assert!(rung == 0 || part(rung - 1) > FILL * 0.9, "a better rung would fit");
        }

        /// After a fall the rung fits again within a second; after the rise it is back
        /// within two, but for the rung that has just been left.
        #[test]
        fn falls_at_once_and_rises_again(
            high in 900_000.0..2_000_000.0f64,
            low in 150_000.0..400_000.0f64,
            full in 30_000.0..60_000.0f64,
        ) {
            let history = simulate(&[(high, 300), (low, 150), (high, 150)], full, &[1.0]);
            let ladder = ladder();
            let bytes = |at: usize| full * model(ladder[history[at].1]);
            prop_assert!(bytes(330) <= low * FRAME.as_secs_f64() * FULL, "{:?}", changes(&history));
            let fits = |r: &usize| full * model(ladder[*r]) <= high * FRAME.as_secs_f64() * FILL * 0.9;
            let best = (0..ladder.len()).find(fits).expect("the lowest fits any of these links");
            prop_assert!(history[450 + 60].1 <= best + 1, "{best}: {:?}", changes(&history));
        }
    }

    #[test]
    fn limits_hold_and_adaptation_can_be_off() {
        let ladder = ladder();
        let now = Timestamp::from_nanos(0);
        let mut adapt = Adapt::new(now);
        let view = |best| View {
            allowed: FROM[best],
            ..view(&ladder, now)
        };
        assert!(adapt.decide(&view(3)));
        assert_eq!((adapt.rung(), adapt.reason()), (3, Reason::Limit));
        assert!(!adapt.decide(&view(3)));
        assert_eq!(Reason::Link(975_000.0).to_string(), "link 7.8 Mb/s");
    }

    /// A limit on what may be sent is kept as a link would be, and nothing is tried beyond it,
    /// however fast the link is and however little is known of it.
    #[test]
    fn a_limit_of_bandwidth_is_a_rung_that_fits() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        assert!(!step(&mut adapt, &mut frame, 0, 50_000, 10e6));
        let view = |ms: u64, most| View {
            forecast: Some(Forecast {
                rate: 10e6,
                lump: 100_000.0,
                most,
            }),
            ..view(&LADDER, Timestamp::from_nanos(ms * 1_000_000))
        };
        // 34 kB in 33 ms are the middle rung.
        let limit = 34_000.0 / (FRAME.as_secs_f64() * 0.7);
        assert!(!adapt.decide(&view(9_000, limit)), "for a moment");
        assert!(adapt.decide(&view(9_600, limit)));
        assert_eq!(
            (adapt.rung(), adapt.reason()),
            (1, Reason::Bandwidth(limit))
        );
        for ms in (10_033..40_000).step_by(33) {
            assert!(!adapt.decide(&view(ms, limit)), "{ms}");
            assert_eq!(adapt.pick(&view(ms, limit)), 1, "{ms}");
        }
        let lifted = (40_000..60_000).step_by(33);
        let changes = lifted.filter(|ms| adapt.decide(&view(*ms, f64::INFINITY)));
        assert_eq!(changes.count(), 1);
        assert_eq!((adapt.rung(), adapt.reason()), (0, Reason::Top));
        assert_eq!(
            Reason::Bandwidth(975_000.0).to_string(),
            "max-bandwidth 7.8 Mb/s"
        );
    }

    #[test]
    fn one_frame_is_smaller_where_only_that_comes_in_time() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        assert!(!step(&mut adapt, &mut frame, 0, 50_000, 2e6));
        let view = |late, room| View {
            forecast: even(2e6),
            late: Duration::from_millis(late),
            room,
            ..view(&LADDER, Timestamp::from_nanos(1_000_000_000))
        };
        assert_eq!(adapt.pick(&view(0, None)), 0);
        assert_eq!(adapt.pick(&view(8, None)), 1);
        assert_eq!(adapt.pick(&view(30, None)), 2, "as good as it gets");
        assert_eq!(adapt.pick(&view(0, Some(40_000))), 1);
        assert_eq!(adapt.rung(), 0, "it stands where it stood");
    }

    #[test]
    fn a_better_rung_is_tried_with_one_frame_and_taken_when_two_came_in_time() {
        let mut adapt = Adapt::new(Timestamp::default());
        let at = |ms: u64| Timestamp::from_nanos(ms * 1_000_000);
        // So uneven that no better rung seems to fit.
        let forecast = |rate| {
            Some(Forecast {
                rate,
                lump: 100_000.0,
                most: f64::INFINITY,
            })
        };
        let view = |ms, rate| View {
            forecast: forecast(rate),
            ..view(&LADDER, at(ms))
        };
        let send = |adapt: &mut Adapt, ms: u64, rung: usize| {
            let frame = Frame {
                sequence: ms,
                rendition: LADDER[rung],
                bytes: [50_000, 34_000, 8_500][rung],
                skipped: 0,
            };
            adapt.sent(&frame, &LADDER, at(ms));
        };
        send(&mut adapt, 0, 0);
        assert!(adapt.decide(&view(33, 1e6)));
        assert_eq!(adapt.rung(), 2);
        let mut tried = Vec::new();
        for ms in (100..4000).step_by(33) {
            assert_eq!(
                adapt.decide(&view(ms, 1.1e6)),
                tried.len() == 3,
                "{tried:?}"
            );
            if tried.len() == 3 {
                break;
            }
            let rung = adapt.pick(&view(ms, 1.1e6));
            send(&mut adapt, ms, rung);
            if rung < 2 {
                assert_eq!(rung, 1);
                tried.push(ms);
                let busy = if tried.len() == 1 { 40 } else { 20 };
                adapt.delivered(ms, Some(Duration::from_millis(busy)), FRAME);
            }
        }
        assert_eq!(adapt.rung(), 1);
        assert!(
            tried[1] - tried[0] > 900 && tried[2] - tried[1] < 200,
            "{tried:?}"
        );
    }

    const fn rung(quality: u8, scale: Scale) -> Rendition {
        Rendition { quality, scale }
    }

    const LADDER: [Rendition; 3] = [
        rung(80, Scale::Full),
        rung(60, Scale::Full),
        rung(40, Scale::Half),
    ];

    /// Sends a frame of `bytes` at the present rung and decides, one frame interval later.
    fn step(adapt: &mut Adapt, frame: &mut u64, best: usize, bytes: usize, rate: f64) -> bool {
        *frame += 1;
        let now = Timestamp::from_nanos(*frame * 33_000_000);
        let sent = Frame {
            sequence: *frame,
            rendition: LADDER[adapt.rung()],
            bytes,
            skipped: 0,
        };
        adapt.sent(&sent, &LADDER, now);
        adapt.decide(&View {
            allowed: FROM[best],
            forecast: even(rate),
            ..view(&LADDER, now)
        })
    }

    #[test]
    fn a_limit_holds_at_once_and_so_does_its_end() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        let fast = 100e6;
        assert!(!step(&mut adapt, &mut frame, 0, 50_000, fast));
        assert!(step(&mut adapt, &mut frame, 2, 50_000, fast));
        assert_eq!((adapt.rung(), adapt.reason()), (2, Reason::Limit));
        assert!(step(&mut adapt, &mut frame, 1, 9_000, fast));
        assert_eq!((adapt.rung(), adapt.reason()), (1, Reason::Limit));
        assert!(step(&mut adapt, &mut frame, 0, 34_000, fast));
        assert_eq!((adapt.rung(), adapt.reason()), (0, Reason::Top));
    }

    #[test]
    fn no_rung_that_a_limit_leaves_out_is_ever_given() {
        let ladder = ladder();
        let allowed: Vec<usize> = (0..ladder.len())
            .filter(|r| ladder[*r].quality <= 60)
            .collect();
        let left_out = ladder.len() - allowed.len();
        assert!(allowed[0] + 1 < left_out, "75/2 is among those below 60");
        let mut adapt = Adapt::new(Timestamp::default());
        let mut rungs = std::collections::BTreeSet::new();
        for frame in 0..3000u64 {
            let now = Timestamp::from_nanos(frame * 33_000_000);
            // Up and down, from less than the last rung needs to more than the first.
            let rate = 3e6 * (1.01 + (frame as f64 * 0.01).sin());
            let view = View {
                allowed: &allowed,
                forecast: even(rate * 0.3),
                late: Duration::from_millis(frame % 40),
                ..view(&ladder, now)
            };
            adapt.decide(&view);
            for rung in [adapt.rung(), adapt.pick(&view)] {
                assert!(allowed.contains(&rung), "{:?}", ladder[rung]);
                rungs.insert(rung);
            }
            let rendition = ladder[adapt.pick(&view)];
            let sent = Frame {
                sequence: frame,
                rendition,
                bytes: (60_000.0 * model(rendition)) as usize,
                skipped: 0,
            };
            adapt.sent(&sent, &ladder, now);
            adapt.delivered(frame, Some(Duration::from_millis(10)), FRAME);
        }
        assert!(
            rungs.len() > allowed.len() / 2,
            "it went over them: {rungs:?}"
        );
    }

    #[test]
    fn the_end_of_a_limit_gives_no_more_than_the_link_carries() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        let slow = 400e3;
        assert!(step(&mut adapt, &mut frame, 2, 50_000, slow));
        assert!(!step(&mut adapt, &mut frame, 0, 9_000, slow));
        assert_eq!((adapt.rung(), adapt.reason()), (2, Reason::Link(slow)));
    }

    #[test]
    fn a_rung_that_the_link_took_for_a_moment_is_had_again_soon_and_the_very_one_after_the_hold() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        assert!(step(&mut adapt, &mut frame, 0, 50_000, 400e3));
        assert_eq!(adapt.rung(), 2);
        let left = frame;
        let since = |frame: u64| Duration::from_millis((frame - left) * 33);
        while !step(&mut adapt, &mut frame, 0, 8_500, 100e6) {}
        assert!((SETTLED..SETTLED * 2).contains(&since(frame)));
        assert_eq!(adapt.rung(), 1);
        while !step(&mut adapt, &mut frame, 0, 34_000, 100e6) {}
        assert_eq!(adapt.rung(), 0, "not the one that was left last");
    }
}
