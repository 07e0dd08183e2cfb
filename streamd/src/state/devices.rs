//! The V4L2 devices of the machine, and which camera has which.

use streamd_protocol::control::{Device, DeviceFormat, DeviceSize};

use super::State;
use crate::{capture, media::PixelFormat};

impl State {
    /// The V4L2 devices that capture, by path. It opens them, and so may take as long as their
    /// drivers do.
    pub fn devices(&self) -> Vec<Device> {
        let opened: Vec<_> = self
            .cameras
            .iter()
            .map(|c| (c.status().path, c.name.clone()))
            .collect();
        let camera = |path: &str| {
            let opened = opened.iter().find(|(opened, _)| same_node(opened, path));
            opened.map_or_else(String::new, |(_, name)| name.clone())
        };
        let device = |found: capture::devices::DeviceInfo| {
            let path = found.path.display().to_string();
            Device {
                camera: camera(&path),
                path,
                card: found.card,
                driver: found.driver,
                bus: found.bus,
                links: found.links,
                formats: found
                    .formats
                    .into_iter()
                    .filter(usable)
                    .map(device_format)
                    .collect(),
                error: found.error.unwrap_or_default(),
            }
        };
        capture::devices::list().into_iter().map(device).collect()
    }
}

/// Whether two paths lead to the same node, through links such as those of `/dev/v4l/by-id`.
fn same_node(a: &str, b: &str) -> bool {
    a == b
        || matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether pictures can be made of a format: drivers list many that can't.
fn usable(format: &capture::devices::FormatInfo) -> bool {
    let code = <[u8; 4]>::try_from(format.fourcc.as_bytes());
    code.is_ok_and(|code| PixelFormat::from_fourcc(code).is_some())
}

fn device_format(format: capture::devices::FormatInfo) -> DeviceFormat {
    let size = |size: capture::devices::SizeInfo| DeviceSize {
        width: size.width.into(),
        height: size.height.into(),
        fps: size.fps,
    };
    DeviceFormat {
        fourcc: format.fourcc,
        description: format.description,
        sizes: format.sizes.into_iter().map(size).collect(),
    }
}
