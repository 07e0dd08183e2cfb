//! What a driver is asked of its controls. Each list is bounded and each answer checked, since a
//! driver may list without end.

use std::{ffi::CString, io, os::raw::c_char};

use nix::errno::Errno;
use v4l::{Device, v4l_sys as sys, v4l2::vidioc};

use super::{Control, Entry, Kind, Raw, apply::Access, tell_apart};
use crate::capture::{descriptor::ioctl, v4l2::text};

/// Controls that are looked at; webcams have some twenty, the kernel's virtual driver some hundred.
const MOST: usize = 512;

/// Numbers of a menu that are tried; drivers leave some out.
const MOST_ENTRIES: u32 = 256;

/// The longest text of a control, in bytes.
const LONGEST_TEXT: i64 = 64 * 1024;

impl Access for Device {
    fn describe(&self) -> io::Result<Vec<Control>> {
        let device = self;
        let mut controls = match walk(|id| query_ext(device, id)) {
            // Older drivers know the older call alone.
            Err(error) if error.raw_os_error() == Some(Errno::ENOTTY as i32) => {
                walk(|id| query(device, id))
            }
            other => other,
        }?;
        for control in &mut controls {
            control.menu = menu(control, |index| query_menu(device, control.id, index));
        }
        tell_apart(&mut controls);
        Ok(controls)
    }

    fn is_inactive(&self, control: &Control) -> bool {
        let device = self;
        let asked = query_ext(device, control.id).or_else(|_| query(device, control.id));
        asked.is_ok_and(|raw| raw.flags & sys::V4L2_CTRL_FLAG_INACTIVE != 0)
    }

    fn value(&self, control: &Control) -> io::Result<Raw> {
        let mut value = Value::of(control);
        value.exchange(self, vidioc::VIDIOC_G_EXT_CTRLS)?;
        Ok(value.raw(control))
    }

    fn write(&self, control: &Control, raw: &Raw) -> io::Result<()> {
        let mut value = Value::of(control);
        value.fill(control, raw)?;
        value.exchange(self, vidioc::VIDIOC_S_EXT_CTRLS)
    }
}

/// The controls that `query` gives, each asked for by the id of the one before.
pub(super) fn walk(
    mut query: impl FnMut(u32) -> io::Result<sys::v4l2_query_ext_ctrl>,
) -> io::Result<Vec<Control>> {
    let mut controls = Vec::new();
    let mut last = 0;
    for asked in 0..MOST {
        match query(last | sys::V4L2_CTRL_FLAG_NEXT_CTRL) {
            // A driver that does not go on has come to its end.
            Ok(raw) if raw.id <= last => break,
            Ok(raw) => {
                last = raw.id;
                controls.extend(Control::read(&raw));
            }
            Err(error) if asked == 0 && error.raw_os_error() != Some(Errno::EINVAL as i32) => {
                return Err(error);
            }
            Err(_) => break,
        }
    }
    Ok(controls)
}

/// The entries of a control's menu, by number; none for what has no menu.
pub(super) fn menu(
    control: &Control,
    mut query: impl FnMut(u32) -> io::Result<sys::v4l2_querymenu>,
) -> Vec<Entry> {
    if !matches!(control.kind, Kind::Menu | Kind::IntegerMenu) {
        return Vec::new();
    }
    let number = |number: i64| number.clamp(0, u32::MAX.into()) as u32;
    let first = number(control.minimum);
    let last = number(control.maximum).min(first.saturating_add(MOST_ENTRIES - 1));
    let entry = |number| {
        let entry = query(number).ok()?.__bindgen_anon_1;
        let text = match control.kind {
            // SAFETY: both members of the union are made of integers, for which any bytes are valid.
            Kind::IntegerMenu => unsafe { entry.value }.to_string(),
            // SAFETY: as above.
            _ => text(&unsafe { entry.name }),
        };
        Some(Entry { number, text })
    };
    (first..=last).filter_map(entry).collect()
}

fn query_ext(device: &Device, id: u32) -> io::Result<sys::v4l2_query_ext_ctrl> {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_query_ext_ctrl = unsafe { std::mem::zeroed() };
    raw.id = id;
    ioctl(device, vidioc::VIDIOC_QUERY_EXT_CTRL, &mut raw)?;
    Ok(raw)
}

