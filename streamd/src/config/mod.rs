//! The configuration: the TOML tree, its defaults, and what each value may be.
//!
//! [`load`] reads the file; [`Error`] shows every fault of it by line, column and caret, and what is
//! allowed there. [`reloaded`] says what a reload may apply at once. [`schema::KEYS`] is the list of
//! all keys that the check, the reload and the reference share.

mod access;
mod audio;
mod changes;
mod check;
mod error;
mod load;
mod nats;
mod record;
pub mod schema;
#[cfg(test)]
mod tests;
mod text;
pub mod values;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use access::Access;
pub use audio::Audio;
pub use changes::{Change, Changes, reloaded};
pub use error::{EX_CONFIG, Error, Fault};
pub use load::{DEFAULT_PATH, load, parse};
pub use nats::Nats;
pub use record::Record;
pub use text::{CREDENTIAL, check_filter, credential_file as credential, is_user_name};
use values::{
    Address, Arrangement, Bandwidth, BitRate, CameraName, Caption, Chroma, Command, Congestion,
    Controls, Crop, Datagrams, Device, Duration, Encoder, File, Flip, Format, Fps, FrameTimeout,
    GrayRange, Input, Listen, MaxClients, On, PerSecond, Prefer, Quality, Rotate, Rung, Size,
    Standard,
};

/// The whole file. An empty file is a valid one: a camera `main`, found by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Logging.
    pub log: Log,
    /// The control socket.
    pub control: Control,
    /// Who may watch.
    pub access: Access,
    /// The certificate of encrypted listeners.
    pub tls: Tls,
    /// What holds for every client.
    pub clients: Clients,
    /// The page, WebSocket, MJPEG and snapshots.
    pub http: Http,
    /// RTSP.
    pub rtsp: Rtsp,
    /// WebRTC.
    pub webrtc: Webrtc,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// Cameras from host to host.
    pub nats: Nats,
    /// The program that is run when something happens.
    pub hook: Hook,
    /// The cameras, in the order of the file.
    pub camera: IndexMap<CameraName, Camera>,
}

impl Default for Config {
    fn default() -> Self {
        let main = Camera {
            listen: Some(vec![Listen::loopback(DEFAULT_PORT)]),
            ..Camera::default()
        };
        Self {
            log: Log::default(),
            control: Control::default(),
            access: Access::default(),
            tls: Tls::default(),
            clients: Clients::default(),
            http: Http::default(),
            rtsp: Rtsp::default(),
            webrtc: Webrtc::default(),
            metrics: Metrics::default(),
            nats: Nats::default(),
            hook: Hook::default(),
            camera: IndexMap::from([(CameraName::main(), main)]),
        }
    }
}

/// Bytes of memory for a pixel of a picture: two in each of a driver's five buffers or in the test
/// pattern's pictures, planes and the encoded picture (measured: 1.56 GB for 16384x16384).
const BYTES_PER_PIXEL: u64 = 6;

/// Megabytes for one camera that are worth a warning: 8K has 190.
const LARGE: u64 = 256;

/// The port of raw TCP, for the camera that is named first and says nothing else.
const DEFAULT_PORT: u16 = 8002;

impl Config {
    /// Where a camera's raw TCP listens; empty if nowhere, or if there is no such camera.
    pub fn camera_listen(&self, name: &CameraName) -> &[Listen] {
        self.camera
            .get(name)
            .and_then(|camera| camera.listen.as_deref())
            .unwrap_or_default()
    }

    /// What this build can't do of it, for people.
    pub fn lacking(&self) -> Option<String> {
        if !cfg!(feature = "nats") && !self.nats.servers.is_empty() {
            return Some(
                "nats.servers: this streamd was built without NATS (the feature `nats`)".into(),
            );
        }
        if !cfg!(feature = "mdns") && self.http.announce {
            return Some(
                "http.announce: this streamd was built without multicast DNS (the feature `mdns`)"
                    .into(),
            );
        }
        let mut cameras = self.camera.iter();
        let (name, _) = cameras.find(|(_, camera)| camera.audio.is_some())?;
        (!cfg!(feature = "sound")).then(|| {
            format!(
                "camera.{name}.audio: this streamd was built without sound (the feature `sound`)"
            )
        })
    }

    /// What is allowed and yet hardly meant, for people.
    pub fn warnings(&self) -> Vec<String> {
        let large = |(name, camera): (&CameraName, &Camera)| {
            let size = camera.size;
            let megabytes =
                (u64::from(size.width) * u64::from(size.height) * BYTES_PER_PIXEL) >> 20;
            (megabytes > LARGE).then(|| {
                format!(
                    "camera.{name}.size: {size} may take {megabytes} MB of memory for its buffers and pictures"
                )
            })
        };
        let large = self.camera.iter().filter_map(large);
        let proxies = self.unserved_proxies().chain(self.unproven_proxies());
        large.chain(proxies).chain(self.open_servers()).collect()
    }

