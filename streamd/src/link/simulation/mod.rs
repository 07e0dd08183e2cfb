//! A viewer on an emulated connection, by the code that decides and by nothing else: half a minute
//! of a link takes some milliseconds, and is the same in every run.
//!
//! `lte.txt` are 40 s of a recorded downlink of Verizon's LTE, data of the Mahimahi project
//! (Netravali et al., USENIX ATC 2015; recorded for Sprout, Winstein et al., NSDI 2013): for each
//! 5 ms, how many packets of 1500 bytes could be delivered, in base 36.

mod connection;

use std::time::Duration;

use self::connection::{Connection, DELAY, Service};
use super::{
    adapt::{Adapt, Frame, Step, View, steps},
    estimate::{Delivery, Estimate, Progress},
    gate::{Gate, Path, Verdict},
};
use crate::{
    config::values::{Prefer, Rung},
    media::{Rendition, Scale, Timestamp},
};

const LTE: &str = include_str!("lte.txt");

/// Between two frames, and from capture until one can be sent. Milliseconds.
const FRAME: f64 = 1e3 / 30.0;
const PROMPT: f64 = 1.5;

/// Bytes of a frame of film at full size and quality 80.
const FULL: f64 = 54_000.0;

/// The time before this is not looked at. Milliseconds.
const WARM: f64 = 5e3;

/// A link and a time on it.
struct Case {
    service: Service,
    loss: f64,
    probes: bool,
    prefer: Prefer,
    secs: f64,
}

impl Case {
    fn over(service: Service) -> Self {
        Self {
            service,
            loss: 0.0,
            probes: false,
            prefer: Prefer::Motion,
            secs: 30.0,
        }
    }

    fn steady(megabits: f64) -> Self {
        Self::over(Service::steps(&[(megabits, 0.0)], 0.0))
    }
}

/// What a viewer had.
struct Outcome {
    fps: f64,
    /// 95th percentile and the most, in milliseconds.
    age: (f64, f64),
    /// Part of what the link could carry.
    share: f64,
    /// Changes of the rendition, and those back to the one before within four seconds.
    changes: usize,
    swings: usize,
    /// When each frame was there, when it was captured, and its bytes.
    arrivals: Vec<(f64, f64, f64)>,
}

/// Pictures' sizes as they are on film, not as the model has them.
fn bytes(rendition: Rendition, n: u64) -> f64 {
    let by_quality = (f64::from(rendition.quality) / 80.0).powf(0.75);
    let by_size = match rendition.scale {
        Scale::Full => 1.0,
        Scale::Half => 0.33,
        Scale::Quarter => 0.11,
    };
    let n = n as f64;
    let scene = 1.0 + 0.08 * (n * 0.7).sin() + 0.06 * (n * 0.13).sin();
    (FULL * by_quality * by_size * scene).round()
}

fn at(ms: f64) -> Timestamp {
    Timestamp::from_nanos((ms * 1e6) as u64)
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1e3)
}

/// A frame on its way: its last segment, its bytes, when it was sent, whether it says anything.
struct Sent {
    end: u64,
    bytes: f64,
    at: f64,
    disturbed: bool,
    sent_again: u32,
}

/// The server's side.
struct Server {
    connection: Connection,
    ladder: Vec<Step>,
    allowed: Vec<usize>,
    estimate: Estimate,
    gate: Gate,
    adapt: Adapt,
    sent: Vec<Sent>,
    /// Frames that were sent: last segment, captured, bytes.
    frames: Vec<(u64, f64, f64)>,
    rungs: Vec<(f64, usize)>,
    /// The newest frame there is, and the last one sent.
    newest: Option<u64>,
    last: Option<u64>,
    seen: usize,
    again: f64,
}

impl Server {
    fn new(case: &Case) -> Self {
        let top = Rendition {
            quality: 80,
            scale: Scale::Full,
        };
        let below = Rung::default_ladder().into_iter().map(|rung| rung.0);
        let renditions: Vec<Rendition> = std::iter::once(top).chain(below).collect();
        let ladder = steps(&renditions, case.prefer);
        Self {
            allowed: (0..ladder.len()).collect(),
            connection: Connection::new(case.service.clone(), case.loss, case.probes),
            ladder,
            estimate: Estimate::default(),
            gate: Gate::default(),
            adapt: Adapt::new(at(0.0)),
            sent: Vec::new(),
            frames: Vec::new(),
            rungs: Vec::new(),
            newest: None,
            last: None,
            seen: 0,
            again: 0.0,
        }
    }

