//! Where a stream comes from: `HOST`, `HOST:PORT`, `[v6]:PORT`, `tls://HOST:PORT`, `unix:/path`, or
//! an address of the web: `http://`, `https://` (MJPEG), `ws://`, `wss://` (WebSocket).

use std::{fmt, path::PathBuf, str::FromStr};

/// The port of a camera where none is given.
const DEFAULT_PORT: u16 = 8002;

/// An address of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host's name or address, and a port.
    Tcp(String, u16),
    /// The same, encrypted.
    Tls(String, u16),
    /// A Unix socket that a camera listens at.
    Unix(PathBuf),
    /// HTTP or WebSocket.
    Web(Address),
}

/// An address of the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// WebSocket, else MJPEG over HTTP.
    pub websocket: bool,
    /// Encrypted.
    pub tls: bool,
    /// A host's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// What begins an address of the web: whether it is a WebSocket, and whether it is encrypted.
const SCHEMES: [(&str, bool, bool); 4] = [
    ("http://", false, false),
    ("https://", false, true),
    ("ws://", true, false),
    ("wss://", true, true),
];

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scheme = SCHEMES.iter().find_map(|(start, websocket, tls)| {
            let begins = text.get(..start.len())?.eq_ignore_ascii_case(start);
            begins.then(|| (&text[start.len()..], *websocket, *tls))
        });
        let Some((rest, websocket, tls)) = scheme else {
            return Err(format!(
                "`{text}` begins with none of http://, https://, ws://, wss://"
            ));
        };
        if let Some(bad) = text
            .chars()
            .find(|c| c.is_control() || *c == ' ' || !c.is_ascii())
        {
            return Err(format!("`{text}` has {bad:?} in it: write it as %XX"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a name and password in an address are not supported".into());
        }
        let (host, port) = split(authority)?;
        if host.is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        let default = if tls { 443 } else { 80 };
        let (path, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let mut path = match (path, websocket) {
            ("" | "/", false) => "/stream".to_owned(),
            ("" | "/", true) => "/ws".to_owned(),
            (query, false) if query.starts_with('?') => format!("/stream{query}"),
            (query, true) if query.starts_with('?') => format!("/ws{query}"),
            (path, _) => path.to_owned(),
        };
        // The page's own links name a camera so: http://robot:8080/#rear.
        if !fragment.is_empty() {
            add(&mut path, "camera", fragment);
        }
        Ok(Self {
            websocket,
            tls,
            host: host.to_owned(),
            port: port.map_or(Ok(default), port_number)?,
            path,
        })
    }
}

/// Adds a parameter to a path.
fn add(path: &mut String, name: &str, value: &str) {
    let mark = if path.contains('?') { '&' } else { '?' };
    *path += &format!("{mark}{name}={value}");
}

impl Address {
    /// Host and port, as a request names them.
    pub fn authority(&self) -> String {
        host_and_port(&self.host, self.port)
    }

    /// Asks for this as well, as streamd understands it.
    pub fn ask(&mut self, name: &str, value: &str) {
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let escape = |c: char| match safe(c) {
            true => c.to_string(),
            false => c
                .to_string()
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect(),
        };
        let value: String = value.chars().map(escape).collect();
        add(&mut self.path, name, &value);
    }

    const fn scheme(&self) -> &'static str {
        match (self.websocket, self.tls) {
            (false, false) => "http",
            (false, true) => "https",
            (true, false) => "ws",
            (true, true) => "wss",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

fn host_and_port(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn port_number(port: &str) -> Result<u16, String> {
    match port.parse() {
        Ok(0) | Err(_) => Err(format!("port `{port}` is no number from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err("unix: needs the path of a socket, for instance unix:/run/cam".into()),
                path => Ok(Self::Unix(path.into())),
            };
        }
        let raw = text.strip_prefix("tls://");
        if raw.is_none() && text.contains("://") {
            return text.parse().map(Self::Web);
        }
        let none = || {
            format!(
                "`{text}` is no HOST, HOST:PORT, [IPV6]:PORT, tls://HOST:PORT, unix:PATH or http://…"
            )
        };
        let (text, is_encrypted) = (raw.unwrap_or(text), raw.is_some());
        if text == "unix" {
            return Err("unix needs the path of a socket, for instance unix:/run/cam".into());
        }
        if text.contains(['/', '@', ' ']) {
            return Err(none());
        }
        let (host, port) = split(text)?;
        if host.is_empty() {
            return Err(none());
        }
        let port = port.map_or(Ok(DEFAULT_PORT), port_number)?;
        Ok(match is_encrypted {
            true => Self::Tls(host.to_owned(), port),
            false => Self::Tcp(host.to_owned(), port),
        })
    }
}

/// Host and port; an IPv6 address without brackets has no port.
fn split(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| format!("`{text}` has no closing bracket"))?;
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(format!(
                "`{rest}` follows the bracket in `{text}`, not :PORT"
            )),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => Ok((text, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => f.write_str(&host_and_port(host, *port)),
            Self::Tls(host, port) => write!(f, "tls://{}", host_and_port(host, *port)),
            Self::Web(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        for (text, shown) in [
            ("robot", "robot:8002"),
            ("robot:9000", "robot:9000"),
            ("10.0.0.7", "10.0.0.7:8002"),
            ("::1", "[::1]:8002"),
            ("[::1]", "[::1]:8002"),
            ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"),
            ("tls://robot", "tls://robot:8002"),
            ("tls://[::1]:9000", "tls://[::1]:9000"),
            ("unix:/run/streamd/main", "unix:/run/streamd/main"),
            ("http://robot", "http://robot:80/stream"),
            ("HTTP://robot:8080/", "http://robot:8080/stream"),
            (
                "http://robot:8080/#rear",
                "http://robot:8080/stream?camera=rear",
            ),
            (
                "http://robot?fps=5#rear",
                "http://robot:80/stream?fps=5&camera=rear",
            ),
            (
                "http://robot/?action=stream",
                "http://robot:80/?action=stream",
            ),
            ("https://robot/cam/mjpg", "https://robot:443/cam/mjpg"),
            ("ws://[::1]:8080", "ws://[::1]:8080/ws"),
            (
                "wss://robot/ws?camera=rear",
                "wss://robot:443/ws?camera=rear",
            ),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_none_says_what_it_should_be() {
        for (text, word) in [
            ("", "HOST"),
            (":8002", "HOST"),
            ("robot:", "65535"),
            ("robot:0", "65535"),
            ("robot:70000", "65535"),
            ("[::1", "bracket"),
            ("[::1]x", "bracket"),
            ("unix:", "path"),
            ("unix", "path"),
            ("rtsp://robot", "http://"),
            ("http://", "host"),
            ("http://:80/", "host"),
            ("http://robot:x/", "65535"),
            ("http://me:secret@robot/", "password"),
            ("http://robot/a b", "%XX"),
            ("http://robot/\r\nHost: x", "%XX"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
