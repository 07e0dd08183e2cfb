//! Finds the cameras of this machine and says what they offer. Nothing here disturbs a stream.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;
use v4l::{Device, FourCC, framesize::FrameSizeEnum};

use crate::{
    capture::{choose::Rates, descriptor, enumerate, error::DeviceError, memory::Api, names, v4l2},
    config::values::Size,
};

/// Where the kernel's and udev's names are.
pub(super) const DEV: &str = "/dev";

/// Of a range of sizes these are listed, where they fit, besides the smallest and the largest.
const COMMON_SIZES: [(u32, u32); 8] = [
    (320, 240),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1280, 720),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
];

/// A camera, or a video node that can't be asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceInfo {
    /// The node.
    pub path: PathBuf,
    /// Names that stay with it or with its port, as the configuration takes them.
    pub links: Vec<String>,
    /// The driver's name of the device.
    pub card: String,
    /// The driver's name.
    pub driver: String,
    /// Where it is plugged in.
    pub bus: String,
    /// What it offers.
    pub formats: Vec<FormatInfo>,
    /// Why it can't be asked; else `None`.
    pub error: Option<String>,
}

/// A pixel format of a camera.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FormatInfo {
    /// Four characters.
    pub fourcc: String,
    /// The driver's words for it.
    pub description: String,
    /// The sizes it comes in.
    pub sizes: Vec<SizeInfo>,
}

/// A size of a format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeInfo {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second, fastest first; of a range, its ends; empty if the driver does not say.
    pub fps: Vec<f64>,
}

/// All video nodes that capture, or can't be asked, by number.
pub fn list() -> Vec<DeviceInfo> {
    let mut links = links(&Path::new(DEV).join("v4l"));
    let usb = names::usb_nodes(Path::new(names::SYS));
    nodes(Path::new(DEV))
        .into_iter()
        .filter_map(|path| {
            let links = links.remove(&path).unwrap_or_default();
            let links = links.iter().map(|link| link.display().to_string());
            let links = links.chain(names::of_node(&usb, &path)).collect();
            describe(path, links)
        })
        .collect()
}

