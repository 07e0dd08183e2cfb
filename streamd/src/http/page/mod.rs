//! The page: its files, built into the binary, and the headers they are sent with.

mod join;
mod script;

use std::{io::Write as _, sync::LazyLock};

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
            CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

/// What the page may load and talk to: this server and nothing else. Pictures drawn as `<img>`
/// where nothing better works may be ones the page made itself (`blob:`), and the video that
/// floats over other windows is made of such.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; \
     manifest-src 'self'; base-uri 'none'; form-action 'none'";

/// The security policy of the page, which this server's own pages and those of `ancestors` may
/// show as a part of theirs.
pub fn policy(ancestors: &[String]) -> String {
    let ancestors = ancestors.iter().map(|origin| format!(" {origin}"));
    let ancestors: String = ancestors.collect();
    format!("{SECURITY_POLICY}; frame-ancestors 'self'{ancestors}")
}

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    /// Where it is found.
    pub path: &'static str,
    content_type: &'static str,
    content: Bytes,
    /// The same, smaller; `None` where it can't be made much smaller.
    compressed: Option<Bytes>,
    /// Changes when the content does. Weak: it stands for both forms of it.
    etag: String,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";
const PNG: &str = "image/png";
const JSON: &str = "application/manifest+json";

const INDEX: &str = include_str!("index.html");
const STYLE: &str = include_str!("style.css");
const MANIFEST: &str = include_str!("manifest.json");

/// What draws pictures, alone in a worker.
const VIEWER: &[&str] = &[
    include_str!("segment.js"),
    include_str!("meter.js"),
    include_str!("standing.js"),
    include_str!("picture.js"),
    include_str!("stream.js"),
    include_str!("connection.js"),
    include_str!("viewer.js"),
    include_str!("worker.js"),
];

/// What goes ahead of the page, and is a part of it.
const AHEAD: &[&str] = &[
    include_str!("settings.js"),
    include_str!("address.js"),
    include_str!("engine.js"),
    include_str!("ahead.js"),
];

/// The page around it.
const APP: &[&str] = &[
    include_str!("words.js"),
    include_str!("announce.js"),
    include_str!("tile.js"),
    include_str!("layout.js"),
    include_str!("history.js"),
    include_str!("sheet.js"),
    include_str!("control.js"),
    include_str!("field.js"),
    include_str!("people.js"),
    include_str!("panel.js"),
    include_str!("zoom.js"),
    include_str!("film.js"),
    include_str!("screen.js"),
    include_str!("plain.js"),
    include_str!("meter.js"),
    include_str!("standing.js"),
    include_str!("webrtc.js"),
    include_str!("ways.js"),
    include_str!("app.js"),
    include_str!("sound.js"),
    include_str!("commands.js"),
    include_str!("start.js"),
];

/// The recordings, a page of their own.
const RECORDINGS: &[&str] = &[
    include_str!("settings.js"),
    include_str!("lapse.js"),
    include_str!("recordings.js"),
];

static ASSETS: LazyLock<[Asset; 13]> = LazyLock::new(|| {
    let icon = include_bytes!("icon.svg");
    let new = Asset::new;
    [
        new("/", HTML, join::document(INDEX).as_bytes()),
        new("/page/style.css", CSS, join::style(STYLE).as_bytes()),
        new("/page/ahead.js", JS, join::shared(AHEAD).as_bytes()),
        new(
            "/page/app.js",
            JS,
            join::after("./ahead.js", AHEAD, APP).as_bytes(),
        ),
        new("/page/viewer.js", JS, join::join(VIEWER).as_bytes()),
        new(
            "/recordings",
            HTML,
            join::document(include_str!("recordings.html")).as_bytes(),
        ),
        new(
            "/page/recordings.css",
            CSS,
            join::style(include_str!("recordings.css")).as_bytes(),
        ),
        new("/page/recordings.js", JS, join::join(RECORDINGS).as_bytes()),
        new("/page/icon.svg", SVG, icon),
        new("/favicon.ico", SVG, icon),
        new("/page/icon-192.png", PNG, include_bytes!("icon-192.png")),
        new("/page/icon-512.png", PNG, include_bytes!("icon-512.png")),
        new(
            "/page/manifest.json",
            JSON,
            join::document(MANIFEST).as_bytes(),
        ),
    ]
});

