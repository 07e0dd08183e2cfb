use std::{collections::BTreeSet, sync::Arc};

use axum::{body::to_bytes, http::Request};
use futures_util::StreamExt;
use serde_json::Value;

use super::*;
use crate::{
    access::role::Role,
    fixtures,
    http::{Served, Site, router},
    news::{self, Event, EventKind},
};

/// A site of two cameras and its answers.
struct Api {
    site: Arc<Site>,
    token: String,
    _folder: tempfile::TempDir,
}

impl Api {
    fn new(role: Role, camera: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let access = format!("[access]\ntoken-file = {path:?}");
        let state = fixtures::state(&format!("{access}\n[camera.front]\n[camera.side]"));
        let camera = camera.map(str::to_owned);
        let token = state.viewers.rules.add("me", role, camera, None).unwrap();
        Self {
            site: Site::new(Arc::clone(&state), router(Served::new(state))),
            token,
            _folder: folder,
        }
    }

    async fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"));
        request = request.header("Host", "localhost");
        request = request.header("Authorization", format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.to_owned()).unwrap();
        let visitor = Visitor::new("192.0.2.1:5".into());
        let Ok(answer) = self.site.answer(visitor, request).await;
        answer
    }

    async fn asked(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let answer = self.answer(method, path, headers, body).await;
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        (status, serde_json::from_str(&text).unwrap_or(text.into()))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.asked("GET", path, &[], "").await
    }

    async fn patch(&self, path: &str, body: &str) -> (u16, Value) {
        self.asked("PATCH", path, &[("Content-Type", "application/json")], body)
            .await
    }
}

