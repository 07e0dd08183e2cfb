//! Finds every fault of a file that parses as TOML: keys, values, and listeners that clash.

use std::{net::SocketAddr, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Config, Fault,
    schema::{AUDIO, CAMERA, KEYS, Key, TABLES, WITHIN_CAMERA},
    values::{CameraName, Device, Listen},
};

/// The least likeness, by Jaro and Winkler, of a key that is suggested for an unknown one.
const ALIKE: f64 = 0.75;

/// The faults of single keys and values, in the order of the file.
pub fn keys(file: &str, text: &str, document: &DeTable<'_>) -> Vec<Fault> {
    let mut check = Check {
        file,
        text,
        faults: Vec::new(),
    };
    for (name, value) in document {
        match (&**name.get_ref(), value.get_ref()) {
            (CAMERA, DeValue::Table(cameras)) => check.cameras(value.span(), cameras),
            (known, DeValue::Table(table)) if TABLES.contains(&known) => {
                check.table(known, known, table);
            }
            (known, _) if TABLES.contains(&known) => check.add(
                value.span(),
                format!("{known} is not a table"),
                format!("allowed: a table, as in [{known}]"),
            ),
            (unknown, _) => check.unknown_table(name.span(), unknown),
        }
    }
    check.faults.sort_by_key(|fault| (fault.line, fault.column));
    check.faults
}

struct Check<'a> {
    file: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn add(&mut self, span: Range<usize>, message: String, help: impl Into<String>) {
        self.faults
            .push(Fault::new(self.file, self.text, span, message, help));
    }

    fn cameras(&mut self, span: Range<usize>, cameras: &DeTable<'_>) {
        if cameras.is_empty() {
            self.add(
                span,
                "no camera".into(),
                "allowed: at least one camera, as in [camera.main]",
            );
        }
        for (name, value) in cameras {
            let shown = name.get_ref();
            match value.get_ref() {
                DeValue::Table(camera) => {
                    if let Err(reason) = shown.parse::<CameraName>() {
                        let (message, help) = reason.rsplit_once(": ").unwrap_or((&reason, ""));
                        self.add(name.span(), format!("{message} is not allowed"), help);
                    }
                    self.table(CAMERA, &format!("{CAMERA}.{shown}"), camera);
                }
                _ => self.add(
                    name.span(),
                    format!("{CAMERA}.{shown} is not a camera"),
                    "allowed: one table per camera, as in [camera.main]",
                ),
            }
        }
    }

    /// Checks the keys of a table that the schema calls `schema` and the file `shown`.
    fn table(&mut self, schema: &str, shown: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let inner = format!("{schema}.{}", name.get_ref());
            if let Some(inner) = WITHIN_CAMERA.iter().find(|within| **within == inner) {
                let shown = format!("{shown}.{}", name.get_ref());
                match value.get_ref() {
                    DeValue::Table(table) => self.table(inner, &shown, table),
                    _ => self.add(
                        value.span(),
                        format!("{shown} is not a table"),
                        format!("allowed: a table, as in [{shown}]"),
                    ),
                }
                continue;
            }
            let Some(key) = Key::find(schema, name.get_ref()) else {
                self.unknown_key(name.span(), schema, shown, name.get_ref());
                continue;
            };
            if let (true, DeValue::Table(section)) = (key.is_section(), value.get_ref()) {
                self.table(AUDIO, &format!("{shown}.{}", key.name), section);
                continue;
            }
            for part in key.refused(value) {
                let message = format!("{shown}.{}: {} is not allowed", key.name, self.cut(part));
                self.add(part.span(), message, format!("allowed: {}", key.allowed()));
            }
        }
    }

    /// The value as it stands in the file, shortened to what fits a line.
    fn cut(&self, value: &Spanned<DeValue<'_>>) -> String {
        let text = self.text.get(value.span()).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let mut short: String = line.chars().take(40).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    }

    fn unknown_key(&mut self, span: Range<usize>, schema: &str, shown: &str, name: &str) {
        let tables = WITHIN_CAMERA
            .iter()
            .filter_map(|table| table.strip_prefix(schema));
        let tables = tables.filter_map(|rest| rest.strip_prefix('.'));
        let keys = Key::of(schema).map(|key| key.name);
        let known: Vec<_> = keys.chain(tables).collect();
        let message = match nearest(name, &known) {
            Some(near) => format!("unknown key {name:?} in [{shown}]; did you mean {near:?}?"),
            None => format!("unknown key {name:?} in [{shown}]"),
        };
        self.add(span, message, format!("allowed: {}", known.join(", ")));
    }

    fn unknown_table(&mut self, span: Range<usize>, name: &str) {
        let home = KEYS.iter().find(|key| key.name == name);
        let message = match (home, nearest(name, &TABLES)) {
            (Some(key), _) if key.is_of_camera() => {
                format!("unknown table {name:?}: it is a key of a camera, as in [camera.main]")
            }
            (Some(key), _) => format!("unknown table {name:?}: it is a key of [{}]", key.table),
            (None, Some(near)) => format!("unknown table {name:?}; did you mean {near:?}?"),
            (None, None) => format!("unknown table {name:?}"),
        };
        self.add(span, message, format!("allowed: {}", TABLES.join(", ")));
    }
}

fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|key| (strsim::jaro_winkler(name, key), *key))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

/// What is to be encrypted without a certificate or its key.
pub fn tls(file: &str, text: &str, document: &DeTable<'_>, config: &Config) -> Vec<Fault> {
    let lacks = match (&config.tls.certificate, &config.tls.key) {
        (Some(_), Some(_)) => return Vec::new(),
        (None, None) => "certificate and key",
        (None, Some(_)) => "certificate",
        (Some(_), None) => "key",
    };
    let cameras = config.camera.iter();
    let cameras = cameras.map(|(name, camera)| (vec![CAMERA, name.as_str()], camera.tls));
    let sections = [
        (vec!["http"], config.http.tls),
        (vec!["rtsp"], config.rtsp.tls),
        (vec!["metrics"], config.metrics.tls),
    ];
    let asked = sections.into_iter().chain(cameras).filter(|(_, tls)| *tls);
    let asked = asked.map(|(path, _)| [&path[..], &["tls"]].concat());
    asked
        .filter_map(|path| {
            let span = find(document, &path)?.span();
            let message = format!("{}: [tls] has no {lacks}", path.join("."));
            let help = "needed: certificate and key in [tls]; `streamctl certificate` makes both";
            Some(Fault::new(file, text, span, message, help))
        })
        .collect()
}

/// A listener and where the file asks for it; no span for a default.
struct Wanted {
    key: String,
    listen: Listen,
    span: Option<Range<usize>>,
}

/// The listeners that can't be bound beside one another.
pub fn listeners(file: &str, text: &str, document: &DeTable<'_>, config: &Config) -> Vec<Fault> {
    let wanted = wanted(document, config);
    let mut faults = Vec::new();
    for (index, later) in wanted.iter().enumerate() {
        let Some(earlier) = wanted[..index]
            .iter()
            .find(|w| clash(&w.listen, &later.listen))
        else {
            continue;
        };
        // A fault is shown at what stands in the file; a default doesn't.
        let (at, other) = match later.span {
            Some(_) => (later, earlier),
            None => (earlier, later),
        };
        let default = if other.span.is_none() {
            ", a default"
        } else {
            ""
        };
        faults.push(Fault::new(
            file,
            text,
            at.span.clone().unwrap_or(0..0),
            format!(
                "{}: {} clashes with {} ({}{default})",
                at.key, at.listen, other.listen, other.key
            ),
            "allowed: an address and port of its own for each listener; 0.0.0.0 and [::] take the port on every address",
        ));
    }
    faults
}

/// Cameras that are to have one device, which can have one user only. What leads to one device by
/// different names is found out when it is opened: a file must not become wrong by a plug.
pub fn devices(file: &str, text: &str, document: &DeTable<'_>, config: &Config) -> Vec<Fault> {
    let cameras: Vec<_> = config
        .camera
        .iter()
        .filter_map(|(name, camera)| Some((name.as_str(), node(&camera.device)?)))
        .collect();
    let mut faults = Vec::new();
    for (index, (name, device)) in cameras.iter().enumerate() {
        let Some((other, _)) = cameras[..index].iter().find(|(_, other)| other == device) else {
            continue;
        };
        let value = find(document, &[CAMERA, name, "device"]);
        faults.push(Fault::new(
            file,
            text,
            value.map_or(0..0, Spanned::span),
            format!("{CAMERA}.{name}.device: camera {other} has {device} already"),
            "allowed: a device of its own for each camera; many may watch one camera, in sizes and rates of their own",
        ));
    }
    faults
}

/// What is asked of NATS and lacks something.
pub fn nats(file: &str, text: &str, document: &DeTable<'_>, config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |path: &[&str], message: String, help: &str| {
        let value = find(document, path);
        let span = value.map_or(0..0, Spanned::span);
        faults.push(Fault::new(file, text, span, message, help));
    };
    let servers = "needed: servers in [nats], as in servers = [\"nats://127.0.0.1:4222\"]";
    let nats = &config.nats;
    let has_servers = !nats.servers.is_empty();
    if !nats.publish.is_empty() {
        if !has_servers {
            let message = "nats.publish: there is no server to publish to";
            add(&["nats", "publish"], message.into(), servers);
        }
        if nats.host.is_none() {
            let message = "nats.publish: this machine has no name for others";
            let help = "needed: host in [nats], as in host = \"robot7\"";
            add(&["nats", "publish"], message.into(), help);
        }
    }
    for name in &nats.publish {
        let message = match config.camera.get(name).map(|camera| &camera.device) {
            None => format!("nats.publish: there is no camera {name}"),
            Some(Device::Nats(_)) => {
                format!("nats.publish: {name} is the camera of another machine")
            }
            Some(_) => continue,
        };
        let help = "allowed: cameras of this machine, by their names in this file";
        add(&["nats", "publish"], message, help);
    }
    for (name, camera) in &config.camera {
        let path = [CAMERA, name.as_str(), "device"];
        match &camera.device {
            Device::Nats(remote) if !has_servers => {
                let message = format!("{CAMERA}.{name}.device: nats:{remote}: there is no server");
                add(&path, message, servers);
            }
            Device::Nats(remote) if nats.host.as_ref() == Some(&remote.host) => {
                let message =
                    format!("{CAMERA}.{name}.device: nats:{remote} is a camera of this machine");
                add(&path, message, "allowed: cameras of other machines");
            }
            _ => {}
        }
    }
    faults
}

