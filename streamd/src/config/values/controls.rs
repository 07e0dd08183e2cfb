//! What a camera's controls are to be set to, by the driver's names.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Value;

/// Controls by name, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Controls(IndexMap<String, ControlValue>);

/// What one control is to be: what it may be only its driver knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ControlValue {
    /// Of a switch or a button.
    Truth(bool),
    /// Of a range, or the number of a menu's entry.
    Number(i64),
    /// Of a text, or a menu's entry; also any of the above, as it is typed.
    Text(String),
}

impl Controls {
    /// Whether nothing is to be set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ControlValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Sets one; the name by which the file has it stays.
    pub fn set(&mut self, name: &str, value: ControlValue) {
        let known = self.0.keys().find(|known| key(known) == key(name)).cloned();
        self.0.insert(known.unwrap_or_else(|| name.into()), value);
    }
}

impl<N: Into<String>> FromIterator<(N, ControlValue)> for Controls {
    fn from_iter<I: IntoIterator<Item = (N, ControlValue)>>(controls: I) -> Self {
        let controls = controls.into_iter();
        Self(controls.map(|(name, value)| (name.into(), value)).collect())
    }
}

/// The name by which a control is set: the driver's words in small letters, with `-` for all that
/// is no letter or digit. `v4l2-ctl` makes its names in the same way, with `_`.
pub fn key(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_ascii_lowercase()
}

impl ControlValue {
    /// The number that it says, in decimal or, with `0x`, in hexadecimal digits.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Truth(_) => None,
            Self::Number(number) => Some(*number),
            Self::Text(text) => match text.strip_prefix("0x") {
                // `from_str_radix` itself would take a sign here.
                Some(digits) if digits.starts_with(['+', '-']) => None,
                Some(digits) => i64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            },
        }
    }

    /// Whether it says yes or no.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Truth(truth) => Some(*truth),
            Self::Number(number) => match number {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "on" | "1" => Some(true),
                "false" | "off" | "0" => Some(false),
                _ => None,
            },
        }
    }
}

impl Value for ControlValue {
    fn allowed() -> String {
        "true, false, a whole number or a text, as in { brightness = 128 }".into()
    }
}

impl fmt::Display for ControlValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truth(truth) => truth.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_as_people_know_them() {
        for (driver, ours) in [
            ("White Balance, Automatic", "white-balance-automatic"),
            ("Auto Exposure", "auto-exposure"),
            ("Exposure (Absolute)", "exposure-absolute"),
            ("  Gain\u{fffd}2 ", "gain-2"),
            ("white_balance_automatic", "white-balance-automatic"),
            ("\u{fffd}", ""),
        ] {
            assert_eq!(key(driver), ours);
        }
    }

    #[test]
    fn a_control_that_is_set_keeps_its_name_in_the_file() {
        let mut controls = Controls::default();
        controls.set("white_balance", ControlValue::Number(1));
        controls.set("white-balance", ControlValue::Number(2));
        let all: Vec<_> = controls.iter().collect();
        assert_eq!(all, [("white_balance", &ControlValue::Number(2))]);
    }

    proptest! {
        #[test]
        fn what_is_typed_is_what_a_file_says(number: i64, truth: bool) {
            let typed = |text: String| ControlValue::Text(text);
            prop_assert_eq!(typed(number.to_string()).number(), Some(number));
            prop_assert_eq!(typed(format!("{:#x}", number & i64::MAX)).number(), Some(number & i64::MAX));
            prop_assert_eq!(typed(truth.to_string()).truth(), Some(truth));
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,20}") {
            let value = ControlValue::Text(text);
            let _ = (value.number(), value.truth(), key(&value.to_string()));
        }
    }
}
