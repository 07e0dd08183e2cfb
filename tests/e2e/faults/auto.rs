//! `device = "auto"` where many nodes are there and few are cameras that give pictures.

use streamd_tests::{
    device::{Bus, orders::Model},
    film::{Shows, shown},
    picture::Picture,
    setup::Setup,
};

fn is_film(picture: &Picture) -> bool {
    shown(picture, false).is_ok_and(|shows| shows != Shows::Blank)
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
