//! Names that stay with a camera or with a USB port, while the numbers of nodes change. They are
//! read from sysfs, where the kernel has them, so they need no udev.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::error::DeviceError;
use crate::config::values::Device;

/// Where the kernel lists the video nodes.
pub(super) const SYS: &str = "/sys/class/video4linux";

/// A video node of a USB device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UsbNode {
    /// The port with the way to it: `1-1.2`.
    port: String,
    /// The interface of the device: `1-1.2:1.0`.
    interface: String,
    /// Which node of the interface; the first one has the pictures, others have metadata.
    index: u32,
    /// The number in its name.
    number: u32,
    /// The device's serial number, if it has one.
    serial: Option<String>,
}

/// The nodes of all USB cameras, in the order of ports, interfaces and indexes.
pub(super) fn usb_nodes(sys: &Path) -> Vec<UsbNode> {
    let entries = fs::read_dir(sys).into_iter().flatten().flatten();
    let mut nodes: Vec<_> = entries.filter_map(|entry| node(&entry.path())).collect();
    nodes.sort();
    nodes
}

fn node(entry: &Path) -> Option<UsbNode> {
    let number = entry.file_name()?.to_str()?.strip_prefix("video")?;
    let number = number.parse().ok()?;
    let parent = fs::canonicalize(entry.join("device")).ok()?;
    // The nearest USB device above it, since a hub is one as well.
    let usb = parent
        .ancestors()
        .find(|dir| dir.join("idVendor").exists())?;
    let below = parent.strip_prefix(usb).ok()?.iter().next();
    let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
    Some(UsbNode {
        port: text(usb.file_name()?),
        interface: text(below.or(usb.file_name())?),
        index: read(&entry.join("index"))
            .and_then(|index| index.parse().ok())
            .unwrap_or(0),
        number,
        serial: read(&usb.join("serial")),
    })
}