    /// Servers of NATS on the network to which pictures and credentials go as anybody can read them.
    fn open_servers(&self) -> impl Iterator<Item = String> {
        let open = |server: &&values::Server| !server.tls && !server.is_local();
        self.nats.servers.iter().filter(open).map(|server| {
            format!("nats.servers: {server}: what goes there is not encrypted; tls:// is")
        })
    }

    /// The control socket in force: as configured, else by the environment, else `/run/streamd/control`.
    pub fn control_socket(&self) -> PathBuf {
        let env = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        self.control.socket.clone().unwrap_or_else(|| {
            default_control_socket(env("RUNTIME_DIRECTORY"), env("XDG_RUNTIME_DIR"))
        })
    }

    /// Gives the camera that was named first in the file its listener, and all others none, where
    /// they say nothing: afterwards every camera's `listen` is set.
    fn resolve_listeners(&mut self, first: &str) {
        for (name, camera) in &mut self.camera {
            camera.listen.get_or_insert_with(|| {
                if name.as_str() == first {
                    vec![Listen::loopback(DEFAULT_PORT)]
                } else {
                    Vec::new()
                }
            });
        }
    }
}

/// `$RUNTIME_DIRECTORY/control` (systemd may list several directories: the first), else
/// `$XDG_RUNTIME_DIR/streamd/control`.
fn default_control_socket(runtime: Option<OsString>, xdg: Option<OsString>) -> PathBuf {
    runtime
        .map(first_directory)
        .or_else(|| xdg.map(|dir| PathBuf::from(dir).join("streamd")))
        .unwrap_or_else(|| "/run/streamd".into())
        .join("control")
}

/// The first directory of a list as systemd writes it.
fn first_directory(directories: OsString) -> PathBuf {
    let bytes = directories.as_bytes();
    let end = bytes.iter().position(|b| *b == b':').unwrap_or(bytes.len());
    PathBuf::from(OsStr::from_bytes(&bytes[..end]))
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,streamd::capture=debug`.
    #[serde(deserialize_with = "text::level")]
    pub level: String,
    /// Between two reports of the active connections; `0s` for none.
    pub report_interval: Duration,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".into(),
            report_interval: Duration::from_secs(10),
        }
    }
}

/// `[control]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Control {
    /// The Unix socket; by default `control` in `$RUNTIME_DIRECTORY`, else in `$XDG_RUNTIME_DIR/streamd`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::socket"
    )]
    pub socket: Option<PathBuf>,
    /// A group whose members may read and not change anything, whatever else they are in.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::group"
    )]
    pub read_only_group: Option<String>,
}

/// `[tls]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Tls {
    /// The certificate and those it was issued by, as PEM: a file, or `credential:NAME`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::credential"
    )]
    pub certificate: Option<PathBuf>,
    /// Its private key, as PEM: a file, or `credential:NAME`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::credential"
    )]
    pub key: Option<PathBuf>,
    /// Who must have issued the certificate that a client then has to show; else clients show none.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::credential"
    )]
    pub client_ca: Option<PathBuf>,
}

/// `[clients]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Clients {
    /// A client that has taken no byte for so long is dropped.
    pub client_timeout: Duration,
    /// Connections of one address; an IPv6 /64 is one, and this machine's own are not counted.
    pub max_per_address: MaxClients,
    /// TLS handshakes of one address in a second.
    pub max_handshakes_per_address: PerSecond,
    /// The same of all together.
    pub max_handshakes: PerSecond,
    /// Calls of the HTTP API of one address in a second.
    pub max_calls_per_address: PerSecond,
    /// The same of all together.
    pub max_calls: PerSecond,
    /// What one client is sent in a second.
    pub max_bandwidth_per_client: Bandwidth,
    /// What all are sent together, in shares that are fair.
    pub max_bandwidth: Bandwidth,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            client_timeout: Duration::from_secs(10),
            max_per_address: MaxClients::new(64),
            max_handshakes_per_address: PerSecond::new(20),
            max_handshakes: PerSecond::new(500),
            max_calls_per_address: PerSecond::new(20),
            max_calls: PerSecond::new(200),
            max_bandwidth_per_client: Bandwidth::None,
            max_bandwidth: Bandwidth::None,
        }
    }
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Http {
    /// Addresses or `unix:/path`; an empty list for no HTTP.
    #[serde(deserialize_with = "text::listen")]
    pub listen: Vec<Listen>,
    /// Whether those on the network are encrypted, by the certificate of `[tls]`.
    pub tls: bool,
    /// Origins, besides the page's own, whose scripts may open a WebSocket: `https://panel.example`, or `*`.
    #[serde(deserialize_with = "text::origins")]
    pub allowed_origins: Vec<String>,
    /// Names, besides the machine's own, by which the server may be addressed: `cam.example`, or `*`.
    #[serde(deserialize_with = "text::hosts")]
    pub allowed_hosts: Vec<String>,
    /// Origins, besides the page's own, whose pages may show the page as a part of theirs.
    #[serde(deserialize_with = "text::origins")]
    pub frame_ancestors: Vec<String>,
    /// Whether those on the network are announced there, by multicast DNS.
    pub announce: bool,
    /// Whether each connection begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Congestion control of the connections.
    pub congestion: Congestion,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: vec![Listen::loopback(8080)],
            tls: false,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            frame_ancestors: Vec::new(),
            announce: false,
            proxy_protocol: false,
            congestion: Congestion::System,
        }
    }
}

