//! Announces the page on the network (feature `mdns`), so that nobody needs to know an address: by
//! multicast DNS (RFC 6762) and DNS-SD (RFC 6763), as what any browser of services knows, and as
//! streamd's own kind.

use std::{net::SocketAddr, time::Duration};

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use crate::http::host::{announced, machine};

/// How long it may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(200);

/// What a service of our own kind is called.
const OURS: &str = "_streamd._tcp.local.";

/// What is announced, until it is dropped.
pub struct Announcement(ServiceDaemon);

impl Announcement {
    /// Announces those of the listeners of HTTP that are on the network. Whatever prevents it is said
    /// in the log: the page is there without.
    pub fn start(listeners: &[SocketAddr], encrypted: bool) -> Option<Self> {
        let started = Page::of(listeners, encrypted, &machine())
            .ok_or_else(|| "no listener of [http] is on the network".to_owned())
            .and_then(|page| Ok((Self::of(&page)?, page)));
        match started {
            Ok((announcement, page)) => {
                tracing::info!("announced on the network: {}, at {}", page.name, page.url());
                Some(announcement)
            }
            Err(error) => {
                tracing::warn!("http.announce: {error}; nothing is announced");
                None
            }
        }
    }

    fn of(page: &Page) -> Result<Self, String> {
        // The library takes a machine that tells no addresses for one that has none.
        nix::ifaddrs::getifaddrs().map_err(|error| {
            format!("the addresses of this machine can't be read: {error} (AF_NETLINK in RestrictAddressFamilies= of the service)")
        })?;
        let daemon = ServiceDaemon::new().map_err(|error| error.to_string())?;
        let announcement = Self(daemon);
        let loopback = vec![IfKind::LoopbackV4, IfKind::LoopbackV6];
        let disabled = announcement.0.disable_interface(loopback);
        disabled.map_err(|error| error.to_string())?;
        for kind in [page.kind(), OURS] {
            let service = page.service(kind);
            let registered = service.and_then(|service| announcement.0.register(service));
            registered.map_err(|error| error.to_string())?;
        }
        Ok(announcement)
    }
}

impl Drop for Announcement {
    /// Tells the network that the page goes.
    fn drop(&mut self) {
        if let Ok(done) = self.0.shutdown() {
            let _ = done.recv_timeout(GOODBYE);
        }
    }
}

/// What there is to announce.
#[derive(Debug)]
struct Page {
    /// For people.
    name: String,
    /// Of the machine, below `.local`.
    host: String,
    port: u16,
    encrypted: bool,
    /// Which of the machine's addresses lead to it.
    at: Vec<IfKind>,
}

impl Page {
    /// The page at the first of these listeners that is on the network, and at those of the same port.
    fn of(listeners: &[SocketAddr], encrypted: bool, machine: &str) -> Option<Self> {
        let reached = |at: &&SocketAddr| !at.ip().to_canonical().is_loopback();
        let port = listeners.iter().find(reached)?.port();
        let same = listeners.iter().filter(reached);
        let at = same.filter(|at| at.port() == port).map(kind).collect();
        let short = machine.split('.').next().unwrap_or_default();
        Some(Self {
            name: format!(
                "streamd on {}",
                if short.is_empty() { "localhost" } else { short }
            ),
            host: announced(machine),
            port,
            encrypted,
            at,
        })
    }

    fn kind(&self) -> &'static str {
        match self.encrypted {
            true => "_https._tcp.local.",
            false => "_http._tcp.local.",
        }
    }

    fn url(&self) -> String {
        let s = if self.encrypted { "s" } else { "" };
        format!("http{s}://{}.local:{}/", self.host, self.port)
    }

    fn service(&self, kind: &str) -> mdns_sd::Result<ServiceInfo> {
        let host = format!("{}.local.", self.host);
        let tls = self.encrypted.to_string();
        // `path` is what browsers of services know; `tls` is for who looks for our own kind.
        let text = [("path", "/"), ("tls", &tls)];
        let mut service = ServiceInfo::new(kind, &self.name, &host, (), self.port, &text[..])?
            // As interfaces come and go.
            .enable_addr_auto();
        service.set_interfaces(self.at.clone());
        Ok(service)
    }
}

/// The addresses of this machine that lead to a listener. `[::]` takes IPv4 too.
fn kind(at: &SocketAddr) -> IfKind {
    match at {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => IfKind::IPv4,
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => IfKind::All,
        one => IfKind::Addr(one.ip()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(listeners: &[&str]) -> Option<Page> {
        let listeners: Vec<_> = listeners.iter().map(|at| at.parse().unwrap()).collect();
        Page::of(&listeners, false, "Robot7.lan")
    }

    #[test]
    fn what_is_on_loopback_is_not_announced() {
        for loopback in [
            &[][..],
            &["127.0.0.1:8080", "[::1]:8080"],
            &["127.9.9.9:80"],
        ] {
            assert!(page(loopback).is_none(), "{loopback:?}");
        }
    }

    #[test]
    fn the_first_listener_on_the_network_is_with_all_of_its_port() {
        let listeners = [
            "127.0.0.1:8080",
            "192.0.2.7:80",
            "0.0.0.0:81",
            "[2001:db8::7]:80",
        ];
        let page = page(&listeners).unwrap();
        assert_eq!(page.port, 80);
        let at = ["192.0.2.7", "2001:db8::7"].map(|ip| IfKind::Addr(ip.parse().unwrap()));
        assert_eq!(format!("{:?}", page.at), format!("{at:?}"));
        assert_eq!(page.url(), "http://streamd-robot7.local:80/");
    }

    #[test]
    fn a_browser_of_services_is_told_where_the_page_is() {
        let page = page(&["0.0.0.0:8080"]).unwrap();
        let service = page.service(page.kind()).unwrap();
        assert_eq!(
            service.get_fullname(),
            "streamd on Robot7._http._tcp.local."
        );
        assert_eq!(service.get_hostname(), "streamd-robot7.local.");
        assert_eq!(service.get_port(), 8080);
        assert_eq!(service.get_property_val_str("path"), Some("/"));
    }

    #[test]
    fn an_encrypted_page_is_announced_as_one() {
        let at = ["[::]:8443".parse().unwrap()];
        let page = Page::of(&at, true, "").unwrap();
        assert_eq!(page.kind(), "_https._tcp.local.");
        assert_eq!(page.url(), "https://streamd.local:8443/");
        let ours = page.service(OURS).unwrap();
        assert_eq!(ours.get_property_val_str("tls"), Some("true"));
    }
}
