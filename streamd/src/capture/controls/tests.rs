//! Controls as drivers describe them, from structures as the kernel fills them in.

use std::{cell::RefCell, collections::BTreeMap, io, os::raw::c_char};

use nix::errno::Errno;
use proptest::prelude::*;

use super::{
    apply::{Access, Unfit, apply, wanted},
    driver::{menu, walk},
    *,
};
use crate::config::values::{ControlValue, Controls};

/// What `VIDIOC_QUERY_EXT_CTRL` says of a number from 0 to 255.
fn query(id: u32, type_: u32, name: &[u8]) -> sys::v4l2_query_ext_ctrl {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut raw: sys::v4l2_query_ext_ctrl = unsafe { std::mem::zeroed() };
    (raw.id, raw.type_) = (id, type_);
    (raw.minimum, raw.maximum, raw.step) = (0, 255, 1);
    for (to, from) in raw.name.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    raw
}

fn control(type_: u32, name: &str) -> Control {
    Control::read(&query(1, type_, name.as_bytes())).unwrap()
}

fn exposure() -> Control {
    let mut control = control(3, "Auto Exposure");
    control.id = sys::V4L2_CID_EXPOSURE_AUTO;
    control.maximum = 3;
    let texts = ["Auto Mode", "Manual Mode", "Shutter Priority Mode"];
    control.menu = menu(&control, |number| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_querymenu = unsafe { std::mem::zeroed() };
        let text = texts.get(number as usize);
        let text = text.ok_or(io::Error::from_raw_os_error(Errno::EINVAL as i32))?;
        let mut name = [0; 32];
        name[..text.len()].copy_from_slice(text.as_bytes());
        raw.__bindgen_anon_1.name = name;
        Ok(raw)
    });
    control
}

fn text(text: &str) -> ControlValue {
    ControlValue::Text(text.into())
}

#[test]
fn a_driver_is_asked_until_its_last_control_and_no_further() {
    let class = query(10, 6, b"Camera Controls");
    let mut off = query(11, 1, b"Off");
    off.flags = sys::V4L2_CTRL_FLAG_DISABLED;
    let mut array = query(12, 1, b"Area");
    array.nr_of_dims = 1;
    let listed = [
        class,
        off,
        array,
        query(13, 1, b"Ga\xefn"),
        query(14, 1, b"Ga n"),
        query(15, 2, b"\xff\xfe"),
    ];
    let next = |id: u32| {
        assert!(id & sys::V4L2_CTRL_FLAG_NEXT_CTRL != 0);
        let after = id & !sys::V4L2_CTRL_FLAG_NEXT_CTRL;
        let next = listed.iter().find(|raw| raw.id > after).copied();
        next.ok_or(io::Error::from_raw_os_error(Errno::EINVAL as i32))
    };
    let mut controls = walk(next).unwrap();
    tell_apart(&mut controls);
    let names: Vec<_> = controls.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["ga-n", "ga-n-2", "control-0000000f"]);
    assert_eq!(controls[0].label, "Ga\u{fffd}n");

    let mut asked = 0;
    let for_ever = walk(|id| {
        asked += 1;
        Ok(query((id & 0xffff) + 1, 1, b"x"))
    });
    assert!(for_ever.unwrap().len() <= 512 && asked <= 512, "{asked}");
    let again = walk(|_| Ok(query(7, 1, b"x"))).unwrap();
    assert_eq!(again.len(), 1, "one that is listed again and again");
    let unknown = walk(|_| Err(io::Error::from_raw_os_error(Errno::ENOTTY as i32)));
    assert!(unknown.is_err(), "the older call is tried then");
    let none = walk(|_| Err(io::Error::from_raw_os_error(Errno::EINVAL as i32)));
    assert!(none.unwrap().is_empty());
}

#[test]
fn a_menu_is_bounded_and_may_have_gaps() {
    let mut numbers = control(9, "Link Frequency");
    (numbers.minimum, numbers.maximum) = (-5, i64::MAX);
    let entries = menu(&numbers, |number| {
        // SAFETY: the structure is made of integers, for which zeros are valid.
        let mut raw: sys::v4l2_querymenu = unsafe { std::mem::zeroed() };
        raw.__bindgen_anon_1.value = i64::from(number) * 1_000_000_000;
        match number % 2 {
            0 => Ok(raw),
            _ => Err(io::Error::from_raw_os_error(Errno::EINVAL as i32)),
        }
    });
    assert_eq!(entries.len(), 128);
    let third = Entry {
        number: 4,
        text: "4000000000".into(),
    };
    assert_eq!(entries[2], third);
}

#[test]
fn a_value_is_checked_and_what_is_allowed_is_said() {
    let mut gain = control(1, "Gain");
    (gain.minimum, gain.maximum, gain.step) = (-10, 20, 5);
    assert_eq!(gain.take(&ControlValue::Number(-5)), Ok(Raw::Number(-5)));
    assert_eq!(gain.take(&text("20")), Ok(Raw::Number(20)));
    for bad in [ControlValue::Number(21), text("-4"), text("much")] {
        let said = gain.take(&bad).unwrap_err();
        let range = "a whole number from -10 to 20 in steps of 5 is allowed";
        assert_eq!(said, format!("gain = {bad}: {range}"));
    }
    let mut bits = control(8, "Bits");
    bits.maximum = -1;
    let highest = i64::from(u32::MAX);
    assert_eq!(bits.take(&text("0xffffffff")), Ok(Raw::Number(highest)));
    bits.maximum = 0x11;
    assert!(bits.take(&text("0x2")).unwrap_err().contains("0x11"));
    let switch = control(2, "Mirror");
    assert_eq!(switch.take(&text("on")), Ok(Raw::Number(1)));
    assert!(switch.take(&ControlValue::Number(2)).is_err());
    let button = control(4, "Reset");
    assert!(button.take(&ControlValue::Truth(false)).is_err());
    let mut label = control(7, "Label");
    label.maximum = 4;
    assert_eq!(label.take(&text("abcd")), Ok(Raw::Text("abcd".into())));
    assert!(label.take(&text("abcde")).unwrap_err().contains("0 to 4"));
    label.flags = sys::V4L2_CTRL_FLAG_READ_ONLY;
    assert!(label.take(&text("a")).unwrap_err().contains("only be read"));
}

