//! What who shows no token may, and whose word on others counts.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{Value, refused};

by_string!(Anonymous, Proxy, ProxyHeader, UserRole);

/// One thing that everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Anonymous {
    /// Nothing.
    None,
    /// Watch.
    Viewer,
    /// Read the metrics.
    Metrics,
}

impl FromStr for Anonymous {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "viewer" => Ok(Self::Viewer),
            "metrics" => Ok(Self::Metrics),
            _ => Err(refused::<Self>("anonymous", text)),
        }
    }
}

impl fmt::Display for Anonymous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Viewer => "viewer",
            Self::Metrics => "metrics",
        })
    }
}

impl Value for Anonymous {
    fn allowed() -> String {
        "\"none\", \"viewer\" or \"metrics\"".into()
    }
}

/// A proxy whose word on whom it serves counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Proxy {
    /// Whoever connects to a Unix socket.
    Unix,
    /// All addresses whose first `prefix` bits are these.
    Network {
        /// The address, in its IPv4 form where it has one.
        ip: IpAddr,
        /// Bits.
        prefix: u8,
    },
}

impl Proxy {
    /// Whether an address is in this network.
    pub fn has(&self, ip: IpAddr) -> bool {
        let first = |bits: u128, width: u32, prefix: u8| match width - u32::from(prefix) {
            128 => 0,
            rest => bits >> rest,
        };
        match (self, ip.to_canonical()) {
            (
                Self::Network {
                    ip: IpAddr::V4(own),
                    prefix,
                },
                IpAddr::V4(ip),
            ) => {
                let bits = |ip: Ipv4Addr| first(ip.to_bits().into(), 32, *prefix);
                bits(*own) == bits(ip)
            }
            (
                Self::Network {
                    ip: IpAddr::V6(own),
                    prefix,
                },
                IpAddr::V6(ip),
            ) => {
                let bits = |ip: Ipv6Addr| first(ip.to_bits(), 128, *prefix);
                bits(*own) == bits(ip)
            }
            _ => false,
        }
    }
}

impl FromStr for Proxy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let refused = || refused::<Self>("proxy", text);
        let (address, prefix) = text.split_once('/').unzip();
        let ip: IpAddr = address.unwrap_or(text).parse().map_err(|_| refused())?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(prefix) => prefix.parse().map_err(|_| refused())?,
        };
        if prefix > width {
            return Err(refused());
        }
        Ok(Self::Network { ip, prefix })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Network { ip, prefix } if ip.is_ipv4() && *prefix == 32 || *prefix == 128 => {
                write!(f, "{ip}")
            }
            Self::Network { ip, prefix } => write!(f, "{ip}/{prefix}"),
        }
    }
}

impl Value for Proxy {
    fn allowed() -> String {
        "\"ADDRESS\", \"ADDRESS/BITS\" or \"unix\", as in [\"127.0.0.1\", \"10.0.0.0/8\"]".into()
    }
}

/// In which header a trusted proxy says whom it serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

impl FromStr for ProxyHeader {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(refused::<Self>("header", text)),
        }
    }
}

impl fmt::Display for ProxyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        })
    }
}

impl Value for ProxyHeader {
    fn allowed() -> String {
        "\"x-forwarded-for\" or \"forwarded\"".into()
    }
}

/// What a user of a trusted proxy may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum UserRole {
    /// Watch.
    #[default]
    Viewer,
    /// All that can be done over the network.
    Operator,
}

impl FromStr for UserRole {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            _ => Err(refused::<Self>("role", text)),
        }
    }
}

impl fmt::Display for UserRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        })
    }
}

impl Value for UserRole {
    fn allowed() -> String {
        "\"viewer\" or \"operator\"".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses() {
        let has = |network: &str, ip: &str| {
            let network: Proxy = network.parse().unwrap();
            assert_eq!(network.to_string().parse(), Ok(network));
            network.has(ip.parse().unwrap())
        };
        assert!(has("10.0.0.0/8", "10.255.1.2") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("192.0.2.1", "192.0.2.1") && !has("192.0.2.1", "192.0.2.2"));
        assert!(has("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(has("0.0.0.0/0", "192.0.2.1") && !has("0.0.0.0/0", "::1"));
        assert!(has("::/0", "2001:db8::1") && !has("unix", "127.0.0.1"));
        assert!(
            has("2001:db8::/33", "2001:db8:7fff::") && !has("2001:db8::/33", "2001:db8:8000::")
        );
        for wrong in [
            "",
            "x",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.1:80",
        ] {
            let error = wrong.parse::<Proxy>().unwrap_err();
            assert!(error.contains("10.0.0.0/8"), "{error}");
        }
    }
}
