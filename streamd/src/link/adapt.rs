//! Which rendition a client gets: the best one whose frames its link can carry in time.
//!
//! The decision is by predicted transfer time of a frame of that size, as in Fugu (Yan et al.,
//! NSDI 2020), and not by buffer levels, since there is no buffer. A step down is taken at once,
//! to the best rung that fits. A step up waits until the link has been good for a hold time, and
//! the hold doubles when such a step had to be taken back, so that a client doesn't swing between
//! two rungs. Below the last rung the gate skips frames: the frame rate gives way last.
//!
//! No I/O, no clock.

use std::time::Duration;

use crate::media::{Rendition, Scale, Timestamp};

/// Part of the frame interval that a frame's transfer may take where we choose it: the rest is for
/// frames larger than the last ones, and for the link's own swings.
const FILL: f64 = 0.7;

/// Part of the interval above which the present rung is given up.
const FULL: f64 = 0.95;

/// The least time on a rung before a step up, and before a rung that was left is taken again.
pub const HOLD: Duration = Duration::from_secs(4);

/// The longest hold.
const LONGEST_HOLD: Duration = Duration::from_secs(64);

/// Frames over which skipped ones are counted.
const WINDOW: u32 = 16;

/// So many skipped frames in the window mean that the rung is too large, whatever the estimate.
const TOO_MANY_SKIPPED: u32 = 4;

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Now.
    pub now: Timestamp,
    /// The renditions, best first.
    pub ladder: &'a [Rendition],
    /// The viewer's limits leave out the rungs above this.
    pub best: usize,
    /// False where the camera's `adapt = false`: then only the limits count.
    pub adapts: bool,
    /// Time between two frames that this client wants.
    pub interval: Duration,
    /// The link's present rate, bytes a second; `None` while unknown.
    pub rate: Option<f64>,
    /// The rate that it had almost always in the last hold time.
    pub sure_rate: Option<f64>,
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
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top => f.write_str("top"),
            Self::Limit => f.write_str("limit"),
            Self::Link(rate) => write!(f, "link {:.1} Mb/s", rate * 8.0 / 1e6),
        }
    }
}

/// One client's place on a camera's ladder.
#[derive(Debug)]
pub struct Adapt {
    rung: usize,
    reason: Reason,
    changed: Timestamp,
    hold: Duration,
    /// The last step up, while it may still have to be taken back: when.
    raised: Option<Timestamp>,
    /// When each rung was left last.
    left: Vec<(usize, Timestamp)>,
    /// Bytes of recent frames at the present rung.
    size: f64,
    /// What was learnt of the rungs' sizes, relative to the model.
    learnt: Vec<(Rendition, f64)>,
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
            hold: HOLD,
            raised: None,
            left: Vec::new(),
            size: 0.0,
            learnt: Vec::new(),
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

    /// How long the link must have been good before the next step up.
    pub fn hold(&self) -> Duration {
        self.hold
    }

    /// A frame of the present rung was sent; `skipped` frames before it were not, because older
    /// bytes were on their way.
    pub fn sent(&mut self, rendition: Rendition, bytes: usize, skipped: u32) {
        let bytes = bytes as f64;
        self.size = if self.size == 0.0 {
            bytes
        } else {
            self.size + (bytes - self.size) * 0.25
        };
        let learnt = bytes / model(rendition);
        match self.learnt.iter_mut().find(|(r, _)| *r == rendition) {
            Some((_, factor)) => *factor += (learnt - *factor) * 0.25,
            None => self.learnt.push((rendition, learnt)),
        }
        if self.offered >= WINDOW {
            self.offered /= 2;
            self.skipped /= 2;
        }
        self.offered += 1 + skipped;
        self.skipped += skipped;
    }

