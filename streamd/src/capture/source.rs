//! Where a camera's frames come from at present, and how that is found.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Settings, devices, error::DeviceError, hotplug::WatchFor, names, post::Post, stream::Stream,
};
use crate::{config::values::Device, media::Timestamp};

/// What was found for a configured device.
pub(super) enum Found {
    /// A camera, open.
    Camera(Box<Stream>),
    /// The test pattern, and why, if that was not asked for.
    Pattern(String),
    /// A camera of another machine: what comes of it comes by the orders.
    Remote,
    /// Nothing.
    Lost(DeviceError),
}

/// Opens what `settings` ask for. `auto` means the first camera that gives a picture, and the test
/// pattern where there has been none yet: a camera that was there and went away (`was_there`) is
/// shown as lost, since nobody who watches it should be shown colour bars instead.
pub(super) fn find(settings: &Settings, dev: &Path, was_there: bool, post: &Post) -> Found {
    match &settings.device {
        Device::Test => {
            post.claims.release(&settings.name);
            Found::Pattern(String::new())
        }
        Device::Nats(_) => {
            post.claims.release(&settings.name);
            Found::Remote
        }
        Device::Path(path) => at(path, settings, post),
        Device::ById(name) => at(&names::link(dev, "by-id", name), settings, post),
        Device::ByPath(name) => at(&names::link(dev, "by-path", name), settings, post),
        Device::Usb(_) | Device::Serial(_) => named(settings, dev, post),
        Device::Auto => first_camera(settings, dev, post).unwrap_or_else(|error| match error {
            Some(error) if was_there => Found::Lost(error),
            None if was_there => Found::Lost(DeviceError::Absent {
                path: dev.join("video*"),
            }),
            Some(error) => Found::Pattern(format!("no camera found: test pattern ({error})")),
            None => Found::Pattern("no camera found: test pattern".into()),
        }),
    }
}

/// The camera at a path, which is its own from now on.
fn at(path: &Path, settings: &Settings, post: &Post) -> Found {
    post.claims.set(&settings.name, path);
    match Stream::open(path, settings) {
        Ok(stream) => Found::Camera(Box::new(stream)),
        Err(error) => Found::Lost(error),
    }
}

/// The first node with pictures of the USB device that is named.
fn named(settings: &Settings, dev: &Path, post: &Post) -> Found {
    let nodes = match names::nodes(&settings.device, Path::new(names::SYS), dev) {
        Ok(nodes) => nodes,
        Err(error) => return Found::Lost(error),
    };
    let mut found = None;
    for path in nodes {
        match at(&path, settings, post) {
            // Metadata; the first error stays, should there be nothing else.
            lost @ Found::Lost(DeviceError::Incapable { .. }) => {
                found.get_or_insert(lost);
            }
            other => return other,
        }
    }
    found.expect("a name that is found has a node")
}

/// The camera with the lowest number that no other has and that is not known to give nothing; else
/// what is wrong with the first one that is a camera, if there is one at all.
fn first_camera(
    settings: &Settings,
    dev: &Path,
    post: &Post,
) -> Result<Found, Option<DeviceError>> {
    let mut first_error = None;
    for path in devices::nodes(dev) {
        let error = match try_camera(&path, settings, post) {
            Ok(stream) => return Ok(Found::Camera(stream)),
            Err(error) => error,
        };
        let rejected = &mut *post.rejected.lock();
        match error {
            // It has just gone.
            DeviceError::Absent { .. } => {}
            // What is no camera is none of ours, and no reason for having none.
            error @ (DeviceError::Incapable { .. } | DeviceError::NotACamera { .. }) => {
                tracing::debug!(camera = settings.name, "auto: not taken: {error}");
            }
            error => {
                rejected.tell(&settings.name, &path, &error);
                first_error.get_or_insert(error);
            }
        }
    }
    post.claims.release(&settings.name);
    Err(first_error)
}

fn try_camera(path: &Path, settings: &Settings, post: &Post) -> Result<Box<Stream>, DeviceError> {
    if let Some(error) = post.rejected.lock().why(path, Timestamp::now()) {
        return Err(error);
    }
    let taken = |camera| DeviceError::Busy {
        path: path.into(),
        holder: Some(format!("the camera {camera}")),
    };
    post.claims.take(&settings.name, path).map_err(taken)?;
    Stream::open(path, settings).map(Box::new)
}

/// A device that gave nothing is tried again after so long, and then after twice as long each time.
const TRIED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// At most.
const TRIED_AGAIN_LATEST: Duration = Duration::from_secs(300);

/// The devices that `auto` has found to give nothing.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    nodes: Vec<Node>,
    /// What the log says of each device.
    told: Vec<(PathBuf, String)>,
}

#[derive(Debug)]
struct Node {
    path: PathBuf,
    error: DeviceError,
    until: Timestamp,
    pause: Duration,
}

