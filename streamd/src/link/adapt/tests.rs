//! Ideal links of every rate, limits, trials.

use proptest::prelude::*;

use super::{sizes::model, *};
use crate::{
    config::values::Rung,
    link::estimate::{Delivery, Estimate},
    media::{Rendition, Scale},
};

const FRAME: Duration = Duration::from_millis(33);

fn ladder() -> Vec<Step> {
    let top = Rendition {
        quality: 80,
        scale: Scale::Full,
    };
    std::iter::once(top)
        .chain(Rung::default_ladder().iter().map(|r| r.0))
        .map(Step::each)
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
        let rung = adapt.pick(&view);
        let rendition = ladder[rung].rendition;
        let bytes = full * model(rendition) * wobble[i % wobble.len()];
        free = now + Duration::from_secs_f64(bytes / rate);
        let frame = Frame {
            sequence: i as u64,
            rendition,
            rung,
            bytes: bytes as usize,
            skipped: std::mem::take(&mut skipped),
        };
        adapt.sent(&frame, now);
        let busy = estimate.delivered(&Delivery {
            bytes: bytes as usize,
            sent: now,
            acknowledged: free + rtt,
            min_rtt: rtt,
            segment: 1448,
        });
        adapt.delivered(i as u64, busy, &ladder, FRAME);
    }
    history
}

/// The rungs that limits allow whose best one is of this number.
const FROM: [&[usize]; 4] = [&[0, 1, 2], &[1, 2], &[2], &[3]];

fn view(ladder: &[Step], now: Timestamp) -> View<'_> {
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
        let part = |rung: usize| full * model(ladder[rung].rendition) / (rate * FRAME.as_secs_f64());
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
        let bytes = |at: usize| full * model(ladder[history[at].1].rendition);
        prop_assert!(bytes(330) <= low * FRAME.as_secs_f64() * FULL, "{:?}", changes(&history));
        let fits = |r: &usize| full * model(ladder[*r].rendition) <= high * FRAME.as_secs_f64() * FILL * 0.9;
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
            rendition: LADDER[rung].rendition,
            rung,
            bytes: [50_000, 34_000, 8_500][rung],
            skipped: 0,
        };
        adapt.sent(&frame, at(ms));
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
            adapt.delivered(ms, Some(Duration::from_millis(busy)), &LADDER, FRAME);
        }
    }
    assert_eq!(adapt.rung(), 1);
    assert!(
        tried[1] - tried[0] > 900 && tried[2] - tried[1] < 200,
        "{tried:?}"
    );
}

const fn rung(quality: u8, scale: Scale) -> Step {
    Step::each(Rendition { quality, scale })
}

const LADDER: [Step; 3] = [
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
        rendition: LADDER[adapt.rung()].rendition,
        rung: adapt.rung(),
        bytes,
        skipped: 0,
    };
    adapt.sent(&sent, now);
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
        .filter(|r| ladder[*r].rendition.quality <= 60)
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
        let rung = adapt.pick(&view);
        let rendition = ladder[rung].rendition;
        let sent = Frame {
            sequence: frame,
            rendition,
            rung,
            bytes: (60_000.0 * model(rendition)) as usize,
            skipped: 0,
        };
        adapt.sent(&sent, now);
        adapt.delivered(frame, Some(Duration::from_millis(10)), &ladder, FRAME);
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
