//! What the log says of a fault that comes and goes: that it began, and how often it was.

use nix::libc::EIO;
use streamd_tests::device::orders::{Call, Fault, When};

use super::{Case, scene::Scene};

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
