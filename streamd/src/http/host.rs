//! Which names this server answers to. A page on the internet can have its own name resolve to this
//! machine (DNS rebinding); the browser then takes our answers for that page's own, and says only
//! in `Host` which name it used.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::{
    HeaderMap, Uri, Version,
    header::{HOST, HeaderValue},
    uri::Authority,
};

use crate::{link::socket::UNIX, state::State};

/// The names that are served, besides the addresses themselves.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    any: bool,
    names: Vec<String>,
    announced: String,
}

/// Why a request's host is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// RFC 9112 section 3.2 wants one.
    #[error("one Host header is needed, with a host and nothing else; {0}")]
    NotOne(&'static str),
    /// Another name.
    #[error(
        "{0:?} is no name of this server: add it to `allowed-hosts` in [http], or use the machine's address"
    )]
    Foreign(String),
}

impl Hosts {
    /// Those that are in force now for requests of this peer. Over a Unix socket any name is good:
    /// no browser comes that way, and programs must write some name.
    pub fn of(state: &State, peer: &str) -> Self {
        let hosts = state.general(|config| Self::new(&config.http.allowed_hosts, &machine()));
        Self {
            any: hosts.any || peer == UNIX,
            ..hosts
        }
    }

    /// `localhost`, the `machine`'s own name, the one that is announced, and `[http] allowed-hosts`;
    /// `*` allows every name.
    pub fn new(allowed: &[String], machine: &str) -> Self {
        let machine = plain(machine);
        let short = short(&machine);
        let mut names = vec!["localhost".to_owned()];
        if !short.is_empty() {
            // By the second name, multicast DNS finds it.
            names.extend([short.into(), format!("{short}.local"), machine.clone()]);
        }
        names.extend(allowed.iter().map(|name| plain(name)));
        Self {
            any: allowed.iter().any(|name| name == "*"),
            names,
            announced: announced(&machine),
        }
    }

    /// Lets a request through that was meant for this server, by its `Host` and, where its target
    /// is a whole URL, by that too.
    ///
    /// # Errors
    /// When there is no host, more than one, or one of another server.
    pub fn check(&self, version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), BadHost> {
        let mut hosts = headers.get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => self.allow(host)?,
            // Programs that speak HTTP/1.0 may send none, and no browser is among them.
            (None, _) if version < Version::HTTP_11 => {}
            (None, _) => return Err(BadHost::NotOne("there is none")),
            (Some(_), Some(_)) => return Err(BadHost::NotOne("there are several")),
        }
        match (uri.scheme(), uri.authority()) {
            (Some(_), Some(authority)) => self.allow_authority(authority),
            _ => Ok(()),
        }
    }

    fn allow(&self, host: &HeaderValue) -> Result<(), BadHost> {
        let bad = BadHost::NotOne("it is not written as a host");
        let authority = Authority::try_from(host.as_bytes()).map_err(|_| bad)?;
        self.allow_authority(&authority)
    }

    fn allow_authority(&self, authority: &Authority) -> Result<(), BadHost> {
        if authority.as_str().contains('@') {
            return Err(BadHost::NotOne("a user is no part of it"));
        }
        let host = plain(authority.host());
        if self.any
            || is_address(&host)
            || self.names.contains(&host)
            || self.is_announced(&host)
            || is_localhost(&host)
        {
            return Ok(());
        }
        Err(BadHost::Foreign(host))
    }

    /// Where a machine of the same name has announced itself before, multicast DNS makes ours
    /// `streamd-robot-2`.
    fn is_announced(&self, host: &str) -> bool {
        let Some(rest) = host
            .strip_suffix(".local")
            .and_then(|name| name.strip_prefix(&self.announced))
        else {
            return false;
        };
        rest.is_empty() || rest.strip_prefix('-').is_some_and(is_number)
    }
}

/// Under which name, below `.local`, the page is announced. It is not the machine's own, which may be
/// another responder's to announce: two that do not agree on its addresses would rename the machine.
pub fn announced(machine: &str) -> String {
    let machine = plain(machine);
    match short(&machine) {
        "" => "streamd".into(),
        short => format!("streamd-{short}"),
    }
}

/// The name of a machine without its domain.
fn short(machine: &str) -> &str {
    machine.split('.').next().unwrap_or_default()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The machine's host name.
pub fn machine() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// As names are compared: small letters, no dot at the end.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

/// Nobody can make an address resolve to another one.
fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match bare {
        // A link-local address may name its interface: `fe80::1%25eth0`.
        Some(v6) => v6
            .split('%')
            .next()
            .is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok()),
        None => host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4()),
    }
}

/// Names below `localhost` are this machine's too, RFC 6761 section 6.3.
fn is_localhost(host: &str) -> bool {
    host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, hosts: &[&str]) -> Result<(), BadHost> {
        let served = Hosts::new(&["Cam.example".into()], "pi.lan");
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().unwrap());
        }
        served.check(Version::HTTP_11, &target.parse().unwrap(), &headers)
    }

    #[test]
    fn addresses_own_names_and_allowed_ones_are_served() {
        for host in [
            "127.0.0.1:8080",
            "192.0.2.7",
            "[::1]:8080",
            "[fe80::1%25eth0]:8080",
            "localhost",
            "LOCALHOST.:8080",
            "robot.localhost",
            "pi",
            "Pi.lan:8080",
            "pi.local",
            "streamd-pi.local:8080",
            "streamd-pi-2.local",
            "cam.example:443",
        ] {
            assert_eq!(check("/", &[host]), Ok(()), "{host}");
            assert_eq!(check(&format!("http://{host}/"), &[host]), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names_are_not_wherever_they_stand() {
        for host in [
            "evil.example",
            "evil.example:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "cam.example.evil.example",
            "pi.evil.example",
            "streamd-pi-2.local.evil.example",
            "streamd-pi-evil.local",
            "streamd-pi",
            "[v1.x]",
            "2130706433",
        ] {
            let foreign = |got| matches!(got, Err(BadHost::Foreign(_) | BadHost::NotOne(_)));
            assert!(foreign(check("/", &[host])), "{host}");
            let target = "http://evil.example/state";
            assert!(foreign(check(target, &["localhost"])));
        }
    }

    #[test]
    fn there_is_one_host_and_it_is_a_host() {
        for hosts in [
            &[][..],
            &["localhost", "localhost"],
            &[""],
            &["a b"],
            &["user@localhost"],
            &["localhost/x"],
        ] {
            let got = check("/", hosts);
            assert!(matches!(got, Err(BadHost::NotOne(_))), "{hosts:?}: {got:?}");
        }
        let old =
            Hosts::default().check(Version::HTTP_10, &"/".parse().unwrap(), &HeaderMap::new());
        assert_eq!(old, Ok(()));
        let any = Hosts::new(&["*".into()], "pi");
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "any.example".parse().unwrap());
        let uri = "/".parse().unwrap();
        assert_eq!(any.check(Version::HTTP_11, &uri, &headers), Ok(()));
    }
}
