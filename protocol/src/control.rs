//! The control socket: methods, replies and errors of the interface `io.streamd.Control`.
//!
//! On the wire it is Varlink: one JSON object and one NUL a message, over a Unix socket. The
//! interface is described by [`DESCRIPTION`], which the daemon also serves.

mod access;
mod camera;
mod error;
mod event;
mod host;
mod recording;

use std::path::PathBuf;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

pub use self::{
    access::{
        AuditEntry, ListAuditReply, ListTokensReply, RevokeTokenReply, TokenInfo, TokenReply,
    },
    camera::{
        Control, ControlEntry, ControlKind, ControlSetting, ListControlsReply, SetControlsReply,
    },
    error::{Error, NoSuchCamera},
    event::{EVENTS_ALIVE_S, Event, EventKind, WatchEventsReply},
    host::{Host, HostCamera, ListHostsReply},
    recording::{ListRecordingsReply, Recording, SetRecordingReply},
};
use crate::stats::{ClientStats, Stats};

/// The interface's name.
pub const INTERFACE: &str = "io.streamd.Control";

/// The interface's description, in Varlink's language.
pub const DESCRIPTION: &str = include_str!("io.streamd.Control.varlink");

/// The name of the interface that every Varlink service has.
pub const SERVICE_INTERFACE: &str = "org.varlink.service";

/// The description of [`SERVICE_INTERFACE`].
pub const SERVICE_DESCRIPTION: &str = include_str!("org.varlink.service.varlink");

/// The longest call the daemon takes, in bytes: calls are small, and a caller must not make the
/// daemon hold megabytes.
pub const MAX_CALL_BYTES: usize = 64 * 1024;

/// The longest reply a client should take, in bytes: above a picture of any camera in base64.
pub const MAX_REPLY_BYTES: usize = 256 * 1024 * 1024;

/// The shortest and longest time between two replies of a streaming [`GetStats`], in ms.
pub const INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=60_000;

/// The longest reason for a kick, in characters.
pub const MAX_REASON: usize = 200;

/// Where the daemon's socket is: the system's, then the user's own.
pub fn default_socket_paths() -> Vec<PathBuf> {
    let user = std::env::var_os("XDG_RUNTIME_DIR")
        .map(|dir| PathBuf::from(dir).join("streamd/control"))
        .filter(|path| path.is_absolute());
    [Some(PathBuf::from("/run/streamd/control")), user]
        .into_iter()
        .flatten()
        .collect()
}

/// A call, as it is on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Interface and method: `io.streamd.Control.GetStats`.
    pub method: String,
    /// The method's parameters, an object.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub parameters: Value,
    /// The caller wants no reply, not even an error.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oneway: bool,
    /// The caller takes many replies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The caller wants to leave Varlink after the reply. Always refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub upgrade: bool,
}

/// A reply, as it is on the wire.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The reply's or the error's parameters, an object.
    #[serde(default)]
    pub parameters: Value,
    /// The error's full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// More replies follow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// A method: its parameters are the implementing type's fields.
pub trait Method: Serialize {
    /// The full name, with the interface.
    const NAME: &'static str;
    /// What it returns.
    type Reply: DeserializeOwned;
}

