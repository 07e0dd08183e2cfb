//! Every key of the file: what it may be, and whether a reload applies it.

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{
    text::{
        CredentialPath, FilePath, GroupName, HeaderName, HostName, Level, Origin, SocketPath,
        UserName,
    },
    values::{
        Address, Anonymous, Bandwidth, BitRate, CameraName, Caption, Chroma, Command, Congestion,
        ControlValue, Crop, Datagrams, Device, Directory, Duration, Encoder, Every, File, Flip,
        Format, Fps, FrameTimeout, GrayRange, Input, Keep, Listen, Machine, MaxClients, On,
        PerSecond, PreRoll, Prefer, Proxy, ProxyHeader, Quality, RecordCodec, RecordMode, Rotate,
        Rung, Segment, Server, Size, SoundBitRate, SoundChannels, SoundDevice, Space, Standard,
        UserRole, Value,
    },
};

/// The tables of the file. `camera` holds one table a camera, by name.
pub const TABLES: [&str; 12] = [
    "log", "control", "access", "tls", "clients", "http", "rtsp", "webrtc", "metrics", "nats",
    "hook", CAMERA,
];

/// The table of the cameras.
pub const CAMERA: &str = "camera";

/// The tables within a camera's table, by the name that the schema has for them.
pub const WITHIN_CAMERA: [&str; 1] = [RECORD];

/// What is recorded of a camera.
pub const RECORD: &str = "camera.record";
/// The table within that of a camera for its sound.
pub const AUDIO: &str = "camera.NAME.audio";

/// One key.
#[derive(Debug)]
pub struct Key {
    /// The table it stands in, one of [`TABLES`], [`WITHIN_CAMERA`] or [`AUDIO`].
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// When a change of it takes effect.
    pub reload: Reload,
    shape: Shape,
    reads: fn(Spanned<DeValue<'_>>) -> bool,
    words: fn() -> String,
}

/// When a change of a key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// At a reload; clients stay connected.
    Live,
    /// At the next start.
    Restart,
}

/// How many values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    List,
    OneOrList,
    /// Names that are free, each with a value.
    Table,
    /// A table with keys of its own, which are checked one by one.
    Section,
}

impl Key {
    /// The key of this name in this table.
    pub fn find(table: &str, name: &str) -> Option<&'static Self> {
        Self::of(table).find(|key| key.name == name)
    }

    /// The table within a camera's table that it stands in, by its own name; `None` for keys of the
    /// camera itself, and for those of no camera.
    pub fn within_camera(&self) -> Option<&'static str> {
        self.table.strip_prefix(CAMERA)?.strip_prefix('.')
    }

    /// Whether it is a key of each camera.
    pub fn is_of_camera(&self) -> bool {
        self.table == CAMERA || self.within_camera().is_some()
    }

    /// The tables and names from a camera's table to its value.
    pub fn path_in_camera(&self) -> impl Iterator<Item = &'static str> {
        self.within_camera().into_iter().chain([self.name])
    }

    /// The keys of a table.
    pub fn of(table: &str) -> impl Iterator<Item = &'static Self> {
        let all = KEYS.iter().chain(AUDIO_KEYS);
        all.filter(move |key| key.table == table)
    }

    /// What is allowed, in words that follow "allowed:".
    pub fn allowed(&self) -> String {
        let words = (self.words)();
        match self.shape {
            Shape::One => words,
            Shape::List => format!("a list of {words}"),
            Shape::OneOrList => format!("{words}, or a list of these"),
            Shape::Table => format!("a table of names, each with {words}"),
            Shape::Section => {
                let keys: Vec<_> = AUDIO_KEYS.iter().map(|key| key.name).collect();
                format!(
                    "a table with {}, as in {{ device = \"default\" }}",
                    keys.join(", ")
                )
            }
        }
    }

    /// Whether it is a table with keys of its own.
    pub(super) fn is_section(&self) -> bool {
        self.shape == Shape::Section
    }

    /// The parts of `value` that this key does not allow.
    pub(super) fn refused<'v, 'i>(
        &self,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Vec<&'v Spanned<DeValue<'i>>> {
        match (self.shape, value.get_ref()) {
            (Shape::List | Shape::OneOrList, DeValue::Array(elements)) => elements
                .iter()
                .filter(|element| !(self.reads)((*element).clone()))
                .collect(),
            (Shape::Table, DeValue::Table(values)) => {
                let values = values.values();
                values.filter(|v| !(self.reads)((*v).clone())).collect()
            }
            (Shape::Section, DeValue::Table(_)) => Vec::new(),
            (Shape::List | Shape::Table | Shape::Section, _) => vec![value],
            _ if (self.reads)(value.clone()) => Vec::new(),
            _ => vec![value],
        }
    }
}

fn reads<T: DeserializeOwned>(value: Spanned<DeValue<'_>>) -> bool {
    T::deserialize(ValueDeserializer::from(value)).is_ok()
}

const fn key<T: DeserializeOwned + Value>(
    table: &'static str,
    name: &'static str,
    reload: Reload,
    shape: Shape,
) -> Key {
    Key {
        table,
        name,
        reload,
        shape,
        reads: reads::<T>,
        words: T::allowed,
    }
}

