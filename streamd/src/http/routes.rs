//! The table of addresses.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header::ALLOW},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use super::{
    api,
    guard::{self, Route},
    h264, login, page, recordings,
    refusal::Refusal,
    served::Served,
    ustreamer::{snapshot, state, stream},
    websocket::upgrade,
};
use crate::access::role::Action;
#[cfg(feature = "whep")]
use {super::whep, axum::routing::patch};

/// All methods that are good for anything.
pub const ALL: &str = "GET, HEAD, POST, PATCH, DELETE, OPTIONS";

/// Of addresses that forms are sent to.
const FORM: &str = "GET, HEAD, POST, OPTIONS";

const READ: &str = "GET, HEAD, OPTIONS";

/// All addresses of the daemon's HTTP listeners.
pub fn router(served: Served) -> Router {
    guard::router(table())
        .fallback(guard::nothing)
        .with_state(served)
}

/// Each address, what is answered there, and what who asks must be allowed.
fn table() -> Vec<Route<Served>> {
    let mut table = Vec::new();
    let mut add = |path: String, action, methods| {
        table.push(Route {
            path,
            action,
            methods,
        });
    };
    for asset in page::assets() {
        let file = get(
            async move |State(served): State<Served>, headers: HeaderMap| {
                let policy = served
                    .state
                    .general(|config| page::policy(&config.http.frame_ancestors));
                asset.response(&headers, &policy)
            },
        );
        add(asset.path.into(), Action::Page, only(READ, file));
    }
    let form = get(login::form).post(login::log_in);
    add("/login".into(), Action::LogIn, only(FORM, form));
    let out = post(login::log_out);
    add("/logout".into(), Action::LogIn, only("POST, OPTIONS", out));
    let stream = get(stream::answer).post(stream::answer);
    for (address, action, methods) in [
        ("/stream", Action::Watch, only(FORM, stream)),
        ("/stream.h264", Action::Watch, only(READ, get(h264::answer))),
        (
            "/snapshot",
            Action::Watch,
            only(READ, get(snapshot::answer)),
        ),
        ("/state", Action::State, only(READ, get(state::answer))),
        // A token may come in its `hello` yet; until then there are no pictures.
        (
            "/ws",
            Action::LogIn,
            only("GET, OPTIONS", get(upgrade::answer)),
        ),
    ] {
        for camera in ["", "/", "/{camera}", "/{camera}/"] {
            add(format!("{address}{camera}"), action, methods.clone());
        }
    }
    #[cfg(feature = "whep")]
    {
        for camera in ["", "/", "/{camera}"] {
            let offer = only("POST, OPTIONS", post(whep::answer));
            add(format!("/whep{camera}"), Action::Watch, offer);
        }
        let session = only(
            "PATCH, DELETE, OPTIONS",
            patch(whep::patch).delete(whep::end),
        );
        add("/whep/{camera}/{id}".into(), Action::Watch, session);
    }
    let recording = only(READ, get(recordings::answer));
    add(
        "/recordings/{camera}/{file}".into(),
        Action::Operate,
        recording,
    );
    for address in api::addresses() {
        add(
            address.path,
            address.action,
            only(address.allowed, address.methods),
        );
    }
    table
}

/// Has `OPTIONS` answered, and all methods that are not `allowed` refused.
fn only<S>(allowed: &'static str, methods: MethodRouter<S>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let refuse = async move |method: Method| Refusal::Method { method, allowed };
    let methods = methods
        .options(async move || options(allowed))
        .fallback(refuse);
    match allowed.contains("HEAD") {
        true => methods,
        false => methods.head(refuse),
    }
}

/// Also the answer to a preflight: what a page may do beyond that, the headers for its origin say.
pub fn options(allowed: &'static str) -> Response {
    let headers = [
        (ALLOW.as_str(), allowed),
        ("Access-Control-Allow-Methods", allowed),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::{body::to_bytes, http::Request};

    use super::*;
    use crate::{
        access::role::Role,
        fixtures,
        http::{Site, visitor::Visitor},
    };

    /// What a site of two cameras answers to somebody with this token at each address that the router
    /// has, and by each method. Nobody is told of a camera that they may not watch.
    async fn statuses(site: &Arc<Site>, token: Option<&str>) -> Vec<(String, Action, u16)> {
        let mut statuses = Vec::new();
        for route in table() {
            let path = route.path.replace("{camera}", "front").replace("{id}", "1");
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
                let mut request = Request::builder().method(method).uri(&*path);
                request = request.header("Host", "localhost");
                if let Some(token) = token {
                    request = request.header("Authorization", format!("Bearer {token}"));
                }
                let request = request.body(String::new()).unwrap();
                let visitor = Visitor::new("192.0.2.1:5".into());
                let Ok(answer) = site.answer(visitor, request).await;
                let status = answer.status().as_u16();
                if matches!(status, 401 | 403) {
                    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                    let told = String::from_utf8_lossy(&body);
                    assert!(!told.contains("side"), "{method} {path}: {told}");
                }
                statuses.push((format!("{method} {path}"), route.action, status));
            }
        }
        statuses
    }

    fn site(folder: &tempfile::TempDir) -> Arc<Site> {
        let path = folder.path().join("tokens.json");
        let access = format!("[access]\ntoken-file = {path:?}\nanonymous = \"none\"");
        let state = fixtures::state(&format!("{access}\n[camera.front]\n[camera.side]"));
        Site::new(Arc::clone(&state), router(Served::new(state)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_outsider_gets_nothing_anywhere() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(&folder);
        for (asked, action, status) in statuses(&site, None).await {
            match action {
                // The form and its end, and no more of a WebSocket than its door.
                Action::LogIn if asked.contains("/ws") => {
                    assert!(matches!(status, 401 | 405), "{asked}: {status}");
                }
                Action::LogIn => {
                    assert!(matches!(status, 200 | 303 | 401 | 405), "{asked}: {status}");
                }
                _ => assert_eq!(status, 401, "{asked}"),
            }
        }
        for (asked, _, status) in statuses(&site, Some("no-token")).await {
            assert_eq!(status, 401, "{asked}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_for_its_role_and_its_camera() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(&folder);
        let rules = &site.state.viewers.rules;
        let metrics = rules.add("m", Role::Metrics, None, None).unwrap();
        for (asked, action, status) in statuses(&site, Some(&metrics)).await {
            assert!(
                action == Action::LogIn || status == 403,
                "{asked}: {status}"
            );
        }
        let operator = rules.add("o", Role::Operator, None, None).unwrap();
        for (asked, _, status) in statuses(&site, Some(&operator)).await {
            let refused = matches!(status, 401 | 403) && !asked.contains("/login");
            assert!(!refused, "{asked}: {status}");
        }
        let side = Some("side".to_owned());
        let side = rules.add("s", Role::Viewer, side, None).unwrap();
        for (asked, action, status) in statuses(&site, Some(&side)).await {
            assert!(status != 401 || action == Action::LogIn, "{asked}");
            let about_cameras = matches!(action, Action::Watch | Action::State);
            if action == Action::Operate {
                assert_eq!(status, 403, "{asked}");
            } else if about_cameras && asked.contains("/front") {
                assert!(matches!(status, 403 | 405), "{asked}: {status}");
            } else {
                assert_ne!(status, 403, "{asked}");
            }
        }
    }
}
