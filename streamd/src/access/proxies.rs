//! Proxies in front of the daemon: whose word on who is behind them counts.
//!
//! What a proxy says is a list, the nearest last, and each one adds to what it was told. So it is
//! read from the end, for as long as the one who says it is trusted: what stands before that,
//! anybody may have written.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use super::{
    role::{Identity, Proof, Role},
    token::Key,
};
use crate::config::{
    self,
    values::{Proxy, ProxyHeader, UserRole},
};

/// Whoever connects to a Unix socket, as a peer is shown.
const UNIX: &str = "unix";

/// The trusted proxies, and the header in which they say whom they serve.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Vec<Proxy>,
    header: ProxyHeader,
    users: Option<Users>,
}

/// Whose users need no token.
#[derive(Debug, Clone)]
struct Users {
    /// In which header their names are.
    header: String,
    /// What those prove themselves by who do not come by a Unix socket.
    secret: Option<Key>,
    role: Role,
    operators: Vec<String>,
}

/// The header in which a proxy proves itself.
const SECRET: &str = "x-proxy-secret";

/// Characters of a secret at least.
const SHORTEST: usize = 16;

/// The secret of the proxies can't be used.
#[derive(Debug, thiserror::Error)]
#[error("access.user-secret: {}: {reason}", path.display())]
pub struct BadSecret {
    path: PathBuf,
    reason: String,
    denied: bool,
}

impl BadSecret {
    /// Whether this user may not read it, which says nothing of it.
    pub fn is_denied(&self) -> bool {
        self.denied
    }
}

/// What is kept of the secret in a file.
fn secret(path: &Path) -> Result<Key, BadSecret> {
    let path = config::credential(path);
    let bad = |reason: String, denied| BadSecret {
        path: path.clone(),
        reason,
        denied,
    };
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let text = fs::read_to_string(&path).map_err(|e| bad(e.to_string(), denied(&e)))?;
    let text = text.trim();
    if text.len() < SHORTEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let reason = format!(
            "at least {SHORTEST} letters, digits and signs are needed, on one line, as `openssl rand -hex 32` makes them"
        );
        return Err(bad(reason, false));
    }
    Ok(Key::of(text))
}

impl Proxies {
    /// As the configuration says.
    ///
    /// # Errors
    /// When the secret can't be read.
    pub fn new(config: &config::Access) -> Result<Self, BadSecret> {
        let secret = config.user_secret.as_deref().map(secret).transpose()?;
        let users = config.user_header.as_ref().map(|header| Users {
            header: header.to_ascii_lowercase(),
            secret,
            role: match config.user_role {
                UserRole::Viewer => Role::Viewer,
                UserRole::Operator => Role::Operator,
            },
            operators: config.operators.clone(),
        });
        Ok(Self {
            trusted: config.trusted_proxies.clone(),
            header: config.proxy_header,
            users,
        })
    }

    /// Whether their users need no token.
    pub fn have_users(&self) -> bool {
        self.users.is_some()
    }

    /// The user that a peer says it serves: where the peer is a trusted proxy, and one that nobody
    /// else can be. `header` has all values of a header.
    pub fn user<'v>(&self, peer: &str, header: impl Fn(&str) -> Vec<&'v str>) -> Option<Proof> {
        let users = self.users.as_ref()?;
        // Programs of the proxy's machine may connect from where it does.
        let is_proven = peer == UNIX
            || match (&users.secret, &header(SECRET)[..]) {
                (Some(secret), [shown]) => secret.is(&Key::of(shown)),
                _ => false,
            };
        match header(&users.header)[..] {
            [name] if self.trust(peer) && is_proven && config::is_user_name(name) => {
                Some(Proof::User(name.into()))
            }
            _ => None,
        }
    }

    /// Who a user is now.
    pub fn identity(&self, name: &str) -> Identity {
        let Some(users) = &self.users else {
            return Identity::default();
        };
        let is_operator = users.operators.iter().any(|operator| operator == name);
        Identity {
            name: name.into(),
            proof: Some(Proof::User(name.into())),
            roles: vec![if is_operator {
                Role::Operator
            } else {
                users.role
            }],
            camera: None,
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
            Proxy::Unix => peer == UNIX,
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
        Proxies::new(&config::parse(&toml, "test").unwrap().access).unwrap()
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

    /// Whose word on a user counts: with the header and the secret given here.
    #[test]
    fn a_user_is_believed_of_nobody_but_a_proxy_that_proves_itself() {
        const SAID: &str = "0123456789abcdef0123456789abcdef";
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), format!("{SAID}\n")).unwrap();
        let proxies = |secret: bool| {
            let secret = match secret {
                true => format!("user-secret = {:?}", file.path()),
                false => String::new(),
            };
            let toml = format!(
                "[access]\ntrusted-proxies = [\"10.0.0.1\", \"unix\"]\nuser-header = \"X-Remote-User\"\n{secret}"
            );
            Proxies::new(&config::parse(&toml, "test").unwrap().access).unwrap()
        };
        let user = |with_secret, peer, names: &[&'static str], secrets: &[&'static str]| {
            let said = |header: &str| match header {
                "x-remote-user" => names.to_vec(),
                SECRET => secrets.to_vec(),
                _ => panic!("{header}"),
            };
            match proxies(with_secret).user(peer, said) {
                Some(Proof::User(name)) => Some(name),
                other => {
                    assert_eq!(other, None);
                    None
                }
            }
        };
        let anna = Some("anna".to_owned());
        assert_eq!(user(false, "unix", &["anna"], &[]), anna);
        assert_eq!(user(true, "unix", &["anna"], &[]), anna);
        assert_eq!(user(true, "10.0.0.1:5", &["anna"], &[SAID]), anna);
        for (with_secret, peer, names, secrets) in [
            // The proxy's address is not enough, and neither is the secret.
            (false, "10.0.0.1:5", &["anna"][..], &[][..]),
            (true, "10.0.0.1:5", &["anna"], &[]),
            (
                true,
                "10.0.0.1:5",
                &["anna"],
                &["0123456789abcdef0123456789abcdeF"],
            ),
            (true, "10.0.0.1:5", &["anna"], &[""]),
            (true, "10.0.0.1:5", &["anna"], &[SAID, SAID]),
            (true, "10.0.0.2:5", &["anna"], &[SAID]),
            (true, "127.0.0.1:5", &["anna"], &[SAID]),
            (false, "10.0.0.1:5", &["anna"], &[""]),
            // What is no name, or no one name, is none.
            (false, "unix", &[], &[]),
            (false, "unix", &[""], &[]),
            (false, "unix", &["anna", "root"], &[]),
            (false, "unix", &["an\u{202e}na"], &[]),
            (false, "unix", &["an\nna"], &[]),
            (false, "unix", &[" "], &[]),
        ] {
            let got = user(with_secret, peer, names, secrets);
            assert_eq!(got, None, "{with_secret} {peer} {names:?} {secrets:?}");
        }
        for weak in ["", "short", "0123456789 abcdef0"] {
            fs::write(file.path(), weak).unwrap();
            assert!(
                secret(file.path())
                    .unwrap_err()
                    .to_string()
                    .contains("at least 16")
            );
        }
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