    /// Decides; true if the rung has changed.
    pub fn decide(&mut self, view: &View) -> bool {
        let last = view.ladder.len() - 1;
        let best = view.best.min(last);
        let floor = if best == 0 {
            Reason::Top
        } else {
            Reason::Limit
        };
        if self.rung < best || self.rung > last {
            return self.go(self.rung.clamp(best, last), floor, view.now);
        }
        if !view.adapts {
            return self.go(best, floor, view.now);
        }
        let Some(rate) = view.rate.filter(|_| self.size > 0.0) else {
            // Nothing is known of the link, so only the limits count.
            return self.size > 0.0 && self.go(best, floor, view.now);
        };
        let carries = |rate: f64, part: f64| rate * view.interval.as_secs_f64() * part;
        let current = view.ladder[self.rung];
        let too_large = self.size > carries(rate, FULL);
        let skips = self.offered >= WINDOW / 2 && self.skipped >= TOO_MANY_SKIPPED;
        if (too_large || skips) && self.rung < last {
            let budget = carries(rate, FILL);
            let fits = |r: &usize| self.predict(current, view.ladder[*r]) <= budget;
            let mut to = (self.rung + 1..=last).find(fits).unwrap_or(last);
            // Not back to a rung that was left a moment ago: it was left because better seemed
            // possible, and what has just been seen says that even it is too much.
            while to < last && self.left_lately(to, view.now) {
                to += 1;
            }
            if self
                .raised
                .take()
                .is_some_and(|at| view.now.since(at) < self.hold * 2)
            {
                self.hold = (self.hold * 2).min(LONGEST_HOLD);
            }
            return self.go(to, Reason::Link(rate), view.now);
        }
        self.rise(view, best, floor, current)
    }

    fn rise(&mut self, view: &View, best: usize, floor: Reason, current: Rendition) -> bool {
        if self.rung == best {
            self.reason = floor;
        }
        if self
            .raised
            .is_some_and(|at| view.now.since(at) >= self.hold * 2)
        {
            self.raised = None;
            self.hold = HOLD;
        }
        // Where a limit held it down that is lifted now, the link has nothing to prove first.
        let lifted = self.reason == Reason::Limit && self.rung > best;
        let held = !lifted && view.now.since(self.changed) < self.hold;
        if self.rung == best || held {
            return false;
        }
        let rate = if lifted { view.rate } else { view.sure_rate };
        let Some(sure) = rate else {
            return false;
        };
        let budget = sure * view.interval.as_secs_f64() * FILL;
        let fits = |r: &usize| {
            self.predict(current, view.ladder[*r]) <= budget
                && (lifted || !self.left_lately(*r, view.now))
        };
        let Some(to) = (best..self.rung).find(fits) else {
            if lifted {
                self.reason = Reason::Link(sure);
            }
            return false;
        };
        self.raised = (!lifted).then_some(view.now);
        self.go(
            to,
            if to == best {
                floor
            } else {
                Reason::Link(sure)
            },
            view.now,
        )
    }

    /// The size of a frame at `other`, from those at `current`.
    fn predict(&self, current: Rendition, other: Rendition) -> f64 {
        let factor = |r| {
            self.learnt
                .iter()
                .find(|(known, _)| *known == r)
                .map(|(_, f)| *f)
        };
        let relative = match (factor(current), factor(other)) {
            (Some(current), Some(other)) if current > 0.0 => other / current,
            _ => 1.0,
        };
        self.size * model(other) / model(current) * relative
    }

    fn left_lately(&self, rung: usize, now: Timestamp) -> bool {
        self.left
            .iter()
            .any(|(r, at)| *r == rung && now.since(*at) < HOLD)
    }

    fn go(&mut self, rung: usize, reason: Reason, now: Timestamp) -> bool {
        self.reason = reason;
        if rung == self.rung {
            return false;
        }
        self.left
            .retain(|(r, at)| *r != self.rung && now.since(*at) < HOLD);
        self.left.push((self.rung, now));
        self.rung = rung;
        self.changed = now;
        self.size = 0.0;
        self.skipped = 0;
        self.offered = 0;
        true
    }
}

