//! Where a camera's frames come from at present, and how that is found.

use std::path::Path;

use super::{Settings, devices, error::DeviceError, hotplug::WatchFor, names, stream::Stream};
use crate::config::values::Device;

/// What was found for a configured device.
pub(super) enum Found {
    /// A camera, open.
    Camera(Box<Stream>),
    /// The test pattern, and why, if that was not asked for.
    Pattern(String),
    /// Nothing.
    Lost(DeviceError),
}

/// Opens what `settings` ask for. `auto` means the first camera that can be opened, and the test
/// pattern where there has been none yet: a camera that was there and went away (`was_there`) is
/// shown as lost, since nobody who watches it should be shown colour bars instead.
pub(super) fn find(settings: &Settings, dev: &Path, was_there: bool) -> Found {
    match &settings.device {
        Device::Test => Found::Pattern(String::new()),
        Device::Path(path) => at(path, settings),
        Device::ById(name) => at(&names::link(dev, "by-id", name), settings),
        Device::ByPath(name) => at(&names::link(dev, "by-path", name), settings),
        Device::Usb(_) | Device::Serial(_) => named(settings, dev),
        Device::Auto => first_camera(settings, dev).unwrap_or_else(|error| match error {
            Some(error) if was_there => Found::Lost(error),
            None if was_there => Found::Lost(DeviceError::Absent {
                path: dev.join("video*"),
            }),
            Some(error) => Found::Pattern(format!("no camera found: test pattern ({error})")),
            None => Found::Pattern("no camera found: test pattern".into()),
        }),
    }
}

fn at(path: &Path, settings: &Settings) -> Found {
    match Stream::open(path, settings) {
        Ok(stream) => Found::Camera(Box::new(stream)),
        Err(error) => Found::Lost(error),
    }
}

/// The first node with pictures of the USB device that is named.
fn named(settings: &Settings, dev: &Path) -> Found {
    let nodes = match names::nodes(&settings.device, Path::new(names::SYS), dev) {
        Ok(nodes) => nodes,
        Err(error) => return Found::Lost(error),
    };
    let mut found = None;
    for path in nodes {
        match at(&path, settings) {
            // Metadata; the first error stays, should there be nothing else.
            lost @ Found::Lost(DeviceError::Incapable { .. }) => {
                found.get_or_insert(lost);
            }
            other => return other,
        }
    }
    found.expect("a name that is found has a node")
}

/// The camera with the lowest number; else what is wrong with it, if there is one at all.
fn first_camera(settings: &Settings, dev: &Path) -> Result<Found, Option<DeviceError>> {
    let mut first_error = None;
    for path in devices::nodes(dev) {
        match Stream::open(&path, settings) {
            Ok(stream) => return Ok(Found::Camera(Box::new(stream))),
            // A node that is no camera is none of ours, and one that has just gone is none at all.
            Err(
                DeviceError::Incapable { .. }
                | DeviceError::NotACamera { .. }
                | DeviceError::Absent { .. },
            ) => {}
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error)
}

/// What the kernel is asked to tell of for this device.
pub(super) fn watch_for(device: &Device, dev: &Path) -> Option<WatchFor> {
    match device {
        Device::Test => None,
        Device::Auto | Device::Usb(_) | Device::Serial(_) => Some(WatchFor::AnyVideo(dev.into())),
        Device::Path(path) => Some(WatchFor::Path(path.clone())),
        Device::ById(name) => Some(WatchFor::Path(names::link(dev, "by-id", name))),
        Device::ByPath(name) => Some(WatchFor::Path(names::link(dev, "by-path", name))),
    }
}

/// Whether something is there that could be opened later without any event (see [`super::retry`]).
pub(super) fn may_return_unannounced(device: &Device, dev: &Path) -> bool {
    match device {
        Device::Test => false,
        Device::Auto => !devices::nodes(dev).is_empty(),
        Device::Path(path) => path.symlink_metadata().is_ok(),
        Device::ById(name) => names::link(dev, "by-id", name).symlink_metadata().is_ok(),
        Device::ByPath(name) => names::link(dev, "by-path", name).symlink_metadata().is_ok(),
        Device::Usb(_) | Device::Serial(_) => {
            names::nodes(device, Path::new(names::SYS), dev).is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(device: Device) -> Settings {
        Settings {
            device,
            ..Settings::test("main")
        }
    }

    #[test]
    fn auto_without_a_camera_is_the_test_pattern_and_says_so() {
        let dev = tempfile::tempdir().expect("a directory");
        // Not a camera, and so none of ours.
        std::fs::write(dev.path().join("video0"), "").expect("written");
        match find(&settings(Device::Auto), dev.path(), false) {
            Found::Pattern(reason) => assert_eq!(reason, "no camera found: test pattern"),
            _ => panic!("the test pattern stands in"),
        }
        match find(&settings(Device::Auto), dev.path(), true) {
            Found::Lost(DeviceError::Absent { path }) => {
                assert_eq!(path, dev.path().join("video*"))
            }
            _ => panic!("a camera that went away is lost"),
        }
    }

    #[test]
    fn a_path_without_a_device_is_lost_with_its_reason() {
        let dev = tempfile::tempdir().expect("a directory");
        let path = dev.path().join("video7");
        let device = Device::Path(path.clone());
        assert!(!may_return_unannounced(&device, dev.path()));
        match find(&settings(device.clone()), dev.path(), false) {
            Found::Lost(DeviceError::Absent { path: absent }) => assert_eq!(absent, path),
            _ => panic!("nothing is there"),
        }
        std::fs::write(&path, "").expect("written");
        assert!(may_return_unannounced(&device, dev.path()));
        match find(&settings(device), dev.path(), false) {
            Found::Lost(DeviceError::NotACamera { path: file }) => assert_eq!(file, path),
            _ => panic!("a file is no camera"),
        }
    }
}
