//! The query of an address, and a viewer's limits in it.

use std::{convert::Infallible, fmt::Display, ops::RangeInclusive, str::FromStr};

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use streamd_protocol::{
    limits::{FPS, Limits, QUALITY, SIDE},
    stream::Codec,
};

/// A parameter that is known, with a value it can't have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value:?}; allowed: {allowed}")]
pub struct BadParameter {
    name: &'static str,
    value: String,
    allowed: String,
}

/// A parsed query. The first of several parameters of one name counts; unknown ones are left
/// alone, since pages add their own to get around caches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The query of an address.
    pub fn of(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default())
    }

    /// Parses what stands after the `?`. Another `?` separates parameters as `&` does: scripts
    /// append `?t=123` to whatever address they are given.
    pub fn parse(query: &str) -> Self {
        let parts = query.split('?').map(str::as_bytes);
        let pairs = parts.flat_map(|part| form_urlencoded::parse(part).into_owned());
        Self(pairs.collect())
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A parameter that must parse and be in range; `None` where there is none.
    ///
    /// # Errors
    /// What is `allowed`, if the value is not.
    pub fn checked<T: FromStr>(
        &self,
        name: &'static str,
        allowed: &str,
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
                allowed: allowed.to_owned(),
            }),
        }
    }

    /// A viewer's limits.
    ///
    /// # Errors
    /// Names the first that is out of its range.
    pub fn limits(&self) -> Result<Limits, BadParameter> {
        Ok(Limits {
            fps: self.limit("fps", &FPS)?,
            quality: self.limit("quality", &QUALITY)?,
            max_width: self.limit("max_width", &SIDE)?,
            paused: false,
            codec: self.codec()?,
        })
    }

    /// How pictures are to be coded.
    fn codec(&self) -> Result<Codec, BadParameter> {
        let named = |name: &str| Codec::ALL.into_iter().find(|codec| codec.name() == name);
        let name: Option<String> = self.checked("codec", "jpeg or h264", |name: &String| {
            named(name).is_some()
        })?;
        Ok(name.as_deref().and_then(named).unwrap_or_default())
    }

    fn limit<T>(
        &self,
        name: &'static str,
        range: &RangeInclusive<T>,
    ) -> Result<Option<T>, BadParameter>
    where
        T: FromStr + PartialOrd + Default + Display,
    {
        let (least, most, none) = (range.start(), range.end(), T::default());
        let allowed = format!("{least} to {most}, or 0 for no limit");
        let in_range = |value: &T| *value == none || range.contains(value);
        let limit = self.checked(name, &allowed, in_range)?;
        Ok(limit.filter(|value| *value != none))
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_viewer() {
        let query = Query::parse("action=stream?fps=7.5&quality=40&max_width=320&fps=9&t=1");
        let wanted = Limits {
            fps: Some(7.5),
            quality: Some(40),
            max_width: Some(320),
            paused: false,
            codec: Codec::Jpeg,
        };
        assert_eq!(query.limits(), Ok(wanted));
        let none = Query::parse("fps=0&quality=0&max_width=0");
        assert_eq!(none.limits(), Ok(Limits::default()));
        assert_eq!(query.get("action"), Some("stream"));
        let codec = |query| Query::parse(query).limits().map(|limits| limits.codec);
        assert_eq!(codec("codec=h264"), Ok(Codec::H264));
        let error = codec("codec=av1").unwrap_err().to_string();
        assert_eq!(error, "codec=\"av1\"; allowed: jpeg or h264");
        for query in [
            "fps=-1",
            "fps=nan",
            "fps=0.01",
            "fps=fast",
            "quality=101",
            "quality=300",
            "quality=1.5",
            "max_width=8",
            "max_width=99999",
        ] {
            let error = Query::parse(query).limits().unwrap_err().to_string();
            let name = query.split('=').next().unwrap();
            assert!(error.starts_with(&format!("{name}=\"")), "{query}: {error}");
            assert!(error.contains("or 0 for no limit"), "{query}: {error}");
        }
    }
}