/// All of them, joined and compressed once.
pub fn assets() -> &'static [Asset] {
    &*ASSETS
}

/// FNV-1a: enough to tell one build's file from another's.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder
        .write_all(content)
        .and_then(|()| encoder.finish())
        .expect("memory takes all that is written to it")
}

impl Asset {
    fn new(path: &'static str, content_type: &'static str, content: &[u8]) -> Self {
        let compressed = gzip(content);
        // A document is what might hold a secret beside what somebody else chose, whose length would
        // then tell of it (BREACH): none is compressed.
        let is_worth_it = compressed.len() * 10 < content.len() * 9 && content_type != HTML;
        Self {
            path,
            content_type,
            etag: format!("W/\"{:016x}\"", fnv1a(content)),
            compressed: is_worth_it.then(|| compressed.into()),
            content: Bytes::copy_from_slice(content),
        }
    }

    /// The answer to a request for the file, with this security policy; `304` where the browser
    /// has it already.
    pub fn response(&self, request: &HeaderMap, policy: &str) -> Response {
        let etag = self.etag.trim_start_matches("W/");
        let known = |value: &HeaderValue| {
            let listed = value.to_str().unwrap_or_default();
            listed
                .split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == etag)
        };
        let headers = [
            (ETAG, self.etag.as_str()),
            // Kept, and asked for again each time: an upgrade of the daemon shows at once.
            (CACHE_CONTROL, "no-cache"),
            (VARY, "Accept-Encoding"),
            (CONTENT_SECURITY_POLICY, policy),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
        ];
        if request.get(IF_NONE_MATCH).is_some_and(known) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let kind = [(CONTENT_TYPE, self.content_type)];
        match &self.compressed {
            Some(compressed) if takes_gzip(request) => {
                let coding = [(CONTENT_ENCODING, "gzip")];
                (headers, kind, coding, compressed.clone()).into_response()
            }
            _ => (headers, kind, self.content.clone()).into_response(),
        }
    }
}

