//! Proxies in front of the daemon: whose word on who is behind them counts.
//!
//! What a proxy says is a list, the nearest last, and each one adds to what it was told. So it is
//! read from the end, for as long as the one who says it is trusted: what stands before that,
//! anybody may have written.

use std::net::{IpAddr, SocketAddr};

use crate::config::{
    self,
    values::{Proxy, ProxyHeader},
};

/// The trusted proxies, and the header in which they say whom they serve.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Vec<Proxy>,
    header: ProxyHeader,
}

impl Proxies {
    /// As the configuration says.
    pub fn new(config: &config::Access) -> Self {
        Self {
            trusted: config.trusted_proxies.clone(),
            header: config.proxy_header,
        }
    }

    /// Whether there are any.
    pub fn are_there(&self) -> bool {
        !self.trusted.is_empty()
    }

    /// The name of the header, in small letters.
    pub fn header(&self) -> &'static str {
        match self.header {
            ProxyHeader::XForwardedFor => "x-forwarded-for",
            ProxyHeader::Forwarded => "forwarded",
        }
    }

    /// Whether a peer, as it is shown, is a trusted proxy.
    pub fn trust(&self, peer: &str) -> bool {
        let ip = ip(peer);
        self.trusted.iter().any(|proxy| match proxy {
            Proxy::Unix => peer == "unix",
            Proxy::Network { .. } => ip.is_some_and(|ip| proxy.has(ip)),
        })
    }

    /// Who is served through a peer that sends these values of the header, as far as that is known.
    pub fn client<'v>(&self, peer: &str, values: impl IntoIterator<Item = &'v str>) -> String {
        let values = values.into_iter();
        let hops: Vec<_> = match self.header {
            ProxyHeader::XForwardedFor => values.flat_map(|value| value.split(',')).collect(),
            ProxyHeader::Forwarded => values.flat_map(elements).map(node).collect(),
        };
        let mut client = peer.to_owned();
        for hop in hops.into_iter().rev() {
            let (true, Some(behind)) = (self.trust(&client), ip(hop.trim())) else {
                break;
            };
            client = behind.to_string();
        }
        client
    }
}

/// The address in `192.0.2.7`, `192.0.2.7:5000`, `2001:db8::7`, `[2001:db8::7]` or
/// `[2001:db8::7]:5000`; `None` for `unix`, `unknown` and other words.
pub fn ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let address: Option<IpAddr> = bare.unwrap_or(text).parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    address.or_else(with_port).map(|ip| ip.to_canonical())
}

/// The elements of a `Forwarded` header, RFC 7239 section 4: a comma within quotes is none between
/// two of them.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// What an element says after `for=`, without its quotes; empty where it says nothing.
fn node(element: &str) -> &str {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let of = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    of.map_or("", |(_, node)| node.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn proxies(header: &str) -> Proxies {
        let toml = format!(
            "[access]\ntrusted-proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"2001:db8::/32\", \"unix\"]\nproxy-header = {header:?}"
        );
        Proxies::new(&config::parse(&toml, "test").unwrap().access)
    }

    #[test]
    fn a_word_counts_as_far_as_those_who_pass_it_on_are_trusted() {
        let proxies = proxies("x-forwarded-for");
        for (peer, said, client) in [
            ("127.0.0.1:5", &["192.0.2.7"][..], "192.0.2.7"),
            ("unix", &["192.0.2.7:1234"], "192.0.2.7"),
            ("[2001:db8::1]:5", &["2001:db9::7"], "2001:db9::7"),
            ("[::ffff:10.1.2.3]:5", &["[2001:db9::7]:99"], "2001:db9::7"),
            // The client has made the first one up.
            ("127.0.0.1:5", &["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
            ("127.0.0.1:5", &["198.51.100.1", "192.0.2.7"], "192.0.2.7"),
            // Two proxies, both trusted.
            ("127.0.0.1:5", &["192.0.2.7, 10.9.9.9"], "192.0.2.7"),
            // Whoever is not trusted says nothing of others.
            ("192.0.2.1:5", &["192.0.2.7"], "192.0.2.1:5"),
            ("127.0.0.1:5", &["192.0.2.7, unknown"], "127.0.0.1:5"),
            (
                "127.0.0.1:5",
                &["192.0.2.7, nonsense, 10.1.1.1"],
                "10.1.1.1",
            ),
            ("127.0.0.1:5", &[], "127.0.0.1:5"),
            ("127.0.0.1:5", &[""], "127.0.0.1:5"),
        ] {
            let got = proxies.client(peer, said.iter().copied());
            assert_eq!(got, client, "{peer} {said:?}");
        }
        assert_eq!(
            Proxies::default().client("127.0.0.1:5", ["192.0.2.7"]),
            "127.0.0.1:5"
        );
    }

    #[test]
    fn the_standard_header_is_read_as_the_standard_says() {
        let proxies = proxies("forwarded");
        assert_eq!(proxies.header(), "forwarded");
        for (said, client) in [
            ("for=192.0.2.7", "192.0.2.7"),
            (
                "For=\"192.0.2.7:4711\";proto=https;by=10.0.0.1",
                "192.0.2.7",
            ),
            ("for=1.1.1.1, for=\"[2001:db9::7]:4711\"", "2001:db9::7"),
            ("for=192.0.2.7;by=\"a,b\", for=10.0.0.1", "192.0.2.7"),
            ("for=192.0.2.7, for=_hidden", "127.0.0.1:5"),
            ("for=192.0.2.7, proto=https", "127.0.0.1:5"),
            ("192.0.2.7", "127.0.0.1:5"),
        ] {
            let got = proxies.client("127.0.0.1:5", [said]);
            assert_eq!(got, client, "{said}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_and_who_is_not_trusted_stays(said in ".{0,80}") {
            for header in ["forwarded", "x-forwarded-for"] {
                let proxies = proxies(header);
                prop_assert_eq!(proxies.client("192.0.2.1:5", [&*said]), "192.0.2.1:5");
                let client = proxies.client("127.0.0.1:5", [&*said]);
                prop_assert!(ip(&client).is_some());
            }
        }
    }
}
