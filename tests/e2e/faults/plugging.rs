//! Cameras that come and go, that others use, and that are another one when they come back.

use streamd_protocol::stats::CameraState;
use streamd_tests::{
    device::{Bus, orders::Model},
    film::{Shows, shown},
    setup::Setup,
};

use super::{Case, scene::Scene};

fn scene(keys: &'static str) -> Scene {
    let mut scene = Scene::of(&Case {
        keys,
        ..Case::flows("", &[])
    });
    scene.sees_film();
    scene.is_as_before();
    scene
}

#[test]
fn a_camera_that_is_unplugged_comes_back_by_itself() {
    let mut scene = scene("");
    for _ in 0..3 {
        scene.device.unplug();
        scene.is_lost(&["unplugged"]);
        scene.device.replug();
        scene.heals();
    }
    assert_eq!(scene.camera().losses, 3);
    scene.ends();
}

#[test]
fn a_camera_may_be_another_one_when_it_comes_back() {
    let mut scene = scene("");
    for (model, format) in [(Model::mjpg(), "MJPG"), (Model::of("NV12"), "NV12")] {
        scene.device.unplug();
        scene.is_lost(&["unplugged"]);
        scene.device.become_another(model);
        scene.device.replug();
        scene.heals();
        assert_eq!(scene.camera().format, format);
    }
    scene.ends();
}

#[test]
fn an_idle_camera_is_free_for_others_and_taken_back_from_them() {
    let bus = Bus::default();
    let device = bus.plug(0, Model::yuyv());
    let daemon = Setup::default()
        .bus(&bus)
        .device(&device, "idle-after = \"100ms\"")
        .start();
    let mut viewer = daemon.viewer();
    assert_ne!(shown(&viewer.picture(), false), Ok(Shows::Blank));
    device.take().expect_err("the daemon has it");
    drop(viewer);
    let idle = || daemon.wait_for_stats("idle", |s| s.cameras[0].state == CameraState::Idle);
    idle();
    // The state is told first, then the buffers go.
    let taken = streamd_tests::eventually("an idle camera is free", || device.take());
    let mut viewer = daemon.viewer();
    viewer.picture_that("no signal", |p| shown(p, false) == Ok(Shows::Blank));
    daemon.wait_for_stats("by whom", |stats| {
        stats.cameras[0].reason.contains("in use by")
    });
    drop(taken);
    viewer.picture_that("the camera", |p| {
        shown(p, false).is_ok_and(|s| s != Shows::Blank)
    });
}

#[test]
fn a_format_that_another_program_has_set_meanwhile_is_asked_for_again() {
    for model in [Model::yuyv(), Model::mjpg()] {
        let bus = Bus::default();
        let device = bus.plug(0, model);
        let daemon = Setup::default()
            .bus(&bus)
            .device(&device, "idle-after = \"100ms\"")
            .start();
        for _ in 0..2 {
            let mut viewer = daemon.viewer();
            for _ in 0..10 {
                let picture = viewer.picture();
                assert!(shown(&picture, false).is_ok_and(|s| s != Shows::Blank));
                assert_eq!(picture.size, (160, 120));
            }
            drop(viewer);
            daemon.wait_for_stats("idle", |s| s.cameras[0].state == CameraState::Idle);
            drop(streamd_tests::eventually("an idle camera is free", || {
                device.take()
            }));
            let fourcc = daemon.stats().cameras[0].format.clone();
            device.set_format(&fourcc, (320, 240));
        }
    }
}

#[test]
fn a_reload_of_the_size_says_nothing_false() {
    let mut scene = scene("");
    let keys = format!("device = {:?}\nsize = \"320x240\"", scene.device.path());
    let before = scene.daemon.log.count();
    scene.daemon.setup.set_camera(&keys);
    scene.daemon.setup.write_config();
    scene.daemon.signal(nix::sys::signal::Signal::SIGHUP);
    loop {
        let picture = scene.viewer.picture();
        let shows = shown(&picture, false).unwrap();
        assert_ne!(
            shows,
            Shows::Blank,
            "{}",
            scene.daemon.log.all()[before..].join("\n")
        );
        if picture.size == (320, 240) {
            break;
        }
    }
    let log = scene.daemon.log.all()[before..].join("\n");
    assert!(!log.contains("no signal"), "{log}");
    scene.ends();
}
