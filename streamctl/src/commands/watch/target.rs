//! Where a stream comes from: `HOST`, `HOST:PORT`, `[v6]:PORT`, `unix:/path`.

use std::{fmt, path::PathBuf, str::FromStr};

/// The port of a camera where none is given.
const DEFAULT_PORT: u16 = 8002;

/// A raw stream's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host's name or address, and a port.
    Tcp(String, u16),
    /// A Unix socket that a camera listens at.
    Unix(PathBuf),
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
        let none = || format!("`{text}` is no HOST, HOST:PORT, [IPV6]:PORT or unix:PATH");
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
        let port = port.map_or(Ok(DEFAULT_PORT), |port| match port.parse() {
            Ok(0) | Err(_) => Err(format!("port `{port}` is no number from 1 to 65535")),
            Ok(port) => Ok(port),
        })?;
        Ok(Self::Tcp(host.to_owned(), port))
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
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
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
            ("unix:/run/streamd/main", "unix:/run/streamd/main"),
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
            ("http://robot", "HOST"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