/// Whether `Accept-Encoding` lists gzip, and not with `q=0`.
fn takes_gzip(request: &HeaderMap) -> bool {
    let codings = request.get_all(ACCEPT_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    codings.any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let quality = quality.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && quality.parse().is_ok_and(|q: f32| q > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::HttpBody as _;

    use super::*;

    /// Bytes of all files, as they are sent to a browser that takes no compression.
    const BUDGET: usize = 120_000;

    /// Of the files of the recordings' page, which only who looks at these gets.
    const RECORDINGS_BUDGET: usize = 25_000;

    fn asset(path: &str) -> Option<&'static Asset> {
        assets().iter().find(|asset| asset.path == path)
    }

    fn text(asset: &Asset) -> String {
        String::from_utf8_lossy(&asset.content).into_owned()
    }

    #[test]
    fn a_file_is_sent_once_and_then_confirmed() {
        let page = asset("/").unwrap();
        let first = page.response(&HeaderMap::new(), "a policy");
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()["content-security-policy"], "a policy");
        let etag = first.headers()["etag"].clone();
        let again = page.response(&HeaderMap::from_iter([(IF_NONE_MATCH, etag)]), "");
        assert_eq!(
            (again.status(), again.body().is_end_stream()),
            (StatusCode::NOT_MODIFIED, true)
        );
        let other = "\"0\", W/\"1\"".parse().unwrap();
        let changed = page.response(&HeaderMap::from_iter([(IF_NONE_MATCH, other)]), "");
        assert_eq!(changed.status(), StatusCode::OK);
    }

    /// Joined, modules share one scope: a name that two of them have would stop the whole page.
    #[test]
    fn no_name_is_declared_twice_where_modules_are_joined() {
        for modules in [&[AHEAD, APP].concat(), VIEWER, RECORDINGS] {
            let mut names = BTreeSet::new();
            // What a module declares for itself begins its line.
            for line in modules.iter().flat_map(|module| module.lines()) {
                let line = line.strip_prefix("export ").unwrap_or(line);
                let line = line.strip_prefix("async ").unwrap_or(line);
                let declares = ["const ", "let ", "function ", "class "];
                let rest = declares.iter().find_map(|word| line.strip_prefix(word));
                let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
                for name in rest
                    .iter()
                    .flat_map(|rest| rest.split(|c| !is_name(c)))
                    .take(1)
                {
                    assert!(names.insert(name), "{name} is declared twice");
                }
            }
            assert!(names.len() > 5, "{names:?}");
        }
    }

    /// What is left out is for readers: each line of code is still there, blanks aside.
    #[test]
    fn no_code_is_lost_where_modules_are_joined() {
        let close = |text: &str| text.split_whitespace().collect::<String>();
        for (modules, least) in [(AHEAD, 60), (APP, 300), (VIEWER, 300), (RECORDINGS, 200)] {
            let joined = close(&join::join(modules));
            let code = |module: &'static str| {
                let imports = module.rsplit_once(" from \"./");
                imports.map_or(module, |(_, rest)| rest.split_once('\n').expect("a line").1)
            };
            let mut seen = 0;
            for line in modules.iter().flat_map(|module| code(module).lines()) {
                let code = line.trim_start().split(" // ").next().unwrap_or_default();
                let code = code.strip_prefix("export ").unwrap_or(code);
                let is_comment = ["//", "/*", "*"].iter().any(|mark| code.starts_with(mark));
                if !is_comment {
                    assert!(joined.contains(&close(code)), "{line}");
                    seen += 1;
                }
            }
            assert!(seen > least, "{seen}");
        }
    }

    #[test]
    fn compressed_for_those_who_take_it() {
        let app = asset("/page/app.js").unwrap();
        for (accepted, compressed) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0, br", false),
            ("identity", false),
            ("", false),
        ] {
            let request = HeaderMap::from_iter([(ACCEPT_ENCODING, accepted.parse().unwrap())]);
            let answer = app.response(&request, "");
            let coding = answer.headers().get(CONTENT_ENCODING);
            assert_eq!(coding.is_some(), compressed, "{accepted:?}");
            assert_eq!(answer.headers()[VARY], "Accept-Encoding");
            let sent = answer.body().size_hint().exact().unwrap() as usize;
            assert_eq!(sent < app.content.len() / 2, compressed, "{accepted:?}");
        }
        for plain in ["/", "/page/icon-512.png"] {
            assert!(asset(plain).unwrap().compressed.is_none(), "{plain}");
        }
    }

    #[test]
    fn only_pages_that_are_named_may_show_this_one_as_a_part() {
        assert!(policy(&[]).ends_with("; frame-ancestors 'self'"));
        let named = policy(&["https://panel.example".into(), "*".into()]);
        assert!(named.ends_with("; frame-ancestors 'self' https://panel.example *"));
    }

    #[test]
    fn all_files_together_are_small() {
        let is_of_recordings = |asset: &&Asset| asset.path.contains("recordings");
        let sum = |of: &dyn Fn(&&Asset) -> bool| -> usize {
            assets()
                .iter()
                .filter(of)
                .map(|asset| asset.content.len())
                .sum()
        };
        let bytes = sum(&|asset| asset.path != "/favicon.ico" && !is_of_recordings(asset));
        assert!(bytes <= BUDGET, "{bytes}");
        let bytes = sum(&is_of_recordings);
        assert!(bytes <= RECORDINGS_BUDGET, "{bytes}");
    }

    /// What the security policy forbids would only be seen in a browser's console.
    #[test]
    fn nothing_comes_from_elsewhere_and_nothing_is_inline() {
        for asset in assets() {
            let text = text(asset).replace("http://www.w3.org/2000/svg", "");
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
        let page = text(asset("/").unwrap());
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
        assert!(text(asset("/page/ahead.js").unwrap()).contains("page/viewer.js"));
        let manifest = text(asset("/page/manifest.json").unwrap());
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        for icon in manifest["icons"].as_array().unwrap() {
            let path = format!("/page/{}", icon["src"].as_str().unwrap());
            assert!(asset(&path).is_some(), "{path}");
        }
    }
}
