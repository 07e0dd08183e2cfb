//! One picture: captured after the request, or as old as the request allows.

use std::time::Duration;

use axum::{
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::{
    mjpeg::{NO_CACHE, Seconds},
    parameters::max_delay,
};
use crate::{
    http::{chosen::Chosen, query::Query, refusal::Refusal, served::Served},
    media::{Origin, Packet, Timestamp},
};

/// How long a snapshot waits for a camera: a sleeping one has to be switched on first.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first picture of a camera that is no older than the request allows. A stand-in for a lost
/// camera is none: OctoPrint and its like put into a time lapse whatever comes with status 200.
pub async fn answer(
    State(served): State<Served>,
    Chosen(camera): Chosen,
    query: Query,
) -> Result<Response, Refusal> {
    let max_delay = max_delay(&query)?;
    let now = Timestamp::now().as_nanos();
    let due = Timestamp::from_nanos(now.saturating_sub(max_delay.as_nanos() as u64));
    let (_, picture) = served.state.picture(Some(&camera.name), due)?;
    match tokio::time::timeout(PATIENCE, picture).await {
        Ok(frame) if frame.origin == Origin::Blank => {
            let reason = camera.loss().map_or_else(String::new, |(reason, _)| reason);
            let text = format!("camera {} has no signal: {reason}", camera.name);
            Err(Refusal::Unavailable(text))
        }
        Ok(frame) => Ok(response(&frame)),
        Err(_) => Err(Refusal::Unavailable(format!(
            "camera {} has delivered no picture for {} s",
            camera.name,
            PATIENCE.as_secs()
        ))),
    }
}

/// The picture itself, uncopied, with µStreamer's headers.
fn response(frame: &Packet) -> Response {
    let now = Timestamp::now();
    let grab = Seconds::monotonic(frame.captured).to_string();
    let encode = |at| Seconds::monotonic(at).to_string();
    let headers = [
        ("X-Timestamp", Seconds::wall(now).to_string()),
        ("X-UStreamer-Online", "true".to_owned()),
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
    ];
    let kind = [(CONTENT_TYPE, "image/jpeg")];
    (NO_CACHE, headers, kind, frame.bytes.clone()).into_response()
}
