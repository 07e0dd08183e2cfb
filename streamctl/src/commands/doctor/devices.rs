//! The video devices: whether they are there, who may open them, and who has them.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    libc,
    unistd::{Gid, Group, Uid},
};
use streamd_protocol::control::Device;

use super::{
    finding::Finding,
    holders,
    scene::{Scene, name_of},
};

const AREA: &str = "devices";

/// The group that the service's unit lets open cameras.
const GROUP: &str = "video";

/// Looks at each device, then at those that the configuration names.
pub fn look(scene: &Scene) -> Vec<Finding> {
    let mut nodes = nodes(Path::new("/dev"));
    let configured = scene.cameras().filter_map(|(_, camera)| {
        let path = fs::canonicalize(camera.get("device")?.as_str()?).ok()?;
        (path.is_absolute() && !nodes.contains(&path)).then_some(path)
    });
    let configured: BTreeSet<_> = configured.collect();
    nodes.extend(configured);
    let mut findings: Vec<_> = nodes.iter().map(|node| look_at(node, scene)).collect();
    if nodes.is_empty() {
        findings.push(none(scene));
    }
    // A daemon that runs says of each of its cameras why it has none.
    if scene.daemon.is_none() {
        let missing = scene
            .cameras()
            .filter_map(|(name, camera)| missing(name, camera.get("device")?.as_str()?));
        findings.extend(missing);
    }
    let busy = findings
        .iter()
        .any(|found| found.message.contains("is in use"));
    if busy && !scene.root && holders::hidden() {
        findings.push(Finding::warning(
            AREA,
            "which programs of other users have a device can't be seen",
            "Look as root: sudo streamctl doctor",
        ));
    }
    findings
}

/// `videoN` in a folder, by number.
fn nodes(dev: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dev).into_iter().flatten().flatten();
    let number = |path: &PathBuf| -> Option<u32> {
        path.file_name()?
            .to_str()?
            .strip_prefix("video")?
            .parse()
            .ok()
    };
    let mut nodes: Vec<_> = entries
        .filter_map(|entry| Some((number(&entry.path())?, entry.path())))
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

fn none(scene: &Scene) -> Finding {
    let wanted =
        |camera: &toml::Value| camera.get("device").and_then(|d| d.as_str()) != Some("test");
    match scene.cameras().any(|(_, camera)| wanted(camera)) || scene.config.is_none() {
        true => Finding::warning(
            AREA,
            "there is no /dev/video*: no camera is plugged in, or its driver is missing",
            "Plug it in and look at what the kernel says: sudo dmesg | tail\n\
             A USB camera needs the module uvcvideo: sudo modprobe uvcvideo\n\
             In a container, the device must be passed in: --device /dev/video0",
        ),
        false => Finding::ok(
            AREA,
            "none is there, and none is needed: all cameras are test patterns",
        ),
    }
}

/// What the daemon says of a device counts; without one, what can be seen from outside.
fn look_at(node: &Path, scene: &Scene) -> Finding {
    let known = scene
        .daemon
        .iter()
        .flat_map(|daemon| daemon.devices.iter().flatten());
    let known = known
        .into_iter()
        .find(|device| Path::new(&device.path) == node);
    let shown = match known
        .map(|device| device.card.clone())
        .filter(|card| !card.is_empty())
        .or_else(|| card(node))
    {
        Some(card) => format!("{} ({card})", node.display()),
        None => node.display().to_string(),
    };
    let others: Vec<_> = holders::of(node)
        .into_iter()
        .filter(|holder| !scene.is_daemon(holder.pid))
        .collect();
    match known {
        Some(Device { error, .. }) if !error.is_empty() => {
            return Finding::error(AREA, format!("{shown}: streamd can't ask it: {error}"), "");
        }
        Some(Device { camera, .. }) if !camera.is_empty() => {
            return Finding::ok(AREA, format!("{shown}: camera {camera} has it"));
        }
        _ => {}
    }
    if !others.is_empty() {
        let pids: Vec<_> = others.iter().map(|holder| holder.pid.to_string()).collect();
        return Finding::warning(
            AREA,
            format!("{shown} is in use by {}", holders::list(&others)),
            format!(
                "A camera gives its pictures to one program: where streamd is to have this one, end the other: kill {}",
                pids.join(" ")
            ),
        );
    }
    match known {
        Some(_) => Finding::ok(AREA, format!("{shown}: free")),
        None => opened(node, &shown, scene),
    }
}

