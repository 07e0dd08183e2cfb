//! Every key of the file: what it may be, and whether a reload applies it.

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{
    text::{Level, Origin, SocketPath},
    values::{
        Chroma, Congestion, Device, Duration, Format, Fps, Listen, MaxClients, Quality, Rung, Size,
    },
};

/// The tables of the file. `camera` holds one table a camera, by name.
pub const TABLES: [&str; 6] = ["log", "control", "clients", "http", "metrics", CAMERA];

/// The table of the cameras.
pub const CAMERA: &str = "camera";

/// One key.
#[derive(Debug)]
pub struct Key {
    /// The table it stands in, one of [`TABLES`].
    pub table: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is allowed, in words that follow "allowed:".
    pub allowed: &'static str,
    /// When a change of it takes effect.
    pub reload: Reload,
    shape: Shape,
    reads: fn(Spanned<DeValue<'_>>) -> bool,
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
}

impl Key {
    /// The key of this name in this table.
    pub fn find(table: &str, name: &str) -> Option<&'static Self> {
        Self::of(table).find(|key| key.name == name)
    }

    /// The keys of a table.
    pub fn of(table: &str) -> impl Iterator<Item = &'static Self> {
        KEYS.iter().filter(move |key| key.table == table)
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
            (Shape::List, _) => vec![value],
            _ if (self.reads)(value.clone()) => Vec::new(),
            _ => vec![value],
        }
    }
}

fn reads<T: DeserializeOwned>(value: Spanned<DeValue<'_>>) -> bool {
    T::deserialize(ValueDeserializer::from(value)).is_ok()
}

const fn key<T: DeserializeOwned>(
    table: &'static str,
    name: &'static str,
    reload: Reload,
    shape: Shape,
    allowed: &'static str,
) -> Key {
    Key {
        table,
        name,
        allowed,
        reload,
        shape,
        reads: reads::<T>,
    }
}

const LISTEN: &str = "\"ADDRESS:PORT\" as in \"127.0.0.1:8002\" or \"[::]:8002\", \"unix:/path\", or a list of these";
const DURATION: &str = "a whole number with ms, s, min or h, up to 24h, as in \"10s\"";
const CONGESTION: &str = "\"system\", \"cubic\" or \"bbr\"";

/// Every key, in the order of the reference.
pub const KEYS: &[Key] = {
    use Reload::{Live, Restart};
    use Shape::{List, One, OneOrList};
    &[
        key::<Level>(
            "log",
            "level",
            Live,
            One,
            "\"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or a filter such as \"info,streamd::capture=debug\"",
        ),
        key::<Duration>("log", "report-interval", Live, One, DURATION),
        key::<SocketPath>(
            "control",
            "socket",
            Restart,
            One,
            "an absolute path of at most 107 bytes",
        ),
        key::<Duration>("clients", "client-timeout", Live, One, DURATION),
        key::<Listen>("http", "listen", Restart, OneOrList, LISTEN),
        key::<Origin>(
            "http",
            "allowed-origins",
            Live,
            List,
            "a list of \"SCHEME://HOST[:PORT]\", as in [\"https://panel.example\"], or [\"*\"]",
        ),
        key::<Congestion>("http", "congestion", Live, One, CONGESTION),
        key::<Listen>("metrics", "listen", Restart, OneOrList, LISTEN),
        key::<Device>(
            CAMERA,
            "device",
            Live,
            One,
            "an absolute path, \"auto\" or \"test\"",
        ),
        key::<Size>(
            CAMERA,
            "size",
            Live,
            One,
            "\"WIDTHxHEIGHT\", each from 16 to 16384, as in \"640x480\"",
        ),
        key::<Format>(
            CAMERA,
            "format",
            Live,
            One,
            "\"auto\", \"YUYV\", \"UYVY\", \"NV12\", \"NV16\", \"YU12\", \"GREY\", \"RGB24\", \"BGR24\" or \"MJPG\"",
        ),
        key::<Fps>(CAMERA, "fps", Live, One, "a number from 0.1 to 1000"),
        key::<Quality>(CAMERA, "quality", Live, One, "a whole number from 1 to 100"),
        key::<bool>(CAMERA, "passthrough", Live, One, "true or false"),
        key::<Chroma>(CAMERA, "chroma", Live, One, "\"4:2:0\" or \"4:2:2\""),
        key::<Listen>(CAMERA, "listen", Restart, OneOrList, LISTEN),
        key::<MaxClients>(
            CAMERA,
            "max-clients",
            Live,
            One,
            "a whole number from 1 to 100000",
        ),
        key::<Duration>(CAMERA, "idle-after", Live, One, DURATION),
        key::<bool>(CAMERA, "adapt", Live, One, "true or false"),
        key::<Rung>(
            CAMERA,
            "ladder",
            Live,
            List,
            "a list of \"QUALITY\", \"QUALITY/2\" or \"QUALITY/4\", each quality from 1 to 100, as in [\"60\", \"40/2\"]",
        ),
        key::<Congestion>(CAMERA, "congestion", Live, One, CONGESTION),
    ]
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{config::Config, media::PixelFormat};

    #[test]
    fn the_list_is_exactly_the_tree() {
        let mut config = Config::default();
        config.control.socket = Some("/run/streamd/control".into());
        let tree = toml::Table::try_from(&config).unwrap();
        let mut found = BTreeSet::new();
        for (table, value) in &tree {
            let keys = match table.as_str() {
                CAMERA => value["main"].as_table(),
                _ => value.as_table(),
            };
            found.extend(keys.unwrap().keys().map(|name| format!("{table}.{name}")));
        }
        let listed: BTreeSet<_> = KEYS
            .iter()
            .map(|key| format!("{}.{}", key.table, key.name))
            .collect();
        assert_eq!(found, listed);
        assert!(KEYS.iter().all(|key| TABLES.contains(&key.table)));
    }

    #[test]
    fn every_format_is_in_the_words() {
        let allowed = Key::find(CAMERA, "format").unwrap().allowed;
        for format in PixelFormat::ALL {
            let name = Format::Fixed(format).to_string();
            assert!(allowed.contains(&format!("{name:?}")), "{name}");
        }
    }
}