/// The text of an attribute; `None` if it says nothing.
fn read(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// The nodes that a name of the configuration may mean, the likeliest first.
///
/// # Errors
/// There is no such camera, or there are several.
pub(super) fn nodes(device: &Device, sys: &Path, dev: &Path) -> Result<Vec<PathBuf>, DeviceError> {
    let mut found = usb_nodes(sys);
    found.retain(|node| match device {
        Device::Usb(port) => node.port == *port || node.interface == *port,
        Device::Serial(serial) => node.serial.as_ref() == Some(serial),
        _ => false,
    });
    let ports: BTreeSet<_> = found.iter().map(|node| &node.port).collect();
    if ports.len() > 1 {
        return Err(DeviceError::Ambiguous {
            device: device.to_string(),
            ports: ports.iter().map(|port| format!("usb:{port}")).collect(),
        });
    }
    let node = |node: &UsbNode| dev.join(format!("video{}", node.number));
    match found.as_slice() {
        [] => Err(DeviceError::Absent {
            path: device.to_string().into(),
        }),
        found => Ok(found.iter().map(node).collect()),
    }
}

/// The names by which the configuration may have a node.
pub(super) fn of_node(all: &[UsbNode], node: &Path) -> Vec<String> {
    let is = |n: &&UsbNode| {
        node.file_name()
            .is_some_and(|f| f == &*format!("video{}", n.number))
    };
    let Some(this) = all.iter().find(is) else {
        return Vec::new();
    };
    let first = |same: fn(&UsbNode, &UsbNode) -> bool| {
        let first = all.iter().find(|other| same(other, this));
        first == Some(this)
    };
    let mut names = Vec::new();
    if first(|a, b| a.port == b.port) {
        names.push(format!("usb:{}", this.port));
        // Only where no other camera has the same one.
        let others = |n: &&UsbNode| n.serial == this.serial && n.port != this.port;
        if let Some(serial) = this
            .serial
            .as_ref()
            .filter(|_| all.iter().find(others).is_none())
        {
            names.push(format!("serial:{serial}"));
        }
    } else if first(|a, b| a.interface == b.interface) {
        names.push(format!("usb:{}", this.interface));
    }
    names
}

/// The link of udev that a name means; of a camera with several nodes, that of the first one where
/// the name says no more.
pub(super) fn link(dev: &Path, kind: &str, name: &str) -> PathBuf {
    let folder = dev.join("v4l").join(kind);
    let exact = folder.join(name);
    let first = folder.join(format!("{name}-video-index0"));
    match exact.symlink_metadata().is_err() && first.symlink_metadata().is_ok() {
        true => first,
        false => exact,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A sysfs with these USB cameras: number of the node, way to its port, interface, index and
    /// serial number.
    fn sysfs(cameras: &[(u32, &str, &str, u32, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a directory");
        let class = folder.path().join("class");
        fs::create_dir(&class).expect("made");
        for (number, way, interface, index, serial) in cameras {
            let usb = folder.path().join("devices/pci0000:00/usb1").join(way);
            let node = usb
                .join(interface)
                .join(format!("video4linux/video{number}"));
            fs::create_dir_all(&node).expect("made");
            for part in Path::new(way)
                .ancestors()
                .filter(|p| !p.as_os_str().is_empty())
            {
                let hub = folder.path().join("devices/pci0000:00/usb1").join(part);
                fs::write(hub.join("idVendor"), "046d\n").expect("written");
            }
            if !serial.is_empty() {
                fs::write(usb.join("serial"), format!("{serial}\n")).expect("written");
            }
            fs::write(node.join("index"), format!("{index}\n")).expect("written");
            symlink(usb.join(interface), node.join("device")).expect("linked");
            symlink(&node, class.join(format!("video{number}"))).expect("linked");
        }
        fs::create_dir(class.join("video90")).expect("made");
        fs::create_dir(class.join("v4l-subdev0")).expect("made");
        folder
    }

    fn find(folder: &tempfile::TempDir, name: &str) -> Result<Vec<PathBuf>, String> {
        let device: Device = name.parse().expect("a name");
        nodes(&device, &folder.path().join("class"), Path::new("/dev"))
            .map_err(|error| error.to_string())
    }

    fn dev(numbers: &[u32]) -> Result<Vec<PathBuf>, String> {
        let node = |number| PathBuf::from(format!("/dev/video{number}"));
        Ok(numbers.iter().map(node).collect())
    }

    #[test]
    fn a_camera_is_found_by_its_port_behind_hubs_too() {
        let folder = sysfs(&[
            (11, "1-1/1-1.2", "1-1.2:1.0", 1, "A"),
            (10, "1-1/1-1.2", "1-1.2:1.0", 0, "A"),
            (2, "1-1/1-1.2", "1-1.2:1.2", 0, "A"),
            (3, "1-3", "1-3:1.0", 0, ""),
        ]);
        assert_eq!(find(&folder, "usb:1-1.2"), dev(&[10, 11, 2]));
        assert_eq!(find(&folder, "usb:1-1.2:1.2"), dev(&[2]));
        assert_eq!(find(&folder, "usb:1-3"), dev(&[3]));
        assert_eq!(find(&folder, "serial:A"), dev(&[10, 11, 2]));
        // A hub is no camera, and half of a port's name is none.
        for none in ["usb:1-1", "usb:1-1.20", "serial:B"] {
            let said = find(&folder, none).expect_err(none);
            assert!(
                said.starts_with(none) && said.contains("plugged in"),
                "{said}"
            );
        }
        let all = usb_nodes(&folder.path().join("class"));
        let names = |number: u32| of_node(&all, Path::new(&format!("/dev/video{number}")));
        assert_eq!(names(10), ["usb:1-1.2", "serial:A"]);
        assert_eq!(names(2), ["usb:1-1.2:1.2"]);
        assert!(names(11).is_empty() && names(90).is_empty());
    }

    #[test]
    fn two_cameras_with_one_serial_number_are_told_apart_by_their_ports() {
        let folder = sysfs(&[
            (0, "1-1", "1-1:1.0", 0, "SN0001"),
            (2, "1-2", "1-2:1.0", 0, "SN0001"),
        ]);
        let said = find(&folder, "serial:SN0001").expect_err("two have it");
        assert!(
            said.contains("usb:1-1") && said.contains("usb:1-2"),
            "{said}"
        );
        let all = usb_nodes(&folder.path().join("class"));
        assert_eq!(of_node(&all, Path::new("/dev/video2")), ["usb:1-2"]);
    }

    #[test]
    fn a_node_whose_number_has_moved_is_found_again() {
        for number in [0, 4] {
            let folder = sysfs(&[(number, "1-1", "1-1:1.0", 0, "A")]);
            assert_eq!(find(&folder, "usb:1-1"), dev(&[number]));
        }
        assert!(find(&tempfile::tempdir().expect("a directory"), "usb:1-1").is_err());
    }

    #[test]
    fn a_link_is_named_with_or_without_its_index() {
        let folder = tempfile::tempdir().expect("a directory");
        let by_id = folder.path().join("v4l/by-id");
        fs::create_dir_all(&by_id).expect("made");
        symlink("../../video0", by_id.join("usb-cam-video-index0")).expect("linked");
        let first = by_id.join("usb-cam-video-index0");
        assert_eq!(link(folder.path(), "by-id", "usb-cam"), first);
        assert_eq!(link(folder.path(), "by-id", "usb-cam-video-index0"), first);
        assert_eq!(link(folder.path(), "by-id", "gone"), by_id.join("gone"));
    }
}
