//! A camera's sound.

use serde::{Deserialize, Serialize};

use super::values::{SoundBitRate, SoundChannels, SoundDevice};

/// `[camera.NAME.audio]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Audio {
    /// A device of ALSA, or `test`.
    pub device: SoundDevice,
    /// How many channels it has.
    pub channels: SoundChannels,
    /// Bits a second.
    pub bit_rate: SoundBitRate,
}

impl Default for Audio {
    fn default() -> Self {
        Self {
            device: SoundDevice::Alsa("default".into()),
            channels: SoundChannels::Mono,
            bit_rate: SoundBitRate::new(64_000),
        }
    }
}
