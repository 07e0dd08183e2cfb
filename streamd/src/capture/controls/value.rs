//! What a control may be set to, and how its value is written. No I/O.

use std::fmt::Write;

use super::{Control, Kind};
use crate::config::values::{ControlValue, control_key};

/// A value as the driver has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// Of all kinds but a text.
    Number(i64),
    /// Of a text.
    Text(String),
}

/// Entries of a menu that an error names.
const NAMED: usize = 24;

impl Control {
    /// The value that is meant for this control.
    ///
    /// # Errors
    /// It is none that this control may have; the message names control, value and what is allowed.
    pub fn take(&self, given: &ControlValue) -> Result<Raw, String> {
        if self.is_read_only() {
            return Err(format!("{}: it can only be read", self.name));
        }
        let taken = match self.kind {
            Kind::Integer => given.number().filter(|n| self.has(*n)),
            Kind::Bitmask => given.number().filter(|n| *n & !self.bits() == 0),
            Kind::Boolean => given.truth().map(i64::from),
            Kind::Button => given.truth().filter(|pressed| *pressed).map(i64::from),
            Kind::Menu | Kind::IntegerMenu => self.entry(given).map(i64::from),
            Kind::Text => return self.take_text(given),
        };
        taken.map(Raw::Number).ok_or_else(|| self.refused(given))
    }

    fn take_text(&self, given: &ControlValue) -> Result<Raw, String> {
        let text = match given {
            ControlValue::Text(text) => text.clone(),
            other => other.to_string(),
        };
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        match self.has(length) && !text.contains('\0') {
            true => Ok(Raw::Text(text)),
            false => Err(self.refused(given)),
        }
    }

    fn refused(&self, given: &ControlValue) -> String {
        format!("{} = {given}: {} is allowed", self.name, self.allowed())
    }

    /// Whether a number is in the range and on a step.
    fn has(&self, number: i64) -> bool {
        let above = i128::from(number) - i128::from(self.minimum);
        (self.minimum..=self.maximum).contains(&number) && above % i128::from(self.step) == 0
    }

    /// All bits that may be set; the kernel has 32.
    fn bits(&self) -> i64 {
        self.maximum & i64::from(u32::MAX)
    }

    /// The number of the entry that is meant: the entry of this text or number, else the only one
    /// that begins with these words.
    fn entry(&self, given: &ControlValue) -> Option<u32> {
        let number = |given: i64| {
            let is = |e: &&super::Entry| i64::from(e.number) == given;
            self.menu.iter().find(is).map(|e| e.number)
        };
        if let ControlValue::Number(n) = given {
            return number(*n);
        }
        let ControlValue::Text(text) = given else {
            return None;
        };
        // Of an integer menu a number is that of the entry, as everywhere else.
        if self.kind == Kind::IntegerMenu {
            return number(given.number()?);
        }
        let words = control_key(text);
        let of = |entry: &super::Entry| control_key(&entry.text);
        if let Some(entry) = self.menu.iter().find(|entry| of(entry) == words) {
            return Some(entry.number);
        }
        if let Some(found) = given.number().and_then(number) {
            return Some(found);
        }
        let mut begin = self.menu.iter().filter(|entry| {
            let rest = of(entry).strip_prefix(&words).map(str::to_owned);
            !words.is_empty() && rest.is_some_and(|rest| rest.starts_with('-'))
        });
        let first = begin.next()?;
        begin.next().is_none().then_some(first.number)
    }

    /// What it may be, in words that go before "is allowed".
    pub fn allowed(&self) -> String {
        let (min, max, step) = (self.minimum, self.maximum, self.step);
        match self.kind {
            Kind::Integer if step == 1 => format!("a whole number from {min} to {max}"),
            Kind::Integer => format!("a whole number from {min} to {max} in steps of {step}"),
            Kind::Boolean => "true or false".into(),
            Kind::Button => "true, which presses it,".into(),
            Kind::Bitmask => format!("a number with none but the bits {:#x}", self.bits()),
            Kind::Text if step == 1 => format!("a text of {min} to {max} bytes"),
            Kind::Text => format!("a text of {min} to {max} bytes in steps of {step}"),
            Kind::Menu | Kind::IntegerMenu => self.entries(),
        }
    }

    fn entries(&self) -> String {
        let mut all = String::from("one of");
        for (i, entry) in self.menu.iter().take(NAMED).enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let (number, text) = (entry.number, &entry.text);
            let _ = match self.kind {
                Kind::IntegerMenu => write!(all, "{comma} {number} ({text})"),
                _ => write!(all, "{comma} {text:?} ({number})"),
            };
        }
        if self.menu.len() > NAMED {
            all += ", …";
        }
        all
    }

    /// A value as the configuration has it.
    pub fn written(&self, raw: &Raw) -> ControlValue {
        let number = match raw {
            Raw::Text(text) => return ControlValue::Text(text.clone()),
            Raw::Number(number) => *number,
        };
        let same = |text: &str| {
            let same = |e: &&super::Entry| control_key(&e.text) == control_key(text);
            self.menu.iter().filter(same).count() > 1
        };
        let is = |e: &&super::Entry| i64::from(e.number) == number;
        match self.kind {
            Kind::Boolean | Kind::Button => ControlValue::Truth(number != 0),
            // Its text, unless that says nothing or is that of another entry as well.
            Kind::Menu => match self.menu.iter().find(is) {
                Some(e) if !control_key(&e.text).is_empty() && !same(&e.text) => {
                    ControlValue::Text(e.text.clone())
                }
                _ => ControlValue::Number(number),
            },
            _ => ControlValue::Number(number),
        }
    }
}