/// Every key, in the order of the reference.
pub const KEYS: &[Key] = {
    use Reload::{Live, Restart};
    use Shape::{List, One, OneOrList, Section, Table};
    &[
        key::<Level>("log", "level", Live, One),
        key::<Duration>("log", "report-interval", Live, One),
        key::<SocketPath>("control", "socket", Restart, One),
        key::<GroupName>("control", "read-only-group", Restart, One),
        key::<Anonymous>("access", "anonymous", Live, OneOrList),
        key::<FilePath>("access", "token-file", Restart, One),
        key::<bool>("access", "token-in-query", Live, One),
        key::<Proxy>("access", "trusted-proxies", Live, List),
        key::<ProxyHeader>("access", "proxy-header", Live, One),
        key::<HeaderName>("access", "user-header", Live, One),
        key::<CredentialPath>("access", "user-secret", Live, One),
        key::<UserRole>("access", "user-role", Live, One),
        key::<UserName>("access", "operators", Live, List),
        key::<CredentialPath>("tls", "certificate", Restart, One),
        key::<CredentialPath>("tls", "key", Restart, One),
        key::<CredentialPath>("tls", "client-ca", Restart, One),
        key::<Duration>("clients", "client-timeout", Live, One),
        key::<MaxClients>("clients", "max-per-address", Live, One),
        key::<PerSecond>("clients", "max-handshakes-per-address", Live, One),
        key::<PerSecond>("clients", "max-handshakes", Live, One),
        key::<PerSecond>("clients", "max-calls-per-address", Live, One),
        key::<PerSecond>("clients", "max-calls", Live, One),
        key::<Bandwidth>("clients", "max-bandwidth-per-client", Live, One),
        key::<Bandwidth>("clients", "max-bandwidth", Live, One),
        key::<Listen>("http", "listen", Restart, OneOrList),
        key::<bool>("http", "tls", Restart, One),
        key::<Origin>("http", "allowed-origins", Live, List),
        key::<HostName>("http", "allowed-hosts", Live, List),
        key::<Origin>("http", "frame-ancestors", Live, List),
        key::<bool>("http", "announce", Restart, One),
        key::<bool>("http", "proxy-protocol", Restart, One),
        key::<Congestion>("http", "congestion", Live, One),
        key::<Listen>("rtsp", "listen", Restart, OneOrList),
        key::<bool>("rtsp", "tls", Restart, One),
        key::<Datagrams>("webrtc", "listen", Restart, One),
        key::<Address>("webrtc", "public-address", Restart, One),
        key::<Listen>("metrics", "listen", Restart, OneOrList),
        key::<bool>("metrics", "tls", Restart, One),
        key::<Server>("nats", "servers", Restart, List),
        key::<CredentialPath>("nats", "credentials", Restart, One),
        key::<CredentialPath>("nats", "ca-file", Restart, One),
        key::<Machine>("nats", "host", Restart, One),
        key::<CameraName>("nats", "publish", Restart, List),
        key::<Command>("hook", "command", Live, One),
        key::<On>("hook", "events", Live, List),
        key::<Duration>("hook", "timeout", Live, One),
        key::<Device>(CAMERA, "device", Live, One),
        key::<Size>(CAMERA, "size", Live, One),
        key::<Format>(CAMERA, "format", Live, One),
        key::<GrayRange>(CAMERA, "gray-range", Live, One),
        key::<Input>(CAMERA, "input", Live, One),
        key::<Standard>(CAMERA, "standard", Live, One),
        key::<File>(CAMERA, "edid", Live, One),
        key::<Fps>(CAMERA, "fps", Live, One),
        key::<FrameTimeout>(CAMERA, "frame-timeout", Live, One),
        key::<Quality>(CAMERA, "quality", Live, One),
        key::<bool>(CAMERA, "passthrough", Live, One),
        key::<Chroma>(CAMERA, "chroma", Live, One),
        key::<BitRate>(CAMERA, "bit-rate", Live, One),
        key::<Encoder>(CAMERA, "encoder", Restart, One),
        key::<Crop>(CAMERA, "crop", Live, One),
        key::<Rotate>(CAMERA, "rotate", Live, One),
        key::<Flip>(CAMERA, "flip", Live, One),
        key::<Caption>(CAMERA, "text", Live, One),
        key::<Listen>(CAMERA, "listen", Restart, OneOrList),
        key::<bool>(CAMERA, "tls", Restart, One),
        key::<bool>(CAMERA, "proxy-protocol", Restart, One),
        key::<MaxClients>(CAMERA, "max-clients", Live, One),
        key::<Duration>(CAMERA, "idle-after", Live, One),
        key::<bool>(CAMERA, "adapt", Live, One),
        key::<Prefer>(CAMERA, "prefer", Live, One),
        key::<Rung>(CAMERA, "ladder", Live, List),
        key::<Congestion>(CAMERA, "congestion", Live, One),
        key::<ControlValue>(CAMERA, "controls", Live, Table),
        key::<SoundDevice>(CAMERA, "audio", Live, Section),
        key::<RecordMode>(RECORD, "mode", Live, One),
        key::<Directory>(RECORD, "directory", Live, One),
        key::<RecordCodec>(RECORD, "codec", Live, One),
        key::<BitRate>(RECORD, "bit-rate", Live, One),
        key::<Segment>(RECORD, "segment", Live, One),
        key::<Keep>(RECORD, "keep", Live, One),
        key::<Space>(RECORD, "keep-bytes", Live, One),
        key::<Space>(RECORD, "min-free", Live, One),
        key::<PreRoll>(RECORD, "pre-roll", Live, One),
        key::<Every>(RECORD, "timelapse", Live, One),
    ]
};

/// The keys of the table within a camera's that is its sound.
pub const AUDIO_KEYS: &[Key] = {
    use Reload::Live;
    use Shape::One;
    &[
        key::<SoundDevice>(AUDIO, "device", Live, One),
        key::<SoundChannels>(AUDIO, "channels", Live, One),
        key::<SoundBitRate>(AUDIO, "bit-rate", Live, One),
    ]
};