    /// Half a millisecond, as a viewer's task has it: woken by frames, acknowledgements, a timer.
    fn tick(&mut self, now: f64) {
        let before = self.connection.unacknowledged();
        self.connection.tick(now);
        let due = ((now - PROMPT) / FRAME).floor();
        let newest = (due >= 0.0).then_some(due as u64);
        let woken = newest != self.newest
            || before != self.connection.unacknowledged()
            || now >= self.again;
        self.newest = newest;
        self.take_stamps(now);
        if woken && self.newest >= self.due() {
            self.look(now);
        }
    }

    /// The next frame that is wanted on this rung.
    fn due(&self) -> Option<u64> {
        let every = self.ladder[self.adapt.rung()].every;
        Some(self.last.map_or(0, |last| last + u64::from(every)))
    }

    fn take_stamps(&mut self, now: f64) {
        if self.connection.probing(now) {
            self.sent.iter_mut().for_each(|sent| sent.disturbed = true);
        }
        while let Some(&(end, when)) = self.connection.stamps.get(self.seen) {
            self.seen += 1;
            let sent = self.sent.remove(0);
            assert_eq!(sent.end, end, "frames arrive in order");
            let by_loss =
                sent.sent_again != self.connection.sent_again && !self.connection.is_congested();
            let busy = if (sent.disturbed || by_loss) && self.estimate.rate().is_some() {
                self.estimate.disturbed(at(when));
                None
            } else {
                self.estimate.delivered(&Delivery {
                    bytes: sent.bytes as usize,
                    sent: at(sent.at),
                    acknowledged: at(when),
                    min_rtt: millis(self.connection.min_rtt()),
                    segment: 1448,
                })
            };
            self.adapt.delivered(end, busy, &self.ladder, millis(FRAME));
        }
    }

    fn look(&mut self, now: f64) {
        let connection = &self.connection;
        let path = Path {
            in_flight: (connection.unacknowledged() - connection.beyond_loss()) as u32,
            rate: self.estimate.rate().unwrap_or(0.0),
            min_rtt: millis(connection.min_rtt()),
            window: connection.window(now) as u32,
            unsent: connection.unsent() as u32,
            segment: 1448,
            probing: connection.probing(now),
            losing: connection.is_losing(),
            whole: None,
        };
        match self.gate.check(at(now), &path) {
            Verdict::Open => self.send(now, &path),
            Verdict::Shut(again) => self.again = again.as_nanos() as f64 / 1e6,
        }
    }

    fn send(&mut self, now: f64, path: &Path) {
        let number = self.newest.expect("there is one that was not sent");
        let captured = number as f64 * FRAME;
        let outstanding: f64 = self.sent.iter().map(|sent| sent.bytes).sum();
        let oldest = self.sent.first().filter(|_| !self.connection.is_losing());
        let progress = oldest.map(|first| Progress {
            sent: at(first.at),
            bytes: outstanding - self.connection.unacknowledged(),
            min_rtt: path.min_rtt,
        });
        let mut forecast = self.estimate.forecast(at(now), progress);
        if let Some(forecast) = &mut forecast {
            forecast.rate = forecast.rate.min(path.let_through());
        }
        let view = View {
            now: at(now),
            ladder: &self.ladder,
            allowed: &self.allowed,
            adapts: true,
            interval: millis(FRAME),
            forecast,
            late: millis(now - captured - PROMPT),
            room: path.left(),
        };
        if self.adapt.decide(&view) {
            self.rungs.push((now, self.adapt.rung()));
        }
        let rung = self.adapt.pick(&view);
        let rendition = self.ladder[rung].rendition;
        let bytes = bytes(rendition, number);
        let end = self.connection.write(bytes);
        let due = self.due().expect("there always is one");
        let skipped = number.saturating_sub(due) as u32;
        let frame = Frame {
            sequence: end,
            rendition,
            rung,
            bytes: bytes as usize,
            skipped: if path.probing { 0 } else { skipped },
        };
        self.adapt.sent(&frame, at(now));
        self.sent.push(Sent {
            end,
            bytes,
            at: now,
            disturbed: path.probing
                || (self.connection.is_losing() && !self.connection.is_congested()),
            sent_again: self.connection.sent_again,
        });
        self.frames.push((end, captured, bytes));
        self.last = Some(number);
        self.connection.tick(now);
    }
}