#[tokio::test(start_paused = true)]
async fn a_camera_is_changed_and_says_so() {
    let api = Api::new(Role::Operator, None);
    let changed = r#"{"quality":55,"rotate":90,"flip":"both"}"#;
    let (status, reply) = api.patch("/cameras/side", changed).await;
    assert_eq!((status, &reply["cameras"][0]), (200, &"side".into()));
    let (_, side) = api.get("/cameras/side").await;
    let is = (&side["quality"], &side["rotate"], &side["flip"]);
    assert_eq!(is, (&55.into(), &90.into(), &"both".into()));
    let (_, front) = api.get("/cameras/front").await;
    assert_eq!(front["rotate"], 0);
    let (_, all) = api.get("/cameras").await;
    assert_eq!(all["cameras"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let api = Api::new(Role::Operator, None);
    for (body, status, code) in [
        (r#"{"quality":500}"#, 400, "InvalidValue"),
        (r#"{"quality":50,"flip":"left"}"#, 400, "InvalidValue"),
        (r#"{"sharpness":5}"#, 400, "InvalidParameter"),
        (r#"{"camera":"side","quality":5}"#, 400, "InvalidParameter"),
        ("{}", 400, "InvalidValue"),
    ] {
        let (got, reply) = api.patch("/cameras/front", body).await;
        assert_eq!(
            (got, &reply["error"]["code"]),
            (status, &code.into()),
            "{body}"
        );
        assert!(!reply["error"]["message"].as_str().unwrap().is_empty());
    }
    for body in ["", "[]", "{", "quality=5"] {
        let (status, why) = api.patch("/cameras/front", body).await;
        assert_eq!(status, 400, "{body}: {why}");
    }
    let (_, front) = api.get("/cameras/front").await;
    assert_eq!(front["quality"], 80);
    let (status, reply) = api.patch("/cameras/attic", r#"{"quality":5}"#).await;
    assert_eq!(
        (status, &reply["error"]["code"]),
        (404, &"NoSuchCamera".into())
    );
    let (status, reply) = api.get("/cameras/attic").await;
    assert_eq!(
        (status, &reply["error"]["code"]),
        (404, &"NoSuchCamera".into())
    );
    for (method, id, status) in [
        ("PATCH", "7", 404),
        ("DELETE", "7", 404),
        ("DELETE", "x", 400),
    ] {
        let json = [("Content-Type", "application/json")];
        let (got, why) = api
            .asked(method, &format!("/clients/{id}"), &json, r#"{"fps":5}"#)
            .await;
        assert_eq!(got, status, "{method} {id}: {why}");
    }
    let (status, reply) = api.get("/cameras/front/controls").await;
    assert_eq!(
        (status, &reply["error"]["code"]),
        (503, &"ControlsUnavailable".into())
    );
}

/// A page of another origin changes nothing, whatever it may watch.
#[tokio::test(start_paused = true)]
async fn no_other_page_changes_anything() {
    let api = Api::new(Role::Operator, None);
    let json = ("Content-Type", "application/json");
    for (headers, status) in [
        (&[json, ("Origin", "http://localhost")][..], 200),
        (&[json, ("Origin", "http://evil.example")][..], 403),
        (&[("Content-Type", "text/plain")][..], 415),
        (
            &[("Content-Type", "application/x-www-form-urlencoded")][..],
            415,
        ),
        (&[][..], 415),
    ] {
        let (got, _) = api
            .asked("PATCH", "/cameras/front", headers, r#"{"quality":5}"#)
            .await;
        assert_eq!(got, status, "{headers:?}");
    }
    let evil = [("Origin", "http://evil.example")];
    assert_eq!(api.asked("DELETE", "/clients/1", &evil, "").await.0, 403);
    for method in ["GET", "POST", "PUT"] {
        let (status, _) = api.asked(method, "/clients/1", &[], "").await;
        assert_eq!(status, 405, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_learns_what_they_may() {
    for (role, may_change) in [(Role::Viewer, false), (Role::Operator, true)] {
        let api = Api::new(role, Some("side"));
        let (_, session) = api.get("/session").await;
        assert_eq!(session["mayChange"], may_change);
        assert_eq!(session["webrtc"], false, "there is no port");
        assert_eq!(
            (&session["name"], &session["camera"]),
            (&"me".into(), &"side".into())
        );
        let (_, all) = api.get("/cameras").await;
        let seen = all["cameras"].as_array().unwrap();
        assert_eq!((seen.len(), &seen[0]["name"]), (1, &"side".into()));
        let quality = r#"{"quality":50}"#;
        let own = api.patch("/cameras/side", quality).await.0;
        assert_eq!(own, if may_change { 200 } else { 403 });
        assert_eq!(api.patch("/cameras/front", quality).await.0, 403);
        assert_eq!(api.patch("/cameras/front/controls", quality).await.0, 403);
        assert_eq!(api.get("/cameras/front").await.0, 403);
        assert_eq!(api.get("/cameras/front/controls").await.0, 403);
        if may_change {
            let (_, stats) = api.get("/stats").await;
            assert_eq!(stats["stats"]["cameras"].as_array().unwrap().len(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_with_who_made_it() {
    let api = Api::new(Role::Operator, None);
    let mut news = api.site.state.viewers.news.listen();
    api.patch("/cameras/front", r#"{"fps":12.5}"#).await;
    let event = news.recv().await.unwrap();
    assert_eq!(
        (&*event.method, event.uid, &*event.name),
        ("SetCamera", -1, "me")
    );
    assert_eq!(event.peer, "192.0.2.1:5");
    assert!(
        event.text.contains("by me at 192.0.2.1:5"),
        "{}",
        event.text
    );
}

/// What a stream of events says.
struct Events(axum::body::BodyDataStream);

impl Events {
    async fn of(api: &Api) -> Self {
        let answer = api.answer("GET", "/events", &[], "").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut events = Self(answer.into_body().into_data_stream());
        let begins = events.next().await;
        assert_eq!(begins.unwrap(), "data: {\"lost\":0}\n\n");
        events
    }

    async fn next(&mut self) -> Option<String> {
        let piece = self.0.next().await?.unwrap();
        Some(String::from_utf8_lossy(&piece).into_owned())
    }

    async fn reply(&mut self) -> Value {
        let event = self.next().await.unwrap();
        let data = event.strip_prefix("data: ").unwrap();
        serde_json::from_str(data).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_told_and_silence_is_a_comment() {
    let api = Api::new(Role::Operator, None);
    let mut events = Events::of(&api).await;
    assert_eq!(events.next().await.unwrap(), ":\n\n");
    api.patch("/cameras/front", r#"{"fps":12.5}"#).await;
    let event = &events.reply().await["event"];
    assert_eq!(
        (&event["kind"], &event["name"]),
        (&"changed".into(), &"me".into())
    );
    assert_eq!(event["cameras"][0], "front");
    let news = &api.site.state.viewers.news;
    for n in 0..1000 {
        news.tell(news::event(EventKind::Reloaded, n.to_string()));
    }
    let late = events.reply().await;
    assert_eq!(late["event"]["text"], late["lost"].to_string());
    let evil = [("Origin", "http://evil.example")];
    let foreign = api.answer("GET", "/events", &evil, "").await;
    assert_eq!(foreign.status(), 403);
}

#[tokio::test(start_paused = true)]
async fn who_has_a_camera_hears_of_no_other() {
    let api = Api::new(Role::Operator, Some("side"));
    let mut events = Events::of(&api).await;
    let news = &api.site.state.viewers.news;
    for (text, cameras) in [
        ("another", &["front"][..]),
        ("both", &["side", "front"]),
        ("all", &[]),
        ("own", &["side"]),
    ] {
        news.tell(Event {
            cameras: cameras.iter().map(|name| (*name).into()).collect(),
            ..news::event(EventKind::CameraLost, text.into())
        });
    }
    assert_eq!(events.reply().await["event"]["text"], "own");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_events_ends_with_its_token() {
    let api = Api::new(Role::Operator, None);
    let mut events = Events::of(&api).await;
    api.site.state.revoke_token("me").unwrap();
    let news = &api.site.state.viewers.news;
    news.tell(news::event(EventKind::Reloaded, "secret".into()));
    assert_eq!(events.next().await, None);
    let api = Api::new(Role::Viewer, None);
    assert_eq!(api.get("/events").await.0, 403);
}

/// A preflight and a 405 say what an address takes.
#[tokio::test(start_paused = true)]
async fn each_address_says_how_it_is_asked() {
    for address in addresses() {
        let operations: Vec<_> = OPERATIONS
            .iter()
            .filter(|o| o.path == address.path)
            .collect();
        let takes = |verb, word| {
            let has = operations.iter().any(|operation| operation.verb == verb);
            assert!(!has || address.allowed.contains(word), "{}", address.path);
            let same_action = operations.iter().all(|o| o.action == address.action);
            assert!(same_action, "{}", address.path);
        };
        takes(Verb::Get, "GET");
        takes(Verb::Patch, "PATCH");
        takes(Verb::Delete, "DELETE");
    }
}

#[test]
fn the_description_has_every_address_and_every_type_that_it_names() {
    let document = description::document();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let served = addresses().into_iter().map(|address| address.path);
    let served: BTreeSet<_> = served
        .filter(|path| !path.ends_with("openapi.json"))
        .collect();
    assert_eq!(described, served);
    let text = document.to_string();
    let named = text.split("\"#/components/schemas/").skip(1);
    for name in named.map(|rest| rest.split('"').next().unwrap()) {
        let defined = &document["components"]["schemas"][name];
        assert!(defined.is_object(), "{name} is not described");
    }
    let change = &document["paths"]["/api/v1/cameras/{camera}"]["patch"]["requestBody"];
    let change = &change["content"]["application/json"]["schema"]["properties"];
    assert!(
        change["quality"].is_object() && change["camera"].is_null(),
        "{change}"
    );
}
