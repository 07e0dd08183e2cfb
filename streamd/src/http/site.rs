//! What is done with every request, wherever it leads: its address is made plain, its body is
//! taken off the connection, and pages of allowed origins may read the answer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, HttpBody, to_bytes},
    http::{
        HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
        header::{CONTENT_LENGTH, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::{
    credentials, host::Hosts, login, origin::Origins, refusal::Refusal, room::Room, routes,
    ustreamer::action, visitor::Visitor,
};
use crate::{access::proxies::Proxies, events, state::State};

/// Bytes and time for a request's body. Nothing here needs one; forms are sent with `POST /stream`.
const BODY: (usize, Duration) = (64 * 1024, Duration::from_secs(10));

/// What is below this is a call, and counted by address.
const API: &str = "/api/";

/// Characters of a path in the log at most.
const MAX_LOGGED: usize = 100;

/// Scripts send it with their requests. A browser that shows a window of its own for a password
/// would show it for theirs too.
const BY_SCRIPT: &str = "X-Requested-With";

/// A browser that has once come encrypted, to a name and with a good certificate, comes to that
/// name no other way for half a year.
const ALWAYS_ENCRYPTED: &str = "max-age=15768000";

/// What HTTP listeners serve.
pub struct Site {
    /// The rest of the daemon.
    pub state: Arc<State>,
    /// The connections that are being answered.
    pub room: Arc<Room>,
    router: TowerToHyperService<Router>,
}

impl Site {
    /// The addresses of `router`, for the daemon whose configuration says which pages may connect.
    pub fn new(state: Arc<State>, router: Router) -> Arc<Self> {
        let router = TowerToHyperService::new(router);
        let room = Arc::default();
        Arc::new(Self {
            state,
            room,
            router,
        })
    }

    /// Answers one request.
    ///
    /// # Errors
    /// None: what is wrong with a request is its answer.
    pub async fn answer<B>(
        &self,
        visitor: Visitor,
        request: Request<B>,
    ) -> Result<Response, Infallible>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let hosts = Hosts::of(&self.state, &visitor.peer);
        let host = hosts.check(request.version(), request.uri(), request.headers());
        if let Err(bad) = host {
            let refusal = Refusal::from(bad);
            let asked = asked(request.method(), request.uri());
            say_refused(&asked, &visitor, refusal.status());
            // Before anything is shared: whoever reads this may not be meant to.
            return Ok(refusal.into_response());
        }
        let origins = Origins::of(&self.state);
        let sharing = origins.sharing(request.headers());
        let is_encrypted = visitor.is_encrypted;
        let by_script = request.headers().contains_key(BY_SCRIPT);
        let mut response = match self.respond(visitor, request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(),
        };
        if response.status() == StatusCode::NOT_MODIFIED {
            // The router takes the empty body for the file's length.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        if response.status() == StatusCode::UNAUTHORIZED && by_script {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, login::NO_WINDOW);
        }
        if is_encrypted {
            let always = HeaderValue::from_static(ALWAYS_ENCRYPTED);
            response
                .headers_mut()
                .insert(STRICT_TRANSPORT_SECURITY, always);
        }
        response.headers_mut().extend(sharing);
        Ok(response)
    }

    async fn respond<B>(
        &self,
        mut visitor: Visitor,
        request: Request<B>,
    ) -> Result<Response, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        if visitor.is_crowded && !is_about_the_daemon(parts.uri.path()) {
            let crowded = "there are too many connections; /state and /metrics are answered";
            return Err(Refusal::Unavailable(crowded.into()));
        }
        let body = drain(Body::new(body)).await?;
        if parts.method == Method::OPTIONS && parts.uri.path() == "*" {
            return Ok(routes::options(routes::ALL));
        }
        if !parts.uri.path().starts_with('/') {
            return Err(Refusal::BadAddress(parts.uri.to_string()));
        }
        let rules = &self.state.viewers.rules;
        let proxies = rules.proxies();
        // By who is connected, and not by whom that says it serves.
        let user = credentials::user(&proxies, &visitor.peer, &parts.headers);
        visitor.peer = behind(&proxies, visitor.peer, &parts.headers);
        let who = match user {
            Some(user) => Some(rules.identity(Some(&user))),
            None => credentials::identity(rules, &parts.headers, &parts.uri),
        };
        let Some(who) = who else {
            self.state.viewers.refuse_token(&visitor.peer).await?;
            return Err(Refusal::Unauthorized);
        };
        let is_call = parts.uri.path().starts_with(API) && !who.is_outsider();
        if is_call && let Err(too_often) = self.state.viewers.call(&visitor.peer) {
            let refusal = Refusal::from(too_often);
            visitor.who = who;
            let asked = asked(&parts.method, &parts.uri);
            say_refused(&asked, &visitor, refusal.status());
            return Err(refusal);
        }
        let plain = action::plain(&parts.uri, &self.state.cameras);
        if let Some(plain) = plain.map_err(|refusal| refusal.told(&who))? {
            parts.uri = plain;
        }
        visitor.who = who;
        let who = visitor.clone();
        parts.extensions.insert(visitor);
        let asked = asked(&parts.method, &parts.uri);
        let request = Request::from_parts(parts, Body::from(body));
        let Ok(response) = self.router.call(request).await;
        if response.status() == StatusCode::FORBIDDEN {
            say_refused(&asked, &who, response.status());
        }
        Ok(response)
    }
}

/// Who sends a request through this peer.
fn behind(proxies: &Proxies, peer: Arc<str>, headers: &HeaderMap) -> Arc<str> {
    if !proxies.trust(&peer) {
        return peer;
    }
    let said = headers.get_all(proxies.header()).iter();
    let said = said.map(|value| value.to_str().unwrap_or_default());
    proxies.client(&peer, said).into()
}

/// What a request asks for, as far as a line of the log has room for it.
fn asked(method: &Method, uri: &Uri) -> String {
    let path: String = uri.path().chars().take(MAX_LOGGED).collect();
    format!("{method} {path}")
}

/// Says in the log that somebody asked for what they may not have.
fn say_refused(asked: &str, visitor: &Visitor, status: StatusCode) {
    tracing::warn!(
        message_id = events::REQUEST_REFUSED,
        peer = %visitor.peer,
        token = %visitor.who.name,
        "{asked} refused: {status}"
    );
}

/// Whether an address tells what the daemon does, and is answered however crowded it is.
fn is_about_the_daemon(path: &str) -> bool {
    path == "/state" || path.starts_with("/state/") || path == "/metrics"
}

/// Reads a body to its end, so that it is not taken for the next request.
async fn drain(body: Body) -> Result<Bytes, Refusal> {
    let (limit, patience) = BODY;
    match tokio::time::timeout(patience, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Refusal::BodyTooLarge(limit)),
        Err(_) => Err(Refusal::BodyTooSlow(patience.as_secs())),
    }
}
