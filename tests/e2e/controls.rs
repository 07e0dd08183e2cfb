//! A camera's own controls, as a driver gets them.

use streamd_tests::{
    device::{Bus, Device, orders::Model},
    setup::Setup,
};

const EXPOSURE: &str = "Exposure Time, Absolute";

/// A camera on a bus, and what the daemon is told of it.
fn camera(controls: &str) -> (Device, Setup) {
    let bus = Bus::default();
    let device = bus.plug(0, Model::yuyv());
    let keys = format!("controls = {controls}");
    let setup = Setup::default().bus(&bus).device(&device, &keys);
    (device, setup)
}

#[test]
fn controls_of_the_file_are_set_at_each_opening_automatic_modes_first() {
    let controls = "{ exposure-time-absolute = 300, brightness = 200, auto-exposure = \"manual\" }";
    let (device, setup) = camera(controls);
    let daemon = setup.start();
    let mut viewer = daemon.viewer();
    for _ in 0..2 {
        streamd_tests::eventually("exposure", || match device.control(EXPOSURE) {
            Some(300) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let others = [
            device.control("Brightness"),
            device.control("Auto Exposure"),
        ];
        assert_eq!(others, [Some(200), Some(1)]);
        viewer.picture();
        device.unplug();
        daemon.wait_for_stats("lost", |stats| !stats.cameras[0].reason.is_empty());
        device.replug();
    }
}

#[test]
fn what_a_control_does_not_take_is_said_and_the_camera_is_served() {
    let (device, setup) = camera("{ brightness = 700, sharpnes = 1, exposure-time-absolute = 3 }");
    let daemon = setup.start();
    daemon.viewer().picture();
    daemon.log.wait_for(&["WARN", "brightness", "0", "255"]);
    daemon.log.wait_for(&["WARN", "sharpnes"]);
    daemon.log.wait_for(&["WARN", "exposure-time-absolute"]);
    assert_eq!(
        [device.control("Brightness"), device.control(EXPOSURE)],
        [None, None]
    );
}

#[test]
fn controls_are_listed_and_set_live() {
    let (device, setup) = camera("{}");
    let daemon = setup.start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    let list = daemon.streamctl("controls");
    let list = list.succeeded();
    for words in [
        "brightness",
        "horizontal-flip",
        "power-line-frequency",
        "50 Hz",
        "157",
    ] {
        assert!(list.contains(words), "{words} in {list}");
    }
    daemon
        .streamctl("set control brightness=17 horizontal-flip=true")
        .succeeded();
    assert_eq!(
        [
            device.control("Brightness"),
            device.control("Horizontal Flip")
        ],
        [Some(17), Some(1)]
    );
    let refused = daemon.streamctl("set control brightness=256");
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("255"), "{refused:?}");
    assert_eq!(device.control("Brightness"), Some(17));
    viewer.picture();
}
