//! Calls of the driver that do not return.

use nix::sys::signal::Signal;
use streamd_protocol::stats::CameraState;
use streamd_tests::device::orders::{Call, Fault, Model};

use super::{Begins, Case, all, scene::Scene};

const REASON: &[&str] = &["the driver does not answer"];

#[test]
fn a_driver_that_does_not_answer_is_no_signal() {
    let hangs = |name, call| Case::lost(name, &[Fault::Hangs(call)], REASON);
    all(vec![
        hangs("DQBUF", Call::DqBuf),
        hangs("DQBUF of JPEG", Call::DqBuf).of(Model::mjpg()),
        hangs("QBUF", Call::QBuf),
        hangs("open", Call::Open).early(),
        hangs("QUERYCAP", Call::QueryCap).early(),
        hangs("ENUM_FMT", Call::EnumFmt).early(),
        hangs("S_FMT", Call::SetFmt).early(),
        hangs("REQBUFS", Call::ReqBufs).early(),
        hangs("mmap", Call::Mmap).early(),
        hangs("STREAMON", Call::StreamOn).early(),
    ]);
}

fn scene() -> Scene {
    let mut scene = Scene::of(&Case::flows("", &[]).begins(Begins::Idle));
    scene.sees_film();
    scene.is_as_before();
    scene
}

#[test]
fn a_driver_that_does_not_answer_when_it_is_switched_off_is_told_to_the_next_viewer() {
    let mut scene = scene();
    scene.device.fault(&[Fault::Hangs(Call::StreamOff)]);
    let calls = scene.device.count(Call::StreamOff);
    scene.looks_away();
    streamd_tests::eventually("STREAMOFF", || {
        let made = scene.device.count(Call::StreamOff) - calls;
        (made > 0).then_some(()).ok_or_else(|| "none".into())
    });
    scene.comes_back();
    scene.is_lost(REASON);
    scene.device.heal();
    scene.heals();
    scene.ends();
}

#[test]
fn a_stop_is_obeyed_while_the_driver_does_not_answer() {
    for call in [Call::DqBuf, Call::StreamOff] {
        let mut scene = scene();
        scene.device.fault(&[Fault::Hangs(call)]);
        if call == Call::DqBuf {
            scene.is_lost(REASON);
        }
        scene.ends();
    }
}

#[test]
fn the_rest_of_the_daemon_does_not_wait_for_a_driver() {
    let mut scene = scene();
    scene.device.fault(&[Fault::Hangs(Call::DqBuf)]);
    scene.is_lost(REASON);
    // A reload, the list of devices, and new settings of the camera itself.
    let from = scene.daemon.notified.count();
    scene.daemon.signal(Signal::SIGHUP);
    scene.daemon.notified.wait_after(from, &["READY=1"]);
    scene.daemon.streamctl("devices").succeeded();
    scene
        .daemon
        .streamctl("set fps 10 --camera main")
        .succeeded();
    assert_eq!(scene.camera().state, CameraState::Lost);
    scene.device.heal();
    scene.heals();
    assert_eq!(scene.camera().desired_fps, 10.0);
    scene.ends();
}
