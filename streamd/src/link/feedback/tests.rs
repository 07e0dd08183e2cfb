use super::*;

const MS: u64 = 1_000_000;

fn at(ms: f64) -> Timestamp {
    Timestamp::from_nanos((ms * MS as f64) as u64)
}

/// A link of so many bytes a ms, a round trip of 40 ms, a receiver whose clock is far ahead and
/// that reports every 50 ms; pictures of four packets.
struct Link {
    feedback: Feedback,
    rate: f64,
    free: f64,
    number: u16,
    picture: u64,
    arrived: Vec<(u16, f64)>,
    reported: f64,
}

const AHEAD: i64 = 1 << 50;

impl Link {
    fn new(rate: f64) -> Self {
        Self {
            feedback: Feedback::default(),
            rate,
            free: 0.0,
            number: 65_500,
            picture: 0,
            arrived: Vec::new(),
            reported: 1000.0,
        }
    }

    fn send(&mut self, now: f64, packets: usize) {
        self.picture += 1;
        self.feedback.begin(self.picture);
        for _ in 0..packets {
            self.feedback.sent(self.number, 1172, at(now));
            self.free = self.free.max(now + 20.0) + 1200.0 / self.rate;
            self.arrived.push((self.number, self.free));
            self.number = self.number.wrapping_add(1);
        }
    }

    /// A packet of sound.
    fn speak(&mut self, now: f64) {
        self.feedback.sent_beside(self.number, 172, at(now));
        self.free = self.free.max(now + 20.0) + 200.0 / self.rate;
        self.arrived.push((self.number, self.free));
        self.number = self.number.wrapping_add(1);
    }

    fn until(&mut self, now: f64) -> Vec<Delivered> {
        let mut all = Vec::new();
        while self.reported + 50.0 <= now {
            self.reported += 50.0;
            let end = self.reported;
            let (had, left) = std::mem::take(&mut self.arrived)
                .into_iter()
                .partition(|(_, when)| *when <= end);
            self.arrived = left;
            let reported: Vec<_> = had
                .into_iter()
                .map(|(number, when): (u16, f64)| Reported {
                    number: number.into(),
                    arrived: Some((when * MS as f64) as i64 + AHEAD),
                })
                .collect();
            if !reported.is_empty() {
                all.extend(self.feedback.report(reported, at(end + 20.0)));
            }
        }
        all
    }

    fn run(&mut self, from: f64, to: f64, packets: usize) -> f64 {
        let mut now = from;
        while now < to {
            self.until(now - 20.0);
            self.send(now, packets);
            now += 33.0;
        }
        now
    }
}

#[test]
fn the_rate_of_the_link_and_its_round_trip_are_found() {
    // 1.2 MB/s: a packet a ms.
    let mut link = Link::new(1200.0);
    link.run(1000.0, 3000.0, 4);
    let (rtt, rate, _) = link.feedback.figures(at(3000.0));
    assert!((0.9e6..1.5e6).contains(&rate), "{rate}");
    assert!((40..=60).contains(&rtt.as_millis()), "{rtt:?}");
}

#[test]
fn what_should_have_arrived_is_not_in_flight_until_reports_are_overdue() {
    let mut link = Link::new(1200.0);
    let now = link.run(1000.0, 3000.0, 4);
    assert!(link.feedback.path(at(now + 60.0)).in_flight < 1200);
    assert!(link.feedback.path(at(now + 400.0)).in_flight > 4000);
    assert!(link.feedback.forecast(at(now + 600.0)).is_some());
}

#[test]
fn where_all_reports_are_lost_a_picture_tries_and_then_ever_more_seldom() {
    let mut link = Link::new(1200.0);
    let is_shut = |link: &Link, now: f64| link.feedback.path(at(now)).in_flight > 0;
    link.send(1000.0, 4);
    assert!(is_shut(&link, 1490.0) && !is_shut(&link, 1510.0));
    link.send(1510.0, 4);
    assert!(is_shut(&link, 2500.0) && !is_shut(&link, 2520.0));
    link.send(2520.0, 4);
    assert!(is_shut(&link, 4510.0) && !is_shut(&link, 4530.0));
    // One that comes through ends it.
    link.until(4530.0);
    link.send(4530.0, 4);
    assert!(is_shut(&link, 5020.0) && !is_shut(&link, 5040.0));
}

#[test]
fn a_fall_is_seen_with_the_next_reports() {
    let mut link = Link::new(600.0);
    let now = link.run(1000.0, 3000.0, 10);
    let before = link.feedback.figures(at(now)).1;
    assert!((450e3..800e3).contains(&before), "{before}");
    link.rate = 120.0;
    let now = link.run(now, now + 400.0, 10);
    let (_, rate, in_flight) = link.feedback.figures(at(now));
    assert!(rate < 250e3, "{rate}");
    assert!(in_flight > 20_000, "{in_flight}");
}

