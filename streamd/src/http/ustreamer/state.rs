//! `/state`: one camera and its viewers in the JSON of µStreamer, which panels poll.

use axum::{
    Extension, extract,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use streamd_protocol::stats::{CameraState, CameraStats, Stats};

use super::listing::Listing;
use crate::{
    access::role::{Action, may},
    http::{chosen::Chosen, refusal::Refusal, served::Served, visitor::Visitor},
};

/// The state of a camera.
pub async fn answer(
    extract::State(served): extract::State<Served>,
    Extension(visitor): Extension<Visitor>,
    Chosen(camera): Chosen,
) -> Result<Response, Refusal> {
    let mut stats = served.state.stats();
    let seen = |camera: &CameraStats| may(&visitor.who, Action::State, Some(&camera.name));
    stats.cameras.retain(seen);
    let camera = stats.cameras.iter().find(|c| c.name == camera.name);
    let camera = camera.expect("cameras stay for as long as the daemon runs");
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    let state = state(&stats, camera, &served.listing);
    Ok((headers, state.to_string()).into_response())
}

/// An idle camera is online: it delivers as soon as somebody watches, and panels that show
/// "offline" for it would never begin to.
fn state(stats: &Stats, camera: &CameraStats, listing: &Listing) -> Value {
    let viewers: Map<_, _> = viewers(stats, &camera.name, listing).collect();
    let names: Vec<_> = stats.cameras.iter().map(|c| &c.name).collect();
    json!({"ok": true, "result": {
        "instance_id": "",
        "encoder": {"type": "CPU", "quality": camera.quality},
        "source": {
            "resolution": {"width": camera.width, "height": camera.height},
            "online": matches!(camera.state, CameraState::Streaming | CameraState::Idle),
            "desired_fps": whole(camera.desired_fps),
            "captured_fps": whole(camera.fps),
        },
        "stream": {
            "queued_fps": whole(camera.fps),
            "clients": viewers.len(),
            "clients_stat": viewers,
        },
        // Ours: which camera this is, and which there are.
        "camera": camera.name,
        "cameras": names,
    }})
}

/// The viewers of a camera, by their numbers as their cookies have them, and what they asked for.
fn viewers<'a>(
    stats: &'a Stats,
    camera: &'a str,
    listing: &'a Listing,
) -> impl Iterator<Item = (String, Value)> + 'a {
    let viewers = stats.clients.iter();
    viewers.filter_map(move |viewer| {
        let feed = viewer.feed(camera)?;
        let id = u64::try_from(viewer.id).unwrap_or_default();
        let asked = listing.get(id).unwrap_or_default();
        let stat = json!({
            "fps": whole(feed.fps),
            "extra_headers": asked.extra_headers,
            "advance_headers": asked.advance_headers,
            "dual_final_frames": asked.dual_final_frames,
            "zero_data": asked.zero_data,
            "key": asked.key.as_deref().unwrap_or("0"),
        });
        Some((format!("{id:x}"), stat))
    })
}

/// A rate as µStreamer writes it: a whole number.
fn whole(fps: f64) -> u64 {
    fps.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures, http::ustreamer::parameters::StreamParameters};

    #[test]
    fn a_camera_and_its_viewers_as_ustreamer_tells_of_them() {
        let stats = fixtures::stats();
        let listing = Listing::default();
        let asked = StreamParameters {
            key: Some("me".into()),
            extra_headers: true,
            ..StreamParameters::default()
        };
        let _listed = listing.add(26, asked);
        let result = state(&stats, &stats.cameras[0], &listing)["result"].take();
        let me = json!({
            "fps": 30, "extra_headers": true, "advance_headers": false,
            "dual_final_frames": false, "zero_data": false, "key": "me",
        });
        assert_eq!(result["stream"]["clients"], 2);
        assert_eq!(result["stream"]["clients_stat"]["1a"], me);
        assert_eq!(result["stream"]["clients_stat"]["1b"]["key"], "0");
        assert_eq!(result["encoder"], json!({"type": "CPU", "quality": 80}));
        let source = json!({
            "resolution": {"width": 640, "height": 480},
            "online": true, "desired_fps": 30, "captured_fps": 30,
        });
        assert_eq!(result["source"], source);
        assert_eq!(result["cameras"], json!(["front", "side"]));
    }

    #[test]
    fn a_viewer_of_two_cameras_is_listed_at_both_each_at_its_rate() {
        let mut stats = fixtures::stats();
        let mut second = stats.clients[0].feeds[0].clone();
        (second.camera, second.fps) = ("side".into(), 14.8);
        stats.clients[0].feeds.push(second);
        for (camera, viewers, fps) in [(0, 2, 30), (1, 1, 15)] {
            let camera = &stats.cameras[camera];
            let result = state(&stats, camera, &Listing::default())["result"].take();
            assert_eq!(result["stream"]["clients"], viewers, "{camera:?}");
            assert_eq!(result["stream"]["clients_stat"]["1a"]["fps"], fps);
        }
        let side = state(&stats, &stats.cameras[1], &Listing::default());
        assert_eq!(side["result"]["source"]["online"], false);
    }
}
