//! A camera's own controls, as they are on the control socket.

use serde::{Deserialize, Serialize};

/// The reply of [`super::ListControls`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListControlsReply {
    /// The camera's name.
    pub camera: String,
    /// In the driver's order.
    pub controls: Vec<Control>,
}

/// The reply of [`super::SetControls`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetControlsReply {
    /// The camera's name.
    pub camera: String,
    /// Those that were named, as they are then.
    pub controls: Vec<Control>,
}

/// A control of a camera, as its driver describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// The name by which it is set, for instance `white-balance-automatic`.
    pub name: String,
    /// The driver's name of it.
    pub label: String,
    /// What kind of value it has.
    pub kind: ControlKind,
    /// Its value now, as it is set; empty for one that has none or can't be read.
    pub value: String,
    /// The value that it has at first; empty for one that has none.
    pub default: String,
    /// The least value; of a text, its least length in bytes.
    pub minimum: i64,
    /// The greatest value; of a text, its greatest length in bytes; of bits, all that may be set.
    pub maximum: i64,
    /// From one value to the next.
    pub step: i64,
    /// The entries of a menu; empty for all others.
    pub menu: Vec<ControlEntry>,
    /// Another control, such as an automatic mode, keeps its value from having an effect.
    pub inactive: bool,
    /// It can't be set.
    pub read_only: bool,
    /// It can't be set just now, for instance because frames are coming.
    pub busy: bool,
}

/// What kind of value a control has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum ControlKind {
    /// A number in a range.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An entry of a menu, by its text or number.
    Menu,
    /// An entry of a menu of numbers, by its place.
    IntegerMenu,
    /// `true` presses it.
    Button,
    /// Bits of a number.
    Bitmask,
    /// A text.
    Text,
}

/// An entry of a menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ControlEntry {
    /// The number that stands for it.
    pub number: i64,
    /// What it is called; of a menu of numbers, its number.
    pub text: String,
}

/// What a control is to be set to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ControlSetting {
    /// Its name, as [`Control::name`]; `_` counts as `-`.
    pub name: String,
    /// Its value, as it is typed.
    pub value: String,
}
