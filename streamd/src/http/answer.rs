//! The answers to requests: what is refused and how, what is handed over, and what is sent.

use std::{
    convert::Infallible,
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONTENT_TYPE, HeaderValue, USER_AGENT, VARY},
};

use crate::{
    camera::Place,
    http::{
        connection::{Cell, Handover, Shared, Taken},
        origin::Origins,
        parameters::Query,
        refusal::Refusal,
        routes::{Asked, Pick},
        ustreamer::{mjpeg, mjpeg::Multipart, snapshot, state::state},
        websocket,
        websocket::{WebSocket, handshake},
    },
    viewer::tcp,
};

/// Bytes and time for a request's body. Nothing here needs one; forms are sent with `POST /stream`.
const BODY: (usize, Duration) = (64 * 1024, Duration::from_secs(10));

/// A response before it becomes hyper's.
pub(super) type Answer = Response<Bytes>;

/// Answers one request. When the request becomes a client, the answer is left in `cell` and this
/// never ends: the connection is taken away from under it.
pub(super) async fn answer(
    shared: Arc<Shared>,
    cell: Arc<Cell>,
    peer: Arc<str>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let asker = Asker {
        request: Request::from_parts(parts, ()),
        origins: shared
            .state
            .general(|config| Origins::new(&config.http.allowed_origins)),
        peer,
    };
    let outcome = match drain(body).await {
        Ok(()) => route(&shared, &asker).await,
        Err(refusal) => Err(refusal),
    };
    let mut answer = match outcome {
        Ok(Outcome::Answer(answer)) => answer,
        Ok(Outcome::Taken(taken)) => {
            *cell.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
            return std::future::pending().await;
        }
        Err(refusal) => refusal.response(),
    };
    if let Some(origin) = asker.origins.share_with(asker.request.headers()) {
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("Origin"));
    }
    Ok(answer.map(Full::new))
}

/// Who asks, and for what.
struct Asker {
    request: Request<()>,
    /// The pages that may reach us now.
    origins: Origins,
    peer: Arc<str>,
}

enum Outcome {
    Answer(Answer),
    Taken(Taken),
}

/// Reads a body to its end and forgets it, so that it is not taken for the next request.
async fn drain(body: Incoming) -> Result<(), Refusal> {
    let (limit, patience) = BODY;
    match tokio::time::timeout(patience, Limited::new(body, limit).collect()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(Refusal::BodyTooLarge(limit)),
        Err(_) => Err(Refusal::BodyTooSlow(patience.as_secs())),
    }
}

async fn route(shared: &Shared, asker: &Asker) -> Result<Outcome, Refusal> {
    let request = &asker.request;
    let query = Query::parse(request.uri().query().unwrap_or_default());
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return Ok(Outcome::Answer(options("GET, HEAD, POST, OPTIONS")));
    }
    let asked = Asked::at(request.uri(), &query)?;
    if request.method() == Method::OPTIONS {
        return Ok(Outcome::Answer(options(asked.methods())));
    }
    asked.check_method(request.method())?;
    match asked {
        Asked::Asset(asset) => Ok(Outcome::Answer(asset.response(request.headers()))),
        Asked::Stream(pick) => stream(shared, &pick, &query, asker),
        Asked::WebSocket(pick) => websocket(shared, &pick, &query, asker),
        Asked::State(pick) => state_of(shared, &pick).map(Outcome::Answer),
        Asked::Snapshot(pick) => picture(shared, &pick, &query).await.map(Outcome::Answer),
    }
}

/// The camera that is meant.
fn camera(shared: &Shared, pick: &Pick) -> Result<String, Refusal> {
    let there = shared.state.cameras.names();
    let (found, meant) = match pick {
        Pick::First => (there.first(), String::new()),
        Pick::Number(number) => (there.get(*number), number.to_string()),
        Pick::Name(name) => (there.iter().find(|c| *c == name), format!("{name:?}")),
    };
    match found {
        Some(name) => Ok(name.clone()),
        None => Err(Refusal::NoCamera { meant, there }),
    }
}

