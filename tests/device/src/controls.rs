//! A camera's own controls: brightness, mirror, mains frequency, exposure. Their values are in the
//! file `videoN.controls`, a line each, and stay while the camera is plugged in. One that makes H.264
//! has a button for a key: its film begins anew.

use std::{ffi::c_void, sync::atomic::Ordering};

use v4l::{v4l_sys as sys, v4l2::vidioc as v};

use crate::{answers::argument, answers::text, camera::Camera};

/// A control.
struct Control {
    id: u32,
    name: &'static str,
    kind: sys::v4l2_ctrl_type,
    minimum: i32,
    maximum: i32,
    default: i32,
    /// By number; others are not in the menu.
    menu: &'static [(u32, &'static str)],
}

const INTEGER: sys::v4l2_ctrl_type = sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER;
const BOOLEAN: sys::v4l2_ctrl_type = sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN;
const MENU: sys::v4l2_ctrl_type = sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU;

const BUTTON: sys::v4l2_ctrl_type = sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON;

/// `V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME`.
const KEY: u32 = 0x0099_0900 + 229;

/// `V4L2_EXPOSURE_MANUAL`.
const MANUAL: i32 = 1;

/// All of them, by id.
#[rustfmt::skip]
const ALL: [Control; 6] = [
    Control { id: sys::V4L2_CID_BRIGHTNESS, name: "Brightness", kind: INTEGER, minimum: 0, maximum: 255, default: 128, menu: &[] },
    Control { id: sys::V4L2_CID_HFLIP, name: "Horizontal Flip", kind: BOOLEAN, minimum: 0, maximum: 1, default: 0, menu: &[] },
    Control { id: sys::V4L2_CID_POWER_LINE_FREQUENCY, name: "Power Line Frequency", kind: MENU, minimum: 0, maximum: 2, default: 1, menu: &[(0, "Disabled"), (1, "50 Hz"), (2, "60 Hz")] },
    Control { id: KEY, name: "Force Key Frame", kind: BUTTON, minimum: 0, maximum: 0, default: 0, menu: &[] },
    Control { id: sys::V4L2_CID_EXPOSURE_AUTO, name: "Auto Exposure", kind: MENU, minimum: 0, maximum: 3, default: 3, menu: &[(1, "Manual Mode"), (3, "Aperture Priority Mode")] },
    Control { id: sys::V4L2_CID_EXPOSURE_ABSOLUTE, name: "Exposure Time, Absolute", kind: INTEGER, minimum: 1, maximum: 5000, default: 157, menu: &[] },
];

/// The control of this id; the one behind it, if that is asked for.
fn control(camera: &Camera, asked: u32) -> Result<&'static Control, i32> {
    let (next, id) = (
        asked & sys::V4L2_CTRL_FLAG_NEXT_CTRL != 0,
        asked & 0x0fff_ffff,
    );
    let fits = |control: &&Control| match next {
        true => control.id > id,
        false => control.id == asked,
    };
    let formats = &camera.orders().model.formats;
    let makes_keys = formats.iter().any(|offer| offer.fourcc == "H264");
    let mut has = ALL.iter().filter(|control| control.id != KEY || makes_keys);
    has.find(fits).ok_or(libc::EINVAL)
}

impl Control {
    fn value(&self, camera: &Camera) -> i32 {
        let lines = camera.controls();
        let own = lines
            .lines()
            .find_map(|line| line.strip_prefix(self.name)?.strip_prefix('='));
        own.and_then(|value| value.parse().ok())
            .unwrap_or(self.default)
    }

    fn flags(&self, camera: &Camera) -> u32 {
        let follows = self.id == sys::V4L2_CID_EXPOSURE_ABSOLUTE;
        let [.., auto, _] = &ALL;
        match follows && auto.value(camera) != MANUAL {
            true => sys::V4L2_CTRL_FLAG_INACTIVE,
            false => 0,
        }
    }

    /// Whether it can have this value now, as the driver of USB cameras decides it.
    fn check(&self, camera: &Camera, value: i32) -> Result<(), i32> {
        if self.flags(camera) & sys::V4L2_CTRL_FLAG_INACTIVE != 0 {
            return Err(libc::EACCES);
        }
        let listed = |number: u32| self.menu.iter().any(|(n, _)| *n == number);
        let in_menu = self.menu.is_empty() || u32::try_from(value).is_ok_and(listed);
        match (self.minimum..=self.maximum).contains(&value) && in_menu {
            true => Ok(()),
            false => Err(libc::ERANGE),
        }
    }