fn simulate(case: &Case) -> Outcome {
    let mut server = Server::new(case);
    let to = WARM + case.secs * 1e3;
    for n in 1..(to * 2.0) as u64 {
        server.tick(n as f64 / 2.0);
    }
    let arrivals: Vec<_> = server
        .connection
        .arrivals
        .iter()
        .zip(&server.frames)
        .map(|((end, when), (last, captured, bytes))| {
            assert_eq!(end, last);
            (*when, *captured, *bytes)
        })
        .collect();
    let counted = arrivals.iter().filter(|arrival| arrival.0 >= WARM);
    let carried: f64 = counted.clone().map(|arrival| arrival.2).sum();
    let mut ages = ages(&arrivals, WARM, to);
    ages.sort_by(f64::total_cmp);
    let swings = server
        .rungs
        .windows(3)
        .filter(|three| three[0].1 == three[2].1 && three[2].0 - three[1].0 < 4e3);
    Outcome {
        fps: counted.count() as f64 / case.secs,
        age: (ages[ages.len() * 95 / 100], ages[ages.len() - 1]),
        share: carried / case.service.capacity(WARM, to),
        changes: server.rungs.len(),
        swings: swings.count(),
        arrivals,
    }
}

/// How old the newest picture is at each millisecond.
fn ages(arrivals: &[(f64, f64, f64)], from: f64, to: f64) -> Vec<f64> {
    let mut next = 0;
    let mut ages = Vec::new();
    for ms in from as u64..to as u64 {
        let now = ms as f64;
        next += arrivals[next..].iter().take_while(|a| a.0 <= now).count();
        if let Some(shown) = next.checked_sub(1) {
            ages.push(now - arrivals[shown].1);
        }
    }
    ages
}

fn lte() -> Service {
    let digits = LTE.chars().filter(|c| !c.is_whitespace());
    let counts: Vec<u32> = digits
        .map(|c| c.to_digit(36).expect("digits of base 36"))
        .collect();
    let turn = |(n, count): (usize, &u32)| {
        let (from, count) = (n as f64 * 5.0, *count);
        (0..count).map(move |i| from + 5.0 * f64::from(i) / f64::from(count))
    };
    Service {
        turns: counts.iter().enumerate().flat_map(turn).collect(),
        bytes: 1500.0,
        period: counts.len() as f64 * 5.0,
    }
}

/// Says what a case gave, for whoever changes the rules: `cargo test simulation -- --nocapture`.
fn show(name: &str, outcome: &Outcome) {
    println!(
        "{name}: {:.1} fps, age p95 {:.0}, max {:.0} ms, {:.0} % of the link, {} changes, {} swings",
        outcome.fps,
        outcome.age.0,
        outcome.age.1,
        outcome.share * 100.0,
        outcome.changes,
        outcome.swings,
    );
}

#[test]
fn steady_links_are_used_and_pictures_are_in_time() {
    for megabits in [1.0, 2.0, 4.0, 8.0] {
        let outcome = simulate(&Case::steady(megabits));
        show(&format!("{megabits} Mb/s"), &outcome);
        assert!(outcome.fps >= 29.5, "{megabits}: {}", outcome.fps);
        assert!(outcome.age.0 <= 85.0, "{megabits}: {:?}", outcome.age);
        assert!(outcome.share >= 0.6, "{megabits}: {}", outcome.share);
        assert!(outcome.changes <= 12, "{megabits}: {}", outcome.changes);
    }
}

#[test]
fn where_detail_is_preferred_there_are_fewer_and_better_pictures() {
    for (megabits, fps) in [(1.0, 7.0), (2.0, 7.0), (4.0, 9.5), (6.0, 14.0)] {
        let of = |prefer| {
            let case = Case {
                prefer,
                ..Case::steady(megabits)
            };
            let outcome = simulate(&case);
            show(&format!("{megabits} Mb/s, {prefer:?}"), &outcome);
            let all = outcome.arrivals.iter().filter(|a| a.0 >= WARM);
            let bytes = all.clone().map(|a| a.2).sum::<f64>() / all.count() as f64;
            (outcome, bytes)
        };
        let ((_, small), (outcome, good)) = (of(Prefer::Motion), of(Prefer::Detail));
        assert!(good >= small * 1.5, "{megabits}: {small} {good}");
        assert!(outcome.fps >= fps, "{megabits}: {}", outcome.fps);
        assert!(outcome.share >= 0.5, "{megabits}: {}", outcome.share);
        assert!(outcome.swings == 0, "{megabits}: {}", outcome.swings);
        // A frame may take three quarters of the time to the next, which then is as much older.
        let age = 2e3 / fps + 60.0;
        assert!(outcome.age.0 <= age, "{megabits}: {:?}", outcome.age);
    }
}

