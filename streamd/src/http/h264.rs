//! `/stream.h264`: H.264 as it is, in the byte stream format, for players and recorders.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, Method},
    response::Response,
};
use streamd_protocol::stats::Transport;

use super::{
    chosen::Chosen,
    query::Query,
    refusal::Refusal,
    served::Served,
    ustreamer::stream::endless,
    visitor::{Newcomer, Next, Visitor, product, user_agent},
};
use crate::{
    media::{CODECS, Codec, Packet},
    viewer::framing::{Framing, Sending},
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
    if !CODECS.contains(&Codec::H264) {
        return Err(Refusal::NotBuilt("H.264"));
    }
    let mut limits = query.limits()?;
    limits.codec = Codec::H264;
    if method != Method::HEAD {
        visitor.then(Next::Viewer(Newcomer {
            id: served.state.viewers.registry.reserve(),
            peer: Arc::clone(&visitor.peer),
            place: served.admit(&camera, &visitor.peer)?,
            who: visitor.shown(),
            limits,
            name: product(user_agent(&headers)).to_owned(),
            framing: Box::new(ByteStream),
        }));
    }
    Ok(endless("video/h264"))
}

/// Nothing stands between the pictures: each begins with a start code.
#[derive(Debug)]
pub struct ByteStream;

impl Framing for ByteStream {
    fn transport(&self) -> Transport {
        Transport::H264
    }

    fn before(&mut self, _: &Packet, _: &Sending, _: &mut Vec<u8>) {}

    fn after(&mut self, _: &Packet, _: &Sending, _: &mut Vec<u8>) {}

    fn may_half_close(&self) -> bool {
        true
    }
}
