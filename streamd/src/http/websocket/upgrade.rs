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

use super::{WebSocket, close_code::CloseCode, codec, handshake, wanted::Wanted};
use crate::http::{
    origin::Origins,
    query::Query,
    refusal::Refusal,
    served::Served,
    visitor::{Newcomer, Next, Visitor, Waiting, product, user_agent},
};

/// Makes a viewer of who asks, of the first camera that has a place. Where there is no place, the
/// handshake succeeds all the same and the connection is closed with the reason: a browser shows a
/// page no status of a failed one.
pub async fn answer(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    wanted: Result<Wanted, Refusal>,
    method: Method,
    version: Version,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    Origins::of(&served.state).check(&headers)?;
    let asked = || -> Result<_, Refusal> {
        let accept = handshake::accept(&method, version, &headers)?;
        Ok((accept, wanted?, query.limits()?))
    };
    let asked = asked().map_err(|refusal| refusal.told(&visitor.who));
    let (accept, wanted, limits) = asked?;
    let name = product(user_agent(&headers)).to_owned();
    let may_watch = wanted.has_any_for(&visitor.who);
    if !may_watch && !visitor.who.is_outsider() {
        return Err(Refusal::MayNot);
    }
    let viewers = &served.state.viewers;
    visitor.then(if !may_watch {
        Next::AtTheDoor(Waiting {
            peer: Arc::clone(&visitor.peer),
            wanted,
            limits,
            name,
        })
    } else {
        match wanted.admit(viewers, &visitor.who, &visitor.peer) {
            Ok(place) => Next::Viewer(Newcomer {
                id: viewers.registry.reserve(),
                peer: Arc::clone(&visitor.peer),
                place,
                limits,
                name,
                who: visitor.shown(),
                framing: Box::new(WebSocket::default()),
            }),
            Err(refusal) => {
                let mut words = Vec::new();
                codec::write_close(&mut words, CloseCode::TRY_LATER, &refusal.to_string());
                Next::LastWords(words)
            }
        }
    });
    let headers = [
        (UPGRADE, "websocket"),
        (CONNECTION, "Upgrade"),
        (SEC_WEBSOCKET_ACCEPT, accept.as_str()),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers).into_response())
}
