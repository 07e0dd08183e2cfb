//! The input of a capture card, and the television standard there: selected where that is asked
//! for, else left as they are.

use std::{io, os::raw::c_int, path::Path};

use v4l::{Device, v4l_sys as sys, v4l2::vidioc};

use super::{Settings, descriptor::ioctl, error::DeviceError, v4l2::text};
use crate::config::values::{self, Standard, control_key};

/// Inputs and standards that are looked at: cards have a handful, and the kernel some thirty
/// standards.
const MOST: u32 = 64;

/// An input, as the driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub number: u32,
    pub name: String,
    /// `V4L2_IN_CAP_…`.
    pub capabilities: u32,
}

/// A television standard, as the driver describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    /// `V4L2_STD_…`, one bit or more.
    id: sys::v4l2_std_id,
    name: String,
}

/// Selects input and standard as `settings` say. Returns the input that is in use; `None` for a
/// device that knows no inputs.
pub(super) fn select(
    device: &Device,
    path: &Path,
    settings: &Settings,
) -> Result<Option<Input>, DeviceError> {
    let failed = |step| move |error: io::Error| DeviceError::of(path, step, &error);
    let mut used: c_int = 0;
    let knows = ioctl(device, vidioc::VIDIOC_G_INPUT, &mut used).is_ok();
    let all = inputs(device);
    if let Some(wanted) = &settings.input {
        let number = number_of(wanted, &all).map_err(|offered| DeviceError::Format {
            path: path.into(),
            wanted: format!("input {wanted}"),
            offered,
        })?;
        if !knows || c_int::try_from(number) != Ok(used) {
            used = c_int::try_from(number).expect("inputs are listed up to a small number");
            ioctl(device, vidioc::VIDIOC_S_INPUT, &mut used).map_err(failed("VIDIOC_S_INPUT"))?;
        }
    }
    if let Some(wanted) = &settings.standard {
        select_standard(device, path, wanted)?;
    }
    let used = |input: &Input| c_int::try_from(input.number) == Ok(used);
    Ok(all.into_iter().find(used))
}

/// The number of the input that is meant; else what there is.
fn number_of(wanted: &values::Input, all: &[Input]) -> Result<u32, String> {
    let found = match wanted {
        values::Input::Number(number) => all.iter().find(|input| input.number == *number),
        values::Input::Name(name) => {
            let key = control_key(name.as_str());
            let mut named = all.iter().filter(|input| control_key(&input.name) == key);
            // Of two with one name, the number says which.
            named.next().filter(|_| named.next().is_none())
        }
    };
    let shown = |input: &Input| format!("{} ({:?})", input.number, input.name);
    found.map(|input| input.number).ok_or_else(|| {
        let shown: Vec<_> = all.iter().map(shown).collect();
        match shown.as_slice() {
            [] => "no choice of inputs".into(),
            shown => shown.join(", "),
        }
    })
}

fn select_standard(device: &Device, path: &Path, wanted: &Standard) -> Result<(), DeviceError> {
    let all = standards(device);
    let id = standard_of(wanted, &all).map_err(|offered| DeviceError::Format {
        path: path.into(),
        wanted: format!("standard {:?} at this input", wanted.as_str()),
        offered,
    })?;
    let mut used: sys::v4l2_std_id = 0;
    if ioctl(device, vidioc::VIDIOC_G_STD, &mut used).is_ok() && used == id {
        return Ok(());
    }
    let mut id = id;
    ioctl(device, vidioc::VIDIOC_S_STD, &mut id)
        .map_err(|error| DeviceError::of(path, "VIDIOC_S_STD", &error))
}

/// The standard that is meant; else what there is.
fn standard_of(wanted: &Standard, all: &[Listed]) -> Result<sys::v4l2_std_id, String> {
    let key = control_key(wanted.as_str());
    let found = all.iter().find(|listed| control_key(&listed.name) == key);
    found.map(|listed| listed.id).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|listed| listed.name.as_str()).collect();
        match names.as_slice() {
            [] => "no standards".into(),
            names => names.join(", "),
        }
    })
}

fn inputs(device: &Device) -> Vec<Input> {
    let entry = |index| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_input = unsafe { std::mem::zeroed() };
        raw.index = index;
        ioctl(device, vidioc::VIDIOC_ENUMINPUT, &mut raw).ok()?;
        Some(Input {
            number: index,
            name: text(&raw.name),
            capabilities: raw.capabilities,
        })
    };
    (0..MOST).map_while(entry).collect()
}

fn standards(device: &Device) -> Vec<Listed> {
    let entry = |index| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_standard = unsafe { std::mem::zeroed() };
        raw.index = index;
        ioctl(device, vidioc::VIDIOC_ENUMSTD, &mut raw).ok()?;
        Some(Listed {
            id: raw.id,
            name: text(&raw.name),
        })
    };
    (0..MOST).map_while(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Standard {
        name.to_owned().try_into().expect("it says something")
    }

    #[test]
    fn an_input_is_found_by_number_and_name_and_what_there_is_is_said() {
        let input = |number, name: &str| Input {
            number,
            name: name.into(),
            capabilities: 0,
        };
        let all = [input(0, "Webcam 0"), input(1, "HDMI"), input(2, "HDMI")];
        let of = |wanted| number_of(&wanted, &all);
        assert_eq!(of(values::Input::Number(2)), Ok(2));
        assert_eq!(of(values::Input::Name(name("webcam 0"))), Ok(0));
        let there = "0 (\"Webcam 0\"), 1 (\"HDMI\"), 2 (\"HDMI\")";
        assert_eq!(of(values::Input::Number(3)), Err(there.into()));
        let twice = of(values::Input::Name(name("HDMI")));
        assert_eq!(twice, Err(there.into()), "a name that two have");
        let none = number_of(&values::Input::Number(0), &[]);
        assert_eq!(none, Err("no choice of inputs".into()));
    }

    #[test]
    fn a_standard_is_found_by_the_drivers_name() {
        let listed = |id, name: &str| Listed {
            id,
            name: name.into(),
        };
        let all = [listed(1, "PAL"), listed(2, "PAL-B/G"), listed(4, "NTSC-M")];
        assert_eq!(standard_of(&name("pal"), &all), Ok(1));
        assert_eq!(standard_of(&name("NTSC-M"), &all), Ok(4));
        let there = "PAL, PAL-B/G, NTSC-M";
        assert_eq!(standard_of(&name("SECAM"), &all), Err(there.into()));
    }
}
