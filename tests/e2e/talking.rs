//! Clients that talk: who they are, what they want, and what they are told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use streamd_protocol::{
    stats::LimitStats,
    stream::{Event, FromClient, ToClient, Want},
};
use streamd_tests::{
    daemon::Daemon,
    setup::Setup,
    viewer::{Payload, Viewer},
};

/// µs since the epoch.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_micros() as u64
}

/// By how much the frame's number grows over so many pictures.
fn growth(viewer: &mut Viewer, pictures: u64) -> u64 {
    let first = viewer.picture().app.sequence;
    let last = (0..pictures).map(|_| viewer.picture().app.sequence).last();
    last.unwrap() - first
}

#[test]
fn a_hello_is_answered_by_a_welcome_and_the_rendition() {
    let daemon = Setup::default().camera("fps = 25\nquality = 70").start();
    let mut viewer = daemon.viewer();
    let before = now();
    let ToClient::Welcome {
        client_id,
        camera,
        width,
        height,
        fps,
        quality,
        server_time,
        cameras,
        ..
    } = viewer.hello("robot", Want::default())
    else {
        panic!("a welcome")
    };
    let figures = daemon.wait_for_client(&viewer, "its name", |c| c.name == "robot");
    assert_eq!(figures.id, client_id as i64);
    assert_eq!((camera.as_str(), width, height), ("main", 320, 240));
    assert_eq!((fps, quality, cameras), (25.0, 70, vec!["main".to_owned()]));
    assert!((before..=now()).contains(&server_time));

    viewer.say(&FromClient::Want(Want {
        quality: Some(30),
        ..Want::default()
    }));
    let told = viewer.message(|m| matches!(m, ToClient::Rendition { quality: 30, .. }));
    let ToClient::Rendition { reason, width, .. } = told else {
        unreachable!()
    };
    assert_eq!((reason.as_str(), width), ("limit", 320));
}

#[test]
fn limits_on_quality_and_width_make_pictures_smaller_for_that_client_alone() {
    let daemon = Daemon::start();
    let mut other = daemon.viewer();
    let full = other.picture();
    let mut viewer = daemon.viewer();
    viewer.hello(
        "small",
        Want {
            quality: Some(40),
            max_width: Some(160),
            ..Want::default()
        },
    );
    let half = viewer.picture_that("half the width", |p| p.size == (160, 120));
    assert!(half.bytes.len() * 2 < full.bytes.len());
    let figures = daemon.wait_for_client(&viewer, "its rendition", |c| c.feeds[0].width == 160);
    assert!(figures.feeds[0].quality <= 40, "{figures:?}");
    assert_eq!((figures.own.quality, figures.own.width), (40, 160));
    assert_eq!(figures.feeds[0].reason, "limit");
    assert_eq!(other.picture().size, (320, 240));

    viewer.say(&FromClient::Want(Want {
        quality: Some(0),
        max_width: Some(0),
        ..Want::default()
    }));
    viewer.picture_that("the limits are lifted", |p| p.size == (320, 240));
    daemon.wait_for_client(&viewer, "no limits", |c| {
        c.own.width == 0 && c.feeds[0].quality == 80
    });
}

#[test]
fn a_limit_on_fps_leaves_frames_out() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello(
        "slow",
        Want {
            fps: Some(15.0),
            ..Want::default()
        },
    );
    viewer.picture();
    // Every other frame of 30 a second; a busy machine takes frames late, and makes up for one of them.
    let halved = growth(&mut viewer, 20);
    assert!(
        halved >= 33,
        "20 pictures later the number is {halved} more"
    );
    let figures = daemon.wait_for_client(&viewer, "its limit", |c| c.own.fps == 15.0);
    assert!(figures.feeds[0].dropped.frame_rate > 0, "{figures:?}");

    viewer.say(&FromClient::Want(Want {
        fps: Some(6.0),
        ..Want::default()
    }));
    daemon.wait_for_client(&viewer, "its new limit", |c| c.own.fps == 6.0);
    viewer.picture();
    let fifth = growth(&mut viewer, 10);
    assert!(fifth >= 38, "10 pictures later the number is {fifth} more");
}

#[test]
fn a_paused_client_gets_no_pictures_and_then_the_newest() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("pauses", Want::default());
    let paused = |paused| {
        FromClient::Want(Want {
            paused: Some(paused),
            ..Want::default()
        })
    };
    viewer.say(&paused(true));
    daemon.wait_for_client(&viewer, "the pause", |c| c.paused);
    // The answer to a ping comes behind whatever was on its way.
    viewer.say(&FromClient::Ping { t: 1 });
    viewer.message(|m| matches!(m, ToClient::Pong { t: 1, .. }));
    let mut watching = daemon.viewer();
    let target = watching.picture().app.sequence + 10;
    watching.picture_that("ten frames", |p| p.app.sequence >= target);
    viewer.say(&FromClient::Ping { t: 2 });
    let next = viewer.payload().unwrap();
    assert!(
        matches!(next, Payload::Message(ToClient::Pong { t: 2, .. })),
        "nothing but the pong comes in a pause: {next:?}"
    );
    viewer.say(&paused(false));
    assert!(viewer.picture().app.sequence >= target, "an old picture");
}

