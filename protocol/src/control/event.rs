//! What happens in the daemon, as it is told on the control socket and to the hook.

use serde::{Deserialize, Serialize};

/// The longest time between two replies of a [`super::WatchEvents`], in seconds: one without an
/// event says that the daemon is still there.
pub const EVENTS_ALIVE_S: u64 = 30;

/// What kind of thing has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// A camera has no signal.
    CameraLost,
    /// It delivers again.
    CameraBack,
    /// A client has come.
    ClientConnected,
    /// A client has gone, by itself or since it took nothing.
    ClientDisconnected,
    /// A client was disconnected by an administrator.
    ClientKicked,
    /// Something was changed over the control socket.
    Changed,
    /// The configuration was read again.
    Reloaded,
    /// The configuration could not be read again; the old one stays.
    ReloadFailed,
    /// A camera is recorded from now on.
    RecordingStarted,
    /// A camera is not recorded any more.
    RecordingStopped,
    /// A camera should be recorded, and can't be.
    RecordingFailed,
    /// A camera's sound is wanted and can't be had.
    SoundLost,
    /// It is heard again.
    SoundBack,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::CameraLost,
        Self::CameraBack,
        Self::ClientConnected,
        Self::ClientDisconnected,
        Self::ClientKicked,
        Self::Changed,
        Self::Reloaded,
        Self::ReloadFailed,
        Self::RecordingStarted,
        Self::RecordingStopped,
        Self::RecordingFailed,
        Self::SoundLost,
        Self::SoundBack,
    ];

    /// Its name in the configuration and on the command line: `camera-lost`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CameraLost => "camera-lost",
            Self::CameraBack => "camera-back",
            Self::ClientConnected => "client-connected",
            Self::ClientDisconnected => "client-disconnected",
            Self::ClientKicked => "client-kicked",
            Self::Changed => "changed",
            Self::Reloaded => "reloaded",
            Self::ReloadFailed => "reload-failed",
            Self::RecordingStarted => "recording-started",
            Self::RecordingStopped => "recording-stopped",
            Self::RecordingFailed => "recording-failed",
            Self::SoundLost => "sound-lost",
            Self::SoundBack => "sound-back",
        }
    }
}

/// Something that has happened. What a kind has no use for is empty, or 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What kind of thing.
    pub kind: EventKind,
    /// When, seconds since the epoch.
    pub time: f64,
    /// All of it on one line, for people.
    pub text: String,
    /// The cameras it is about: the one that was lost or changed, those that a client watches.
    pub cameras: Vec<String>,
    /// The client's number; 0 for none.
    pub client: i64,
    /// The name that the client gave.
    pub name: String,
    /// The client's address.
    pub peer: String,
    /// Why.
    pub reason: String,
    /// The method by which something was changed.
    pub method: String,
    /// Its parameters, as JSON; cut where they are long.
    pub parameters: String,
    /// The user who changed it over the control socket; -1 else. Over HTTP, `name` and `peer` say who.
    pub uid: i64,
    /// Keys of the configuration that hold from now on.
    pub applied: Vec<String>,
    /// Keys that wait for a restart.
    pub needs_restart: Vec<String>,
}

/// A reply of [`super::WatchEvents`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WatchEventsReply {
    /// What has happened; `None` in the first reply, and where nothing has for [`EVENTS_ALIVE_S`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// Events before this one that were lost, since they were not read in time.
    pub lost: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_word_on_the_wire_with_hyphens() {
        for kind in EventKind::ALL {
            let wire = serde_json::to_value(kind).unwrap();
            let wire = wire.as_str().unwrap();
            let with_hyphens: String = wire
                .chars()
                .flat_map(|c| {
                    let hyphen = c.is_ascii_uppercase().then_some('-');
                    hyphen.into_iter().chain([c.to_ascii_lowercase()])
                })
                .collect();
            assert_eq!(with_hyphens, kind.name());
        }
    }
}
