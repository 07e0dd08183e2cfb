//! `streamctl devices`: the V4L2 devices of the daemon's machine.

use streamd_protocol::control::{Device, DeviceFormat, DeviceSize, ListDevices};

use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show the cameras that are plugged in, and by which names the configuration may have them
///
/// With --json: an array of Device.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the devices.
pub fn run(_: Args, session: &Session) -> Result<(), Failure> {
    let devices = session.call(&ListDevices {})?.devices;
    session.print(&devices, |screen| render(&devices, screen))
}

fn render(devices: &[Device], screen: Screen) -> String {
    if devices.is_empty() {
        return "no V4L2 devices that capture\n".into();
    }
    let mut page = table::render(COLUMNS, devices, screen);
    for device in devices {
        page += &format!("\n{}\n", device.path);
        for link in &device.links {
            page += &format!("  device = \"{}\"\n", table::line(link));
        }
        for format in &device.formats {
            let sizes: Vec<_> = format.sizes.iter().map(size).collect();
            page += &format!(
                "  {}  {}\n",
                units::text(&format.fourcc),
                units::text(&sizes.join(", "))
            );
        }
        if !device.error.is_empty() {
            page += &format!("  {}\n", units::text(&device.error));
        }
    }
    page
}

/// A size and its rates: `640x480 @30/15`.
fn size(size: &DeviceSize) -> String {
    let rates: Vec<_> = size
        .fps
        .iter()
        .map(|fps| ((fps * 100.0).round() / 100.0).to_string())
        .collect();
    let at = if rates.is_empty() { "" } else { " @" };
    format!("{}x{}{at}{}", size.width, size.height, rates.join("/"))
}

fn codes(formats: &[DeviceFormat]) -> String {
    formats
        .iter()
        .map(|f| f.fourcc.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

const COLUMNS: &[Column<Device>] = &[
    Column::text("DEVICE", 0, |d| (d.path.clone(), Tone::Plain)),
    Column::text("CARD", 0, |d| (units::text(&d.card), Tone::Plain)),
    Column::text("CAMERA", 0, |d| (units::text(&d.camera), Tone::Good)),
    Column::text("FORMATS", 1, |d| {
        (units::text(&codes(&d.formats)), Tone::Plain)
    }),
    Column::text("DRIVER", 2, |d| (units::text(&d.driver), Tone::Plain)),
    Column::text("BUS", 3, |d| (units::text(&d.bus), Tone::Plain)),
];
