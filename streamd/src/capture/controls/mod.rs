//! The controls of a camera: what its driver lists ([`driver`]), what each may be set to
//! ([`value`]), and the order in which they are set ([`apply`]).

mod apply;
mod driver;
mod live;
mod value;

use v4l::v4l_sys as sys;

use super::v4l2::text;
use crate::config::values::control_key;

pub(super) use self::apply::Complaints;
pub use self::{
    live::{Outcome, Refusal, list, set, set_configured},
    value::Raw,
};

/// A control as its driver describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// `V4L2_CID_…`.
    pub id: u32,
    /// The name by which it is set: `white-balance-automatic`.
    pub name: String,
    /// The driver's name of it: `White Balance, Automatic`.
    pub label: String,
    /// What kind of value it has.
    pub kind: Kind,
    /// The least value; of a text, the least length.
    pub minimum: i64,
    /// The greatest value; of a text, the greatest length; of bits, all that may be set.
    pub maximum: i64,
    /// Between two values, from the least one on; at least 1.
    pub step: u64,
    /// The value that it has at first.
    pub default: i64,
    /// The entries of a menu; empty for all other kinds.
    pub menu: Vec<Entry>,
    /// Its value when it was asked; `None` for one that can't be read.
    pub value: Option<Raw>,
    /// `V4L2_CTRL_FLAG_…`.
    flags: u32,
    /// Its number has 64 bits.
    wide: bool,
}

/// The kinds of controls that have one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Integer,
    /// On or off.
    Boolean,
    /// One of several entries, by their text.
    Menu,
    /// One of several numbers.
    IntegerMenu,
    /// Something that happens when it is pressed.
    Button,
    /// Bits of a number.
    Bitmask,
    /// A text.
    Text,
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The number that stands for it.
    pub number: u32,
    /// What it is called; of an integer menu, its number.
    pub text: String,
}

/// Controls of which another name is known: drivers have renamed them in Linux 5.16, and a file
/// should work with both. The names are those of `v4l2-ctrls-defs.c` and `uvc_ctrl.c` in the kernel.
const OTHER_NAMES: [(u32, &str, &str); 5] = [
    (
        sys::V4L2_CID_AUTO_WHITE_BALANCE,
        "white-balance-automatic",
        "white-balance-temperature-auto",
    ),
    (
        sys::V4L2_CID_EXPOSURE_AUTO,
        "auto-exposure",
        "exposure-auto",
    ),
    (
        sys::V4L2_CID_EXPOSURE_ABSOLUTE,
        "exposure-time-absolute",
        "exposure-absolute",
    ),
    (
        sys::V4L2_CID_EXPOSURE_AUTO_PRIORITY,
        "exposure-dynamic-framerate",
        "exposure-auto-priority",
    ),
    (
        sys::V4L2_CID_FOCUS_AUTO,
        "focus-automatic-continuous",
        "focus-auto",
    ),
];

impl Control {
    /// What a driver's description says; `None` for what has no single value of its own: classes,
    /// arrays, structures, and what is switched off for good.
    fn read(raw: &sys::v4l2_query_ext_ctrl) -> Option<Self> {
        let kind = match raw.type_ {
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER
            | sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64 => Kind::Integer,
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => Kind::Boolean,
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => Kind::Menu,
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => Kind::IntegerMenu,
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => Kind::Button,
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BITMASK => Kind::Bitmask,
            sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_STRING => Kind::Text,
            _ => return None,
        };
        let is_array = raw.nr_of_dims > 0
            || (raw.flags & sys::V4L2_CTRL_FLAG_HAS_PAYLOAD != 0 && kind != Kind::Text);
        if is_array || raw.flags & sys::V4L2_CTRL_FLAG_DISABLED != 0 {
            return None;
        }
        let label = text(&raw.name.map(|c| c as u8));
        let name = match control_key(&label) {
            empty if empty.is_empty() => format!("control-{:08x}", raw.id),
            name => name,
        };
        Some(Self {
            id: raw.id,
            name,
            label,
            kind,
            minimum: raw.minimum,
            maximum: raw.maximum,
            step: raw.step.max(1),
            default: raw.default_value,
            menu: Vec::new(),
            value: None,
            flags: raw.flags,
            wide: raw.type_ == sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER64,
        })
    }

    /// Whether its value can't be set at all.
    pub fn is_read_only(&self) -> bool {
        self.flags & sys::V4L2_CTRL_FLAG_READ_ONLY != 0
    }

    /// Whether another control, such as an automatic mode, keeps its value from having an effect.
    pub fn is_inactive(&self) -> bool {
        self.flags & sys::V4L2_CTRL_FLAG_INACTIVE != 0
    }

    /// Whether it can't be set just now, for instance because frames are coming.
    pub fn is_busy(&self) -> bool {
        self.flags & sys::V4L2_CTRL_FLAG_GRABBED != 0
    }

    /// Whether its value can be read; a button has none.
    fn is_readable(&self) -> bool {
        self.kind != Kind::Button && self.flags & sys::V4L2_CTRL_FLAG_WRITE_ONLY == 0
    }

    /// Whether this is the control of a name, as it is typed.
    pub fn is_called(&self, name: &str) -> bool {
        let name = control_key(name);
        let other =
            |(id, new, old): &(u32, &str, &str)| *id == self.id && (name == *new || name == *old);
        self.name == name || OTHER_NAMES.iter().any(other)
    }
}

/// Gives controls that would have the same name different ones.
fn tell_apart(controls: &mut [Control]) {
    for i in 1..controls.len() {
        let taken = |name: &str, before: &[Control]| before.iter().any(|c| c.name == name);
        let base = controls[i].name.clone();
        let mut number = 2;
        while taken(&controls[i].name, &controls[..i]) {
            controls[i].name = format!("{base}-{number}");
            number += 1;
        }
    }
}

/// The control of a name: its own, else another one that it is known by.
fn find<'c>(controls: &'c [Control], name: &str) -> Option<&'c Control> {
    let key = control_key(name);
    let own = controls.iter().find(|control| control.name == key);
    own.or_else(|| controls.iter().find(|control| control.is_called(name)))
}

#[cfg(test)]
mod tests;
