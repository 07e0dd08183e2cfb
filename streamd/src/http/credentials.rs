//! The token that a request shows: in a header, as programs and browsers send it, in the cookie of
//! the login form, or, where that is allowed, in the address.

use axum::http::{
    HeaderMap, HeaderValue, Uri,
    header::{AUTHORIZATION, COOKIE},
};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::query::Query;
use crate::access::{
    proxies::Proxies,
    role::{Identity, Proof},
    rules::Rules,
};

/// The cookie over an encrypted connection: a browser takes it from nowhere else, RFC 6265bis
/// section 4.1.3.2.
pub const COOKIE_SECURE: &str = "__Host-streamd";

/// The cookie over a plain one, which is as secret as the rest of it.
pub const COOKIE_PLAIN: &str = "streamd";

/// The query parameter.
const PARAMETER: &str = "token";

/// Who sent a request; `None` for one that shows a token which is not good, where one is needed.
/// Where everybody may something, it counts for none: it may be meant for a proxy. So does a cookie
/// that is not good, since a browser sends it unasked.
pub fn identity(rules: &Rules, headers: &HeaderMap, uri: &Uri) -> Option<Identity> {
    let anybody = rules.identity(None);
    let shown = match headers.get(AUTHORIZATION) {
        Some(authorization) => authorization.to_str().ok().and_then(token_of),
        None if rules.in_query() => Query::of(uri).get(PARAMETER).map(str::to_owned),
        None => None,
    };
    let is_shown = shown.is_some() || headers.contains_key(AUTHORIZATION);
    let known = match &shown {
        Some(token) => rules.known(token),
        None => cookies(headers).find_map(|token| rules.known(token)),
    };
    match known {
        None if is_shown && anybody.is_outsider() => None,
        known => Some(known.unwrap_or(anybody)),
    }
}

/// The user of a trusted proxy that this peer says it serves.
pub fn user(proxies: &Proxies, peer: &str, headers: &HeaderMap) -> Option<Proof> {
    proxies.user(peer, |name| {
        let values = headers.get_all(name).iter();
        let text = |value| std::str::from_utf8(HeaderValue::as_bytes(value)).unwrap_or_default();
        values.map(text).collect()
    })
}

/// The token in `Bearer TOKEN`, or in `Basic` as the password of any user, RFC 7617.
pub fn token_of(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(BASE64_STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(password.to_owned())
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        [COOKIE_SECURE, COOKIE_PLAIN]
            .contains(&name)
            .then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{access::role::Role, fixtures};

    #[tokio::test]
    async fn a_token_is_taken_from_wherever_programs_put_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        for in_query in [false, true] {
            let access = format!("[access]\ntoken-file = {path:?}\ntoken-in-query = {in_query}");
            let state = fixtures::state(&access);
            let rules = &state.viewers.rules;
            let _ = rules.revoke("phone");
            let token = rules.add("phone", Role::Viewer, None, None).unwrap();
            let basic = |user: &str| BASE64_STANDARD.encode(format!("{user}:{token}"));
            let name = |header: Option<(&str, String)>, uri: &str| {
                let mut headers = HeaderMap::new();
                if let Some((name, value)) = header {
                    let name: axum::http::HeaderName = name.parse().unwrap();
                    headers.insert(name, value.parse().unwrap());
                }
                let who = identity(rules, &headers, &uri.parse().unwrap());
                who.map(|who| who.name.to_string())
            };
            let phone = Some("phone".to_owned());
            let nobody = Some(String::new());
            let authorization = |value: String| Some(("authorization", value));
            for good in [
                authorization(format!("Bearer {token}")),
                authorization(format!("bearer  {token}")),
                authorization(format!("Basic {}", basic("octoprint"))),
                authorization(format!("Basic {}", basic(""))),
                Some(("cookie", format!("a=b; __Host-streamd={token}"))),
                Some(("cookie", format!("streamd={token}; c"))),
            ] {
                assert_eq!(name(good.clone(), "/"), phone, "{good:?}");
            }
            for bad in [
                format!("Bearer {token}x"),
                format!("Bearer {}", &token[1..]),
                format!("Basic {token}"),
                format!("Digest {token}"),
                "Bearer".into(),
            ] {
                assert_eq!(name(authorization(bad.clone()), "/"), None, "{bad}");
            }
            assert_eq!(name(Some(("cookie", "streamd=old".into())), "/"), nobody);
            let in_address = name(None, &format!("/stream?fps=5&token={token}"));
            assert_eq!(in_address, if in_query { phone } else { nobody });
        }
    }
}
