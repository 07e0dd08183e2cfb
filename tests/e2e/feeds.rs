//! What belongs to one camera's way to one client is kept and shown by it, and what is set holds.

use std::time::Duration;

use streamd_protocol::{
    client::Client,
    control::SetClient,
    stats::LimitStats,
    stream::{FromClient, ToClient, Want},
};
use streamd_tests::{
    PATIENCE,
    daemon::Daemon,
    setup::Setup,
    viewer::{Payload, Viewer},
};

/// A daemon with the cameras `main` and `back`, and a viewer of both.
fn viewer_of_two() -> (Daemon, Viewer) {
    let daemon = Setup::default()
        .another("back", "size = \"160x120\"")
        .start();
    let mut viewer = daemon.viewer();
    viewer.hello("wall", Want::default());
    let cameras = vec!["back".to_owned(), "main".to_owned()];
    viewer.say(&FromClient::Subscribe { cameras });
    for camera in ["back", "main"] {
        viewer.picture_that("a picture of each", |p| p.app.camera == camera);
    }
    (daemon, viewer)
}

#[test]
fn a_client_of_two_cameras_is_shown_at_both() {
    let (daemon, viewer) = viewer_of_two();
    let client = daemon.wait_for_client(&viewer, "both feeds", |c| {
        c.feeds.len() == 2 && c.feeds.iter().all(|feed| feed.frames > 3)
    });
    let shown: Vec<_> = client
        .feeds
        .iter()
        .map(|feed| (feed.camera.as_str(), feed.width, feed.reason.as_str()))
        .collect();
    assert_eq!(shown, [("back", 160, "top"), ("main", 320, "top")]);
    for feed in &client.feeds {
        assert!(feed.fps < 45.0, "one camera's rate: {feed:?}");
    }
    let stats = daemon.stats();
    assert_eq!(stats.cameras.iter().map(|c| c.clients).sum::<i64>(), 2);
    for camera in ["main", "back"] {
        let listed = daemon.streamctl(&format!("clients --camera {camera}"));
        assert!(listed.succeeded().contains("wall"), "{listed:?}");
        let state = daemon.get(&format!("/state?camera={camera}")).body();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        let stream = &state["result"]["stream"];
        assert_eq!(stream["clients"], 1, "{state}");
        assert_eq!(
            stream["clients_stat"].as_object().unwrap().len(),
            1,
            "{state}"
        );
    }
}

#[test]
fn limits_that_are_set_back_to_back_all_hold() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("limited", Want::default());
    let id = daemon.wait_for_client(&viewer, "its number", |_| true).id;
    let mut control = Client::connect(&daemon.setup.control(), PATIENCE).unwrap();
    let none = SetClient {
        id,
        ..SetClient::default()
    };
    for round in 1..=300 {
        let (fps, quality, width) = (
            f64::from(1 + round % 30),
            1 + i64::from(round % 99),
            16 + i64::from(round),
        );
        for set in [
            SetClient {
                fps: Some(fps),
                ..none.clone()
            },
            SetClient {
                quality: Some(quality),
                ..none.clone()
            },
            SetClient {
                max_width: Some(width),
                ..none.clone()
            },
        ] {
            control.call(&set).unwrap();
        }
        let stats = daemon.stats();
        let set = LimitStats {
            fps,
            quality,
            width,
        };
        assert_eq!(stats.clients[0].set, set, "round {round}");
    }
}

#[test]
fn the_smaller_of_two_limits_holds_and_lifting_one_leaves_the_other() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello(
        "own",
        Want {
            max_width: Some(160),
            ..Want::default()
        },
    );
    viewer.picture_that("its own limit", |p| p.size.0 == 160);
    let id = daemon.wait_for_client(&viewer, "its number", |_| true).id;
    let set = |max_width| {
        let set = SetClient {
            id,
            max_width: Some(max_width),
            ..SetClient::default()
        };
        daemon.call(&set).unwrap();
    };
    set(80);
    viewer.picture_that("the smaller one", |p| p.size.0 == 80);
    set(0);
    viewer.picture_that("its own one again", |p| p.size.0 == 160);
}

#[test]
fn a_camera_that_does_not_adapt_says_so_once() {
    let daemon = Setup::default()
        .camera("size = \"320x240\"\nadapt = false")
        .start();
    let mut viewer = daemon.viewer();
    viewer.hello(
        "limited",
        Want {
            max_width: Some(160),
            ..Want::default()
        },
    );
    viewer.picture_that("its limit", |p| p.size.0 == 160);
    let (mut renditions, mut pictures) = (0, 0);
    while pictures < 30 {
        match viewer.payload().unwrap() {
            Payload::Picture(_) => pictures += 1,
            Payload::Message(ToClient::Rendition { .. }) => renditions += 1,
            Payload::Message(_) | Payload::Unit(_) => {}
        }
    }
    assert!(renditions <= 1, "{renditions} in {pictures} pictures");
}

#[test]
fn who_only_talks_is_dropped_and_takes_nothing_from_others() {
    let daemon = Daemon::start();
    let mut witness = daemon.viewer();
    let first = witness.picture().app.sequence;
    let want = serde_json::to_vec(&FromClient::Want(Want::default())).unwrap();
    let flood = [&streamd_protocol::stream::header(want.len())[..], &want]
        .concat()
        .repeat(500);
    let mut talkers = [daemon.viewer(), daemon.viewer()];
    for talker in &mut talkers {
        while talker.try_write(&flood).is_ok() {}
        daemon.log.wait_for(&[
            "client disconnected",
            &talker.address(),
            "messages a second",
        ]);
    }
    witness.picture_that("frames go on", |p| p.app.sequence >= first + 10);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(daemon.wait_for_clients(1).dropped_clients, 2);
}

#[test]
fn a_client_is_told_when_the_rate_that_holds_for_it_changes() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    let want = Want {
        fps: Some(5.0),
        ..Want::default()
    };
    viewer.hello("own", want);
    let told = |viewer: &mut Viewer, expected: f64| {
        viewer.message(|m| matches!(m, ToClient::Rendition { fps, .. } if *fps == expected));
    };
    told(&mut viewer, 5.0);
    let id = daemon.wait_for_client(&viewer, "its number", |_| true).id;
    // Lifting what was set leaves the client's own.
    for (set, holds) in [(3.0, 3.0), (12.0, 5.0), (2.0, 2.0), (0.0, 5.0)] {
        let set = SetClient {
            id,
            fps: Some(set),
            ..SetClient::default()
        };
        daemon.call(&set).unwrap();
        told(&mut viewer, holds);
    }
}
