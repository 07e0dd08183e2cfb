//! From the device to a [`RawFrame`]: one thread per camera, which owns the device.

mod blank;
mod choose;
mod colour;
mod continuity;
pub mod devices;
mod draw;
mod enumerate;
mod error;
mod handle;
mod hotplug;
mod orders;
mod pace;
mod retry;
mod ring;
mod source;
mod state;
mod stream;
mod test_pattern;
mod thread;
mod v4l2;

use std::sync::Arc;

use streamd_protocol::stats::CameraState;

use crate::{
    config::values::{Arrangement, Device, Format, Fps, Size},
    media::{Layout, RawFrame},
    meters::CaptureCounters,
    supervise::heartbeat::Heartbeat,
};

pub use self::{error::DeviceError, handle::Capture, orders::Orders};

/// What the capture thread is to deliver.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The camera's name, for the log, the thread's name and the pictures drawn by ourselves.
    pub name: String,
    /// Which device.
    pub device: Device,
    /// Size asked of the driver.
    pub size: Size,
    /// Format asked of the driver.
    pub format: Format,
    /// Frames a second.
    pub fps: Fps,
    /// How the pictures are cut and turned later: what is drawn here to be read is not.
    pub arrangement: Arrangement,
}

/// What is known of the device, for stats and the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// What the camera is doing.
    pub state: CameraState,
    /// Why, where the state needs one; else empty.
    pub reason: String,
    /// The node that was opened, `test`, or empty.
    pub path: String,
    /// The driver's name of the device.
    pub card: String,
    /// How the frames are laid out; `None` before the first opening.
    pub layout: Option<Layout>,
    /// The rate the driver granted; 0 if it does not say.
    pub driver_fps: f64,
}

impl Default for Status {
    /// Nothing is known yet.
    fn default() -> Self {
        Self {
            state: CameraState::Starting,
            reason: String::new(),
            path: String::new(),
            card: String::new(),
            layout: None,
            driver_fps: 0.0,
        }
    }
}

#[cfg(test)]
impl Settings {
    /// A small test pattern of this name.
    pub fn test(name: &str) -> Self {
        Self {
            name: name.into(),
            device: Device::Test,
            size: Size::new(64, 48),
            format: Format::Auto,
            fps: Fps::new(30.0),
            arrangement: Arrangement::default(),
        }
    }
}

/// What takes the frames: called on the capture thread, so what it does delays the next frame.
pub trait Sink: Send + 'static {
    /// A frame, with its number. Also called for test-pattern and "no signal" pictures.
    ///
    /// # Errors
    /// What is wrong with it, if it was looked at and is no picture.
    fn frame(&mut self, frame: RawFrame) -> Result<(), String>;
    /// The device's state changed.
    fn status(&mut self, status: Status);
}

/// What a capture thread is given at its start.
pub struct Start {
    /// What to do, now and later.
    pub orders: Arc<Orders>,
    /// Where to count.
    pub counters: Arc<CaptureCounters>,
    /// To say that it moves.
    pub heartbeat: Heartbeat,
    /// Where the frames go.
    pub sink: Box<dyn Sink>,
}
