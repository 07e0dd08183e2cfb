//! Where to listen, for how many, and how TCP sends.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{super::text::SUN_PATH_MAX, Value, refused};

by_string!(Address, Bandwidth, Datagrams, Listen);

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

/// Where datagrams come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Datagrams(pub SocketAddr);

impl FromStr for Datagrams {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().ok().filter(|at: &SocketAddr| at.port() > 0);
        address
            .map(Self)
            .ok_or_else(|| refused::<Self>("listen", text))
    }
}

impl Value for Datagrams {
    fn allowed() -> String {
        "\"ADDRESS:PORT\" (of UDP) as in \"0.0.0.0:8189\" or \"[::]:8189\"".into()
    }
}

impl fmt::Display for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An address of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(pub IpAddr);

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
        address
            .map(Self)
            .ok_or_else(|| refused::<Self>("public-address", text))
    }
}

impl Value for Address {
    fn allowed() -> String {
        "an address as in \"198.51.100.7\" or \"2001:db8::7\"".into()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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

/// How often something may happen in a second, 0–100000; 0 for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct PerSecond(u32);

impl PerSecond {
    const MAX: u32 = 100_000;

    /// A limit; the caller answers for its range.
    pub const fn new(times: u32) -> Self {
        Self(times)
    }

    /// Times in a second; 0 for any number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for PerSecond {
    type Error = String;
    fn try_from(times: i64) -> Result<Self, String> {
        match u32::try_from(times) {
            Ok(n) if n <= Self::MAX => Ok(Self(n)),
            _ => Err(refused::<Self>("rate", times)),
        }
    }
}

impl Value for PerSecond {
    fn allowed() -> String {
        let most = Self::MAX;
        format!("a whole number from 0 to {most}, 0 for any number")
    }
}

impl From<PerSecond> for i64 {
    fn from(times: PerSecond) -> Self {
        times.0.into()
    }
}

/// What may be sent in a second, 64 kb/s to 100 Gb/s; or any amount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bandwidth {
    /// Any amount.
    #[default]
    None,
    /// Kilobits a second.
    Limited(u32),
}

/// Kilobits.
const UNITS: [(&str, f64); 3] = [("kb/s", 1.0), ("Mb/s", 1e3), ("Gb/s", 1e6)];

impl Bandwidth {
    /// Kilobits a second. Below, not even the smallest picture comes each second.
    const RANGE: RangeInclusive<f64> = 64.0..=100e6;

    /// Bytes a second; infinite for any amount.
    pub fn bytes(self) -> f64 {
        match self {
            Self::None => f64::INFINITY,
            Self::Limited(kilobits) => f64::from(kilobits) * 125.0,
        }
    }
}

impl FromStr for Bandwidth {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        let read = UNITS.iter().find_map(|(unit, kilobits)| {
            let number: f64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
            Some((number * kilobits).round())
        });
        match read.filter(|kilobits| Self::RANGE.contains(kilobits)) {
            Some(kilobits) => Ok(Self::Limited(kilobits as u32)),
            None => Err(refused::<Self>("bandwidth", text)),
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Limited(kilobits) if *kilobits < 1000 => write!(f, "{kilobits}kb/s"),
            Self::Limited(kilobits) => write!(f, "{}Mb/s", f64::from(*kilobits) / 1e3),
        }
    }
}

impl Value for Bandwidth {
    fn allowed() -> String {
        "\"none\", or a number with kb/s, Mb/s or Gb/s, from 64kb/s to 100Gb/s, as in \"8Mb/s\""
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bandwidth_is_read_as_it_is_written() {
        for (text, bytes, shown) in [
            ("none", f64::INFINITY, "none"),
            ("64kb/s", 8e3, "64kb/s"),
            ("8Mb/s", 1e6, "8Mb/s"),
            ("2.5 Mb/s", 312_500.0, "2.5Mb/s"),
            ("1500kb/s", 187_500.0, "1.5Mb/s"),
            ("1Gb/s", 125e6, "1000Mb/s"),
        ] {
            let read: Bandwidth = text.parse().unwrap();
            assert_eq!((read.bytes(), &*read.to_string()), (bytes, shown));
            assert_eq!(shown.parse(), Ok(read));
        }
        for wrong in [
            "", "8", "0Mb/s", "63kb/s", "-1Mb/s", "NaNMb/s", "infMb/s", "8MB/s", "101Gb/s",
        ] {
            let error = wrong.parse::<Bandwidth>().unwrap_err();
            assert!(error.contains("\"8Mb/s\""), "{error}");
        }
    }
}