#[test]
fn pings_are_answered_with_the_time() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("clock", Want::default());
    let before = now();
    viewer.say(&FromClient::Ping { t: 4711 });
    let pong = viewer.message(|m| matches!(m, ToClient::Pong { .. }));
    let ToClient::Pong { t, server_time } = pong else {
        unreachable!()
    };
    assert_eq!(t, 4711);
    assert!((before..=now()).contains(&server_time));
}

#[test]
fn receipts_are_what_latency_is_measured_by() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("measures", Want::default());
    // So late that no acknowledgement of the kernel could say the same.
    const LATE: Duration = Duration::from_millis(150);
    for _ in 0..10 {
        let sequence = viewer.picture().app.sequence;
        std::thread::sleep(LATE);
        viewer.say(&FromClient::Receipt {
            sequence,
            t: now(),
            camera: None,
        });
    }
    daemon.wait_for_client(&viewer, "its receipts", |c| {
        c.feeds[0].latency.measured >= 5 && c.feeds[0].latency.p50_ms >= 150.0
    });
}

#[test]
fn receipts_that_cannot_be_true_are_refused_and_the_pictures_are_there_all_the_same() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("forges", Want::default());
    const HOUR_US: u64 = 3_600_000_000;
    // Pictures are awaited that were sent after the hello.
    viewer.say(&FromClient::Ping { t: 1 });
    viewer.message(|m| matches!(m, ToClient::Pong { .. }));
    viewer.picture();
    for t in [0, 1, now() - HOUR_US, now() + HOUR_US, u64::MAX] {
        let sequence = viewer.picture().app.sequence;
        viewer.say(&FromClient::Receipt {
            sequence,
            t,
            camera: None,
        });
        let refused = viewer.message(|m| matches!(m, ToClient::Notice { .. }));
        let ToClient::Notice { event, message, .. } = refused else {
            unreachable!()
        };
        assert_eq!(event, Event::BadMessage);
        assert!(message.contains("before the frame was sent"), "{message}");
    }
    let figures = daemon.wait_for_client(&viewer, "five errors", |c| c.errors == 5);
    assert!(figures.feeds[0].latency.p95_ms < 20_000.0, "{figures:?}");
}

#[test]
fn without_receipts_latency_is_measured_by_the_kernel() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    for _ in 0..5 {
        viewer.picture();
    }
    let figures = daemon.wait_for_client(&viewer, "measured frames", |c| {
        c.feeds[0].latency.measured > 0
    });
    assert!(figures.feeds[0].latency.average_ms > 0.0, "{figures:?}");
}

#[test]
fn several_cameras_share_a_connection() {
    let daemon = Setup::default()
        .another("back", "size = \"160x120\"")
        .start();
    let mut viewer = daemon.viewer();
    viewer.hello("wall", Want::default());
    let both = vec!["back".to_owned(), "main".to_owned()];
    viewer.say(&FromClient::Subscribe { cameras: both });
    viewer.picture_that("a picture of the other", |p| p.app.camera == "back");
    viewer.picture_that("a picture of the first", |p| p.app.camera == "main");
    viewer.say(&FromClient::Subscribe {
        cameras: vec!["attic".into()],
    });
    let told = viewer.message(|m| matches!(m, ToClient::Notice { .. }));
    let ToClient::Notice {
        event,
        camera,
        message,
        ..
    } = told
    else {
        unreachable!()
    };
    assert_eq!(event, Event::CameraRefused);
    assert_eq!(camera.as_deref(), Some("attic"));
    assert!(
        message.contains("\"attic\"") && message.contains("main and back"),
        "{message}"
    );
    viewer.picture_that("the old cameras stay", |p| p.app.camera == "back");
}

#[test]
fn what_is_out_of_range_changes_nothing_and_says_what_is_allowed() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("wrong", Want::default());
    for (errors, (json, allowed)) in (1..).zip([
        (r#"{"type":"want","quality":101}"#, "1 to 100"),
        (r#"{"type":"want","fps":-1}"#, "0.1 to 1000"),
        (r#"{"type":"want","maxWidth":3}"#, "16 to 16384"),
    ]) {
        viewer.say_bytes(json.as_bytes());
        let told = viewer.message(|m| matches!(m, ToClient::Notice { .. }));
        let ToClient::Notice { event, message, .. } = told else {
            unreachable!()
        };
        assert_eq!(event, Event::BadMessage);
        assert!(message.contains(allowed), "{message}");
        let figures = daemon.wait_for_client(&viewer, "the count", |c| c.errors == errors);
        assert_eq!(figures.own, LimitStats::default());
    }
    viewer.picture();
}
