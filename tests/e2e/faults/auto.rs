//! `device = "auto"` where many nodes are there and few are cameras that give pictures.

use std::fs;

use nix::libc::EINVAL;
use streamd_protocol::stats::CameraState;
use streamd_tests::{
    device::{
        Bus,
        orders::{Call, Fault, Frames, Model, When},
    },
    film::{Shows, shown},
    picture::Picture,
    setup::Setup,
};

use super::calls::fails;

fn is_film(picture: &Picture) -> bool {
    shown(picture, false).is_ok_and(|shows| shows != Shows::Blank)
}

#[test]
fn auto_takes_the_first_camera_that_gives_a_picture() {
    let bus = Bus::default();
    let (silent, refuses) = (bus.plug(0, Model::yuyv()), bus.plug(2, Model::mjpg()));
    silent.fault(&[Fault::Frames(Frames::Missing, When::Always)]);
    refuses.fault(&[fails(Call::StreamOn, EINVAL)]);
    fs::write(bus.path().join("dev/video1"), "no camera").unwrap();
    let works = bus.plug(3, Model::yuyv());
    let keys = "device = \"auto\"\nsize = \"160x120\"";
    let daemon = Setup::default().bus(&bus).camera(keys).start();
    let mut viewer = daemon.viewer();
    viewer.picture_that("a picture", is_film);
    let stats = daemon.wait_for_stats("it streams", |stats| {
        stats.cameras[0].state == CameraState::Streaming
    });
    assert_eq!(stats.cameras[0].path, "/dev/video3");
    for name in ["/dev/video0", "/dev/video2"] {
        daemon.log.wait_for(&["auto: not taken", name]);
    }
    works.unplug();
    let blank = |picture: &Picture| shown(picture, false) == Ok(Shows::Blank);
    viewer.picture_that("no signal", blank);
    works.replug();
    viewer.picture_that("the picture again", is_film);
}

#[test]
fn auto_without_a_camera_takes_the_one_that_is_plugged_in() {
    let bus = Bus::default();
    let keys = "device = \"auto\"\nsize = \"160x120\"";
    let daemon = Setup::default().bus(&bus).camera(keys).start();
    let mut viewer = daemon.viewer();
    // The test pattern stands in until there has been a camera.
    assert!(!is_film(&viewer.picture()));
    let device = bus.plug(0, Model::mjpg());
    viewer.picture_that("the camera", is_film);
    daemon.wait_for_stats("its path", |stats| stats.cameras[0].path == "/dev/video0");
    drop(device);
}
