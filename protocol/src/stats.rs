//! What streamd counts: the one snapshot that `GetStats`, the page, `/state`, metrics and the log read.
//!
//! Times are in the unit their name says; rates are bits or frames a second; "average" is over
//! the connection's (or the daemon's) whole life, "current" over the last few seconds.

use serde::{Deserialize, Serialize};

use crate::{limits::Limits, stream::Codec};

/// The whole state of the daemon at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: i64,
    /// Seconds since it started.
    pub uptime_seconds: f64,
    /// The line systemd shows: `2 cameras, 5 clients, 30.0 fps`.
    pub status: String,
    /// False when a part of the video path has stopped moving, which `stuck` names, or a camera has
    /// no signal.
    pub healthy: bool,
    /// The parts whose heartbeat is overdue, for instance `capture-main`.
    pub stuck: Vec<String>,
    /// One per camera, in the configuration's order.
    pub cameras: Vec<CameraStats>,
    /// One per connected client, oldest first.
    pub clients: Vec<ClientStats>,
    /// The connection to NATS; nothing where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats: Option<NatsStats>,
    /// Clients that were refused because `max-clients` was reached.
    pub refused: i64,
    /// Clients that were dropped because they broke the protocol or took nothing for `client-timeout`.
    pub dropped_clients: i64,
}

/// The connection to NATS, by which cameras go from host to host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NatsStats {
    /// The servers of the configuration.
    pub servers: String,
    /// True while there is a connection.
    pub connected: bool,
    /// Why there is none, or what is refused; else empty.
    pub reason: String,
    /// Messages on our subjects that are none of ours, and were dropped.
    pub foreign: i64,
    /// Pictures that came too late to be shown, and were dropped.
    pub stale: i64,
    /// Pictures that were not published, being larger than the server takes (`max_payload`).
    pub too_large: i64,
}

/// What a camera is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CameraState {
    /// Being opened for the first time.
    Starting,
    /// Delivering frames.
    Streaming,
    /// Switched off: nobody watches.
    Idle,
    /// Absent, unplugged or unusable; `reason` says which. It is taken back when it returns.
    Lost,
}

/// One camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CameraStats {
    /// Its name in the configuration.
    pub name: String,
    /// `device` of the configuration.
    pub device: String,
    /// The node that was opened, or `test` for the test pattern; empty while lost.
    pub path: String,
    /// The driver's name of the device.
    pub card: String,
    /// What it is doing.
    pub state: CameraState,
    /// Why, where the state needs one; else empty.
    pub reason: String,
    /// What was asked of the driver, for people: `640x480 30 fps auto`.
    pub requested: String,
    /// The driver's pixel format, for instance `YUYV`; empty while lost.
    pub format: String,
    /// Pixels.
    pub width: i64,
    /// Pixels.
    pub height: i64,
    /// The rate that frames are paced to.
    pub desired_fps: f64,
    /// The rate the driver granted; 0 if it does not say.
    pub driver_fps: f64,
    /// The rate of the last few seconds.
    pub fps: f64,
    /// JPEG quality of the top rendition, 1–100.
    pub quality: i64,
    /// By how many degrees pictures are turned clockwise: 0, 90, 180 or 270.
    pub rotate: i64,
    /// How they are mirrored after that: `none`, `horizontal`, `vertical` or `both`.
    pub flip: String,
    /// Frames taken from the driver, after pacing.
    pub captured: i64,
    /// Frames the driver lost, by gaps in its sequence numbers: a hint.
    pub driver_lost: i64,
    /// Frames that arrived broken and were dropped.
    pub corrupt: i64,
    /// Times the device was lost.
    pub losses: i64,
    /// Times an encoder in hardware failed, and openh264 went on.
    #[serde(default)]
    pub encoder_faults: i64,
    /// Pictures encoded, all renditions together.
    pub encoded: i64,
    /// Average time to encode a picture of the top rendition, ms.
    pub encode_average_ms: f64,
    /// Clients connected to this camera.
    pub clients: i64,
    /// The renditions that clients get now.
    pub renditions: Vec<RenditionStats>,
    /// What is recorded of it; nothing where this daemon can't record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingStats>,
    /// Its sound, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<SoundStats>,
}

