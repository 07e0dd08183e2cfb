//! `/ws`: the answer to a handshake, and the viewer that its connection becomes.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{
        HeaderMap, Method, StatusCode, Version,
        header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, UPGRADE},
    },
    response::{IntoResponse, Response},
};

use super::{WebSocket, close_code::CloseCode, codec, handshake};
use crate::{
    camera::{Camera, Place},
    http::{
        chosen::Chosen,
        origin::Origins,
        query::Query,
        refusal::Refusal,
        served::Served,
        visitor::{Newcomer, Next, Visitor, product, user_agent},
    },
};

/// Makes a viewer of who asks, of the first camera that has a place: `?camera=` may name several,
/// or all by `*`. Where there is no place, the handshake succeeds all the same and the connection
/// is closed with the reason: a browser shows a page no status of a failed one.
pub async fn answer(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    camera: Result<Chosen, Refusal>,
    method: Method,
    version: Version,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let accept = handshake::accept(&method, version, &headers)?;
    Origins::of(&served.state).check(&headers)?;
    let cameras = asked(&served, &query, camera)?;
    let limits = query.limits()?;
    visitor.then(match admit(&served, &cameras, &visitor.peer) {
        Ok(place) => Next::Viewer(Newcomer {
            id: served.state.viewers.registry.reserve(),
            place,
            limits,
            name: product(user_agent(&headers)).to_owned(),
            framing: Box::new(WebSocket::default()),
        }),
        Err(refusal) => {
            let mut words = Vec::new();
            codec::write_close(&mut words, CloseCode::TRY_LATER, &refusal.to_string());
            Next::LastWords(words)
        }
    });
    let headers = [
        (UPGRADE, "websocket"),
        (CONNECTION, "Upgrade"),
        (SEC_WEBSOCKET_ACCEPT, accept.as_str()),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}

/// The cameras that a viewer asks for, in the order in which it prefers to enter by them. Of
/// several names those that there are: the viewer is told of the others when it subscribes.
fn asked(
    served: &Served,
    query: &Query,
    one: Result<Chosen, Refusal>,
) -> Result<Vec<Arc<Camera>>, Refusal> {
    let all = &served.state.cameras;
    let names = match query.get("camera") {
        Some("*") => return Ok(all.iter().cloned().collect()),
        Some(names) if names.contains(',') => names.split(','),
        _ => return one.map(|Chosen(camera)| vec![camera]),
    };
    let mut unknown = None;
    let mut cameras = Vec::new();
    for name in names {
        match all.find(Some(name)) {
            Ok(camera) => cameras.push(Arc::clone(camera)),
            Err(error) => unknown = Some(error),
        }
    }
    match unknown {
        Some(error) if cameras.is_empty() => Err(error.into()),
        _ => Ok(cameras),
    }
}

/// A place at the first camera that has one; else why the first has none.
fn admit(served: &Served, cameras: &[Arc<Camera>], peer: &str) -> Result<Place, Refusal> {
    let mut places = cameras.iter().map(|camera| served.admit(camera, peer));
    let first = places.next().expect("at least one camera is asked for");
    first.or_else(|refusal| places.find_map(Result::ok).ok_or(refusal))
}
