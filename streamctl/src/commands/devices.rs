//! `streamctl devices`: the V4L2 devices of the daemon's machine.

use streamd_protocol::control::{Device, ListDevices};

use crate::{
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show the cameras that are plugged in
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
    for device in devices.iter().filter(|d| !d.links.is_empty()) {
        page += &format!("\n{} is also\n", device.path);
        for link in &device.links {
            page += &format!("  {link}\n");
        }
    }
    page
}

const COLUMNS: &[Column<Device>] = &[
    Column::text("DEVICE", 0, |d| (d.path.clone(), Tone::Plain)),
    Column::text("CARD", 0, |d| (units::text(&d.card), Tone::Plain)),
    Column::text("CAMERA", 0, |d| (units::text(&d.camera), Tone::Good)),
    Column::text("FORMATS", 1, |d| {
        (units::text(&d.formats.join(" ")), Tone::Plain)
    }),
    Column::text("DRIVER", 2, |d| (units::text(&d.driver), Tone::Plain)),
    Column::text("BUS", 3, |d| (units::text(&d.bus), Tone::Plain)),
];
