//! The parameters of a query, in µStreamer's spelling: which are known, and what each may be.

use std::time::Duration;

use streamd_protocol::stream::Want;

/// Longest `key`, in bytes.
const MAX_KEY: usize = 64;

/// Longest `max_delay`: a minute-old picture is no snapshot.
const MAX_DELAY_MS: u64 = 60_000;

/// A parameter that is known, with a value it can't have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value:?}: {allowed} is allowed")]
pub struct BadParameter {
    name: &'static str,
    value: String,
    allowed: &'static str,
}

/// What `/stream` is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamParameters {
    /// Chosen by the client, to find itself in `/state`; `0` where it chose none.
    pub key: Option<String>,
    /// `X-UStreamer-*` headers in every part.
    pub extra_headers: bool,
    /// The next part's headers directly after a picture; `None` where the query does not say.
    pub advance_headers: Option<bool>,
    /// Taken and shown in `/state`; nothing withholds pictures here, so none needs repeating.
    pub dual_final_frames: bool,
    /// Headers without pictures, to measure with.
    pub zero_data: bool,
    /// The client's limits: `fps`, `quality`, `max_width`.
    pub want: Want,
}

/// A parsed query. The first of several parameters of one name counts; unknown ones are left
/// alone, since pages add their own to get around caches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Parses what stands after the `?`.
    pub fn parse(query: &str) -> Self {
        Self(
            form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// True where the value begins with `1`, `true` or `yes`; `None` where there is none.
    fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?.to_ascii_lowercase();
        Some(
            ["1", "true", "yes"]
                .iter()
                .any(|yes| value.starts_with(yes)),
        )
    }

    /// A parameter that must parse and be in range.
    fn checked<T: std::str::FromStr>(
        &self,
        name: &'static str,
        allowed: &'static str,
        in_range: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, BadParameter> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse().ok().filter(in_range) {
            Some(value) => Ok(Some(value)),
            None => Err(BadParameter {
                name,
                value: text.to_owned(),
                allowed,
            }),
        }
    }

    /// How old the picture of a snapshot may be; zero, the default, is one captured after the request.
    ///
    /// # Errors
    /// When `max_delay` is no whole number of milliseconds up to a minute.
    pub fn max_delay(&self) -> Result<Duration, BadParameter> {
        let allowed = "a whole number of milliseconds, 0 to 60000,";
        let delay = self.checked("max_delay", allowed, |ms| *ms <= MAX_DELAY_MS)?;
        Ok(Duration::from_millis(delay.unwrap_or(0)))
    }

    /// The parameters of a stream.
    ///
    /// # Errors
    /// Names the first parameter that is out of its range.
    pub fn stream(&self) -> Result<StreamParameters, BadParameter> {
        let legal = |key: &String| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(plain)
        };
        Ok(StreamParameters {
            key: self.checked("key", "1 to 64 letters, digits, `-`, `_` or `.`", legal)?,
            extra_headers: self.flag("extra_headers").unwrap_or(false),
            advance_headers: self.flag("advance_headers"),
            dual_final_frames: self.flag("dual_final_frames").unwrap_or(false),
            zero_data: self.flag("zero_data").unwrap_or(false),
            want: self.want()?,
        })
    }

    /// A viewer's limits.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn want(&self) -> Result<Want, BadParameter> {
        Ok(Want {
            fps: self.checked("fps", "0.1 to 1000, or 0 for no limit,", |fps| {
                *fps == 0.0 || (0.1..=1000.0).contains(fps)
            })?,
            quality: self.checked("quality", "1 to 100, or 0 for no limit,", |q| *q <= 100)?,
            max_width: self.checked("max_width", "16 to 16384, or 0 for no limit,", |width| {
                *width == 0 || (16..=16384).contains(width)
            })?,
            paused: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let query = Query::parse(&format!("x=1&extra_headers={text}"));
            assert_eq!(query.stream().unwrap().extra_headers, value, "{text:?}");
        }
        assert_eq!(Query::parse("").stream(), Ok(StreamParameters::default()));
    }

    #[test]
    fn all_parameters_of_a_stream() {
        let query = Query::parse(
            "action=stream&key=a%2Db&extra_headers=1&advance_headers=0&dual_final_frames=yes\
             &zero_data=true&fps=7.5&quality=40&max_width=320&cacheBust=123&key=second",
        );
        let wanted = StreamParameters {
            key: Some("a-b".into()),
            extra_headers: true,
            advance_headers: Some(false),
            dual_final_frames: true,
            zero_data: true,
            want: Want {
                fps: Some(7.5),
                quality: Some(40),
                max_width: Some(320),
                paused: None,
            },
        };
        assert_eq!(query.stream(), Ok(wanted));
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let key = format!("key={}", "x".repeat(65));
        for query in [
            "fps=-1",
            "fps=nan",
            "fps=0.01",
            "fps=fast",
            "quality=101",
            "quality=1.5",
            "max_width=8",
            "max_width=99999",
            "key=a%0d%0aSet-Cookie:x",
            "key=",
            &key,
        ] {
            let error = Query::parse(query).stream().unwrap_err().to_string();
            let name = query.split('=').next().unwrap();
            assert!(error.starts_with(&format!("{name}=")), "{query}: {error}");
            assert!(error.contains("is allowed"), "{query}: {error}");
        }
        assert!(Query::parse("max_delay=soon").max_delay().is_err());
        assert!(Query::parse("max_delay=60001").max_delay().is_err());
        let quarter = Query::parse("max_delay=250").max_delay();
        assert_eq!(quarter, Ok(Duration::from_millis(250)));
        assert_eq!(Query::parse("").max_delay(), Ok(Duration::ZERO));
    }
}
