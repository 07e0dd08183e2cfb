//! What an administrator changes by the control socket holds from the next frame on.

use streamd_protocol::{
    client::Error,
    control::{self, KickClient, SetCamera, SetClient},
    stream::{Event, ToClient, Want},
};
use streamd_tests::{daemon::Daemon, setup::Setup, viewer::Viewer};

/// Time from frame to frame by the camera's clock, µs, over ten numbers.
fn interval(viewer: &mut Viewer) -> u64 {
    let first = viewer.picture().app;
    let last = viewer
        .picture_that("ten numbers later", |p| {
            p.app.sequence >= first.sequence + 10
        })
        .app;
    (last.captured_us - first.captured_us) / (last.sequence - first.sequence)
}

#[test]
fn a_lower_quality_makes_smaller_pictures() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("watches", Want::default());
    let before = viewer.picture().bytes.len();
    let call = SetCamera {
        quality: Some(20),
        ..SetCamera::default()
    };
    assert_eq!(daemon.call(&call).unwrap().cameras, ["main"]);
    viewer.message(|m| matches!(m, ToClient::Rendition { quality: 20, .. }));
    let after = viewer.picture().bytes.len();
    assert!(after * 3 < before * 2, "{before} bytes, then {after}");
    assert_eq!(daemon.stats().cameras[0].quality, 20);
    daemon.log.wait_for(&["quality", "20"]);
}

#[test]
fn a_camera_is_turned_live_and_its_clients_are_told_the_size() {
    let daemon = Setup::default().camera("crop = \"200x160+100+40\"").start();
    let mut viewer = daemon.viewer();
    viewer.hello("watches", Want::default());
    assert_eq!(viewer.picture().size, (200, 160));
    let turned = SetCamera {
        rotate: Some(90),
        flip: Some("vertical".into()),
        ..SetCamera::default()
    };
    assert_eq!(daemon.call(&turned).unwrap().cameras, ["main"]);
    viewer.message(|m| {
        matches!(
            m,
            ToClient::Rendition {
                width: 160,
                height: 200,
                ..
            }
        )
    });
    let picture = (0..5).map(|_| viewer.picture()).last().unwrap();
    assert_eq!(picture.size, (160, 200));
    let camera = daemon.stats().cameras.remove(0);
    assert_eq!((camera.width, camera.height), (160, 200));
}

#[test]
fn a_cameras_frame_rate_changes_live() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    let call = SetCamera {
        camera: Some("main".into()),
        fps: Some(10.0),
        ..SetCamera::default()
    };
    daemon.call(&call).unwrap();
    assert_eq!(daemon.stats().cameras[0].desired_fps, 10.0);
    // What was captured before may still be on its way.
    (0..3).for_each(|_| drop(viewer.picture()));
    let interval = interval(&mut viewer);
    assert!(
        (70_000..=140_000).contains(&interval),
        "{interval} µs a frame"
    );
}

#[test]
fn a_client_can_be_limited_from_outside() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    let id = daemon.wait_for_client(&viewer, "its number", |_| true).id;
    let limit = SetClient {
        id,
        fps: Some(5.0),
        max_width: Some(100),
        ..SetClient::default()
    };
    daemon.call(&limit).unwrap();
    daemon.wait_for_client(&viewer, "its limit", |c| {
        c.set.fps == 5.0 && c.feeds[0].width == 80
    });
    let first = viewer.picture_that("a quarter of the width", |p| p.size == (80, 60));
    let sixth = (0..5).map(|_| viewer.picture()).last().unwrap();
    // One in six of 30 a second; a busy machine takes frames late, and makes up for one of them.
    let growth = sixth.app.sequence - first.app.sequence;
    assert!(growth >= 20, "5 frames later the number is {growth} more");
}

#[test]
fn wrong_values_change_nothing_and_say_what_is_allowed() {
    let daemon = Daemon::start();
    let refused = |call: SetCamera| match daemon.call(&call).unwrap_err() {
        Error::Refused(error) => error,
        other => panic!("{other}"),
    };
    for (quality, fps, parameter, allowed) in [
        (Some(0), None, "quality", "1 to 100"),
        (Some(101), None, "quality", "1 to 100"),
        (Some(-5), None, "quality", "1 to 100"),
        (None, Some(0.0), "fps", "0.1 to 1000"),
        (None, Some(1e9), "fps", "0.1 to 1000"),
        (Some(50), Some(-1.0), "fps", "0.1 to 1000"),
    ] {
        let error = refused(SetCamera {
            quality,
            fps,
            ..SetCamera::default()
        });
        let control::Error::InvalidValue {
            parameter: named,
            message,
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(named, parameter);
        assert!(message.contains(allowed), "{message}");
    }
    let error = refused(SetCamera {
        camera: Some("attic".into()),
        quality: Some(50),
        ..SetCamera::default()
    });
    assert!(matches!(error, control::Error::NoSuchCamera(no) if no.known == ["main"]));
    let camera = daemon.stats().cameras.remove(0);
    assert_eq!((camera.quality, camera.desired_fps), (80, 30.0));
}

#[test]
fn a_kicked_client_is_told_why() {
    let daemon = Daemon::start();
    let mut silent = daemon.viewer();
    silent.picture();
    let mut talks = daemon.viewer();
    talks.hello("talks", Want::default());
    talks.picture();
    let id = daemon.wait_for_client(&talks, "its number", |_| true).id;
    let kick = KickClient {
        id: Some(id),
        reason: Some("maintenance at noon".into()),
        ..KickClient::default()
    };
    assert_eq!(daemon.call(&kick).unwrap().kicked, 1);
    let messages = talks.until_closed();
    let told = messages.iter().any(|message| {
        matches!(message, ToClient::Notice { event: Event::Kicked, message, .. }
            if message.contains("maintenance at noon"))
    });
    assert!(told, "{messages:?}");
    daemon.log.wait_for(&[
        "client disconnected",
        &talks.address(),
        "maintenance at noon",
    ]);
    daemon.wait_for_clients(1);
    silent.picture();
    let again = daemon.call(&kick).unwrap_err();
    assert!(
        matches!(again, Error::Refused(control::Error::NoSuchClient { id: gone }) if gone == id),
        "{again}"
    );
}

#[test]
fn all_clients_can_be_kicked_and_may_come_back() {
    let daemon = Setup::default().another("back", "").start();
    let mut viewers = [
        daemon.viewer(),
        daemon.viewer(),
        Viewer::connect(daemon.setup.tcp(1)),
    ];
    viewers.iter_mut().for_each(|v| drop(v.picture()));
    let all = KickClient {
        all: Some(true),
        ..KickClient::default()
    };
    assert_eq!(daemon.call(&all).unwrap().kicked, 3);
    for viewer in &mut viewers {
        assert_eq!(viewer.until_closed(), []);
    }
    daemon.wait_for_clients(0);
    daemon.viewer().picture();
}
