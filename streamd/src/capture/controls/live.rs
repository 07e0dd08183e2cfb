//! Controls of a camera that is in use, by a descriptor of their own: the frames go on meanwhile.
//! A driver may hang in each of these calls, so they are for threads that nothing waits for.

use std::path::Path;

use super::{
    Control, Kind,
    apply::{Access, Complaints, Unfit, apply, unknown, wanted, write_all},
};
use crate::{
    capture::{descriptor, error::DeviceError},
    config::values::{ControlValue, Controls},
};

/// Why controls can't be listed or set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No control of this name.
    #[error("{}", unknown(name, nearest))]
    Unknown {
        /// The name.
        name: String,
        /// Names that are like it.
        nearest: Vec<String>,
    },
    /// A value that the control can't have.
    #[error("{message}")]
    Value {
        /// The control.
        name: String,
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// The device can't be asked.
    #[error("{0}")]
    Device(String),
}

/// All controls of the device at `path`, with their values as they are now.
///
/// # Errors
/// The device can't be opened or lists nothing.
pub fn list(path: &Path) -> Result<Vec<Control>, Refusal> {
    let device = open(path)?;
    let mut controls = describe(&device)?;
    for control in controls.iter_mut().filter(|control| control.is_readable()) {
        control.value = device.value(control).ok();
    }
    Ok(controls)
}

/// What came of setting controls.
#[derive(Debug)]
pub struct Outcome {
    /// Those that were set, by name and value as a configuration has them; a button leaves none.
    pub set: Vec<(String, ControlValue)>,
    /// Why the driver did not take one of the others.
    pub failed: Option<Refusal>,
}

/// Sets controls of the device at `path`; none where one is unknown or can't have its value.
///
/// # Errors
/// What is wrong with the first one that can't be set.
pub fn set(path: &Path, assignments: &[(String, ControlValue)]) -> Result<Outcome, Refusal> {
    let device = open(path)?;
    let controls = describe(&device)?;
    let mut all = Vec::new();
    for (name, value) in assignments {
        let fit = wanted(&controls, name, value).map_err(|unfit| match unfit {
            Unfit::Unknown(nearest) => Refusal::Unknown {
                name: name.clone(),
                nearest,
            },
            Unfit::Value(message) => Refusal::Value {
                name: name.clone(),
                message,
            },
        })?;
        all.push(fit);
    }
    let failed = write_all(&device, all.clone());
    let taken = all.iter().filter(|(control, _)| {
        let failed = failed.iter().any(|(c, _)| c.id == control.id);
        control.kind != Kind::Button && !failed
    });
    Ok(Outcome {
        set: taken
            .map(|(control, raw)| (control.name.clone(), control.written(raw)))
            .collect(),
        failed: failed.into_iter().next().map(|(control, message)| {
            let name = control.name.clone();
            Refusal::Value { name, message }
        }),
    })
}

/// Sets what a configuration says for the device at `path`, and logs what can't be set.
pub fn set_configured(camera: &str, path: &Path, controls: &Controls) {
    match open(path) {
        Ok(device) => Complaints::default().say(camera, apply(&device, controls)),
        // It is lost, and that is told; its controls are set when it is back.
        Err(error) => tracing::debug!(camera, %error, "controls not set"),
    }
}

fn open(path: &Path) -> Result<v4l::Device, Refusal> {
    let refused = |error: DeviceError| Refusal::Device(error.to_string());
    descriptor::open(path).map_err(refused)
}

fn describe(device: &v4l::Device) -> Result<Vec<Control>, Refusal> {
    let listed = device.describe();
    listed.map_err(|error| Refusal::Device(format!("the driver lists no controls ({error})")))
}
