//! The login form: a browser shows its token once, and from then on has it in a cookie.

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, ORIGIN,
            RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
        },
        uri::PathAndQuery,
    },
    response::{IntoResponse, Response},
};

use super::{
    credentials::{COOKIE_PLAIN, COOKIE_SECURE},
    origin::Origins,
    refusal::Refusal,
    served::Served,
    visitor::Visitor,
};
use crate::{events, viewer::viewers::Viewers};

/// The form. It needs no other file, since who has no token gets none.
const FORM: &str = include_str!("page/login.html");

/// The form loads nothing, and no other page may frame it.
const SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For `WWW-Authenticate`: of a scheme for which a browser has no window of its own.
pub const NO_WINDOW: HeaderValue = HeaderValue::from_static("Bearer realm=\"streamd\"");

/// Shows the form.
pub async fn form() -> Response {
    answer(StatusCode::OK, "", "/")
}

/// The form, to who has asked for a file of the page without a token; it leads back to the page as
/// it was asked for.
pub fn wanted(asked: &Uri) -> Response {
    let to = asked.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut response = answer(StatusCode::UNAUTHORIZED, "", to);
    response.headers_mut().insert(WWW_AUTHENTICATE, NO_WINDOW);
    response
}

/// Takes what was typed into the form, and answers with the cookie and the page.
pub async fn log_in(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    Origins::of(&served.state).check(&headers)?;
    let field = |of: &str| {
        let mut fields = form_urlencoded::parse(&body);
        let found = fields.find(|(name, _)| name == of);
        found.map(|(_, value)| value.trim().to_owned())
    };
    let to = field("to").filter(|to| is_page(to));
    let to = to.unwrap_or_else(|| "/".into());
    let token = field("token");
    let known = token.as_deref().and_then(|token| {
        let who = served.state.viewers.rules.known(token)?;
        Some((token, who))
    });
    let Some((token, who)) = known else {
        return Ok(refused(&served.state.viewers, &visitor.peer, &to).await);
    };
    tracing::info!(
        message_id = events::LOGGED_IN,
        peer = %visitor.peer,
        token = %who.name,
        "logged in as {}",
        who.name
    );
    let cookie = match visitor.is_encrypted || is_secure(&headers) {
        true => format!("{COOKIE_SECURE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict"),
        false => format!("{COOKIE_PLAIN}={token}; Path=/; HttpOnly; SameSite=Strict"),
    };
    // Relative: a proxy may serve all this below a path of its own.
    let headers = [(SET_COOKIE, cookie), (LOCATION, format!(".{to}"))];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// Forgets the cookie.
pub async fn log_out(
    State(served): State<Served>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    Origins::of(&served.state).check(&headers)?;
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, "login")]).into_response();
    for cookie in [
        format!("{COOKIE_SECURE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"),
        format!("{COOKIE_PLAIN}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
    ] {
        let cookie = HeaderValue::try_from(cookie).expect("plain ASCII");
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The form again, to who has typed something else into it.
async fn refused(viewers: &Viewers, peer: &str, to: &str) -> Response {
    match viewers.refuse_token(peer).await {
        Ok(()) => {
            let message = "This is no token, or no longer one.";
            answer(StatusCode::UNAUTHORIZED, message, to)
        }
        Err(too_many) => {
            let message = format!("There were {too_many}.");
            let mut response = answer(StatusCode::TOO_MANY_REQUESTS, &message, to);
            let after = too_many.seconds().into();
            response.headers_mut().insert(RETRY_AFTER, after);
            response
        }
    }
}

/// Whether a browser would take a cookie for encrypted connections: it says by which scheme the
/// form was loaded, and counts this very machine as encrypted.
fn is_secure(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let origin = text(ORIGIN).unwrap_or_default();
    let host = text(HOST).unwrap_or_default();
    origin.starts_with("https://") || host == "localhost" || host.starts_with("localhost:")
}

/// Whether an address is that of the page, and of no other server: it goes into `Location`.
fn is_page(address: &str) -> bool {
    let asked = address.strip_prefix('/');
    asked.is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
        && HeaderValue::from_str(address).is_ok()
}

/// As an attribute holds it.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// The form; who logs in by it goes on `to` there.
fn answer(status: StatusCode, message: &str, to: &str) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, SECURITY_POLICY),
    ];
    let to = if is_page(to) { to } else { "/" };
    let form = FORM.replace("{message}", message);
    (status, headers, form.replace("{to}", &escaped(to))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_leads_back_to_the_page_and_nowhere_else() {
        for (asked, is) in [
            ("/", true),
            ("/?camera=front&embed", true),
            ("/page/app.js", false),
            ("//evil.example", false),
            ("https://evil.example/", false),
            ("/\\evil.example", false),
            ("/?a\r\nSet-Cookie: b=c", false),
            ("", false),
        ] {
            assert_eq!(is_page(asked), is, "{asked:?}");
        }
        assert_eq!(escaped("/?\"><b>&"), "/?&quot;&gt;&lt;b&gt;&amp;");
    }
}
