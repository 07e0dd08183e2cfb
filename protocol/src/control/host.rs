//! Other machines that share their cameras on NATS, as calls have them.

use serde::{Deserialize, Serialize};

use crate::stats::CameraState;

/// The reply of [`ListHosts`](super::ListHosts).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListHostsReply {
    /// By their names.
    pub hosts: Vec<Host>,
}

/// A machine that has, or had, cameras for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Whether it is heard of: it says every 2 s that it is there.
    pub heard: bool,
    /// Seconds for which it has been heard of without a break; where it is not, since it was heard last.
    pub seconds: f64,
    /// What it publishes.
    pub cameras: Vec<HostCamera>,
}

/// A camera of another machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostCamera {
    /// Its name there.
    pub name: String,
    /// What it does, by what was heard last; nothing where its machine does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CameraState>,
    /// The camera of this daemon that takes it; empty where none does.
    pub taken_as: String,
}