#[test]
fn a_lost_packet_is_told_and_a_loss_without_a_queue_says_nothing_of_the_rate() {
    let mut link = Link::new(1200.0);
    let now = link.run(1000.0, 3000.0, 4);
    let before = link.feedback.figures(at(now)).1;
    link.send(now, 4);
    link.arrived.remove(link.arrived.len() - 2);
    link.send(now + 33.0, 4);
    link.send(now + 66.0, 4);
    let told = link.until(now + 200.0);
    assert_eq!(told.iter().filter(|one| one.lost).count(), 1, "{told:?}");
    let after = link.feedback.figures(at(now + 200.0)).1;
    assert!((after / before - 1.0).abs() < 0.2, "{before} {after}");
}

#[test]
fn numbers_wrap_and_forged_reports_are_none_of_ours() {
    assert_eq!(extended(65_535, 0), 65_536);
    assert_eq!(extended(65_536, 65_535), 65_535);
    assert_eq!(extended(3, 65_535), 0);
    let mut link = Link::new(1200.0);
    link.send(1000.0, 2);
    let forged = [5_000, 40_000].map(|number| Reported {
        number,
        arrived: Some(i64::MIN),
    });
    assert_eq!(link.feedback.report(forged, at(1001.0)), []);
    let odd = Reported {
        number: 65_500,
        arrived: Some(i64::MAX),
    };
    link.feedback.report([odd], at(1001.0));
    link.feedback.report(
        [Reported {
            number: 65_501,
            arrived: Some(i64::MIN),
        }],
        at(1002.0),
    );
    link.feedback.path(at(1003.0));
}

#[test]
fn sound_is_in_flight_and_neither_a_part_of_pictures_nor_of_the_rate() {
    let run = |sound: bool| {
        let mut link = Link {
            number: 0,
            ..Link::new(1200.0)
        };
        let mut delivered = Vec::new();
        for n in 0..300 {
            let now = 1000.0 + 10.0 * f64::from(n);
            delivered.extend(link.until(now - 20.0));
            if sound && n % 2 == 0 {
                link.speak(now);
            }
            if n % 3 == 0 {
                link.send(now, 4);
            }
        }
        (link, delivered)
    };
    let ((silent, alone), (loud, beside)) = (run(false), run(true));
    let rate = |link: &Link| link.feedback.figures(at(4000.0)).1;
    assert!(
        (rate(&loud) / rate(&silent) - 1.0).abs() < 0.15,
        "{} {}",
        rate(&loud),
        rate(&silent)
    );
    let pictures = |all: &[Delivered]| all.iter().map(|one| one.picture).collect::<Vec<_>>();
    assert_eq!(pictures(&alone), pictures(&beside));
    for (alone, beside) in alone.iter().zip(&beside) {
        let later = beside.arrived.since(alone.arrived);
        assert!(later < Duration::from_millis(1), "{beside:?} {alone:?}");
    }
    let before = loud.feedback.path(at(4000.0)).in_flight;
    let mut loud = loud;
    loud.speak(4000.0);
    assert_eq!(loud.feedback.path(at(4000.0)).in_flight, before + 200);
}

#[test]
fn sound_without_reports_does_not_keep_pictures_from_trying() {
    let mut link = Link::new(1200.0);
    let is_shut = |link: &Link, now: f64| link.feedback.path(at(now)).in_flight > 0;
    link.send(1000.0, 4);
    for n in 1..=24 {
        link.speak(1000.0 + 20.0 * f64::from(n));
    }
    assert!(is_shut(&link, 1490.0) && !is_shut(&link, 1510.0));
    link.send(1510.0, 4);
    for n in 1..=49 {
        link.speak(1510.0 + 20.0 * f64::from(n));
    }
    assert!(is_shut(&link, 2500.0) && !is_shut(&link, 2520.0));
}

#[test]
fn on_a_long_way_that_loses_packets_each_goes_twice_and_has_half_the_rate() {
    let forecast = |lossy: bool| {
        let mut feedback = Feedback::default();
        let mut lately: Vec<(u16, f64)> = Vec::new();
        for picture in 0..300_u16 {
            let now = 1000.0 + f64::from(picture) * 33.0;
            feedback.begin(u64::from(picture) + 1);
            for packet in 0..4 {
                let number = picture * 4 + packet;
                feedback.sent(number, 1172, at(now));
                // A way of 100 ms, 1000 bytes a ms.
                lately.push((number, now + 100.0 + 1.2 * f64::from(packet)));
            }
            let reported = lately.extract_if(.., |(_, when)| *when + 100.0 <= now);
            let reported: Vec<_> = reported
                .map(|(number, when)| Reported {
                    number: number.into(),
                    arrived: (!lossy || number % 20 != 0).then_some((when * MS as f64) as i64),
                })
                .collect();
            feedback.report(reported, at(now));
        }
        let forecast = feedback.forecast(at(10_900.0)).unwrap();
        (feedback.goes_twice(), forecast.rate / 1000.0 / 1000.0)
    };
    let (twice, rate) = forecast(false);
    assert!(!twice && (0.8..1.3).contains(&rate), "{twice} {rate} MB/s");
    let (twice, half) = forecast(true);
    assert!(
        twice && (0.4..0.65).contains(&(half / rate)),
        "{twice} {half} of {rate} MB/s"
    );
}
