//! Where to listen, for how many, and how TCP sends.

use std::{fmt, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{super::text::SUN_PATH_MAX, Value, refused};

by_string!(Listen);

/// A TCP congestion control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Congestion {
    /// What `net.ipv4.tcp_congestion_control` says.
    System,
    /// CUBIC, RFC 9438.
    Cubic,
    /// BBR.
    Bbr,
}

impl Value for Congestion {
    fn allowed() -> String {
        "\"system\", \"cubic\" or \"bbr\"".into()
    }
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// An address and port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// 127.0.0.1 at this port.
    pub const fn loopback(port: u16) -> Self {
        Self::Tcp(SocketAddr::new(
            std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            port,
        ))
    }
}

impl FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let usable = |path: &&str| {
            path.starts_with('/') && path.len() <= SUN_PATH_MAX && !path.contains('\0')
        };
        if let Some(path) = text.strip_prefix("unix:").filter(usable) {
            return Ok(Self::Unix(path.into()));
        }
        text.parse()
            .map(Self::Tcp)
            .map_err(|_| refused::<Self>("listen", text))
    }
}

impl Value for Listen {
    fn allowed() -> String {
        "\"ADDRESS:PORT\" as in \"127.0.0.1:8002\" or \"[::]:8002\", \"unix:/path\"".into()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Clients of one camera at most, 1–100000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct MaxClients(u32);

impl MaxClients {
    const RANGE: RangeInclusive<u32> = 1..=100_000;

    /// A limit; the caller answers for its range.
    pub const fn new(clients: u32) -> Self {
        Self(clients)
    }

    /// Clients at most.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for MaxClients {
    type Error = String;
    fn try_from(clients: i64) -> Result<Self, String> {
        match u32::try_from(clients) {
            Ok(n) if Self::RANGE.contains(&n) => Ok(Self(n)),
            _ => Err(refused::<Self>("max-clients", clients)),
        }
    }
}

impl Value for MaxClients {
    fn allowed() -> String {
        let (least, most) = (Self::RANGE.start(), Self::RANGE.end());
        format!("a whole number from {least} to {most}")
    }
}

impl From<MaxClients> for i64 {
    fn from(clients: MaxClients) -> Self {
        clients.0.into()
    }
}
