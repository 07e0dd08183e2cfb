//! `[camera.NAME.record]`: what is kept of a camera's pictures.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    first_directory,
    values::{
        BitRate, Directory, Duration, Every, Keep, PreRoll, RecordCodec, RecordMode, Segment, Space,
    },
};

/// `[camera.NAME.record]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Record {
    /// When pictures are recorded.
    pub mode: RecordMode,
    /// Where recordings are; by default `recordings` in `$STATE_DIRECTORY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// How they are coded.
    pub codec: RecordCodec,
    /// Bits a second of H.264; `auto` is the camera's own `bit-rate`.
    pub bit_rate: BitRate,
    /// How long a file is.
    pub segment: Segment,
    /// Files that are older are removed.
    pub keep: Keep,
    /// Files of the camera take no more than this; the oldest are removed.
    pub keep_bytes: Space,
    /// So much is left free on the disk; the oldest files are removed.
    pub min_free: Space,
    /// What an event's recording has of the time before it.
    pub pre_roll: PreRoll,
    /// Between two pictures of a time lapse; `0s` for none.
    pub timelapse: Every,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            mode: RecordMode::Off,
            directory: None,
            codec: RecordCodec::Auto,
            bit_rate: BitRate::Auto,
            segment: Segment::new(Duration::from_secs(60)),
            keep: Keep::days(7),
            keep_bytes: Space::None,
            min_free: Space::Bytes(1_000_000_000),
            pre_roll: PreRoll::new(Duration::from_secs(5)),
            timelapse: Every::new(Duration::from_secs(0)),
        }
    }
}

impl Record {
    /// Where recordings are: as configured, else by the environment, else
    /// `/var/lib/streamd/recordings`.
    pub fn folder(&self) -> PathBuf {
        let env = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let state = || env("STATE_DIRECTORY").map(first_directory);
        let own = || env("XDG_STATE_HOME").map(|dir| PathBuf::from(dir).join("streamd"));
        let configured = self.directory.as_ref().map(|dir| dir.path().to_owned());
        configured.unwrap_or_else(|| {
            let folder = state().or_else(own);
            folder
                .unwrap_or_else(|| "/var/lib/streamd".into())
                .join("recordings")
        })
    }
}
