//! Sets controls in an order that works: first those that switch an automatic mode, then what it
//! had made inactive, and again what a driver refused until nothing changes any more.

use std::io;

use nix::errno::Errno;
use v4l::v4l_sys as sys;

use super::{Control, Raw, find};
use crate::{
    capture::{Settings, v4l2::Camera},
    config::values::{ControlValue, Controls},
};

/// Times that controls are tried: what one switches on may switch on another one.
const ROUNDS: usize = 4;

/// Names that are listed for one that is unknown.
const NEAREST: usize = 5;

/// What a driver is asked and told of its controls.
pub(super) trait Access {
    /// All controls, without their values.
    fn describe(&self) -> io::Result<Vec<Control>>;
    /// Whether another control keeps this one from having an effect, now.
    fn is_inactive(&self, control: &Control) -> bool;
    /// A control's value, now.
    fn value(&self, control: &Control) -> io::Result<Raw>;
    /// Sets a control.
    fn write(&self, control: &Control, raw: &Raw) -> io::Result<()>;
}

/// Controls that switch automatic modes, by `v4l2-controls.h`.
const AUTOMATIC: [u32; 12] = [
    sys::V4L2_CID_AUTO_WHITE_BALANCE,
    sys::V4L2_CID_AUTOGAIN,
    sys::V4L2_CID_HUE_AUTO,
    sys::V4L2_CID_CHROMA_AGC,
    sys::V4L2_CID_AUTOBRIGHTNESS,
    sys::V4L2_CID_EXPOSURE_AUTO,
    sys::V4L2_CID_EXPOSURE_AUTO_PRIORITY,
    sys::V4L2_CID_FOCUS_AUTO,
    sys::V4L2_CID_AUTO_N_PRESET_WHITE_BALANCE,
    sys::V4L2_CID_ISO_SENSITIVITY_AUTO,
    sys::V4L2_CID_SCENE_MODE,
    sys::V4L2_CID_COLORFX,
];

impl Control {
    /// Whether it decides on what others do: a kernel's cluster marks it so, else it is known by
    /// its id or its name.
    fn is_automatic(&self) -> bool {
        let says_so = |word: &str| matches!(word, "auto" | "automatic");
        self.flags & sys::V4L2_CTRL_FLAG_UPDATE != 0
            || AUTOMATIC.contains(&self.id)
            || self.name.split('-').any(says_so)
    }
}

/// A control and what it is to be.
pub(super) type Wanted<'c> = (&'c Control, Raw);

/// The control of a name and the value that is meant for it.
///
/// # Errors
/// There is none, or it can't have this value; with what there is.
pub(super) fn wanted<'c>(
    controls: &'c [Control],
    name: &str,
    value: &ControlValue,
) -> Result<Wanted<'c>, Unfit> {
    let control = find(controls, name).ok_or_else(|| Unfit::Unknown(nearest(controls, name)))?;
    let raw = control.take(value).map_err(Unfit::Value)?;
    Ok((control, raw))
}

/// Why a setting fits no control.
#[derive(Debug, PartialEq)]
pub(super) enum Unfit {
    /// There is no such control; the names that come nearest.
    Unknown(Vec<String>),
    /// The control can't have this value; in words that name it and what is allowed.
    Value(String),
}

/// The names that are most like `name`, the nearest first.
fn nearest(controls: &[Control], name: &str) -> Vec<String> {
    let key = crate::config::values::control_key(name);
    let mut all: Vec<_> = controls
        .iter()
        .map(|control| (strsim::jaro_winkler(&key, &control.name), &control.name))
        .collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names = all.into_iter().map(|(_, name)| name.clone());
    names.take(NEAREST).collect()
}

/// Sets all of them. Returns those that can't be set, and why.
pub(super) fn write_all<'c>(
    driver: &impl Access,
    mut wanted: Vec<Wanted<'c>>,
) -> Vec<(&'c Control, String)> {
    wanted.sort_by_key(|(control, _)| !control.is_automatic());
    let mut left: Vec<(Wanted<'c>, Option<io::Error>)> =
        wanted.into_iter().map(|wanted| (wanted, None)).collect();
    for _ in 0..ROUNDS {
        let before = left.len();
        left = left
            .into_iter()
            .filter_map(|((control, raw), _)| {
                let failed = driver.write(control, &raw).err();
                failed.map(|error| ((control, raw), Some(error)))
            })
            .collect();
        if left.is_empty() || left.len() == before {
            break;
        }
    }
    left.into_iter()
        .map(|((control, raw), error)| {
            let inactive = driver.is_inactive(control);
            (control, refusal(control, &raw, inactive, error.as_ref()))
        })
        .collect()
}

/// Why a driver did not take a value, in words.
fn refusal(control: &Control, raw: &Raw, inactive: bool, error: Option<&io::Error>) -> String {
    let errno = error.and_then(io::Error::raw_os_error).unwrap_or(0);
    let why = match Errno::from_raw(errno) {
        _ if inactive => "an automatic mode or another control keeps it inactive".into(),
        Errno::EBUSY => "it can't be changed while the camera streams".into(),
        errno => format!("the driver refuses it ({})", errno.desc()),
    };
    format!("{} = {}: {why}", control.name, control.written(raw))
}

/// Sets what the configuration says, as far as that goes. Returns what is wrong with the rest, a
/// line each.
pub(super) fn apply(driver: &impl Access, settings: &Controls) -> Vec<String> {
    if settings.is_empty() {
        return Vec::new();
    }
    let controls = match driver.describe() {
        Ok(controls) => controls,
        Err(error) => return vec![format!("the driver lists no controls ({error})")],
    };
    let mut complaints = Vec::new();
    let mut fit = Vec::new();
    for (name, value) in settings.iter() {
        match wanted(&controls, name, value) {
            Ok(wanted) => fit.push(wanted),
            Err(Unfit::Value(why)) => complaints.push(why),
            Err(Unfit::Unknown(nearest)) => complaints.push(unknown(name, &nearest)),
        }
    }
    let set: Vec<&Control> = fit.iter().map(|(control, _)| *control).collect();
    let failed = write_all(driver, fit);
    for control in set {
        match failed.iter().find(|(c, _)| c.id == control.id) {
            Some((_, why)) => complaints.push(why.clone()),
            None if driver.is_inactive(control) => complaints.push(format!(
                "{}: set, but an automatic mode or another control keeps it inactive",
                control.name
            )),
            None => {}
        }
    }
    complaints
}

/// What is said of a name that no control has.
pub(super) fn unknown(name: &str, nearest: &[String]) -> String {
    match nearest {
        [] => format!("{name}: this camera has no controls"),
        names => format!(
            "{name}: this camera has no such control; the nearest are {}",
            names.join(", ")
        ),
    }
}

/// What was said of a camera's controls, so that it is not said again at each opening.
#[derive(Debug, Default)]
pub struct Complaints(Vec<String>);

impl Complaints {
    /// Sets the controls of a camera that has just been opened.
    pub fn apply(&mut self, camera: &Camera, settings: &Settings) {
        let complaints = apply(camera.device(), &settings.controls);
        self.say(&settings.name, complaints);
    }

    /// Logs what has not been said yet.
    pub fn say(&mut self, camera: &str, complaints: Vec<String>) {
        for what in complaints.iter().filter(|what| !self.0.contains(what)) {
            tracing::warn!(camera, "control not set: {what}");
        }
        self.0 = complaints;
    }
}