/// The same by `VIDIOC_QUERYCTRL`.
fn query(device: &Device, id: u32) -> io::Result<sys::v4l2_query_ext_ctrl> {
    // SAFETY: the structures are made of integers, for which zeros are valid.
    let (mut old, mut raw): (sys::v4l2_queryctrl, sys::v4l2_query_ext_ctrl) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    old.id = id;
    ioctl(device, vidioc::VIDIOC_QUERYCTRL, &mut old)?;
    (raw.id, raw.type_, raw.flags) = (old.id, old.type_, old.flags);
    (raw.minimum, raw.maximum) = (old.minimum.into(), old.maximum.into());
    raw.step = u64::try_from(old.step).unwrap_or(1);
    raw.default_value = old.default_value.into();
    raw.name = old.name.map(|byte| byte as c_char);
    Ok(raw)
}

fn query_menu(device: &Device, id: u32, index: u32) -> io::Result<sys::v4l2_querymenu> {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_querymenu = unsafe { std::mem::zeroed() };
    (raw.id, raw.index) = (id, index);
    ioctl(device, vidioc::VIDIOC_QUERYMENU, &mut raw)?;
    Ok(raw)
}

/// A value on its way from or to the driver.
struct Value {
    control: sys::v4l2_ext_control,
    /// What a text is read into or written from, with its final zero byte.
    text: Vec<u8>,
    /// It has 64 bits, and is known to newer drivers alone.
    wide: bool,
}

impl Value {
    fn of(control: &Control) -> Self {
        let text = match control.kind {
            Kind::Text => vec![0; control.maximum.clamp(0, LONGEST_TEXT) as usize + 1],
            _ => Vec::new(),
        };
        // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
        let mut raw: sys::v4l2_ext_control = unsafe { std::mem::zeroed() };
        raw.id = control.id;
        Self {
            control: raw,
            text,
            wide: control.wide,
        }
    }

    fn fill(&mut self, control: &Control, raw: &Raw) -> io::Result<()> {
        match raw {
            // 32 bits that are written as they are: a mask may have the highest one set.
            Raw::Number(number) if !self.wide => {
                self.control.__bindgen_anon_1.value = *number as i32;
            }
            Raw::Number(number) => self.control.__bindgen_anon_1.value64 = *number,
            Raw::Text(text) => {
                let text = CString::new(text.as_str()).map_err(io::Error::from)?;
                let bytes = text.as_bytes_with_nul();
                let room = self.text.get_mut(..bytes.len());
                let room = room.ok_or(io::Error::from_raw_os_error(Errno::ERANGE as i32))?;
                room.copy_from_slice(bytes);
                debug_assert_eq!(control.kind, Kind::Text);
            }
        }
        Ok(())
    }

    fn exchange(&mut self, device: &Device, request: vidioc::_IOC_TYPE) -> io::Result<()> {
        if !self.text.is_empty() {
            self.control.size = u32::try_from(self.text.len()).expect("its length is bounded");
            self.control.__bindgen_anon_1.string = self.text.as_mut_ptr().cast();
        }
        // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
        let mut list: sys::v4l2_ext_controls = unsafe { std::mem::zeroed() };
        list.count = 1;
        list.controls = &raw mut self.control;
        match ioctl(device, request, &mut list) {
            Err(error)
                if error.raw_os_error() == Some(Errno::ENOTTY as i32)
                    && self.text.is_empty()
                    && !self.wide =>
            {
                self.exchange_alone(device, request)
            }
            result => result,
        }
    }

    /// The same by the older calls.
    fn exchange_alone(&mut self, device: &Device, request: vidioc::_IOC_TYPE) -> io::Result<()> {
        let request = match request {
            vidioc::VIDIOC_S_EXT_CTRLS => vidioc::VIDIOC_S_CTRL,
            _ => vidioc::VIDIOC_G_CTRL,
        };
        let mut alone = sys::v4l2_control {
            id: self.control.id,
            // SAFETY: any bytes are a number.
            value: unsafe { self.control.__bindgen_anon_1.value },
        };
        ioctl(device, request, &mut alone)?;
        self.control.__bindgen_anon_1.value = alone.value;
        Ok(())
    }

    fn raw(&self, control: &Control) -> Raw {
        let union = self.control.__bindgen_anon_1;
        match control.kind {
            Kind::Text => Raw::Text(text(&self.text)),
            // SAFETY: any bytes are a number.
            Kind::Bitmask => Raw::Number(i64::from(unsafe { union.value } as u32)),
            // SAFETY: as above.
            _ if self.wide => Raw::Number(unsafe { union.value64 }),
            // SAFETY: as above.
            _ => Raw::Number(unsafe { union.value }.into()),
        }
    }
}
