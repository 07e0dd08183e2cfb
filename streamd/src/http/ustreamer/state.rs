//! `/state`: one camera and its clients in the JSON of µStreamer, which panels poll.

use std::collections::BTreeMap;

use serde::Serialize;
use streamd_protocol::stats::{CameraState, CameraStats, ClientStats, FeedStats, Stats};

use crate::http::ustreamer::listing::Listing;

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct State<'a> {
    ok: bool,
    result: Answer<'a>,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    instance_id: &'static str,
    encoder: Encoder,
    source: Source,
    stream: Stream,
    /// Ours: which camera this is, and which there are.
    camera: &'a str,
    cameras: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Encoder {
    #[serde(rename = "type")]
    kind: &'static str,
    quality: i64,
}

#[derive(Debug, Serialize)]
struct Source {
    resolution: Resolution,
    online: bool,
    desired_fps: u64,
    captured_fps: u64,
}

#[derive(Debug, Serialize)]
struct Resolution {
    width: i64,
    height: i64,
}

#[derive(Debug, Serialize)]
struct Stream {
    queued_fps: u64,
    clients: i64,
    clients_stat: BTreeMap<String, Client>,
}

#[derive(Debug, Serialize)]
struct Client {
    fps: u64,
    extra_headers: bool,
    advance_headers: bool,
    dual_final_frames: bool,
    zero_data: bool,
    key: String,
}

/// The state of the camera of this name; `None` if there is no such camera.
pub fn state<'a>(stats: &'a Stats, camera: &str, listing: &Listing) -> Option<State<'a>> {
    let camera = stats.cameras.iter().find(|c| c.name == camera)?;
    let feed = |client| ClientStats::feed(client, &camera.name).map(|feed| (client, feed));
    let clients = stats.clients.iter().filter_map(feed);
    Some(State {
        ok: true,
        result: Answer {
            instance_id: "",
            encoder: Encoder {
                kind: "CPU",
                quality: camera.quality,
            },
            source: source(camera),
            stream: Stream {
                queued_fps: whole(camera.fps),
                clients: camera.clients,
                clients_stat: clients
                    .map(|(client, feed)| (number(client), listed(client, feed, listing)))
                    .collect(),
            },
            camera: &camera.name,
            cameras: stats.cameras.iter().map(|c| c.name.as_str()).collect(),
        },
    })
}

/// An idle camera is online: it delivers as soon as somebody watches, and panels that show
/// "offline" for it would never begin to.
fn source(camera: &CameraStats) -> Source {
    Source {
        resolution: Resolution {
            width: camera.width,
            height: camera.height,
        },
        online: matches!(camera.state, CameraState::Streaming | CameraState::Idle),
        desired_fps: whole(camera.desired_fps),
        captured_fps: whole(camera.fps),
    }
}

fn listed(stats: &ClientStats, feed: &FeedStats, listing: &Listing) -> Client {
    let asked = u64::try_from(stats.id).ok().and_then(|id| listing.get(id));
    let asked = asked.unwrap_or_default();
    Client {
        fps: whole(feed.fps),
        extra_headers: asked.extra_headers,
        advance_headers: asked.advance_headers.unwrap_or(false),
        dual_final_frames: asked.dual_final_frames,
        zero_data: asked.zero_data,
        key: asked.key.unwrap_or_else(|| "0".into()),
    }
}

/// A client's number as its cookie has it.
fn number(client: &ClientStats) -> String {
    format!("{:x}", client.id)
}

/// A rate as µStreamer writes it: a whole number.
fn whole(fps: f64) -> u64 {
    fps.round().max(0.0) as u64
}
