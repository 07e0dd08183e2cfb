//! The parameters of a stream and of a snapshot, in µStreamer's spelling.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::http::query::{BadParameter, Query};

/// Longest `key`, in bytes.
const MAX_KEY: usize = 64;

/// Longest `max_delay`: a minute-old picture is no snapshot.
const MAX_DELAY_MS: u64 = 60_000;

/// How a stream is to be written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamParameters {
    /// Chosen by the viewer, to find itself in `/state`; `0` where it chose none.
    pub key: Option<String>,
    /// `X-UStreamer-*` headers in every part.
    pub extra_headers: bool,
    /// The next part's headers directly after a picture.
    pub advance_headers: bool,
    /// Taken and shown in `/state`; nothing withholds pictures here, so none needs repeating.
    pub dual_final_frames: bool,
    /// Headers without pictures, to measure with.
    pub zero_data: bool,
}

impl StreamParameters {
    /// What the query asks for, by a program that calls itself `user_agent`.
    ///
    /// # Errors
    /// When `key` is none.
    pub fn new(query: &Query, user_agent: &str) -> Result<Self, BadParameter> {
        let legal = |key: &String| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(plain)
        };
        let extra_headers = flag(query, "extra_headers").unwrap_or(false);
        let needs_headers_ahead = || !extra_headers && is_chrome(user_agent);
        Ok(Self {
            key: query.checked("key", "1 to 64 letters, digits, `-`, `_` or `.`", legal)?,
            extra_headers,
            advance_headers: flag(query, "advance_headers").unwrap_or_else(needs_headers_ahead),
            dual_final_frames: flag(query, "dual_final_frames").unwrap_or(false),
            zero_data: flag(query, "zero_data").unwrap_or(false),
        })
    }
}

/// Chrome and all that is built on it draws a part only when the next part's headers have come
/// (crbug.com/527446). Asking for the extra headers says that a program reads, whatever its name.
fn is_chrome(user_agent: &str) -> bool {
    user_agent.contains("Chrome/") || user_agent.contains("Chromium/")
}

/// True where the value begins with `1`, `true` or `yes`; `None` where there is none.
fn flag(query: &Query, name: &str) -> Option<bool> {
    let value = query.get(name)?.to_ascii_lowercase();
    Some(
        ["1", "true", "yes"]
            .iter()
            .any(|yes| value.starts_with(yes)),
    )
}

/// How old the picture of a snapshot may be; zero, the default, is one captured after the request.
///
/// # Errors
/// When `max_delay` is no whole number of milliseconds up to a minute.
pub fn max_delay(query: &Query) -> Result<Duration, BadParameter> {
    let allowed = "a whole number of milliseconds, 0 to 60000";
    let delay = query.checked("max_delay", allowed, |ms| *ms <= MAX_DELAY_MS)?;
    Ok(Duration::from_millis(delay.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(query: &str, user_agent: &str) -> Result<StreamParameters, BadParameter> {
        StreamParameters::new(&Query::parse(query), user_agent)
    }

    #[test]
    fn flags_by_the_rule_of_ustreamer() {
        for (text, value) in [
            ("1", true),
            ("10", true),
            ("true", true),
            ("True", true),
            ("yes", true),
            ("YES!", true),
            ("", false),
            ("0", false),
            ("on", false),
            ("false", false),
        ] {
            let query = format!("x=1&extra_headers={text}");
            assert_eq!(stream(&query, "").unwrap().extra_headers, value, "{text:?}");
        }
        assert_eq!(stream("", ""), Ok(StreamParameters::default()));
    }

    #[test]
    fn all_parameters_of_a_stream() {
        let query = "action=stream&key=a%2Db&extra_headers=1&advance_headers=1\
             &dual_final_frames=yes&zero_data=true&cacheBust=123&key=second";
        let wanted = StreamParameters {
            key: Some("a-b".into()),
            extra_headers: true,
            advance_headers: true,
            dual_final_frames: true,
            zero_data: true,
        };
        assert_eq!(stream(query, ""), Ok(wanted));
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let key = format!("key={}", "x".repeat(65));
        for query in ["key=a%0d%0aSet-Cookie:x", "key=", &key] {
            let error = stream(query, "").unwrap_err().to_string();
            assert!(error.starts_with("key=\""), "{query}: {error}");
            assert!(
                error.contains("allowed: 1 to 64 letters"),
                "{query}: {error}"
            );
        }
        assert!(max_delay(&Query::parse("max_delay=soon")).is_err());
        assert!(max_delay(&Query::parse("max_delay=60001")).is_err());
        let quarter = max_delay(&Query::parse("max_delay=250"));
        assert_eq!(quarter, Ok(Duration::from_millis(250)));
        assert_eq!(max_delay(&Query::parse("")), Ok(Duration::ZERO));
    }

    #[test]
    fn who_needs_headers_ahead() {
        const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                              Chrome/130.0.0.0 Safari/537.36";
        const FIREFOX: &str =
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
        for (query, agent, ahead) in [
            ("", CHROME, true),
            ("", FIREFOX, false),
            ("", "VLC/3.0.18 LibVLC/3.0.18", false),
            ("", "", false),
            ("advance_headers=1", FIREFOX, true),
            ("advance_headers=0", CHROME, false),
            ("extra_headers=1", CHROME, false),
            ("extra_headers=1&advance_headers=1", CHROME, true),
        ] {
            let parameters = stream(query, agent).unwrap();
            assert_eq!(parameters.advance_headers, ahead, "{query} {agent}");
        }
    }
}
