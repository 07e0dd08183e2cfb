//! Which web pages may reach the cameras: a browser lets any page open a WebSocket to any server,
//! and says only from which origin the page is.

use axum::http::{
    HeaderMap, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS,
        HOST, ORIGIN, VARY,
    },
};

use crate::state::State;

/// The origins of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Origins {
    any: bool,
    allowed: Vec<String>,
}

/// A page that may not connect, by its origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "pages from {origin:?} may not connect: add it to `allowed-origins` in [http], or open the page from this server"
)]
pub struct Forbidden {
    origin: String,
}

impl Origins {
    /// Those that are in force now.
    pub fn of(state: &State) -> Self {
        state.general(|config| Self::new(&config.http.allowed_origins))
    }

    /// From `[http] allowed-origins`; `*` allows every page.
    pub fn new(allowed: &[String]) -> Self {
        Self {
            any: allowed.iter().any(|origin| origin == "*"),
            allowed: allowed.iter().map(|origin| plain(origin)).collect(),
        }
    }

    /// The same for what changes something: pages that are not named don't count as allowed.
    ///
    /// # Errors
    /// When the request comes from any other page.
    pub fn check_change(self, headers: &HeaderMap) -> Result<(), Forbidden> {
        Self { any: false, ..self }.check(headers)
    }

    /// Lets through programs, which send no origin, this server's own page, and allowed pages.
    ///
    /// # Errors
    /// When the request comes from any other page.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Forbidden> {
        let Some(origin) = headers.get(ORIGIN) else {
            return Ok(());
        };
        let origin = String::from_utf8_lossy(origin.as_bytes());
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        if self.allows(&origin) || host.is_some_and(|host| is_own(&origin, host)) {
            return Ok(());
        }
        Err(Forbidden {
            origin: origin.into_owned(),
        })
    }

    /// The headers by which scripts of an allowed page may read the answer to such a request, and
    /// in a preflight send the headers that they ask for; none for any other page.
    pub fn sharing(&self, headers: &HeaderMap) -> HeaderMap {
        let mut sharing = HeaderMap::new();
        let origin = headers.get(ORIGIN);
        let allowed = |origin: &&HeaderValue| origin.to_str().is_ok_and(|o| self.allows(o));
        if let Some(origin) = origin.filter(allowed) {
            sharing.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            sharing.insert(VARY, HeaderValue::from_static("Origin"));
            if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
                sharing.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
        }
        sharing
    }

    fn allows(&self, origin: &str) -> bool {
        self.any || self.allowed.contains(&plain(origin))
    }
}

fn plain(origin: &str) -> String {
    origin.trim_end_matches('/').to_ascii_lowercase()
}

/// Whether a page of this origin was loaded from this host. The scheme is left out of it: where a
/// proxy adds TLS, the page's is `https` and ours is not.
fn is_own(origin: &str, host: &str) -> bool {
    let (origin, host) = (plain(origin), plain(host));
    let (authority, port) = match (
        origin.strip_prefix("https://"),
        origin.strip_prefix("http://"),
    ) {
        (Some(rest), _) => (rest, ":443"),
        (_, Some(rest)) => (rest, ":80"),
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(port).unwrap_or(authority).to_owned();
    bare(authority) == bare(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if !origin.is_empty() {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn who_may_connect() {
        let listed = Origins::new(&["https://Panel.example/".into()]);
        for (host, origin, may) in [
            ("cam:8080", "", true),
            ("cam:8080", "http://cam:8080", true),
            ("CAM:8080", "http://cam:8080", true),
            ("cam", "http://cam:80", true),
            ("cam", "https://cam", true),
            ("cam:443", "https://cam", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("cam:8080", "https://panel.example", true),
            ("cam:8080", "http://panel.example", false),
            ("cam:8080", "http://cam", false),
            ("cam:8080", "http://cam:8081", false),
            ("cam", "https://cam:80", false),
            ("cam:8080", "http://evil.example", false),
            ("cam:8080", "http://cam:8080.evil.example", false),
            ("cam:8080", "null", false),
            ("cam:8080", "file://", false),
        ] {
            let got = listed.check(&headers(host, origin));
            assert_eq!(got.is_ok(), may, "{origin:?} at {host:?}");
        }
    }

    #[test]
    fn every_page_may_watch_and_only_named_ones_may_change() {
        let open = || Origins::new(&["*".into(), "https://panel.example".into()]);
        for (origin, may) in [
            ("", true),
            ("http://cam", true),
            ("https://panel.example", true),
            ("http://evil.example", false),
        ] {
            let headers = headers("cam", origin);
            assert!(open().check(&headers).is_ok());
            assert_eq!(open().check_change(&headers).is_ok(), may, "{origin:?}");
        }
    }

    #[test]
    fn the_refusal_names_the_origin() {
        let refused = Origins::default().check(&headers("cam", "http://evil.example"));
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("http://evil.example") && text.contains("allowed-origins"),
            "{text}"
        );
    }

    #[test]
    fn answers_are_shared_with_listed_pages_only() {
        let shared = |origins: &Origins, origin| origins.sharing(&headers("cam", origin));
        let listed = Origins::new(&["https://panel.example".into()]);
        let sharing = shared(&listed, "https://panel.example");
        assert_eq!(
            sharing["access-control-allow-origin"],
            "https://panel.example"
        );
        assert_eq!(sharing["vary"], "Origin");
        assert_eq!(sharing.len(), 2);
        assert!(shared(&listed, "https://other.example").is_empty());
        assert!(shared(&listed, "").is_empty());
        assert!(!shared(&Origins::new(&["*".into()]), "null").is_empty());
    }

    #[test]
    fn a_preflight_of_a_listed_page_may_send_the_headers_that_it_asks_for() {
        let listed = Origins::new(&["https://panel.example".into()]);
        for (origin, granted) in [
            ("https://panel.example", Some("x-requested-with")),
            ("https://other.example", None),
        ] {
            let mut preflight = headers("cam", origin);
            let names = HeaderValue::from_static("x-requested-with");
            preflight.insert(ACCESS_CONTROL_REQUEST_HEADERS, names);
            let sharing = listed.sharing(&preflight);
            let got = sharing.get(ACCESS_CONTROL_ALLOW_HEADERS);
            assert_eq!(got.and_then(|names| names.to_str().ok()), granted);
        }
    }
}
