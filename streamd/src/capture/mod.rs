//! From the device to a [`RawFrame`]: one thread per camera, which owns the device.

mod blank;
mod choose;
mod claims;
mod colour;
mod continuity;
pub mod controls;
pub(crate) mod descriptor;
pub mod devices;
mod draw;
mod driver;
mod enumerate;
mod error;
mod faults;
mod handle;
pub(crate) mod holder;
mod hotplug;
mod inputs;
pub(crate) mod memory;
mod names;
mod orders;
mod pace;
mod post;
mod pulse;
pub mod remote;
mod retry;
mod ring;
mod source;
mod state;
mod stream;
mod test_pattern;
mod thread;
mod timings;
mod v4l2;
mod watch;
mod whole;

use std::{sync::Arc, time::Duration};

use streamd_protocol::stats::CameraState;

use crate::{
    config::values::{Arrangement, Controls, Device, File, Format, Fps, Input, Size, Standard},
    media::{Layout, RawFrame},
    meters::CaptureCounters,
};

pub use self::{error::DeviceError, handle::Captures, orders::Orders};

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
    /// The input that is selected; else it stays as it is.
    pub input: Option<Input>,
    /// The television standard that is set; else it stays as it is.
    pub standard: Option<Standard>,
    /// The EDID that is offered to sources of a digital input; else it stays as it is.
    pub edid: Option<File>,
    /// Frames a second.
    pub fps: Fps,
    /// How the pictures are cut and turned later: what is drawn here to be read is not.
    pub arrangement: Arrangement,
    /// For how long no frame may come before the camera is lost; zero for ever, `None` for what its
    /// rate makes likely.
    pub frame_timeout: Option<Duration>,
    /// What the device's controls are set to when it is opened. Of a camera that is open they are
    /// set by [`controls::set`].
    pub controls: Controls,
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
            input: None,
            standard: None,
            edid: None,
            fps: Fps::new(30.0),
            arrangement: Arrangement::default(),
            frame_timeout: None,
            controls: Controls::default(),
        }
    }
}

/// What takes the frames: called on the capture thread, so what it does delays the next frame.
pub trait Sink: Send + 'static {
    /// A frame, with its number. Also called for test-pattern and "no signal" pictures. True if it
    /// was looked at, and is a picture; false if nobody wanted it.
    ///
    /// # Errors
    /// What is wrong with it, if it was looked at and is no picture.
    fn frame(&mut self, frame: RawFrame) -> Result<bool, String>;
    /// The device's state changed.
    fn status(&mut self, status: Status);
}

/// What a camera's capture is given at its start.
pub struct Start {
    /// What to do, now and later.
    pub orders: Arc<Orders>,
    /// Where to count.
    pub counters: Arc<CaptureCounters>,
    /// Where the frames go.
    pub sink: Box<dyn Sink>,
}