/// Defines a method's parameters (all optional ones left out where `None`) and its reply.
macro_rules! methods {
    ($(
        $(#[$doc:meta])*
        $name:ident ($($(#[$pdoc:meta])* $parameter:ident: $ptype:ty,)*) -> $reply:ident;
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            pub struct $name {
                $($(#[$pdoc])* pub $parameter: $ptype,)*
            }

            impl Method for $name {
                const NAME: &'static str = concat!("io.streamd.Control.", stringify!($name));
                type Reply = $reply;
            }
        )*

        /// The full names of all methods.
        pub const METHODS: &[&str] = &[$(<$name as Method>::NAME),*];
    };
}

methods! {
    /// Everything that is counted; as a stream, every `interval_ms`.
    GetStats(
        /// Between two replies of a stream, within [`INTERVAL_MS`]; 1000 by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interval_ms: Option<i64>,
    ) -> GetStatsReply;

    /// The clients that are connected.
    ListClients() -> ListClientsReply;

    /// Disconnects one client or all: exactly one of `id` and `all`.
    KickClient(
        /// The client's number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<i64>,
        /// True for all clients.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        all: Option<bool>,
        /// Told to the client and logged, up to [`MAX_REASON`] characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    ) -> KickClientReply;

    /// Changes a camera from the next frame on; at least one of the settings.
    SetCamera(
        /// Its name; all cameras where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
        /// JPEG quality, 1–100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quality: Option<i64>,
        /// Frames a second, 0.1–1000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fps: Option<f64>,
        /// By how many degrees pictures are turned clockwise: 0, 90, 180 or 270.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rotate: Option<i64>,
        /// How they are mirrored after that: `none`, `horizontal`, `vertical` or `both`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flip: Option<String>,
    ) -> SetCameraReply;

    /// Changes a client's limits; 0 lifts a limit, `None` leaves it.
    SetClient(
        /// The client's number.
        id: i64,
        /// Frames a second at most, 0.1–1000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fps: Option<f64>,
        /// JPEG quality at most, 1–100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quality: Option<i64>,
        /// Width at most, 16–16384 pixels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_width: Option<i64>,
    ) -> Empty;

    /// The configuration in force.
    GetConfiguration() -> GetConfigurationReply;

    /// Reads the configuration file again.
    Reload() -> ReloadReply;

    /// The V4L2 devices of the daemon's machine.
    ListDevices() -> ListDevicesReply;

    /// A camera's own controls, as its driver has them now.
    ListControls(
        /// Its name; the first camera where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
    ) -> ListControlsReply;

    /// Sets controls of a camera: now, and at each opening until the next reload.
    SetControls(
        /// Its name; the first camera where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
        /// What is to be set; one at least.
        controls: Vec<ControlSetting>,
    ) -> SetControlsReply;

    /// Changes what is logged.
    SetLogLevel(
        /// A level, or a filter such as `info,streamd::capture=debug`.
        filter: String,
    ) -> Empty;

    /// Makes a token. For root and the daemon's own user, as all that concerns tokens.
    AddToken(
        /// Its name, once among all: up to 64 letters, digits, `-`, `_`, `.` or `@`.
        name: String,
        /// `viewer`, `operator` or `metrics`; `viewer` where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The one camera that it is for; any where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
        /// It is good for so long; for ever where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_seconds: Option<i64>,
    ) -> TokenReply;

    /// Makes a new secret for a token; the old one is good for another hour.
    RotateToken(
        /// Its name.
        name: String,
    ) -> TokenReply;

    /// Takes a token away, and disconnects who came with it.
    RevokeToken(
        /// Its name.
        name: String,
    ) -> RevokeTokenReply;

    /// The tokens, without their secrets, which nobody keeps.
    ListTokens() -> ListTokensReply;

    /// Who came in with a token, who was refused, who changed what and who was disconnected. For root
    /// and the daemon's own user.
    ListAudit(
        /// So many entries at most, 1 or more; 50 where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<i64>,
    ) -> ListAuditReply;

    /// The machines that are heard of on NATS, with their cameras.
    ListHosts() -> ListHostsReply;

    /// What happens, as it happens: as a stream only.
    WatchEvents() -> WatchEventsReply;

    /// Records a camera from now on, or no more, until it is said again.
    SetRecording(
        /// Its name; the first camera where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
        /// Whether it is recorded.
        record: bool,
        /// It is recorded for so long, 0.1–86400; without an end where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    ) -> SetRecordingReply;

    /// A camera's recordings that have something of a time.
    ListRecordings(
        /// Its name; the first camera where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
        /// From when on, seconds since the epoch; a day before `to` where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<f64>,
        /// Until when; now where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<f64>,
    ) -> ListRecordingsReply;

    /// The next frame of a camera.
    GetPicture(
        /// Its name; the first camera where `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        camera: Option<String>,
    ) -> GetPictureReply;
}

/// Who the daemon is: `GetInfo` of the interface every Varlink service has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetInfo {}

impl Method for GetInfo {
    const NAME: &'static str = "org.varlink.service.GetInfo";
    type Reply = GetInfoReply;
}

/// The reply of [`GetInfo`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GetInfoReply {
    /// Who made it.
    pub vendor: String,
    /// `streamd`.
    pub product: String,
    /// The daemon's version.
    pub version: String,
    /// Where it comes from.
    pub url: String,
    /// The names of its interfaces.
    pub interfaces: Vec<String>,
}

/// The text of an interface: `GetInterfaceDescription` of the interface every Varlink service has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetInterfaceDescription {
    /// The interface's name.
    pub interface: String,
}

impl Method for GetInterfaceDescription {
    const NAME: &'static str = "org.varlink.service.GetInterfaceDescription";
    type Reply = GetInterfaceDescriptionReply;
}

/// The reply of [`GetInterfaceDescription`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GetInterfaceDescriptionReply {
    /// The description, in Varlink's language.
    pub description: String,
}

/// The reply of a method that returns nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Empty {}

/// The reply of [`GetStats`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetStatsReply {
    /// The whole state.
    pub stats: Stats,
}

/// The reply of [`ListClients`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListClientsReply {
    /// Oldest first.
    pub clients: Vec<ClientStats>,
}

/// The reply of [`KickClient`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KickClientReply {
    /// How many were disconnected.
    pub kicked: i64,
}

/// The reply of [`SetCamera`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetCameraReply {
    /// The cameras that were changed.
    pub cameras: Vec<String>,
}

/// The reply of [`GetConfiguration`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GetConfigurationReply {
    /// The configuration, as TOML.
    pub toml: String,
    /// Where it was read from; the file may be missing.
    #[serde(default)]
    pub file: String,
}

