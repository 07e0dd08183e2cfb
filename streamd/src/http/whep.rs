//! `/whep/NAME`: an offer becomes a viewer over WebRTC (draft-ietf-wish-whep).

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    chosen::Chosen,
    query::Query,
    refusal::Refusal,
    served::Served,
    visitor::{Visitor, product, user_agent},
};
use crate::{
    access::role::{Action, may},
    media::{Codec, Timestamp},
    whep::{
        endpoint::Endpoint,
        offer::{self, Refused},
        session::{Arrived, Watcher},
    },
};

/// What an offer and its answer are.
const SDP: &str = "application/sdp";

/// When RTP's time stamps began, µs since the epoch: with it a page knows when a picture was captured.
const EPOCH: HeaderName = HeaderName::from_static("x-rtp-epoch");

/// Answers an offer, and serves who made it.
pub async fn answer(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Chosen(camera): Chosen,
    headers: HeaderMap,
    query: Query,
    body: Bytes,
) -> Result<Response, Refusal> {
    let endpoint = endpoint(&served)?;
    let mut limits = query.limits()?;
    limits.codec = Codec::H264;
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some(SDP) {
        return Err(Refusal::NotSdp);
    }
    let offered = str::from_utf8(&body).map_err(|error| Refusal::BadOffer(error.to_string()))?;
    let peer = visitor.peer.parse::<SocketAddr>().ok();
    let peer_ip = peer.map(|peer| peer.ip().to_canonical());
    let has_sound = camera.sound().is_some();
    let agreed = offer::answer(endpoint, peer_ip, offered, has_sound);
    let agreed = agreed.map_err(|refused| match refused {
        Refused::Unreadable(_) => Refusal::BadOffer(refused.to_string()),
        Refused::NoCodec => Refusal::NotAcceptable(refused.to_string()),
        Refused::NoAddress => Refusal::Unavailable(refused.to_string()),
    })?;
    let viewers = &served.state.viewers;
    let share = viewers.connect(viewers.address_of(&visitor.peer));
    let share = share.ok_or_else(|| Refusal::Unavailable(viewers.too_many().to_string()))?;
    let place = served.admit(&camera, &visitor.peer)?;
    let seat = endpoint.seat(&camera.name, &agreed.name);
    let seat = seat.map_err(|error| Refusal::Unavailable(error.to_string()))?;
    let location = format!("/whep/{}/{}", camera.name, seat.id);
    let told = agreed.answer.clone();
    let watcher = Watcher::new(
        Arc::clone(viewers),
        Arrived {
            peer: Arc::clone(&visitor.peer),
            name: product(user_agent(&headers)).to_owned(),
            agreed,
            seat,
            endpoint: Arc::clone(endpoint),
            limits,
            who: visitor.shown(),
            place,
            share,
        },
    );
    tokio::spawn(watcher.run());
    let mut response = (StatusCode::CREATED, told).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Pages of other origins, where they are allowed, are to find it.
    let exposed = HeaderValue::from_static("Location, X-RTP-Epoch");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    let epoch = Timestamp::default().unix_micros();
    headers.insert(EPOCH, epoch.into());
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Ends a session.
pub async fn end(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path((camera, id)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    allowed(&visitor, &camera)?;
    let endpoint = endpoint(&served)?;
    match endpoint.end(&camera, &id) {
        true => Ok(StatusCode::OK),
        false => Err(Refusal::NotFound(format!("/whep/{camera}/{id}"))),
    }
}

/// Candidates of a client are not needed: it is heard from where its requests come. A new beginning
/// of ICE is a new session.
pub async fn patch(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path((camera, id)): Path<(String, String)>,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    allowed(&visitor, &camera)?;
    let endpoint = endpoint(&served)?;
    if !endpoint.has(&camera, &id) {
        return Err(Refusal::NotFound(format!("/whep/{camera}/{id}")));
    }
    let restarts = body.windows(12).any(|at| at == b"a=ice-ufrag:");
    match restarts && !body.windows(12).any(|at| at == b"a=candidate:") {
        true => Err(Refusal::NoRestart),
        false => Ok(StatusCode::NO_CONTENT),
    }
}

fn endpoint(served: &Served) -> Result<&Arc<Endpoint>, Refusal> {
    served
        .webrtc
        .as_ref()
        .ok_or(Refusal::Off("WebRTC", "webrtc"))
}

fn allowed(visitor: &Visitor, camera: &str) -> Result<(), Refusal> {
    match may(&visitor.who, Action::Watch, Some(camera)) {
        true => Ok(()),
        false => Err(Refusal::MayNot),
    }
}
