//! One picture: captured after the request, or as old as the request allows.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Response, header::CONTENT_TYPE};

use crate::{
    http::ustreamer::mjpeg::{NO_CACHE, Seconds},
    media::{Origin, Packet, Timestamp},
    state::State,
};

/// How long a snapshot waits for a camera: a sleeping one has to be switched on first.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The first picture of a camera that is no older than `max_delay`. All that wait for the same
/// picture get the one encoding of it. `None` if none comes.
pub async fn take(state: &State, camera: &str, max_delay: Duration) -> Option<Arc<Packet>> {
    let now = Timestamp::now().as_nanos();
    let due = Timestamp::from_nanos(now.saturating_sub(max_delay.as_nanos() as u64));
    let picture = tokio::time::timeout(PATIENCE, state.picture(Some(camera), due).ok()?.1);
    picture.await.ok()
}

/// The answer: the picture itself, uncopied, with µStreamer's headers.
pub fn response(frame: &Packet) -> Response<Bytes> {
    let now = Timestamp::now();
    let grab = Seconds::monotonic(frame.captured).to_string();
    let encode = |at| Seconds::monotonic(at).to_string();
    let mut response = Response::builder().header(CONTENT_TYPE, "image/jpeg");
    for (name, value) in NO_CACHE {
        response = response.header(name, value);
    }
    for (name, value) in [
        ("X-Timestamp", Seconds::wall(now).to_string()),
        (
            "X-UStreamer-Online",
            (frame.origin != Origin::Blank).to_string(),
        ),
        ("X-UStreamer-Width", frame.width.to_string()),
        ("X-UStreamer-Height", frame.height.to_string()),
        ("X-UStreamer-Grab-Timestamp", grab.clone()),
        ("X-UStreamer-Grab-Begin-Timestamp", grab.clone()),
        ("X-UStreamer-Grab-End-Timestamp", grab),
        (
            "X-UStreamer-Encode-Begin-Timestamp",
            encode(frame.encode_begin),
        ),
        ("X-UStreamer-Encode-End-Timestamp", encode(frame.encode_end)),
        ("X-UStreamer-Send-Timestamp", encode(now)),
    ] {
        response = response.header(name, value);
    }
    let response = response.body(frame.bytes.clone());
    response.expect("the headers are constants and numbers")
}
