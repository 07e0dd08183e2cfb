//! A client whose link is too slow for the camera's pictures gets smaller ones, and is told why.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use streamd_protocol::stream::{AppSegment, FromClient, ToClient, Want};
use streamd_tests::{
    daemon::Daemon,
    proxy,
    setup::Setup,
    viewer::Viewer,
    web::{self, Response},
};

/// Pictures of 17 kB at quality 80, 30 a second.
const LARGE: &str = "size = \"640x480\"";

/// A third of what these need.
const SLOW: usize = 150_000;

fn slow_viewer(daemon: &Daemon) -> Viewer {
    Viewer::connect_slow(daemon.setup.tcp(0), SLOW)
}

#[test]
fn a_slow_client_gets_smaller_pictures_and_is_told_why() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut slow = slow_viewer(&daemon);
    slow.hello("slow", Want::default());
    let told = slow.message(
        |m| matches!(m, ToClient::Rendition { reason, .. } if reason.starts_with("link ")),
    );
    let ToClient::Rendition {
        camera,
        quality,
        width,
        height,
        reason,
        ..
    } = told
    else {
        unreachable!()
    };
    assert_eq!(camera, "main");
    assert!(reason.ends_with(" Mb/s"), "{reason}");
    assert!(
        quality < 80 || (width, height) < (640, 480),
        "quality {quality}, {width}x{height} is no smaller"
    );
    slow.picture_that("less than full size", |p| p.size.0 < 640);
    let figures = daemon.wait_for_client(&slow, "its rendition", |c| c.feeds[0].width < 640);
    assert!(figures.feeds[0].reason.starts_with("link "), "{figures:?}");
    assert!(
        figures.feeds[0].rendition_changes > 0 && figures.link_rate > 0.0,
        "{figures:?}"
    );
}

#[test]
fn a_slow_client_is_the_only_one_who_is_worse_off() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut fast = daemon.viewer();
    let mut slow = slow_viewer(&daemon);
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            slow.picture_that("less than full size", |p| p.size.0 < 640);
        });
        while !slow.is_finished() {
            assert_eq!(fast.picture().size, (640, 480));
        }
    });
    let figures = daemon.wait_for_client(&fast, "the other", |_| true);
    let feed = &figures.feeds[0];
    assert_eq!((feed.quality, feed.rendition_changes), (80, 0));
    let renditions = daemon.stats().cameras.remove(0).renditions;
    let clients: i64 = renditions.iter().map(|r| r.clients).sum();
    assert_eq!(clients, 2, "{renditions:?}");
    let full = renditions.iter().find(|r| r.width == 640).unwrap();
    assert_eq!((full.quality, full.clients), (80, 1), "{renditions:?}");
}

#[test]
fn a_slow_client_stays_below_its_own_limits() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut slow = slow_viewer(&daemon);
    slow.hello(
        "small",
        Want {
            max_width: Some(320),
            quality: Some(60),
            ..Want::default()
        },
    );
    slow.picture_that("its limit", |p| p.size.0 <= 320);
    for _ in 0..20 {
        assert!(slow.picture().size.0 <= 320);
    }
    let figures = daemon.wait_for_client(&slow, "its figures", |c| c.frames() >= 20);
    assert!(
        figures.feeds[0].quality <= 60 && figures.feeds[0].width <= 320,
        "{figures:?}"
    );
    slow.say(&FromClient::Want(Want {
        max_width: Some(160),
        ..Want::default()
    }));
    slow.picture_that("its new limit", |p| p.size.0 <= 160);
}

#[test]
fn a_camera_that_does_not_adapt_leaves_frames_out_instead() {
    let daemon = Setup::default()
        .camera("size = \"640x480\"\nadapt = false")
        .start();
    let mut slow = slow_viewer(&daemon);
    for _ in 0..20 {
        assert_eq!(slow.picture().size, (640, 480));
    }
    let figures = daemon.wait_for_client(&slow, "dropped frames", |c| {
        c.feeds[0].dropped.slow_link + c.feeds[0].dropped.slow_reader > 10
    });
    let feed = &figures.feeds[0];
    assert_eq!((feed.quality, feed.rendition_changes), (80, 0));
}