/// How the recording of a camera goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RecordingState {
    /// Nothing is to be recorded.
    Off,
    /// Nothing is recorded, and pictures are kept in memory for an event that may come.
    Armed,
    /// It is to be recorded, and the camera delivers no picture.
    Waiting,
    /// It is recorded.
    Recording,
    /// It should be recorded, and can't be; `reason` says why. It is tried again.
    Failed,
}

impl RecordingState {
    /// Its word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Armed => "armed",
            Self::Waiting => "waiting",
            Self::Recording => "recording",
            Self::Failed => "failed",
        }
    }
}

/// What is recorded of a camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordingStats {
    /// `mode` of the configuration: `continuous`, `event` or `off`.
    pub mode: String,
    /// How it goes.
    pub state: RecordingState,
    /// Why, where it has failed; else empty.
    pub reason: String,
    /// The file that is written now; else empty.
    pub file: String,
    /// Since when it is recorded without an end, seconds since the epoch; 0 where it is not.
    pub since: f64,
    /// Where the camera's recordings are.
    pub directory: String,
    /// Pictures recorded since the daemon started.
    pub frames: i64,
    /// Bytes recorded since then.
    pub bytes: i64,
    /// Pictures that should have been recorded and were not.
    pub lost: i64,
    /// Recordings removed, since they were too old or too many.
    pub removed: i64,
    /// Bytes free on their disk; -1 where that is not known.
    pub free_bytes: i64,
}

/// The sound of a camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SoundStats {
    /// `device` of the configuration.
    pub device: String,
    /// What the system calls the device, `test tone` for the test tone; empty while it is not open.
    pub card: String,
    /// What it is doing; idle while nobody listens.
    pub state: CameraState,
    /// Why, where the state needs one; else empty.
    pub reason: String,
    /// How many channels it has.
    pub channels: i64,
    /// Bits a second.
    pub bit_rate: i64,
    /// How many listen.
    pub listeners: i64,
    /// How loud it is on average, in dB below the loudest that can be (dBFS), from -100 to 0; none
    /// while it is not heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_db: Option<f64>,
    /// The same of its peaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_db: Option<f64>,
    /// Packets made.
    pub packets: i64,
    /// Packets that a listener did not get in time.
    pub dropped: i64,
    /// Times that the device had more than was taken of it in time.
    pub overruns: i64,
    /// Times the device was lost.
    pub losses: i64,
}

/// One quality and size in which a camera's frames are encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RenditionStats {
    /// How it is coded.
    #[serde(default)]
    pub codec: Codec,
    /// JPEG quality, 1–100; 0 for H.264.
    pub quality: i64,
    /// Bits a second that the encoder keeps to, of H.264; 0 for JPEG.
    #[serde(default)]
    pub bit_rate: i64,
    /// Pixels.
    pub width: i64,
    /// Pixels.
    pub height: i64,
    /// Clients that get it.
    pub clients: i64,
    /// Pictures encoded.
    pub encoded: i64,
    /// Recent average size of a picture, bytes.
    pub average_bytes: i64,
    /// What makes it, of H.264: `openh264`, `m2m:/dev/video11`, or `camera` where the camera does;
    /// empty for JPEG.
    #[serde(default)]
    pub encoder: String,
    /// Why that is not the `encoder` of the configuration; empty where it is.
    #[serde(default)]
    pub encoder_reason: String,
}

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Raw TCP, `[u64][JPEG]`.
    Tcp,
    /// WebSocket.
    Websocket,
    /// HTTP multipart (MJPEG).
    Mjpeg,
    /// HTTP, H.264 as it is.
    H264,
    /// RTSP, in blocks of the connection or in datagrams.
    Rtsp,
    /// WebRTC, by WHEP.
    Webrtc,
    /// NATS: other machines that take the camera over.
    Nats,
}

