//! What machines say to one another, as JSON. Unknown keys are ignored, so that newer ones work
//! with older ones.

use serde::{Deserialize, Serialize};
use streamd_protocol::{stats::CameraState, stream};

/// The largest message that is read, in bytes.
const MOST: usize = 16 * 1024;

/// What a machine wants of a camera; it holds for some seconds, and is said again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Want {
    /// Who wants it: the same as long as it runs.
    pub id: String,
    /// What every viewer can say; one that is paused wants to know how the camera is, and no pictures.
    #[serde(flatten)]
    pub what: stream::Want,
}

/// How the camera is: the answer to that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The machine's clock when it answered, µs since the epoch.
    pub time: u64,
    /// What the camera is doing.
    pub state: CameraState,
    /// Why, where the state needs one.
    #[serde(default)]
    pub reason: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second that the camera has at most.
    pub fps: f64,
}

/// That a machine is there, said every 2 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// Which process it is, by a number of its own.
    pub id: String,
    /// It has the name, and is not merely about to take it.
    pub holds: bool,
    /// Since when it has or wants the name, µs since the epoch.
    pub since: u64,
    /// The cameras that it publishes.
    pub cameras: Vec<String>,
    /// What they do, in the same order.
    #[serde(default)]
    pub states: Vec<CameraState>,
}

/// Reads a message; `None` if it is none of ours.
pub fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Option<T> {
    let fits = payload.len() <= MOST;
    fits.then(|| serde_json::from_slice(payload).ok()).flatten()
}

/// Writes a message.
pub fn write(message: &impl Serialize) -> bytes::Bytes {
    // Strings and numbers have no way to fail.
    serde_json::to_vec(message).unwrap_or_default().into()
}
