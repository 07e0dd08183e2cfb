//! What the log says of a fault that comes and goes: that it began, and how often it was.

use nix::libc::EIO;
use streamd_tests::device::orders::{Call, Fault, When};

use super::{Case, calls::fails, scene::Scene};

#[test]
fn a_fault_that_comes_and_goes_is_a_line_and_its_count() {
    let mut scene = Scene::of(&Case::flows("", &[]));
    scene.sees_film();
    let from = scene.daemon.log.count();
    for _ in 0..4 {
        scene.device.fault(&[fails(Call::DqBuf, EIO)]);
        scene.is_lost(&["VIDIOC_DQBUF", "I/O error"]);
        scene.device.heal();
        scene.sees_film();
    }
    let of_it = |line: &&String| line.contains("VIDIOC_DQBUF") && line.contains("WARN");
    assert_eq!(
        scene.daemon.log.all()[from..].iter().filter(of_it).count(),
        1
    );
    let (_, line) = scene
        .daemon
        .log
        .wait_after(from, &["steady again after", "VIDIOC_DQBUF"]);
    let times = line
        .split("after ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    assert!(times.unwrap().parse::<u32>().unwrap() >= 4, "{line}");
    scene.ends();
}

#[test]
fn errors_that_a_restart_mends_are_no_flood() {
    let mut scene = Scene::of(&Case::flows("", &[]));
    scene.sees_film();
    let from = scene.daemon.log.count();
    scene
        .device
        .fault(&[Fault::Fails(Call::DqBuf, EIO, When::Each(10))]);
    let calls = scene.device.count(Call::DqBuf);
    streamd_tests::eventually("a hundred calls, of which ten failed", || {
        scene.sees();
        let made = scene.device.count(Call::DqBuf) - calls;
        (made >= 100).then_some(()).ok_or_else(|| format!("{made}"))
    });
    let log = scene.daemon.log.all();
    let warnings: Vec<_> = log[from..]
        .iter()
        .filter(|line| line.contains("WARN"))
        .collect();
    assert!(warnings.len() <= 1, "{warnings:#?}");
    scene.device.heal();
    scene.heals();
    scene.ends();
}
