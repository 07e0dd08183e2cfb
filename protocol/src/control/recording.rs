//! Recordings, as calls have them.

use serde::{Deserialize, Serialize};

use crate::{recording::Kind, stats::RecordingStats};

/// A recording that is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Recording {
    /// What it is called: over HTTP it is at `/recordings/CAMERA/ID.mp4`.
    pub id: String,
    /// What it was recorded for.
    pub kind: Kind,
    /// When it begins, seconds since the epoch: its first picture's capture.
    pub from: f64,
    /// When it ends.
    pub to: f64,
    /// Its size.
    pub bytes: i64,
    /// Where it is on the daemon's machine.
    pub file: String,
}

/// The reply of [`super::SetRecording`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetRecordingReply {
    /// The camera.
    pub camera: String,
    /// How its recording goes: it begins with the next picture.
    pub recording: RecordingStats,
}

/// The reply of [`super::ListRecordings`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListRecordingsReply {
    /// The camera.
    pub camera: String,
    /// The days that have recordings, by UTC, the oldest first: `2026-11-26`.
    pub days: Vec<String>,
    /// Those with something of the time that was asked for, the oldest first.
    pub recordings: Vec<Recording>,
}