#[test]
fn what_a_slow_client_gets_is_the_newest() {
    let daemon = Setup::default()
        .camera("size = \"640x480\"\nadapt = false")
        .start();
    let mut fast = daemon.viewer();
    let mut slow = slow_viewer(&daemon);
    let newest = std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            (0..20)
                .map(|_| slow.picture().app.sequence)
                .collect::<Vec<_>>()
        });
        while !slow.is_finished() {
            fast.picture();
        }
        slow.join().unwrap()
    });
    let behind = fast.picture().app.sequence - newest.last().unwrap();
    // With a queue, 20 pictures would be the first 20 of some 60: those on the way may be some old.
    assert!(behind <= 15, "{behind} frames behind: {newest:?}");
    assert!(newest.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_program_that_is_slower_than_the_camera_gets_new_pictures() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut fast = daemon.viewer();
    let mut program = daemon.viewer();
    let taken = std::thread::scope(|scope| {
        let program = scope.spawn(|| {
            let mut taken = Vec::new();
            while taken.len() < 60 {
                taken.push(program.picture());
                // What it does with each.
                std::thread::sleep(Duration::from_millis(100));
            }
            taken
        });
        while !program.is_finished() {
            fast.picture();
        }
        program.join().unwrap()
    });
    let last = taken.last().unwrap();
    // Its kernel has room for all 180 that the camera has made meanwhile.
    let behind = fast.picture().app.sequence - last.app.sequence;
    assert!(behind <= 45, "{behind} frames behind");
    daemon.wait_for_client(&program, "its dropped frames", |c| {
        c.feeds[0].dropped.slow_reader > 20
    });
}

/// That a picture is there now.
fn receipt(sequence: u64) -> FromClient {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    FromClient::Receipt {
        sequence,
        t: since_1970.as_micros() as u64,
        camera: None,
    }
}

/// Has pictures, and says so of each.
fn had(viewer: &mut Viewer, pictures: usize) -> Vec<u64> {
    let mut had = || {
        let sequence = viewer.picture().app.sequence;
        viewer.say(&receipt(sequence));
        sequence
    };
    (0..pictures).map(|_| had()).collect()
}

#[test]
fn pictures_do_not_wait_in_a_proxy_for_a_viewer_that_sends_receipts() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut fast = daemon.viewer();
    let through = proxy::before(daemon.setup.tcp(0));
    let mut slow = Viewer::connect_slow(through, SLOW);
    slow.hello("behind", Want::default());
    let newest = std::thread::scope(|scope| {
        let slow = scope.spawn(|| had(&mut slow, 100));
        while !slow.is_finished() {
            fast.picture();
        }
        *slow.join().unwrap().last().unwrap()
    });
    let behind = fast.picture().app.sequence - newest;
    // By the kernel alone, all that the camera has filmed meanwhile is in the proxy: hundreds.
    assert!(behind <= 15, "{behind} frames behind");
    let clients = daemon.stats().clients;
    let slow = clients.iter().find(|c| c.name == "behind").unwrap();
    let feed = &slow.feeds[0];
    assert!(feed.reason.starts_with("link "), "{slow:?}");
    assert!(slow.link_rate < 4.0 * SLOW as f64, "{slow:?}");
}

#[test]
fn a_viewer_that_stops_sending_receipts_still_gets_pictures() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut viewer = daemon.viewer();
    viewer.hello("forgets", Want::default());
    had(&mut viewer, 10);
    for _ in 0..3 {
        viewer.picture();
    }
}

/// A viewer over WebSocket that answers pings, as browsers do by themselves.
struct Browser(Response);

impl Browser {
    fn connect(daemon: &Daemon) -> Self {
        let upgrade = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let response = web::get(daemon.setup.http(), "/ws", &upgrade);
        assert_eq!(response.status, 101);
        Self(response)
    }

    /// A short frame, masked with zeros.
    fn send(&mut self, first: u8, payload: &[u8]) {
        let head = [first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        self.0.send(&[&head, payload].concat());
    }

    /// The number of the next picture, and how many pings came before it.
    fn picture(&mut self) -> (u64, usize) {
        let mut pings = 0;
        loop {
            let head = self.0.take(2);
            let length = match head[1] {
                126 => u16::from_be_bytes(self.0.take(2).try_into().unwrap()).into(),
                127 => u64::from_be_bytes(self.0.take(8).try_into().unwrap()),
                short => u64::from(short),
            };
            let payload = self.0.take(length as usize);
            match head[0] & 0x0F {
                2 => return (AppSegment::find(&payload).unwrap().sequence, pings),
                9 => {
                    pings += 1;
                    self.send(0x8A, &payload);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn a_viewer_that_sends_no_receipts_any_more_gets_all_pictures_again() {
    let daemon = Setup::default().camera(LARGE).start();
    let mut browser = Browser::connect(&daemon);
    for _ in 0..10 {
        let (sequence, pings) = browser.picture();
        assert_eq!(pings, 0, "its receipts say enough");
        let json = serde_json::to_vec(&receipt(sequence)).unwrap();
        browser.send(0x81, &json);
    }
    let (mut last, mut in_a_row, mut asked) = (0, 0, 0);
    for waited in 0.. {
        let (sequence, pings) = browser.picture();
        asked += pings;
        in_a_row = if sequence <= last + 5 {
            in_a_row + 1
        } else {
            0
        };
        last = sequence;
        if asked > 0 && in_a_row == 10 {
            break;
        }
        assert!(waited < 60, "still one picture a second");
    }
    assert_eq!(asked, 1);
}
