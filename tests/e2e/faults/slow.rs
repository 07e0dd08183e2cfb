//! Cameras that are slow, and drivers that take their time: neither is a fault.

use streamd_tests::device::orders::{Call, Fault, Frames, Model, When};

use super::{Case, Outcome, all, scene::Scene};

/// A frame each 3 s of a camera that says 25 a second.
const ONE_OF_75: Fault = Fault::Frames(Frames::Missing, When::AllBut(75));

#[test]
fn a_frame_time_out_that_was_asked_for_holds() {
    for keys in ["frame-timeout = \"10s\"", "frame-timeout = \"0s\""] {
        let mut scene = Scene::of(&Case {
            keys,
            ..Case::flows("", &[])
        });
        scene.sees_film();
        scene.device.fault(&[ONE_OF_75]);
        scene.sees_pictures_of_film(4);
        scene.ends();
    }
    let keys = "frame-timeout = \"500ms\"";
    let mut scene = Scene::of(&Case {
        keys,
        ..Case::flows("", &[])
    });
    scene.sees_film();
    scene
        .device
        .fault(&[Fault::Frames(Frames::Missing, When::Always)]);
    scene.is_lost(&["no frames for"]);
    scene.ends();
}

#[test]
fn a_camera_of_one_frame_a_second_has_three_seconds() {
    let model = Model {
        fps: vec![1],
        ..Model::yuyv()
    };
    let mut scene = Scene::of(&Case::flows("", &[]).of(model));
    scene.sees_film();
    scene
        .device
        .fault(&[Fault::Frames(Frames::Missing, When::Each(2))]);
    scene.sees_pictures_of_film(3);
    scene
        .device
        .fault(&[Fault::Frames(Frames::Missing, When::Always)]);
    scene.is_lost(&["no frames for 3 s"]);
    scene.device.heal();
    scene.heals();
    scene.ends();
}

#[test]
fn calls_that_take_their_time_are_waited_for() {
    let flows = |name, call, ms| Case::flows(name, &[Fault::Delays(call, ms)]);
    all(vec![
        flows("STREAMON, 1 s", Call::StreamOn, 1000).early(),
        flows("STREAMON, 3 s", Call::StreamOn, 3000).early(),
        flows("open, 3 s", Call::Open, 3000).early(),
        Case {
            outcome: Outcome::Flows(10),
            ..flows("DQBUF, 50 ms", Call::DqBuf, 50)
        },
        flows("QBUF, 10 ms", Call::QBuf, 10),
    ]);
}
