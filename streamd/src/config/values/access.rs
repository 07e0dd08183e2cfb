//! What who shows no token may.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Value, refused};

by_string!(Anonymous);

/// One thing that everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Anonymous {
    /// Nothing.
    None,
    /// Watch.
    Viewer,
    /// Read the metrics.
    Metrics,
}

impl FromStr for Anonymous {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "viewer" => Ok(Self::Viewer),
            "metrics" => Ok(Self::Metrics),
            _ => Err(refused::<Self>("anonymous", text)),
        }
    }
}

impl fmt::Display for Anonymous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Viewer => "viewer",
            Self::Metrics => "metrics",
        })
    }
}

impl Value for Anonymous {
    fn allowed() -> String {
        "\"none\", \"viewer\" or \"metrics\"".into()
    }
}
