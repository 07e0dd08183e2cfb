//! The cameras of a running daemon, and the daemon's own parts.

use streamd_protocol::stats::{CameraState, CameraStats, Stats};

use super::{finding::Finding, scene::Scene};
use crate::units;

const AREA: &str = "cameras";

/// A streaming camera below this share of its rate is slow.
const SLOW: f64 = 0.8;

/// Of a hundred frames, more than this broken or lost by the driver point at the bus or cable.
const BROKEN_PERCENT: i64 = 5;

/// Looks at what the daemon says.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let Some(daemon) = &scene.daemon else {
        return Vec::new();
    };
    let stats = &daemon.stats;
    let mut findings: Vec<_> = stats.cameras.iter().map(camera).collect();
    findings.extend(whole(stats, scene));
    if let Err(error) = &daemon.devices {
        let what = format!("streamd could not list the devices: {error}");
        findings.push(Finding::warning(
            AREA,
            what,
            "A driver may hang: sudo dmesg | tail",
        ));
    }
    findings
}

/// What is of the daemon as a whole.
fn whole(stats: &Stats, scene: &Scene) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !stats.stuck.is_empty() {
        findings.push(Finding::error(
            AREA,
            format!("{} of streamd does not move", stats.stuck.join(", ")),
            format!(
                "As a service it is restarted by itself; by hand: {}",
                scene.told_to("restart")
            ),
        ));
    }
    if stats.refused > 0 {
        findings.push(Finding::warning(
            AREA,
            format!("{} refused: max-clients was reached", units::count(stats.refused, "client")),
            "Where so many are to watch, raise max-clients of the camera and reload: streamctl reload",
        ));
    }
    findings
}

fn camera(camera: &CameraStats) -> Finding {
    let name = &camera.name;
    match camera.state {
        CameraState::Lost => Finding::error(
            AREA,
            format!("{name} has no signal: {}", camera.reason),
            "streamd takes it back by itself as soon as that is over",
        ),
        CameraState::Starting => Finding::warning(
            AREA,
            format!("{name} is being opened"),
            "Look again in a few seconds",
        ),
        CameraState::Streaming | CameraState::Idle
            if camera.path == "test" && camera.device != "test" =>
        {
            Finding::warning(
                AREA,
                format!(
                    "{name} shows the test pattern: no camera was found for device = {:?}",
                    camera.device
                ),
                "Plug a camera in: streamd takes it by itself. streamctl devices lists what is there",
            )
        }
        CameraState::Idle => Finding::ok(AREA, format!("{name} is ready; nobody watches")),
        CameraState::Streaming => streaming(camera),
    }
}

/// The rate that can be expected: what was asked for, as far as the driver gives it.
fn granted(camera: &CameraStats) -> f64 {
    match camera.driver_fps > 0.0 {
        true => camera.driver_fps.min(camera.desired_fps),
        false => camera.desired_fps,
    }
}

/// Whether a camera that streams is far from the rate that can be expected.
pub fn slow(camera: &CameraStats) -> bool {
    camera.state == CameraState::Streaming && camera.fps < granted(camera) * SLOW
}

fn streaming(camera: &CameraStats) -> Finding {
    let CameraStats { name, captured, .. } = camera;
    let bad = camera.driver_lost + camera.corrupt;
    if captured + bad > 0 && bad * 100 / (captured + bad) > BROKEN_PERCENT {
        return Finding::warning(
            AREA,
            format!(
                "{name}: {bad} of {} frames came broken or not at all",
                captured + bad
            ),
            "The USB bus or the cable is overloaded or bad: another port, without a hub; fewer fps or a smaller size; format = \"MJPG\"",
        );
    }
    let granted = granted(camera);
    let (fps, wanted) = (units::fps(camera.fps), units::set_fps(camera.desired_fps));
    if granted < camera.desired_fps * SLOW {
        return Finding::warning(
            AREA,
            format!(
                "{name}: {fps} of {wanted} fps: its driver gives {} at this size and format",
                units::set_fps(granted)
            ),
            "streamctl devices shows the rates of each size; another size or format = \"MJPG\" may be faster",
        );
    }
    if slow(camera) {
        return Finding::warning(
            AREA,
            format!("{name}: {fps} of {wanted} fps"),
            "In the dark a camera exposes longer: more light, or streamctl controls (exposure-dynamic-framerate)",
        );
    }
    Finding::ok(AREA, format!("{name} streams, {fps} fps"))
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Status, *};

    fn stats() -> Stats {
        serde_json::from_str(include_str!("../../../tests/stats.json")).unwrap()
    }

    #[test]
    fn each_state_of_a_camera_is_told_apart() {
        let mut one = stats().cameras.remove(0);
        (one.state, one.fps, one.desired_fps, one.driver_fps) =
            (CameraState::Streaming, 30.0, 30.0, 30.0);
        (one.captured, one.driver_lost, one.corrupt) = (1000, 1, 0);
        (one.device, one.path) = ("auto".into(), "/dev/video0".into());
        assert_eq!(camera(&one).status, Status::Ok);
        let judged = |change: &dyn Fn(&mut CameraStats)| {
            let mut changed = one.clone();
            change(&mut changed);
            camera(&changed)
        };
        let lost = judged(&|c| (c.state, c.reason) = (CameraState::Lost, "unplugged".into()));
        assert!(lost.status == Status::Error && lost.message.contains("unplugged"));
        for change in [
            &|c: &mut CameraStats| c.path = "test".into(),
            &|c: &mut CameraStats| c.corrupt = 100,
            &|c: &mut CameraStats| c.driver_fps = 15.0,
            &|c: &mut CameraStats| c.fps = 12.0,
            &|c: &mut CameraStats| c.state = CameraState::Starting,
        ] as [&dyn Fn(&mut CameraStats); 5]
        {
            let found = judged(change);
            assert!(
                found.status == Status::Warning && !found.advice.is_empty(),
                "{found:?}"
            );
        }
        assert_eq!(judged(&|c| c.state = CameraState::Idle).status, Status::Ok);
    }
}
