//! What is run when something happens, and when.

use serde::{Deserialize, Serialize};
use streamd_protocol::control::EventKind;

use super::{Value, refused};

/// Words of a command at most: a program that needs more takes a file.
const MOST_WORDS: usize = 64;

/// A program by its absolute path, and what it is given; empty for none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Command(Vec<String>);

impl Command {
    /// The program and its arguments; `None` where nothing is to be run.
    pub fn parts(&self) -> Option<(&str, &[String])> {
        let (program, arguments) = self.0.split_first()?;
        Some((program, arguments))
    }
}

impl TryFrom<Vec<String>> for Command {
    type Error = String;
    fn try_from(words: Vec<String>) -> Result<Self, String> {
        let program = words.first().is_none_or(|program| program.starts_with('/'));
        let whole = words.iter().all(|word| !word.contains('\0'));
        match program && whole && words.len() <= MOST_WORDS {
            true => Ok(Self(words)),
            false => Err(refused::<Self>("command", words)),
        }
    }
}

impl From<Command> for Vec<String> {
    fn from(command: Command) -> Self {
        command.0
    }
}

impl Value for Command {
    fn allowed() -> String {
        format!(
            "a list of up to {MOST_WORDS} words, the absolute path of a program and what it is given, as in [\"/usr/local/bin/tell\", \"--mail\"], or []"
        )
    }
}

/// A kind of event, by its name with hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct On(pub EventKind);

impl On {
    /// All kinds.
    pub fn all() -> Vec<Self> {
        EventKind::ALL.into_iter().map(Self).collect()
    }
}

impl TryFrom<String> for On {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let kind = EventKind::ALL.into_iter().find(|kind| kind.name() == name);
        kind.map(Self).ok_or_else(|| refused::<Self>("event", name))
    }
}

impl From<On> for String {
    fn from(on: On) -> Self {
        on.0.name().into()
    }
}

impl Value for On {
    fn allowed() -> String {
        let names = EventKind::ALL.map(|kind| format!("{:?}", kind.name()));
        let (last, names) = names.split_last().expect("there are kinds of events");
        format!("{} or {last}", names.join(", "))
    }
}
