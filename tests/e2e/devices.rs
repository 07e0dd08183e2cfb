//! Cameras that are not there, are no cameras, or are not watched.

use std::fs;

use streamd_protocol::{
    control::{GetPicture, Origin, SetCamera},
    stats::CameraState,
    stream::{Event, ToClient, Want, is_stand_in},
};
use streamd_tests::{
    device::{
        Bus,
        orders::{Call, Model},
    },
    setup::Setup,
};

#[test]
fn a_camera_that_is_absent_shows_no_signal_and_why() {
    let setup = Setup::default();
    let path = setup.file("video7");
    let path = path.to_str().unwrap();
    let daemon = setup.camera(&format!("device = {path:?}")).start();
    let mut viewer = daemon.viewer();
    viewer.hello("waits", Want::default());
    let told = viewer.message(|m| matches!(m, ToClient::Notice { .. }));
    let ToClient::Notice { event, message, .. } = told else {
        unreachable!()
    };
    assert_eq!(event, Event::CameraLost);
    assert!(
        message.contains(path) && message.contains("plugged in"),
        "{message}"
    );
    viewer.hello("asks again", Want::default());
    let told = viewer.message(|m| matches!(m, ToClient::Notice { .. }));
    assert!(
        matches!(
            told,
            ToClient::Notice {
                event: Event::CameraLost,
                since: Some(_),
                ..
            }
        ),
        "{told:?}"
    );
    let blank = viewer.picture();
    assert!(is_stand_in(&blank.bytes));
    assert_eq!(blank.size, (320, 240));
    assert!(blank.colour() < 16, "a picture without signal is grey");
    let picture = daemon.call(&GetPicture::default()).unwrap();
    assert_eq!(picture.origin, Origin::Blank);
    let stats = daemon.stats();
    assert_eq!(stats.cameras[0].state, CameraState::Lost);
    assert!(!stats.healthy, "{stats:?}");
    assert_eq!(
        (stats.cameras[0].fps, stats.clients[0].feeds[0].frames),
        (0.0, 0)
    );
    assert!(
        stats.cameras[0].reason.contains("no such device"),
        "{stats:?}"
    );
    assert!(
        stats.stuck.is_empty(),
        "a camera that is absent is no fault of the daemon"
    );
    daemon
        .notified
        .wait_for(&["STATUS=", "main: ", "no such device"]);
    daemon.log.wait_for(&["main", "no such device"]);

    // Something comes to be at the path, and is no camera.
    fs::write(path, "not a camera").unwrap();
    let stats = daemon.wait_for_stats("the new reason", |stats| {
        stats.cameras[0].reason.contains("not a camera")
    });
    assert_eq!(stats.cameras[0].state, CameraState::Lost);
    let newest = viewer.picture().app.sequence;
    viewer.picture_that("the picture goes on", |p| p.app.sequence > newest);
}

#[test]
fn one_camera_that_is_absent_does_not_disturb_the_other() {
    let daemon = Setup::default()
        .another("gone", "device = \"/dev/streamd-has-no-such-device\"")
        .start();
    let mut viewer = daemon.viewer();
    assert!(viewer.picture().colour() > 100);
    let stats = daemon.wait_for_stats("both are decided", |stats| {
        stats
            .cameras
            .iter()
            .all(|c| c.state != CameraState::Starting)
    });
    let state = |name| stats.cameras.iter().find(|c| c.name == name).unwrap().state;
    assert_eq!(state("gone"), CameraState::Lost);
    assert_eq!(state("main"), CameraState::Streaming);
}

#[test]
fn a_camera_that_nobody_watches_is_idle_until_somebody_does() {
    let daemon = Setup::default().camera("idle-after = \"100ms\"").start();
    let is = |state| {
        daemon
            .wait_for_stats("the camera's state", |s| s.cameras[0].state == state)
            .cameras
            .remove(0)
    };
    is(CameraState::Idle);
    for _ in 0..2 {
        let mut viewer = daemon.viewer();
        let picture = viewer.picture();
        is(CameraState::Streaming);
        drop(viewer);
        let idle = is(CameraState::Idle);
        assert!(idle.encoded > 0);
        // What a new client gets first is new.
        let fresh = daemon.viewer().picture();
        assert!(fresh.app.sequence > picture.app.sequence);
        is(CameraState::Idle);
    }
    let before = is(CameraState::Idle).captured;
    assert_eq!(is(CameraState::Idle).captured, before);
    // A snapshot wakes it as well.
    let picture = daemon.call(&GetPicture::default()).unwrap();
    assert_eq!(picture.origin, Origin::TestPattern);
}

#[test]
fn a_camera_is_not_encoded_for_clients_that_pause() {
    let daemon = Setup::default().camera("idle-after = \"100ms\"").start();
    let mut viewer = daemon.viewer();
    let paused = Want {
        paused: Some(true),
        ..Want::default()
    };
    viewer.hello("pauses", paused);
    daemon.wait_for_stats("the camera is off", |stats| {
        stats.cameras[0].state == CameraState::Idle && stats.clients.len() == 1
    });
}

#[test]
fn a_camera_is_turned_and_slowed_down_without_being_opened_again() {
    let bus = Bus::default();
    let device = bus.plug(0, Model::mjpg());
    let daemon = Setup::default().bus(&bus).device(&device, "").start();
    let mut viewer = daemon.viewer();
    viewer.picture_that("as it comes", |p| p.size == (160, 120));
    let calls = || (device.count(Call::Open), device.count(Call::StreamOn));
    let before = calls();
    let turned = SetCamera {
        rotate: Some(90),
        fps: Some(10.0),
        ..SetCamera::default()
    };
    daemon.call(&turned).unwrap();
    viewer.picture_that("turned", |p| p.size == (120, 160));
    let camera = daemon.stats().cameras.remove(0);
    assert_eq!((camera.width, camera.height), (120, 160));
    assert_eq!((calls(), camera.losses), (before, 0));
}