/// Bytes of a picture relative to full size at quality 80, as measured on film at 640x480; what a
/// client really gets corrects it.
fn model(rendition: Rendition) -> f64 {
    const BY_QUALITY: [(f64, f64); 8] = [
        (1.0, 0.08),
        (20.0, 0.33),
        (40.0, 0.52),
        (60.0, 0.67),
        (80.0, 1.0),
        (90.0, 1.5),
        (95.0, 2.2),
        (100.0, 4.5),
    ];
    let quality = f64::from(rendition.quality);
    let next = BY_QUALITY
        .iter()
        .position(|(q, _)| *q >= quality)
        .unwrap_or(7)
        .max(1);
    let ((q0, s0), (q1, s1)) = (BY_QUALITY[next - 1], BY_QUALITY[next]);
    let by_quality = s0 + (s1 - s0) * (quality - q0) / (q1 - q0);
    by_quality
        * match rendition.scale {
            Scale::Full => 1.0,
            Scale::Half => 0.32,
            Scale::Quarter => 0.108,
        }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::values::Rung,
        link::estimate::{Delivery, Estimate},
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
            let since = now
                .as_nanos()
                .saturating_sub(adapt.hold().as_nanos() as u64);
            adapt.decide(&View {
                now,
                ladder: &ladder,
                best: 0,
                adapts: true,
                interval: FRAME,
                rate: estimate.rate(),
                sure_rate: estimate.sure_rate(Timestamp::from_nanos(since)),
            });
            history.push((now, adapt.rung()));
            // The gate: not while older bytes are on their way.
            if free > now {
                skipped += 1;
                continue;
            }
            let rendition = ladder[adapt.rung()];
            let bytes = full * model(rendition) * wobble[i % wobble.len()];
            free = now + Duration::from_secs_f64(bytes / rate);
            adapt.sent(rendition, bytes as usize, std::mem::take(&mut skipped));
            estimate.delivered(&Delivery {
                bytes: bytes as usize,
                sent: now,
                acknowledged: free + rtt,
                min_rtt: rtt,
                segment: 1448,
            });
        }
        history
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
            let history = simulate(&[(rate, 1200)], full, &[1.0]);
            let settled = &history[900..];
            prop_assert!(settled.iter().all(|h| h.1 == settled[0].1), "still moving");
            let ladder = ladder();
            let part = |rung: usize| full * model(ladder[rung]) / (rate * FRAME.as_secs_f64());
            let rung = settled[0].1;
            prop_assert!(part(rung) <= FULL, "{} of the link", part(rung));
            prop_assert!(rung == 0 || part(rung - 1) > FILL * 0.9, "a better rung would fit");
        }

        /// After a fall the rung fits again within a second; after the rise it is back within 15 s.
        #[test]
        fn falls_at_once_and_rises_again(
            high in 900_000.0..2_000_000.0f64,
            low in 150_000.0..400_000.0f64,
            full in 30_000.0..60_000.0f64,
        ) {
            let history = simulate(&[(high, 600), (low, 300), (high, 600)], full, &[1.0]);
            let ladder = ladder();
            let bytes = |at: usize| full * model(ladder[history[at].1]);
            prop_assert!(bytes(630) <= low * FRAME.as_secs_f64() * FULL, "{:?}", changes(&history));
            let fits = |r: &usize| full * model(ladder[*r]) <= high * FRAME.as_secs_f64() * FILL * 0.9;
            let best = (0..ladder.len()).find(fits).expect("the lowest fits any of these links");
            prop_assert!(history[900 + 455].1 <= best, "{best}: {:?}", changes(&history));
        }
    }

    #[test]
    fn limits_hold_and_adaptation_can_be_off() {
        let ladder = ladder();
        let now = Timestamp::from_nanos(0);
        let mut adapt = Adapt::new(now);
        let view = |best| View {
            now,
            ladder: &ladder,
            best,
            adapts: true,
            interval: FRAME,
            rate: None,
            sure_rate: None,
        };
        assert!(adapt.decide(&view(3)));
        assert_eq!((adapt.rung(), adapt.reason()), (3, Reason::Limit));
        assert!(!adapt.decide(&view(3)));
        assert_eq!(Reason::Link(975_000.0).to_string(), "link 7.8 Mb/s");
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
        adapt.sent(LADDER[adapt.rung()], bytes, 0);
        adapt.decide(&View {
            now: Timestamp::from_nanos(*frame * 33_000_000),
            ladder: &LADDER,
            best,
            adapts: true,
            interval: Duration::from_millis(33),
            rate: Some(rate),
            sure_rate: Some(rate),
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
    fn the_end_of_a_limit_gives_no_more_than_the_link_carries() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        let slow = 400e3;
        assert!(step(&mut adapt, &mut frame, 2, 50_000, slow));
        assert!(!step(&mut adapt, &mut frame, 0, 9_000, slow));
        assert_eq!((adapt.rung(), adapt.reason()), (2, Reason::Link(slow)));
    }

    #[test]
    fn a_rung_that_the_link_took_is_had_again_after_the_hold() {
        let (mut adapt, mut frame) = (Adapt::new(Timestamp::default()), 0);
        assert!(step(&mut adapt, &mut frame, 0, 50_000, 400e3));
        assert_eq!(adapt.rung(), 2);
        let left = frame;
        while !step(&mut adapt, &mut frame, 0, 9_000, 100e6) {}
        assert!(Duration::from_millis((frame - left) * 33) >= HOLD);
        assert_eq!(adapt.rung(), 0);
    }
}
