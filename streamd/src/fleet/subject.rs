//! The subjects that cameras are shared by. `docs/guide/fleet.md` has them for people.

use crate::config::values::{CameraName, Machine};

pub use streamd_protocol::fleet::STREAM;

/// What the stream takes: pictures, and the probes of who publishes them.
pub const TAKEN: [&str; 2] = ["streamd.v1.*.*.jpeg", "streamd.v1.*.probe"];

/// Where a camera's pictures go.
pub fn pictures(host: &Machine, camera: &str) -> String {
    format!("streamd.v1.{host}.{camera}.jpeg")
}

/// Where a machine's probes go.
pub fn probes(host: &Machine) -> String {
    format!("streamd.v1.{host}.probe")
}

/// Where a camera is asked for.
pub fn wants(host: &Machine, camera: &str) -> String {
    format!("streamd.v1.{host}.{camera}.want")
}

/// Where all cameras of a machine are asked for.
pub fn all_wants(host: &Machine) -> String {
    format!("streamd.v1.{host}.*.want")
}

/// The camera that a subject asks for.
pub fn wanted(subject: &str) -> Option<CameraName> {
    let mut tokens = subject.split('.').skip(3);
    let camera = tokens.next()?.parse().ok()?;
    (tokens.next() == Some("want") && tokens.next().is_none()).then_some(camera)
}

/// Where a machine says that it is there.
pub fn presence(host: &Machine) -> String {
    format!("streamd.v1.{host}.presence")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::Remote;

    #[test]
    fn a_camera_is_found_in_the_subject_that_asks_for_it() {
        let remote: Remote = "robot7/main".parse().unwrap();
        let camera = wanted(&wants(&remote.host, remote.camera.as_str()));
        assert_eq!(camera.as_ref(), Some(&remote.camera));
        for other in [
            "streamd.v1.robot7.main.jpeg",
            "streamd.v1.robot7.want",
            "a.b",
            "",
        ] {
            assert_eq!(wanted(other), None, "{other}");
        }
    }
}