#[test]
fn a_menu_is_set_by_text_by_its_beginning_and_by_number() {
    let exposure = exposure();
    for (given, number) in [
        (text("Manual Mode"), 1),
        (text("manual"), 1),
        (text("shutter_priority"), 2),
        (text("1"), 1),
        (ControlValue::Number(0), 0),
    ] {
        assert_eq!(exposure.take(&given), Ok(Raw::Number(number)), "{given}");
    }
    for bad in [
        text(""),
        text("man"),
        text("mode"),
        ControlValue::Number(3),
        ControlValue::Truth(true),
    ] {
        let said = exposure.take(&bad).unwrap_err();
        assert!(said.contains("\"Manual Mode\" (1), "), "{said}");
    }
    assert_eq!(exposure.written(&Raw::Number(1)), text("Manual Mode"));
    assert!(exposure.is_called("Exposure_Auto") && exposure.is_called("auto-exposure"));
}

proptest! {
    #[test]
    fn what_is_taken_is_read_back_as_the_same(type_ in 1u32..10, min: i64, max: i64, step: u64, given in any_value()) {
        let mut raw = query(5, type_, b"Any");
        (raw.minimum, raw.maximum, raw.step) = (min, max, step);
        if let Some(mut control) = Control::read(&raw) {
            control.menu = (0..3).map(|number| Entry { number, text: format!("n{number}") }).collect();
            if let Ok(taken) = control.take(&given) {
                prop_assert_eq!(control.take(&control.written(&taken)), Ok(taken));
            }
        }
    }
}

fn any_value() -> impl Strategy<Value = ControlValue> {
    prop_oneof![
        any::<bool>().prop_map(ControlValue::Truth),
        any::<i64>().prop_map(ControlValue::Number),
        (0i64..4).prop_map(ControlValue::Number),
        "\\PC{0,8}".prop_map(ControlValue::Text),
        "n[0-3]".prop_map(ControlValue::Text),
    ]
}

/// A camera whose exposure time can be written only while its exposure is manual.
#[derive(Default)]
struct Webcam {
    written: RefCell<Vec<String>>,
    values: RefCell<BTreeMap<u32, Raw>>,
}

const TIME: u32 = sys::V4L2_CID_EXPOSURE_ABSOLUTE;

impl Access for Webcam {
    fn describe(&self) -> io::Result<Vec<Control>> {
        let mut time = control(1, "Exposure Time, Absolute");
        time.id = TIME;
        let mut brightness = control(1, "Brightness");
        brightness.id = sys::V4L2_CID_BRIGHTNESS;
        Ok(vec![brightness, time, exposure()])
    }

    fn is_inactive(&self, control: &Control) -> bool {
        let manual = Some(&Raw::Number(1));
        let values = self.values.borrow();
        control.id == TIME && values.get(&sys::V4L2_CID_EXPOSURE_AUTO) != manual
    }

    fn value(&self, control: &Control) -> io::Result<Raw> {
        Ok(self.values.borrow()[&control.id].clone())
    }

    fn write(&self, control: &Control, raw: &Raw) -> io::Result<()> {
        if self.is_inactive(control) {
            return Err(io::Error::from_raw_os_error(Errno::EACCES as i32));
        }
        self.written.borrow_mut().push(control.name.clone());
        self.values.borrow_mut().insert(control.id, raw.clone());
        Ok(())
    }
}

fn settings(all: &[(&str, ControlValue)]) -> Controls {
    all.iter().cloned().collect()
}

#[test]
fn automatic_modes_are_set_first() {
    let webcam = Webcam::default();
    let complaints = apply(
        &webcam,
        &settings(&[
            ("brightness", ControlValue::Number(3)),
            ("exposure_time_absolute", ControlValue::Number(150)),
            ("exposure-auto", text("manual")),
        ]),
    );
    assert!(complaints.is_empty(), "{complaints:?}");
    let written = webcam.written.take();
    assert_eq!(
        written,
        ["auto-exposure", "brightness", "exposure-time-absolute"]
    );
}

#[test]
fn what_can_not_be_set_is_said_and_the_rest_is_set() {
    let webcam = Webcam::default();
    let complaints = apply(
        &webcam,
        &settings(&[
            ("brightness", ControlValue::Number(300)),
            ("brigthness", ControlValue::Number(3)),
            ("exposure-time-absolute", ControlValue::Number(150)),
            ("auto-exposure", text("auto")),
        ]),
    );
    let [value, name, inactive] = complaints.as_slice() else {
        panic!("{complaints:?}");
    };
    assert!(
        value.contains("brightness = 300") && value.contains("0 to 255"),
        "{value}"
    );
    assert!(name.contains("the nearest are brightness, "), "{name}");
    assert!(
        inactive.contains("exposure-time-absolute = 150: an automatic mode"),
        "{inactive}"
    );
    assert_eq!(webcam.written.take(), ["auto-exposure"]);

    let controls = webcam.describe().unwrap();
    let unfit = wanted(&controls, "gain", &ControlValue::Number(1)).unwrap_err();
    assert!(matches!(unfit, Unfit::Unknown(names) if names.len() == 3));
}