/// What a camera's device is called, by one name for those that mean the same link; `None` where
/// several cameras may say it.
fn node(device: &Device) -> Option<String> {
    let link = |folder: &str, name: &str| {
        let name = name.strip_suffix("-video-index0").unwrap_or(name);
        format!("/dev/v4l/{folder}/{name}")
    };
    match device {
        Device::Auto | Device::Test | Device::Nats(_) => None,
        Device::ById(name) => Some(link("by-id", name)),
        Device::ByPath(name) => Some(link("by-path", name)),
        Device::Path(path) => {
            let path = path.to_str()?;
            Some(
                path.strip_suffix("-video-index0")
                    .unwrap_or(path)
                    .to_owned(),
            )
        }
        Device::Usb(_) | Device::Serial(_) => Some(device.to_string()),
    }
}

fn wanted(document: &DeTable<'_>, config: &Config) -> Vec<Wanted> {
    let mut all = Vec::new();
    let mut add = |path: &[&str], listeners: &[Listen]| {
        let value = find(document, path);
        for (index, listen) in listeners.iter().enumerate() {
            let element = value.map(|value| match value.get_ref() {
                DeValue::Array(elements) => elements.get(index).unwrap_or(value).span(),
                _ => value.span(),
            });
            all.push(Wanted {
                key: path.join("."),
                listen: listen.clone(),
                span: element,
            });
        }
    };
    let socket = config.control.socket.iter().cloned().map(Listen::Unix);
    add(&["control", "socket"], &socket.collect::<Vec<_>>());
    add(&["http", "listen"], &config.http.listen);
    add(&["rtsp", "listen"], &config.rtsp.listen);
    add(&["metrics", "listen"], &config.metrics.listen);
    for name in config.camera.keys() {
        add(
            &[CAMERA, name.as_str(), "listen"],
            config.camera_listen(name),
        );
    }
    all
}

fn find<'v, 'i>(table: &'v DeTable<'i>, path: &[&str]) -> Option<&'v Spanned<DeValue<'i>>> {
    let (first, rest) = path.split_first()?;
    let value = table.get(*first)?;
    match rest {
        [] => Some(value),
        _ => find(value.get_ref().as_table()?, rest),
    }
}

/// Whether the kernel refuses to bind both. `[::]` takes IPv4 too, as `supervise::sockets` binds it.
fn clash(a: &Listen, b: &Listen) -> bool {
    match (a, b) {
        (Listen::Unix(a), Listen::Unix(b)) => a == b,
        (Listen::Tcp(a), Listen::Tcp(b)) => a.port() == b.port() && a.port() != 0 && meet(a, b),
        _ => false,
    }
}

fn meet(a: &SocketAddr, b: &SocketAddr) -> bool {
    let takes =
        |a: &SocketAddr, b: &SocketAddr| a.ip().is_unspecified() && (a.is_ipv6() || b.is_ipv4());
    a.ip().to_canonical() == b.ip().to_canonical() || takes(a, b) || takes(b, a)
}

#[cfg(test)]
mod tests {
    #[test]
    fn addresses_clash_as_in_the_kernel() {
        let clash = |a: &str, b: &str| {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(super::clash(&a, &b), super::clash(&b, &a));
            super::clash(&a, &b)
        };
        assert!(clash("127.0.0.1:8002", "127.0.0.1:8002"));
        assert!(clash("127.0.0.1:8002", "0.0.0.0:8002"));
        assert!(clash("0.0.0.0:8002", "[::]:8002"));
        assert!(clash("[::]:8002", "192.0.2.1:8002"));
        assert!(clash("[::]:8002", "[::1]:8002"));
        assert!(clash("unix:/run/a", "unix:/run/a"));
        assert!(!clash("127.0.0.1:8002", "127.0.0.2:8002"));
        assert!(!clash("127.0.0.1:8002", "127.0.0.1:8003"));
        assert!(!clash("0.0.0.0:8002", "[::1]:8002"));
        assert!(!clash("127.0.0.1:0", "127.0.0.1:0"), "any free port");
        assert!(!clash("unix:/run/a", "unix:/run/b"));
    }
}