/// `[rtsp]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rtsp {
    /// Addresses of the RTSP listener; none by default.
    #[serde(deserialize_with = "text::listen")]
    pub listen: Vec<Listen>,
    /// Whether those on the network are encrypted, by the certificate of `[tls]`.
    pub tls: bool,
}

/// `[webrtc]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Webrtc {
    /// Address of the port of datagrams; none by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<Datagrams>,
    /// Where others find this machine, behind a router that hands the port on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_address: Option<Address>,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Metrics {
    /// Addresses of the Prometheus listener; none by default.
    #[serde(deserialize_with = "text::listen")]
    pub listen: Vec<Listen>,
    /// Whether those on the network are encrypted, by the certificate of `[tls]`.
    pub tls: bool,
}

/// `[hook]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Hook {
    /// The program and what it is given; empty for none.
    pub command: Command,
    /// The events for which it is run.
    pub events: Vec<On>,
    /// It is ended when it takes longer.
    pub timeout: Duration,
}

impl Default for Hook {
    fn default() -> Self {
        Self {
            command: Command::default(),
            events: On::all(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// `[camera.NAME]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Camera {
    /// A path, `auto` (first camera, else the test pattern), or `test`.
    pub device: Device,
    /// Width and height asked of the driver.
    pub size: Size,
    /// The input that is selected, of a device that has several; else it stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Input>,
    /// The television standard that is set; else it stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard: Option<Standard>,
    /// The EDID that is offered to sources at an HDMI input; else it stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edid: Option<File>,
    /// Pixel format asked of the driver.
    pub format: Format,
    /// Which values of grey with more than 8 bits are black and white.
    pub gray_range: GrayRange,
    /// Frames a second.
    pub fps: Fps,
    /// The camera is lost when no frame has come for so long; `0s` for never.
    pub frame_timeout: FrameTimeout,
    /// JPEG quality of the top rendition.
    pub quality: Quality,
    /// Whether the pictures of a camera that delivers JPEG go out as they are; else they are
    /// encoded again at `quality`.
    pub passthrough: bool,
    /// Chroma subsampling of the pictures.
    pub chroma: Chroma,
    /// Bits a second of its H.264, for who watches that.
    pub bit_rate: BitRate,
    /// What encodes its H.264.
    pub encoder: Encoder,
    /// The part of the camera's picture that is used.
    pub crop: Crop,
    /// By how much it is turned clockwise.
    pub rotate: Rotate,
    /// Along what it is mirrored after that.
    pub flip: Flip,
    /// A line of text in the picture.
    pub text: Caption,
    /// Raw TCP; an empty list for none. Always set after [`load`]: 127.0.0.1:8002 for the camera that
    /// is named first, none for the others. See [`Config::camera_listen`].
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::some_listen"
    )]
    pub listen: Option<Vec<Listen>>,
    /// Whether those on the network are encrypted, by the certificate of `[tls]`.
    pub tls: bool,
    /// Whether each connection there begins with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Clients at most, over all transports.
    pub max_clients: MaxClients,
    /// The camera is switched off when nobody has watched for so long; `0s` for never.
    pub idle_after: Duration,
    /// Whether slow links get smaller pictures.
    pub adapt: bool,
    /// What such a link keeps for as long as it can.
    pub prefer: Prefer,
    /// The renditions below the camera's own quality, best first.
    pub ladder: Vec<Rung>,
    /// Congestion control of the raw TCP connections.
    pub congestion: Congestion,
    /// What the camera's own controls are set to when it is opened, by the driver's names.
    #[serde(skip_serializing_if = "Controls::is_empty")]
    pub controls: Controls,
    /// What is kept of its pictures.
    pub record: Record,
    /// Its sound; none where there is no such table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
}

impl Camera {
    /// How its pictures are cut and turned.
    pub const fn arrangement(&self) -> Arrangement {
        Arrangement {
            crop: self.crop,
            rotate: self.rotate,
            flip: self.flip,
        }
    }
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            device: Device::Auto,
            size: Size::new(640, 480),
            input: None,
            standard: None,
            edid: None,
            format: Format::Auto,
            gray_range: GrayRange::Auto,
            fps: Fps::new(30.0),
            frame_timeout: FrameTimeout::Auto,
            quality: Quality::new(80),
            passthrough: true,
            chroma: Chroma::Yuv420,
            bit_rate: BitRate::Auto,
            encoder: Encoder::Openh264,
            crop: Crop::default(),
            rotate: Rotate::None,
            flip: Flip::None,
            text: Caption::default(),
            listen: None,
            tls: false,
            proxy_protocol: false,
            max_clients: MaxClients::new(100),
            idle_after: Duration::from_secs(10),
            adapt: true,
            prefer: Prefer::Motion,
            ladder: Rung::default_ladder(),
            congestion: Congestion::System,
            controls: Controls::default(),
            record: Record::default(),
            audio: None,
        }
    }
}
