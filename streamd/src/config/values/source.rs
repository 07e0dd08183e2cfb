//! Where a capture card takes its picture from.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Value, refused};

/// An input of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Input {
    /// By its number, from 0.
    Number(u32),
    /// By the driver's name of it.
    Name(Text),
}

/// A television standard, by the driver's name of it: `PAL`, `NTSC-M`.
pub type Standard = Text;

/// A text that says something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.chars().any(char::is_alphanumeric) {
            true => Ok(Self(text)),
            false => Err(refused::<Self>("name", text)),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl Value for Text {
    fn allowed() -> String {
        "a name that the driver has, as in \"PAL\"".into()
    }
}

impl Value for Input {
    fn allowed() -> String {
        "the number or the name of an input, as in 0 or \"HDMI 0\"".into()
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => write!(f, "{:?}", name.0),
        }
    }
}

/// The absolute path of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PathBuf", into = "PathBuf")]
pub struct File(PathBuf);

impl File {
    /// The path.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl TryFrom<PathBuf> for File {
    type Error = String;
    fn try_from(path: PathBuf) -> Result<Self, String> {
        match path.is_absolute() {
            true => Ok(Self(path)),
            false => Err(refused::<Self>("file", path)),
        }
    }
}

impl From<File> for PathBuf {
    fn from(file: File) -> Self {
        file.0
    }
}

impl Value for File {
    fn allowed() -> String {
        "the absolute path of a file".into()
    }
}