/// The driver's name of a device.
fn card(node: &Path) -> Option<String> {
    let name = node.file_name()?.to_str()?;
    let text = fs::read_to_string(format!("/sys/class/video4linux/{name}/name")).ok()?;
    Some(text.trim().to_owned())
}

/// Opens a node. That alone disturbs nobody who uses it.
fn open(node: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    how.open(node)
}

/// What comes of opening it.
fn opened(node: &Path, shown: &str, scene: &Scene) -> Finding {
    let Err(error) = open(node) else {
        return Finding::ok(AREA, format!("{shown}: can be opened"));
    };
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::PermissionDenied, _) => denied(node, shown, scene),
        (_, Some(libc::EBUSY)) => Finding::warning(
            AREA,
            format!("{shown} is in use by another program"),
            "End that program where streamd is to have this camera",
        ),
        (_, Some(libc::ENODEV | libc::ENXIO)) => Finding::error(
            AREA,
            format!("{shown}: there is no device behind it any more"),
            "Plug the camera out and in; sudo dmesg | tail says what the kernel thinks of it",
        ),
        (_, Some(libc::EPERM)) => Finding::error(
            AREA,
            format!("{shown}: the system forbids it to every program here ({error})"),
            "In a container, the device must be allowed: --device /dev/video0",
        ),
        _ => Finding::error(
            AREA,
            format!("{shown}: {error}"),
            "sudo dmesg | tail may say why",
        ),
    }
}

fn denied(node: &Path, shown: &str, scene: &Scene) -> Finding {
    let Ok(meta) = fs::metadata(node) else {
        return Finding::error(AREA, format!("{shown}: no permission"), "");
    };
    let group = Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten();
    let group = group.map_or_else(|| meta.gid().to_string(), |group| group.name);
    let owner = name_of(Uid::from_raw(meta.uid()));
    let mode = meta.mode() & 0o777;
    let what = format!(
        "{shown} belongs to {owner}:{group} with mode {mode:o}, and {} may not open it",
        scene.user
    );
    let kept = mode & 0o060 == 0o060;
    match group == GROUP && kept && meta.file_type().is_char_device() {
        true => Finding::warning(
            AREA,
            what,
            format!(
                "The service may: it is in group {GROUP}. To run streamd yourself: sudo usermod -aG {GROUP} {}, then log out and in again",
                scene.user
            ),
        ),
        false => Finding::error(
            AREA,
            format!("{what}; neither may the service, which is in group {GROUP}"),
            format!(
                "For good, by a rule of udev: echo 'SUBSYSTEM==\"video4linux\", GROUP=\"{GROUP}\", MODE=\"0660\"' | sudo tee /etc/udev/rules.d/60-{GROUP}.rules && sudo udevadm control --reload && sudo udevadm trigger\n\
                 Until the next plug: sudo chgrp {GROUP} {0} && sudo chmod 660 {0}",
                node.display()
            ),
        ),
    }
}

/// A device of the configuration that is not there; `None` where it is, or where only streamd can
/// know.
fn missing(camera: &str, device: &str) -> Option<Finding> {
    let path = match device.split_once(':') {
        Some(("by-id", name)) => Path::new("/dev/v4l/by-id").join(name),
        Some(("by-path", name)) => Path::new("/dev/v4l/by-path").join(name),
        _ if device.starts_with('/') => device.into(),
        _ => return None,
    };
    // A name may leave out the number of the picture, which the link ends with.
    let with_index = format!("{}-video-index0", path.display());
    (!path.exists() && !Path::new(&with_index).exists()).then(|| {
        Finding::error(
            AREA,
            format!("camera {camera} is to be {device}, which is not there"),
            "Plug it in; streamd takes it as soon as it is there. Else name another device: \
             streamctl devices lists them (streamd must run)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_in_the_order_of_their_numbers() {
        let dev = tempfile::tempdir().unwrap();
        for name in ["video10", "video2", "video", "videox", "media0", "video0"] {
            fs::write(dev.path().join(name), "").unwrap();
        }
        let names = nodes(dev.path());
        let names: Vec<_> = names
            .iter()
            .map(|n| n.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["video0", "video2", "video10"]);
    }

    #[test]
    fn only_paths_can_be_missed_from_outside() {
        assert!(missing("main", "/dev/no-such-camera").is_some());
        assert!(missing("main", "by-id:no-such-camera").is_some());
        for device in ["auto", "test", "usb:1-1", "serial:A", "/dev/null"] {
            assert_eq!(missing("main", device), None, "{device}");
        }
    }
}
