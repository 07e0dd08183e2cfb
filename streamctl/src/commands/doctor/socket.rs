//! The control socket: whether a daemon is behind it, and whether this user may speak to it.

use std::{io::ErrorKind, os::unix::fs::MetadataExt, path::Path};

use nix::unistd::{Gid, Group, Uid};
use streamd_protocol::{client::Error, control};

use super::{
    finding::Finding,
    scene::{Scene, name_of},
};

const AREA: &str = "control socket";

/// Looks at each place where the socket may be.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let found = scene.daemon.is_some();
    let mut findings: Vec<_> = scene
        .sockets
        .iter()
        .filter_map(|(path, answer)| match answer {
            Ok(version) => Some(answers(path, version, scene)),
            Err(error) => silent(path, error, found, scene),
        })
        .collect();
    if findings.is_empty() {
        let tried: Vec<_> = scene
            .sockets
            .iter()
            .map(|(path, _)| path.display().to_string())
            .collect();
        findings.push(Finding::error(
            AREA,
            format!("no streamd runs: nothing is at {}", tried.join(" or ")),
            format!(
                "Start it: {}\nIf its socket is elsewhere: streamctl --socket PATH doctor",
                scene.told_to("start")
            ),
        ));
    }
    findings
}

fn answers(path: &Path, version: &str, scene: &Scene) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    let path = path.display();
    match version == ours {
        true => Finding::ok(AREA, format!("{path}: streamd {version} answers")),
        false => Finding::warning(
            AREA,
            format!("{path}: streamd {version} answers, and this streamctl is {ours}"),
            format!("Restart it after an upgrade: {}", scene.told_to("restart")),
        ),
    }
}

/// What is to be said of a socket that does not answer; nothing of one that is simply not there.
fn silent(path: &Path, error: &Error, found: bool, scene: &Scene) -> Option<Finding> {
    let shown = path.display();
    Some(match error {
        Error::Unavailable { source, .. } if source.kind() == ErrorKind::NotFound => return None,
        Error::Unavailable { source, .. } if source.kind() == ErrorKind::ConnectionRefused => {
            let what = format!("{shown} is left over: the file is there, and no streamd listens");
            match found {
                true => Finding::warning(
                    AREA,
                    what,
                    format!("It does no harm; to be rid of it: rm {shown}"),
                ),
                false => Finding::error(
                    AREA,
                    what,
                    format!(
                        "Start streamd, which takes its place: {}",
                        scene.told_to("start")
                    ),
                ),
            }
        }
        Error::PermissionDenied { .. } | Error::Refused(control::Error::PermissionDenied {}) => {
            denied(path, scene)
        }
        Error::Refused(control::Error::TooManyConnections { .. }) => Finding::error(
            AREA,
            format!("{shown}: {error}"),
            "End a streamctl top or another program that holds its connections",
        ),
        Error::Timeout(_) | Error::Closed => Finding::error(
            AREA,
            format!("{shown}: {error}"),
            format!(
                "Is it stuck? Its log says more; then: {}",
                scene.told_to("restart")
            ),
        ),
        _ => Finding::error(AREA, format!("{shown}: {error}"), ""),
    })
}

fn denied(path: &Path, scene: &Scene) -> Finding {
    let whose = |path: &Path| {
        let meta = std::fs::metadata(path).ok()?;
        let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
        let group = group.map_or_else(|| meta.gid().to_string(), |group| group.name);
        let owner = name_of(Uid::from_raw(meta.uid()));
        let mode = meta.mode() & 0o777;
        let what = format!(
            "{} belongs to {owner}:{group} with mode {mode:o}",
            path.display()
        );
        Some((what, group))
    };
    let folder = path.parent().unwrap_or(path);
    let (what, group) = whose(path).or_else(|| whose(folder)).unwrap_or_else(|| {
        (
            format!("{} can't be looked at", path.display()),
            "streamd".into(),
        )
    });
    let advice = match group.as_str() {
        // Nobody is to become a member of root's group for this.
        "root" => {
            "Run streamd as a user of its own, as the service does; for now: sudo streamctl".into()
        }
        group => format!(
            "sudo usermod -aG {group} {}, then log out and in again; for once: sudo streamctl",
            scene.user
        ),
    };
    Finding::error(
        AREA,
        format!("{what}, and {} may not connect", scene.user),
        advice,
    )
}

#[cfg(test)]
mod tests {
    use std::{io, time::Duration};

    use super::{super::finding::Status, *};

    #[test]
    fn each_silence_has_its_reason() {
        let scene = Scene {
            sockets: Vec::new(),
            daemon: None,
            file: "/etc/streamd/streamd.toml".into(),
            fault: None,
            config: None,
            user: "ada".into(),
            root: false,
            systemd: true,
        };
        let path = Path::new("/run/no-such-folder/control");
        let unavailable = |kind: ErrorKind| Error::Unavailable {
            path: path.into(),
            source: io::Error::from(kind),
        };
        let say = |error: &Error| silent(path, error, false, &scene);
        assert_eq!(say(&unavailable(ErrorKind::NotFound)), None);
        for (error, words) in [
            (unavailable(ErrorKind::ConnectionRefused), "left over"),
            (
                Error::PermissionDenied { path: path.into() },
                "ada may not connect",
            ),
            (Error::Timeout(Duration::from_secs(8)), "did not answer"),
        ] {
            let found = say(&error).unwrap();
            assert_eq!(found.status, Status::Error);
            assert!(
                found.message.contains(words) && !found.advice.is_empty(),
                "{found:?}"
            );
        }
        let beside = silent(
            path,
            &unavailable(ErrorKind::ConnectionRefused),
            true,
            &scene,
        );
        assert_eq!(beside.unwrap().status, Status::Warning);
        assert_eq!(answers(path, "0.0.0-other", &scene).status, Status::Warning);
    }
}