#[test]
fn a_fast_link_has_the_best_picture() {
    let outcome = simulate(&Case::steady(50.0));
    show("50 Mb/s", &outcome);
    let best = outcome.arrivals.iter().filter(|a| a.2 > FULL * 0.8);
    assert!(best.count() * 100 >= outcome.arrivals.len() * 95);
    assert!(outcome.fps >= 29.5 && outcome.age.0 <= 75.0);
}

#[test]
fn a_link_that_swings_is_used_and_pictures_are_in_time() {
    for probes in [false, true] {
        let outcome = simulate(&Case {
            probes,
            ..Case::over(lte())
        });
        show("LTE", &outcome);
        assert!(outcome.fps >= 27.0, "{}", outcome.fps);
        assert!(outcome.age.0 <= 150.0, "{:?}", outcome.age);
        assert!(outcome.share >= 0.45, "{}", outcome.share);
    }
}

#[test]
fn a_link_that_serves_in_bursts_is_used() {
    for every in [10.0, 20.0, 30.0] {
        let outcome = simulate(&Case::over(Service::steps(&[(8.0, 0.0)], every)));
        show(&format!("bursts, {every} ms"), &outcome);
        assert!(outcome.fps >= 28.0, "{every}: {}", outcome.fps);
        assert!(outcome.age.0 <= 130.0, "{every}: {:?}", outcome.age);
        assert!(outcome.share >= 0.5, "{every}: {}", outcome.share);
    }
}

#[test]
fn lost_packets_are_no_congestion() {
    // What TCP carries then is the window by the round trip: some 3.5 and 1.5 Mb/s.
    for (loss, share, age) in [(0.01, 0.3, 130.0), (0.05, 0.12, 160.0)] {
        let outcome = simulate(&Case {
            loss,
            ..Case::steady(8.0)
        });
        show(&format!("{loss} lost"), &outcome);
        assert!(outcome.fps >= 28.5, "{loss}: {}", outcome.fps);
        assert!(outcome.age.0 <= age, "{loss}: {:?}", outcome.age);
        assert!(outcome.share >= share, "{loss}: {}", outcome.share);
    }
}

#[test]
fn pictures_go_on_while_the_congestion_control_probes() {
    let outcome = simulate(&Case {
        probes: true,
        ..Case::steady(8.0)
    });
    show("8 Mb/s, probes", &outcome);
    assert!(outcome.fps >= 29.0, "{}", outcome.fps);
    assert!(outcome.age.1 <= 130.0, "{:?}", outcome.age);
}

#[test]
fn after_a_fall_pictures_are_soon_in_time_and_after_a_rise_soon_the_best() {
    let steps = [(10.0, 0.0), (2.0, 15.0), (10.0, 25.0)];
    let outcome = simulate(&Case::over(Service::steps(&steps, 0.0)));
    show("10, 2, 10 Mb/s", &outcome);
    let late = ages(&outcome.arrivals, 15_500.0, 25_000.0);
    assert!(late.iter().all(|age| *age < 300.0));
    let mean = |from: f64, to: f64| {
        let within = outcome
            .arrivals
            .iter()
            .filter(|a| (from..to).contains(&a.0));
        within.clone().map(|a| a.2).sum::<f64>() / within.count() as f64
    };
    let (before, after) = (mean(10e3, 15e3), mean(28e3, 30e3));
    assert!(after >= before * 0.9, "{before} {after}");
}

#[test]
fn a_short_fall_costs_a_second_of_the_picture() {
    let falls = (0..5).flat_map(|n| {
        let second = 8.0 + f64::from(n) * 4.0;
        [(1.0, second), (8.0, second + 0.5)]
    });
    let steps: Vec<_> = [(8.0, 0.0)].into_iter().chain(falls).collect();
    let outcome = simulate(&Case::over(Service::steps(&steps, 0.0)));
    show("short falls", &outcome);
    assert!(outcome.share >= 0.5, "{}", outcome.share);
}

#[test]
fn the_bottleneck_carries_its_rate_and_no_more() {
    let service = Service::steps(&[(8.0, 0.0)], 0.0);
    let second = service.capacity(10e3, 11e3);
    assert!((second - 1e6).abs() < 200.0, "{second}");
    let mut connection = Connection::new(service, 0.0, false);
    connection.write(2e6);
    let mut now = 0.0;
    while connection.arrivals.is_empty() {
        now += 0.5;
        connection.tick(now);
    }
    // 52 bytes of each packet are heads.
    let took = 2e6 * 1.036 / 1e3;
    assert!((took..took + 300.0).contains(&(now - DELAY)), "{now}");
}
