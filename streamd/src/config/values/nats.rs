//! Cameras of other machines, and where they meet.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use streamd_protocol::fleet;

use super::{CameraName, Value, refused};

by_string!(Machine, Server);

/// The port of NATS.
const PORT: u16 = 4222;

/// A server of NATS: `nats://HOST:PORT`, or `tls://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Server {
    /// Its name or address; that of IPv6 in brackets.
    host: String,
    port: u16,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Server {
    /// Whether it is this machine itself.
    pub fn is_local(&self) -> bool {
        let bare = self.host.trim_matches(['[', ']']);
        self.host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }
}

impl FromStr for Server {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || refused::<Self>("server", text);
        let (scheme, rest) = text.split_once("://").unwrap_or(("nats", text));
        let tls = match scheme {
            "nats" => false,
            "tls" => true,
            _ => return Err(refused()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, port.ok_or_else(refused)?)
            }
            _ => (rest, PORT),
        };
        let is_name = |host: &str| {
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
            !host.is_empty() && host.bytes().all(legal)
        };
        let is_v6 = |host: &str| {
            let inside = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
            inside.is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok())
        };
        match is_name(host) || is_v6(host) {
            true => Ok(Self {
                host: host.into(),
                port,
                tls,
            }),
            false => Err(refused()),
        }
    }
}

impl Value for Server {
    fn allowed() -> String {
        "\"nats://HOST:PORT\" or \"tls://HOST:PORT\", without a user (that is in `credentials`)"
            .into()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// A machine's name among those that share cameras: one token of a subject of NATS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Machine(String);

impl Machine {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Machine {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match fleet::is_name(text) {
            true => Ok(Self(text.into())),
            false => Err(refused::<Self>("host", text)),
        }
    }
}

impl Value for Machine {
    fn allowed() -> String {
        fleet::NAME_ALLOWED.into()
    }
}

impl Value for CameraName {
    fn allowed() -> String {
        "the name of a camera of this file, as in \"main\"".into()
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A camera of another machine: `HOST/CAMERA`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    /// The machine.
    pub host: Machine,
    /// What the camera is called there.
    pub camera: CameraName,
}

impl FromStr for Remote {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (host, camera) = text.split_once('/').ok_or("no /")?;
        Ok(Self {
            host: host.parse()?,
            camera: camera.parse()?,
        })
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.camera)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_scheme_a_host_and_a_port() {
        let shown = |text: &str| text.parse::<Server>().map(|server| server.to_string());
        for (text, means) in [
            ("nats.example", "nats://nats.example:4222"),
            ("nats://10.0.0.1:4333/", "nats://10.0.0.1:4333"),
            ("tls://[2001:db8::1]", "tls://[2001:db8::1]:4222"),
            ("tls://a:1", "tls://a:1"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(means));
        }
        for text in [
            "",
            "ws://a",
            "nats://u:p@a:1",
            "a:0",
            "a:x",
            "nats://",
            "a b",
            "::1",
        ] {
            assert!(shown(text).is_err(), "{text}");
        }
        let is_local = |text: &str| text.parse::<Server>().unwrap().is_local();
        assert!(is_local("localhost") && is_local("127.0.0.2:1") && is_local("tls://[::1]:2"));
        assert!(!is_local("10.0.0.1"));
    }

    #[test]
    fn names_are_single_tokens_of_a_subject() {
        for name in ["robot7", "a-b_C", &"x".repeat(63)] {
            assert!(name.parse::<Machine>().is_ok(), "{name}");
        }
        for name in ["", "a.b", "*", ">", "a b", "ä", &"x".repeat(64)] {
            assert!(name.parse::<Machine>().is_err(), "{name}");
        }
        assert!("robot7/main".parse::<Remote>().is_ok());
        for text in ["robot7", "/main", "robot7/", "a/b/c", "a.b/c"] {
            assert!(text.parse::<Remote>().is_err(), "{text}");
        }
    }
}
