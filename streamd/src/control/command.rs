//! What the control plane can ask of the rest. Nothing here waits but [`Target::devices`]: every
//! other method returns within microseconds whatever the video path does, so that `streamctl` is
//! answered when it is stuck.

use std::{pin::Pin, sync::Arc};

use streamd_protocol::{control::Device, stats::Stats, stream::Want};

use crate::{
    config::values::{Fps, Quality},
    media::JpegFrame,
};

/// The rest of the daemon, as the control plane sees it.
pub trait Target: Send + Sync + 'static {
    /// Everything that is counted, now.
    fn stats(&self) -> Stats;

    /// The configuration in force, as TOML.
    fn configuration(&self) -> String;

    /// Changes a camera's quality or rate from the next frame on; all cameras where `camera` is
    /// `None`. Returns the names of the cameras changed.
    fn set_camera(
        &self,
        camera: Option<&str>,
        quality: Option<Quality>,
        fps: Option<Fps>,
    ) -> Result<Vec<String>, Refusal>;

    /// Changes a client's limits.
    fn set_client(&self, id: u64, want: Want) -> Result<(), Refusal>;

    /// Disconnects a client, with the reason it is told.
    fn kick(&self, id: u64, reason: &str) -> Result<(), Refusal>;

    /// Disconnects all clients; returns how many.
    fn kick_all(&self, reason: &str) -> usize;

    /// Reads the configuration file again. `Ok` says what was applied and what needs a restart.
    fn reload(&self) -> Result<Reloaded, Refusal>;

    /// Changes what is logged: a level, or a filter such as `info,streamd::capture=debug`.
    fn set_log_level(&self, filter: &str) -> Result<(), Refusal>;

    /// The V4L2 devices that capture, by path. It opens them, and so may take as long as their
    /// drivers do: it is called on a thread of its own.
    fn devices(&self) -> std::io::Result<Vec<Device>>;

    /// The next frame of a camera in its top rendition (the first camera where `camera` is `None`);
    /// switches the camera on if need be. The future ends with `None` when the daemon stops.
    fn next_picture(&self, camera: Option<&str>) -> Result<NextPicture, Refusal>;
}

/// A picture to come; `None` if the daemon stops first.
pub type NextPicture = Pin<Box<dyn Future<Output = Option<Arc<JpegFrame>>> + Send>>;

/// What a reload did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys applied at once, for instance `camera.main.quality`.
    pub applied: Vec<String>,
    /// Keys that changed in the file but need a restart.
    pub needs_restart: Vec<String>,
}

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No camera of this name.
    #[error("no camera {name:?}: there is {}", known.join(", "))]
    NoCamera {
        /// What was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// No client of this number.
    #[error("no client {0}")]
    NoClient(u64),
    /// A value out of its range.
    #[error("{0}")]
    BadValue(String),
    /// The configuration file can't be used; the old one stays.
    #[error("{0}")]
    BadConfiguration(String),
}