    fn set(&self, camera: &Camera, value: i32) -> Result<(), i32> {
        if self.id == KEY {
            camera.key_wanted.store(true, Ordering::Relaxed);
            return Ok(());
        }
        self.check(camera, value)?;
        let others = camera.controls();
        let others = others.lines().filter(|line| !line.starts_with(self.name));
        let own = format!("{}={value}", self.name);
        let lines: Vec<&str> = others.chain([own.as_str()]).collect();
        camera.set_controls(&lines.join("\n"));
        Ok(())
    }
}

/// Answers a call about controls.
///
/// # Safety
/// The argument is a pointer to the type of the request.
pub(crate) unsafe fn answer(camera: &Camera, request: u32, to: *mut c_void) -> Result<(), i32> {
    const QUERY: u32 = v::VIDIOC_QUERYCTRL as u32;
    const QUERY_EXT: u32 = v::VIDIOC_QUERY_EXT_CTRL as u32;
    const MENU: u32 = v::VIDIOC_QUERYMENU as u32;
    const GET: u32 = v::VIDIOC_G_EXT_CTRLS as u32;
    const SET: u32 = v::VIDIOC_S_EXT_CTRLS as u32;
    // SAFETY: by the caller.
    unsafe {
        match request {
            QUERY => describe_shortly(camera, argument(to)),
            QUERY_EXT => describe(camera, argument(to)),
            MENU => entry(camera, argument(to)),
            GET => each(camera, argument(to), |control, value| {
                *value = control.value(camera);
                Ok(())
            }),
            SET => each(camera, argument(to), |control, value| {
                control.set(camera, *value)
            }),
            _ => each(camera, argument(to), |control, value| {
                control.check(camera, *value)
            }),
        }
    }
}

fn describe_shortly(camera: &Camera, to: &mut sys::v4l2_queryctrl) -> Result<(), i32> {
    let control = control(camera, to.id)?;
    (to.id, to.type_, to.name) = (control.id, control.kind, text(control.name));
    (to.minimum, to.maximum, to.step) = (control.minimum, control.maximum, 1);
    (to.default_value, to.flags) = (control.default, control.flags(camera));
    Ok(())
}

fn describe(camera: &Camera, to: &mut sys::v4l2_query_ext_ctrl) -> Result<(), i32> {
    let control = control(camera, to.id)?;
    // SAFETY: zeros are valid for a structure of integers.
    *to = unsafe { std::mem::zeroed() };
    (to.id, to.type_) = (control.id, control.kind);
    to.name = text::<32>(control.name).map(|byte| byte as _);
    (to.minimum, to.maximum) = (control.minimum.into(), control.maximum.into());
    (to.step, to.default_value) = (1, control.default.into());
    (to.flags, to.elem_size, to.elems) = (control.flags(camera), 4, 1);
    Ok(())
}

fn entry(camera: &Camera, to: &mut sys::v4l2_querymenu) -> Result<(), i32> {
    let menu = control(camera, to.id)?.menu;
    let found = menu.iter().find(|(number, _)| *number == to.index);
    let (_, name) = found.ok_or(libc::EINVAL)?;
    to.__bindgen_anon_1.name = text(name);
    Ok(())
}

fn each(
    camera: &Camera,
    list: &mut sys::v4l2_ext_controls,
    mut answer: impl FnMut(&Control, &mut i32) -> Result<(), i32>,
) -> Result<(), i32> {
    for n in 0..list.count {
        // SAFETY: by the interface, so many are at this pointer.
        let one = unsafe { &mut *list.controls.add(n as usize) };
        // SAFETY: the union's `value` is what all of our controls have.
        let mut value = unsafe { one.__bindgen_anon_1.value };
        let done = control(camera, one.id).and_then(|control| answer(control, &mut value));
        done.inspect_err(|_| list.error_idx = n)?;
        one.__bindgen_anon_1.value = value;
    }
    Ok(())
}