/// A place for one more viewer at a camera; else why there is none, which is logged.
fn admit(shared: &Shared, camera: &str, peer: &str) -> Result<Place, String> {
    shared.state.cameras.admit(Some(camera)).map_err(|refused| {
        tcp::log_refused(&refused, peer, camera);
        refused.to_string()
    })
}

fn stream(shared: &Shared, pick: &Pick, query: &Query, asker: &Asker) -> Result<Outcome, Refusal> {
    let request = &asker.request;
    let camera = camera(shared, pick)?;
    let mut parameters = query.stream()?;
    let agent = user_agent(request.headers());
    let ahead = mjpeg::needs_headers_ahead(&parameters, agent);
    parameters.advance_headers = Some(ahead);
    if request.method() == Method::HEAD {
        return Ok(Outcome::Answer(stream_head()));
    }
    let place = admit(shared, &camera, &asker.peer).map_err(Refusal::Unavailable)?;
    let origin = asker.origins.share_with(request.headers());
    let origin = origin.and_then(|origin| origin.to_str().ok());
    Ok(Outcome::Taken(Taken::Client(Handover {
        place,
        want: parameters.want.clone(),
        name: name(parameters.key.as_deref(), agent),
        framing: Box::new(Multipart::new(parameters, origin, shared.listing.clone())),
    })))
}

/// The head of a stream for who wants no more than that.
fn stream_head() -> Answer {
    let kind = format!("multipart/x-mixed-replace;boundary={}", mjpeg::BOUNDARY);
    let mut answer = Response::builder().header(CONTENT_TYPE, kind);
    for (name, value) in mjpeg::NO_CACHE {
        answer = answer.header(name, value);
    }
    answer
        .body(Bytes::new())
        .expect("the headers are constants")
}

fn websocket(
    shared: &Shared,
    pick: &Pick,
    query: &Query,
    asker: &Asker,
) -> Result<Outcome, Refusal> {
    let request = &asker.request;
    let accept = handshake::accept(request.method(), request.version(), request.headers())?;
    asker.origins.check(request.headers())?;
    let camera = camera(shared, pick)?;
    let want = query.want()?;
    Ok(Outcome::Taken(match admit(shared, &camera, &asker.peer) {
        Ok(place) => Taken::Client(Handover {
            place,
            want,
            name: name(None, user_agent(request.headers())),
            framing: Box::new(WebSocket::new(accept)),
        }),
        // A browser shows a page no status of a failed handshake, only a close code and its reason.
        Err(why) => Taken::LastWords(websocket::refusal(&accept, &why)),
    }))
}

fn state_of(shared: &Shared, pick: &Pick) -> Result<Answer, Refusal> {
    let camera = camera(shared, pick)?;
    let stats = shared.state.stats();
    let Some(state) = state(&stats, &camera, &shared.listing) else {
        let why = format!("camera {camera} has just been removed");
        return Err(Refusal::Unavailable(why));
    };
    let json = serde_json::to_vec(&state).expect("plain structures become JSON");
    Ok(Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header("Cache-Control", "no-store")
        .body(Bytes::from(json))
        .expect("the headers are constants"))
}

async fn picture(shared: &Shared, pick: &Pick, query: &Query) -> Result<Answer, Refusal> {
    let camera = camera(shared, pick)?;
    let max_delay = query.max_delay()?;
    match snapshot::take(&shared.state, &camera, max_delay).await {
        Some(frame) => Ok(snapshot::response(&frame)),
        None => Err(Refusal::Unavailable(format!(
            "camera {camera} has delivered no picture for {} s",
            snapshot::PATIENCE.as_secs()
        ))),
    }
}

/// What a client calls itself: its `key`, else the first product of its `User-Agent`.
fn name(key: Option<&str>, agent: &str) -> String {
    let product = || agent.split_ascii_whitespace().next().unwrap_or_default();
    key.unwrap_or_else(product).to_owned()
}

fn user_agent(headers: &HeaderMap) -> &str {
    let agent = headers.get(USER_AGENT);
    agent
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Also the answer to a preflight: what a page may do beyond that, `Access-Control-Allow-Origin` says.
fn options(methods: &'static str) -> Answer {
    Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(ALLOW, methods)
        .header("Access-Control-Allow-Methods", methods)
        .body(Bytes::new())
        .expect("the headers are constants")
}