/// One connected client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClientStats {
    /// Its number; never used again while the daemon runs.
    pub id: i64,
    /// The name it gave, or empty.
    pub name: String,
    /// Who it is by the token that it came with, or by a proxy's word; empty for who shows nothing.
    pub login: String,
    /// Its address, `host:port`, or `unix`.
    pub peer: String,
    /// How it is connected.
    pub transport: Transport,
    /// When it connected, seconds since the epoch.
    pub connected_since: f64,
    /// For how long, seconds.
    pub connected_seconds: f64,
    /// Round trip time, ms; 0 where the transport has none.
    pub rtt_ms: f64,
    /// What the link carries, bits a second; 0 while unknown.
    pub link_rate: f64,
    /// Bytes sent and not yet acknowledged.
    pub backlog_bytes: i64,
    /// Messages from it that could not be understood.
    pub errors: i64,
    /// True while it asked for a pause.
    pub paused: bool,
    /// The limits it asked for itself.
    pub own: LimitStats,
    /// The limits that were set for it; where both limit something, the smaller holds.
    pub set: LimitStats,
    /// What it gets, one per camera that it watches; at least one.
    pub feeds: Vec<FeedStats>,
}

impl ClientStats {
    /// What it gets of a camera.
    pub fn feed(&self, camera: &str) -> Option<&FeedStats> {
        self.feeds.iter().find(|feed| feed.camera == camera)
    }

    /// Frames sent, of all cameras together.
    pub fn frames(&self) -> i64 {
        self.feeds.iter().map(|feed| feed.frames).sum()
    }

    /// Bytes sent, of all cameras together.
    pub fn bytes(&self) -> i64 {
        self.feeds.iter().map(|feed| feed.bytes).sum()
    }

    /// Frames that it did not get, of all cameras together.
    pub fn dropped(&self) -> i64 {
        self.feeds.iter().map(|feed| feed.dropped.total).sum()
    }
}

/// One camera's pictures on their way to one client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FeedStats {
    /// The camera.
    pub camera: String,
    /// Frames sent.
    pub frames: i64,
    /// Bytes sent, headers included.
    pub bytes: i64,
    /// Frames a second since it watches this camera.
    pub average_fps: f64,
    /// Frames a second over the last few seconds.
    pub fps: f64,
    /// Latency from capture to delivery.
    pub latency: LatencyStats,
    /// Frames it did not get, by reason.
    pub dropped: DroppedStats,
    /// How its pictures are coded.
    #[serde(default)]
    pub codec: Codec,
    /// JPEG quality it gets, 1–100; 0 for H.264.
    pub quality: i64,
    /// Bits a second at most that it gets, of H.264; 0 for JPEG.
    #[serde(default)]
    pub bit_rate: i64,
    /// Width it gets, pixels.
    pub width: i64,
    /// Height it gets, pixels.
    pub height: i64,
    /// Why it gets this quality and size, for people: `top`, `link 7.8 Mb/s`, `limit`, `max-bandwidth 4.0 Mb/s`.
    pub reason: String,
    /// Changes of rendition since it watches this camera.
    pub rendition_changes: i64,
}

/// A client's limits; 0 is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LimitStats {
    /// Frames a second at most.
    pub fps: f64,
    /// JPEG quality at most, 1–100.
    pub quality: i64,
    /// Width at most, pixels.
    pub width: i64,
}

impl From<Limits> for LimitStats {
    fn from(limits: Limits) -> Self {
        Self {
            fps: limits.fps.unwrap_or(0.0),
            quality: limits.quality.unwrap_or(0).into(),
            width: limits.max_width.unwrap_or(0).into(),
        }
    }
}

/// Latency from capture to the moment the client's kernel, or the client itself by receipt, had
/// the frame's last byte. Milliseconds; 0 while nothing was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LatencyStats {
    /// Over the whole connection.
    pub average_ms: f64,
    /// Median of the last few hundred measured frames.
    pub p50_ms: f64,
    /// 95th percentile of the same.
    pub p95_ms: f64,
    /// Frames that were measured.
    pub measured: i64,
}

/// Frames a client did not get.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DroppedStats {
    /// All together.
    pub total: i64,
    /// Older bytes were still on their way.
    pub slow_link: i64,
    /// The client itself did not read (its receive window was closed).
    pub slow_reader: i64,
    /// The daemon itself was too busy to encode or send it.
    pub server_busy: i64,
    /// Over its limit of frames a second. These are wanted, and not part of `total`.
    pub frame_rate: i64,
}