impl Rejected {
    /// The device at `path` gave nothing, for this reason.
    pub fn add(&mut self, path: &Path, error: &DeviceError, now: Timestamp) {
        let old = self.nodes.iter().position(|node| node.path == path);
        let pause = old.map_or(TRIED_AGAIN_AFTER, |at| {
            (self.nodes.swap_remove(at).pause * 2).min(TRIED_AGAIN_LATEST)
        });
        self.nodes.push(Node {
            path: path.into(),
            error: error.clone(),
            until: now + pause,
            pause,
        });
    }

    /// Why the device is not to be tried now.
    fn why(&self, path: &Path, now: Timestamp) -> Option<DeviceError> {
        let node = self.nodes.iter().find(|node| node.path == path)?;
        (node.until > now).then(|| node.error.clone())
    }

    /// Something has been plugged in or out, or a device gives pictures: what was, does not count.
    pub fn forget(&mut self) {
        self.nodes.clear();
    }

    /// Says in the log why a device is not taken, once.
    fn tell(&mut self, camera: &str, path: &Path, error: &DeviceError) {
        let reason = error.to_string();
        let told = (path.to_path_buf(), reason.clone());
        if !self.told.contains(&told) {
            self.told.retain(|(known, _)| known != path);
            self.told.push(told);
            tracing::info!(camera, reason, "auto: not taken: {reason}");
        }
    }
}

/// What the kernel is asked to tell of for this device.
pub(super) fn watch_for(device: &Device, dev: &Path) -> Option<WatchFor> {
    match device {
        Device::Test | Device::Nats(_) => None,
        Device::Auto | Device::Usb(_) | Device::Serial(_) => Some(WatchFor::AnyVideo(dev.into())),
        Device::Path(path) => Some(WatchFor::Path(path.clone())),
        Device::ById(name) => Some(WatchFor::Path(names::link(dev, "by-id", name))),
        Device::ByPath(name) => Some(WatchFor::Path(names::link(dev, "by-path", name))),
    }
}

/// Whether something is there that could be opened later without any event (see [`super::retry`]).
pub(super) fn may_return_unannounced(device: &Device, dev: &Path) -> bool {
    match device {
        Device::Test | Device::Nats(_) => false,
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
    use crate::capture::post::tests::post;

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
        let (settings, post) = (settings(Device::Auto), post());
        match find(&settings, dev.path(), false, &post) {
            Found::Pattern(reason) => assert_eq!(reason, "no camera found: test pattern"),
            _ => panic!("the test pattern stands in"),
        }
        match find(&settings, dev.path(), true, &post) {
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
        let (device, post) = (Device::Path(path.clone()), post());
        assert!(!may_return_unannounced(&device, dev.path()));
        match find(&settings(device.clone()), dev.path(), false, &post) {
            Found::Lost(DeviceError::Absent { path: absent }) => assert_eq!(absent, path),
            _ => panic!("nothing is there"),
        }
        std::fs::write(&path, "").expect("written");
        assert!(may_return_unannounced(&device, dev.path()));
        match find(&settings(device), dev.path(), false, &post) {
            Found::Lost(DeviceError::NotACamera { path: file }) => assert_eq!(file, path),
            _ => panic!("a file is no camera"),
        }
    }

    #[test]
    fn auto_leaves_what_another_camera_has_or_what_gave_nothing() {
        let dev = tempfile::tempdir().expect("a directory");
        let path = dev.path().join("video0");
        std::fs::write(&path, "").expect("written");
        let (settings, post) = (settings(Device::Auto), post());
        let said = |post: &Post| match find(&settings, dev.path(), false, post) {
            Found::Pattern(reason) => reason,
            _ => panic!("there is no camera"),
        };
        post.claims.set("front", &path);
        let reason = said(&post);
        assert!(reason.contains("in use by the camera front"), "{reason}");
        post.claims.release("front");
        let silent = DeviceError::Silent {
            path: path.clone(),
            seconds: 2,
        };
        post.rejected.lock().add(&path, &silent, Timestamp::now());
        let reason = said(&post);
        assert!(reason.contains("no frames for 2 s"), "{reason}");
        post.rejected.lock().forget();
        assert_eq!(said(&post), "no camera found: test pattern");
    }

    #[test]
    fn what_gave_nothing_is_tried_again_later_and_later() {
        let mut rejected = Rejected::default();
        let path = Path::new("/dev/video3");
        let silent = DeviceError::Silent {
            path: path.into(),
            seconds: 2,
        };
        let mut now = Timestamp::from_nanos(0);
        let pauses: Vec<_> = (0..11)
            .map(|_| {
                rejected.add(path, &silent, now);
                assert_eq!(rejected.why(path, now), Some(silent.clone()));
                let left =
                    (1..).find(|s| rejected.why(path, now + Duration::from_secs(*s)).is_none());
                now = now + Duration::from_secs(left.expect("at some time"));
                left
            })
            .collect();
        assert_eq!(
            pauses,
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map(Some)
        );
    }
}
