//! `/stream`: the head of the response, and the viewer that its connection becomes.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{
        HeaderMap, Method, Version,
        header::{CONNECTION, CONTENT_TYPE, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use streamd_protocol::limits::Limits;

use super::{
    mjpeg::{BOUNDARY, Multipart, NO_CACHE},
    parameters::StreamParameters,
};
use crate::{
    http::{
        chosen::Chosen,
        query::Query,
        refusal::Refusal,
        served::Served,
        visitor::{Newcomer, Next, Visitor, product, user_agent},
    },
    media::Codec,
};

/// Makes a viewer of who asks; by `HEAD`, only says what it would get.
pub async fn answer(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Chosen(camera): Chosen,
    method: Method,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    let agent = user_agent(&headers);
    let parameters = StreamParameters::new(&query, agent)?;
    let limits = Limits {
        codec: Codec::Jpeg,
        ..query.limits()?
    };
    if method == Method::HEAD {
        return Ok(head());
    }
    let place = served.admit(&camera, &visitor.peer)?;
    let id = served.state.viewers.registry.reserve();
    let key = parameters.key.as_deref();
    let cookie = format!(
        "stream_client={}/{id:x}; path=/; max-age=30",
        key.unwrap_or("0")
    );
    let listed = served.listing.add(id, parameters.clone());
    visitor.then(Next::Viewer(Newcomer {
        id,
        peer: Arc::clone(&visitor.peer),
        place,
        who: visitor.shown(),
        limits,
        name: key.unwrap_or(product(agent)).to_owned(),
        framing: Box::new(Multipart::new(parameters, listed)),
    }));
    // By the cookie a viewer finds itself in `/state`.
    Ok(([(SET_COOKIE, cookie)], head()).into_response())
}

/// HTTP/1.0 and `close`, like the servers it stands in for: the stream ends with the connection,
/// and no client expects chunks. A body of no known length has hyper write just that.
fn head() -> Response {
    endless(&format!("multipart/x-mixed-replace;boundary={BOUNDARY}"))
}

/// The head of a response of this kind that has no end.
pub fn endless(kind: &str) -> Response {
    let headers = [(CONNECTION, "close"), (CONTENT_TYPE, kind)];
    let body = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
    // nginx, and those that took this header over from it, would collect pictures otherwise.
    let unbuffered = [("X-Accel-Buffering", "no")];
    let mut head = (NO_CACHE, unbuffered, headers, body).into_response();
    *head.version_mut() = Version::HTTP_10;
    head
}
