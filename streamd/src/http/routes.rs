//! What a request asks for: one table of addresses for µStreamer's spelling and mjpg-streamer's.

use hyper::{Method, Uri};

use crate::http::{page, page::Asset, parameters::Query};

/// Which camera a request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// It does not say: the first one.
    First,
    /// By name: `?camera=NAME`, `/stream/NAME`.
    Name(String),
    /// By its place in the configuration, from 0: `?action=stream_1`.
    Number(usize),
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A file of the page.
    Asset(&'static Asset),
    /// MJPEG, without end.
    Stream(Pick),
    /// One picture.
    Snapshot(Pick),
    /// The state in JSON.
    State(Pick),
    /// Pictures and messages over WebSocket.
    WebSocket(Pick),
}

/// A request that can't be answered as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// No such address.
    #[error("nothing is at {0}: there is /, /ws, /stream, /snapshot and /state")]
    NotFound(String),
    /// `/?action=` something else.
    #[error(
        "action={0:?}: stream and snapshot are allowed, and stream_N and snapshot_N for camera N, counted from 0"
    )]
    BadAction(String),
    /// The address does not take this method; these it takes.
    #[error("{method} is not for this address: {allowed} are")]
    Method {
        /// What came.
        method: String,
        /// For the `Allow` header.
        allowed: &'static str,
    },
}

impl Asked {
    /// The methods that the address takes, for `Allow`. Nothing changes by any of them.
    pub const fn methods(&self) -> &'static str {
        match self {
            Self::Stream(_) => "GET, HEAD, POST, OPTIONS",
            Self::WebSocket(_) => "GET, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    /// Reads an address, whatever the method.
    ///
    /// # Errors
    /// When there is nothing at the address.
    pub fn at(uri: &Uri, query: &Query) -> Result<Self, Unanswerable> {
        let path = uri.path();
        if path == "/"
            && let Some(action) = query.get("action")
        {
            return by_action(action, query);
        }
        if let Some(asset) = page::asset(path) {
            return Ok(Self::Asset(asset));
        }
        let (place, name) = match path[1..].split_once('/') {
            Some((place, name)) => (place, Some(name)),
            None => (&path[1..], None),
        };
        let pick = match name {
            Some(name) if !name.is_empty() && !name.contains('/') => Pick::Name(decoded(name)),
            Some(_) => return Err(Unanswerable::NotFound(path.to_owned())),
            None => by_query(query),
        };
        match place {
            "stream" => Ok(Self::Stream(pick)),
            "snapshot" => Ok(Self::Snapshot(pick)),
            "state" => Ok(Self::State(pick)),
            "ws" => Ok(Self::WebSocket(pick)),
            _ => Err(Unanswerable::NotFound(path.to_owned())),
        }
    }

    /// Refuses a method that the address does not take. `OPTIONS` is for the caller to answer.
    ///
    /// # Errors
    /// When the address does not take it.
    pub fn check_method(&self, method: &Method) -> Result<(), Unanswerable> {
        let allowed = self.methods();
        if allowed.split(", ").any(|name| name == method.as_str()) {
            return Ok(());
        }
        Err(Unanswerable::Method {
            method: method.to_string(),
            allowed,
        })
    }
}

/// `stream`, `snapshot`, and with `_N` those of camera N.
fn by_action(action: &str, query: &Query) -> Result<Asked, Unanswerable> {
    let bad = || Unanswerable::BadAction(action.to_owned());
    let (verb, pick) = match action.split_once('_') {
        Some((verb, number)) => {
            let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            let number = plain.then(|| number.parse().ok()).flatten();
            (verb, Pick::Number(number.ok_or_else(bad)?))
        }
        None => (action, by_query(query)),
    };
    match verb {
        "stream" => Ok(Asked::Stream(pick)),
        "snapshot" => Ok(Asked::Snapshot(pick)),
        _ => Err(bad()),
    }
}

fn by_query(query: &Query) -> Pick {
    match query.get("camera") {
        Some(name) => Pick::Name(name.to_owned()),
        None => Pick::First,
    }
}

/// A path segment without its percent signs; a camera's name needs none, so what they stand for
/// is told back as it was meant.
fn decoded(segment: &str) -> String {
    percent_encoding::percent_decode_str(segment)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(address: &str) -> Result<Asked, Unanswerable> {
        let uri: Uri = address.parse().unwrap();
        Asked::at(&uri, &Query::parse(uri.query().unwrap_or_default()))
    }

    #[test]
    fn both_spellings() {
        let side = || Pick::Name("side".into());
        for (address, wanted) in [
            ("/stream", Asked::Stream(Pick::First)),
            ("/stream?camera=side&fps=5", Asked::Stream(side())),
            ("/stream/side", Asked::Stream(side())),
            ("/stream/s%69de?t=1", Asked::Stream(side())),
            ("/?action=stream", Asked::Stream(Pick::First)),
            ("/?action=stream&camera=side", Asked::Stream(side())),
            ("/?x=1&action=stream_0", Asked::Stream(Pick::Number(0))),
            ("/?action=stream_12&t=5", Asked::Stream(Pick::Number(12))),
            ("/snapshot", Asked::Snapshot(Pick::First)),
            ("/snapshot/side?max_delay=0", Asked::Snapshot(side())),
            ("/?action=snapshot", Asked::Snapshot(Pick::First)),
            ("/?action=snapshot_1", Asked::Snapshot(Pick::Number(1))),
            ("/state", Asked::State(Pick::First)),
            ("/state?camera=side", Asked::State(side())),
            ("/ws", Asked::WebSocket(Pick::First)),
            ("/ws?camera=side", Asked::WebSocket(side())),
        ] {
            assert_eq!(asked(address), Ok(wanted), "{address}");
        }
        for address in ["/", "/?t=1", "/page/app.js", "/favicon.ico"] {
            assert!(matches!(asked(address), Ok(Asked::Asset(_))), "{address}");
        }
    }

    #[test]
    fn what_is_not_there() {
        for address in [
            "/stream/",
            "/stream/a/b",
            "/streams",
            "/../etc/passwd",
            "/page/",
            "//",
        ] {
            let got = asked(address);
            assert!(
                matches!(got, Err(Unanswerable::NotFound(_))),
                "{address}: {got:?}"
            );
        }
        for address in [
            "/?action=",
            "/?action=command",
            "/?action=stream_",
            "/?action=stream_x",
            "/?action=stream_-1",
            "/?action=snapshot_99999999999999999999999",
        ] {
            let got = asked(address);
            assert!(
                matches!(got, Err(Unanswerable::BadAction(_))),
                "{address}: {got:?}"
            );
        }
    }

    #[test]
    fn only_a_stream_takes_post() {
        for (address, takes) in [
            ("/stream", true),
            ("/?action=stream", true),
            ("/snapshot", false),
            ("/", false),
        ] {
            let got = asked(address).unwrap().check_method(&Method::POST);
            assert_eq!(got.is_ok(), takes, "{address}");
        }
        let refused = asked("/ws")
            .unwrap()
            .check_method(&Method::HEAD)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "HEAD is not for this address: GET, OPTIONS are"
        );
        for method in [Method::PUT, Method::DELETE, Method::TRACE, Method::CONNECT] {
            assert!(asked("/stream").unwrap().check_method(&method).is_err());
        }
    }
}