/// The nodes `videoN` of a directory, by number.
pub(super) fn nodes(dev: &Path) -> Vec<PathBuf> {
    let number = |path: &PathBuf| -> Option<u32> {
        path.file_name()?
            .to_str()?
            .strip_prefix("video")?
            .parse()
            .ok()
    };
    let entries = fs::read_dir(dev).into_iter().flatten().flatten();
    let mut nodes: Vec<_> = entries
        .filter_map(|entry| Some((number(&entry.path())?, entry.path())))
        .collect();
    nodes.sort();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// The links in the directories of `v4l`, by what they lead to.
fn links(v4l: &Path) -> BTreeMap<PathBuf, Vec<PathBuf>> {
    let mut links: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for kind in ["by-id", "by-path"] {
        let entries = fs::read_dir(v4l.join(kind)).into_iter().flatten().flatten();
        for link in entries.map(|entry| entry.path()) {
            if let Ok(node) = fs::canonicalize(&link) {
                links.entry(node).or_default().push(link);
            }
        }
    }
    links.values_mut().for_each(|links| links.sort());
    links
}

fn describe(path: PathBuf, links: Vec<String>) -> Option<DeviceInfo> {
    let asked = descriptor::open(&path).and_then(|device| {
        let identity =
            v4l2::identify(&device).map_err(|e| DeviceError::of(&path, "VIDIOC_QUERYCAP", &e))?;
        Ok((device, identity))
    });
    match asked {
        Ok((device, identity)) => Some(DeviceInfo {
            formats: formats(&device, identity.captures()?),
            path,
            links,
            card: identity.card,
            driver: identity.driver,
            bus: identity.bus,
            error: None,
        }),
        Err(error) => Some(DeviceInfo {
            path,
            links,
            card: String::new(),
            driver: String::new(),
            bus: String::new(),
            formats: Vec::new(),
            error: Some(error.to_string()),
        }),
    }
}

fn formats(device: &Device, api: Api) -> Vec<FormatInfo> {
    enumerate::formats(device, api)
        .into_iter()
        .map(|format| FormatInfo {
            fourcc: v4l2::code(format.fourcc),
            sizes: sizes(device, format.fourcc),
            description: format.description,
        })
        .collect()
}

fn sizes(device: &Device, fourcc: FourCC) -> Vec<SizeInfo> {
    let listed = enumerate::sizes(device, fourcc);
    let sizes = listed.into_iter().flat_map(|size| match size {
        FrameSizeEnum::Discrete(size) => vec![Size::new(size.width, size.height)],
        FrameSizeEnum::Stepwise(range) => common(v4l2::steps(&range)),
    });
    sizes
        .map(|size| SizeInfo {
            width: size.width,
            height: size.height,
            fps: fps(&v4l2::rates(device, fourcc, size)),
        })
        .collect()
}

/// The ends of a range, and the common sizes that lie on its grid.
fn common(steps: super::choose::Steps) -> Vec<Size> {
    let sizes = COMMON_SIZES.map(|(width, height)| Size::new(width, height));
    let between = sizes
        .into_iter()
        .filter(|size| steps.nearest(*size) == *size && *size != steps.min && *size != steps.max);
    let mut all = vec![steps.min];
    all.extend(between);
    if steps.max != steps.min {
        all.push(steps.max);
    }
    all
}

fn fps(rates: &Rates) -> Vec<f64> {
    let mut fps: Vec<f64> = match rates {
        Rates::Unknown => Vec::new(),
        Rates::Discrete(intervals) => intervals.iter().map(|i| i.fps()).collect(),
        Rates::Range { fastest, slowest } => vec![fastest.fps(), slowest.fps()],
    };
    fps.sort_by(|a, b| b.total_cmp(a));
    fps
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nodes_come_by_number_and_nothing_else_does() {
        let dev = tempfile::tempdir().expect("a directory");
        for name in [
            "video10",
            "video2",
            "video",
            "vbi0",
            "videox",
            "v4l-subdev0",
        ] {
            fs::write(dev.path().join(name), "").expect("written");
        }
        let found = nodes(dev.path());
        assert_eq!(found, ["video2", "video10"].map(|n| dev.path().join(n)));
    }

    #[test]
    fn links_are_found_by_the_node_they_lead_to() {
        let dev = tempfile::tempdir().expect("a directory");
        let dev = fs::canonicalize(dev.path()).expect("there").join("dev");
        let by_id = dev.join("v4l/by-id");
        fs::create_dir_all(&by_id).expect("made");
        fs::write(dev.join("video0"), "").expect("written");
        symlink("../../video0", by_id.join("usb-camera")).expect("linked");
        symlink("../../gone", by_id.join("usb-gone")).expect("linked");
        let found = links(&dev.join("v4l"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[&dev.join("video0")], [by_id.join("usb-camera")]);
    }

    #[test]
    fn a_file_that_is_no_camera_is_listed_with_the_reason() {
        let dev = tempfile::tempdir().expect("a directory");
        let path = dev.path().join("video0");
        fs::write(&path, "").expect("written");
        let info = describe(path.clone(), Vec::new()).expect("listed");
        let error = info.error.expect("it can't be asked");
        assert!(
            error.contains("not a camera") && error.contains("video0"),
            "{error}"
        );
    }

    #[test]
    fn a_range_of_sizes_is_shown_by_those_people_use() {
        let steps = crate::capture::choose::Steps {
            min: Size::new(32, 32),
            max: Size::new(1280, 1024),
            step: Size::new(8, 8),
        };
        let widths: Vec<_> = common(steps).iter().map(|s| s.width).collect();
        assert_eq!(widths, [32, 320, 640, 800, 1024, 1280, 1280]);
    }
}