/// The reply of [`Reload`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReloadReply {
    /// Keys that hold from now on, for instance `camera.main.quality`.
    pub applied: Vec<String>,
    /// Keys that changed in the file but wait for a restart.
    pub needs_restart: Vec<String>,
}

/// The reply of [`ListDevices`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListDevicesReply {
    /// By path.
    pub devices: Vec<Device>,
}

/// A V4L2 device that can capture.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its node, for instance `/dev/video0`.
    pub path: String,
    /// The driver's name of the device.
    pub card: String,
    /// The driver, for instance `uvcvideo`.
    pub driver: String,
    /// Where it is plugged in, for instance `usb-0000:00:14.0-1`.
    pub bus: String,
    /// Names that stay the same over a re-plug or a restart.
    pub links: Vec<String>,
    /// What it offers that streamd can use.
    pub formats: Vec<DeviceFormat>,
    /// The camera of the configuration that has it open; empty for none.
    pub camera: String,
    /// Why it could not be asked, with what to do; empty if it could.
    pub error: String,
}

/// A pixel format that a device offers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceFormat {
    /// Its four-character code, for instance `YUYV`.
    pub fourcc: String,
    /// The driver's name of it.
    pub description: String,
    /// Its sizes; of a range, its ends.
    pub sizes: Vec<DeviceSize>,
}

/// A size of a format.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceSize {
    /// Pixels.
    pub width: i64,
    /// Pixels.
    pub height: i64,
    /// Frames a second, the fastest first; of a range, its ends; empty if the driver does not say.
    pub fps: Vec<f64>,
}

/// Where a picture comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// A camera.
    Camera,
    /// The built-in test pattern.
    TestPattern,
    /// The "no signal" picture that stands in for a lost camera.
    Blank,
}

/// The reply of [`GetPicture`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetPictureReply {
    /// The camera's name.
    pub camera: String,
    /// The JPEG file; base64 on the wire.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    pub jpeg: Vec<u8>,
    /// The frame's number at the camera.
    pub sequence: i64,
    /// When the camera had it, µs since the epoch.
    pub captured_us: i64,
    /// Pixels.
    pub width: i64,
    /// Pixels.
    pub height: i64,
    /// Where it comes from.
    pub origin: Origin,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64_STANDARD
        .decode(text)
        .map_err(serde::de::Error::custom)
}
