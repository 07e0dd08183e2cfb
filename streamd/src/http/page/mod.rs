//! The page: its files, built into the binary, and the headers they are sent with.

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse, Response},
};

/// What the page may load and talk to: this server and nothing else. Pictures drawn as `<img>`
/// where nothing better works may be ones the page made itself (`blob:`).
pub const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'none'";

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub struct Asset {
    /// Where it is found.
    pub path: &'static str,
    content_type: &'static str,
    content: &'static [u8],
    /// Changes when the content does.
    version: u64,
}

macro_rules! assets {
    ($($path:literal $content_type:literal $file:literal;)*) => {
        [$(Asset {
            path: $path,
            content_type: $content_type,
            content: include_bytes!($file),
            version: fnv1a(include_bytes!($file)),
        }),*]
    };
}

/// All of them.
pub static ASSETS: [Asset; 15] = assets! {
    "/" "text/html; charset=utf-8" "index.html";
    "/page/style.css" "text/css; charset=utf-8" "style.css";
    "/page/app.js" "text/javascript; charset=utf-8" "app.js";
    "/page/tile.js" "text/javascript; charset=utf-8" "tile.js";
    "/page/plain.js" "text/javascript; charset=utf-8" "plain.js";
    "/page/engine.js" "text/javascript; charset=utf-8" "engine.js";
    "/page/viewer.js" "text/javascript; charset=utf-8" "viewer.js";
    "/page/worker.js" "text/javascript; charset=utf-8" "worker.js";
    "/page/connection.js" "text/javascript; charset=utf-8" "connection.js";
    "/page/picture.js" "text/javascript; charset=utf-8" "picture.js";
    "/page/meter.js" "text/javascript; charset=utf-8" "meter.js";
    "/page/segment.js" "text/javascript; charset=utf-8" "segment.js";
    "/page/icon.svg" "image/svg+xml" "icon.svg";
    "/page/manifest.json" "application/manifest+json" "manifest.json";
    "/favicon.ico" "image/svg+xml" "icon.svg";
};

/// FNV-1a: enough to tell one build's file from another's.
const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01B3);
        i += 1;
    }
    hash
}

impl Asset {
    /// The answer to a request for the file; `304` where the browser has it already.
    pub fn response(&self, request: &HeaderMap) -> Response {
        let etag = format!("\"{:016x}\"", self.version);
        let known = |value: &HeaderValue| {
            let listed = value.to_str().unwrap_or_default();
            listed
                .split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == etag)
        };
        let fresh = request.get(IF_NONE_MATCH).is_some_and(known);
        let headers = [
            (ETAG.as_str(), etag.as_str()),
            // Kept, and asked for again each time: an upgrade of the daemon shows at once.
            (CACHE_CONTROL.as_str(), "no-cache"),
            ("Content-Security-Policy", SECURITY_POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ];
        if fresh {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(CONTENT_TYPE, self.content_type)], self.content).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::HttpBody as _;

    use super::*;

    fn asset(path: &str) -> Option<&'static Asset> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    #[test]
    fn a_file_is_sent_once_and_then_confirmed() {
        let page = asset("/").unwrap();
        let first = page.response(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()["content-security-policy"], SECURITY_POLICY);
        let etag = first.headers()["etag"].clone();
        let again = page.response(&HeaderMap::from_iter([(IF_NONE_MATCH, etag)]));
        assert_eq!(
            (again.status(), again.body().is_end_stream()),
            (StatusCode::NOT_MODIFIED, true)
        );
        let other = "\"0\", W/\"1\"".parse().unwrap();
        let changed = page.response(&HeaderMap::from_iter([(IF_NONE_MATCH, other)]));
        assert_eq!(changed.status(), StatusCode::OK);
    }

    /// What the security policy forbids would only be seen in a browser's console.
    #[test]
    fn nothing_comes_from_elsewhere_and_nothing_is_inline() {
        for asset in &ASSETS {
            let text = std::str::from_utf8(asset.content).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in [
                "http://",
                "https://",
                "<style",
                " style=",
                "javascript:",
                " onclick",
            ] {
                assert!(!text.contains(foreign), "{} has {foreign:?}", asset.path);
            }
        }
    }

    /// A link that is not in the table would be a 404 in the browser.
    #[test]
    fn every_file_that_is_referred_to_is_there() {
        let page = std::str::from_utf8(asset("/").unwrap().content).unwrap();
        let links = page.split(['"']).filter(|text| text.starts_with("page/"));
        let mut seen = 0;
        for link in links {
            assert!(asset(&format!("/{link}")).is_some(), "{link}");
            seen += 1;
        }
        assert!(
            seen >= 4,
            "the page links its style, script, icon and manifest"
        );
    }
}
