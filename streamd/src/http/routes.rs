//! The table of addresses.

use axum::{
    Router, extract,
    http::{HeaderMap, Method, StatusCode, Uri, header::ALLOW},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};

use super::{
    page,
    refusal::Refusal,
    served::Served,
    ustreamer::{snapshot, state, stream},
    websocket::upgrade,
};

/// All methods that are good for anything. Nothing changes by any of them.
pub const ALL: &str = "GET, HEAD, POST, OPTIONS";

const READ: &str = "GET, HEAD, OPTIONS";

/// All addresses of the daemon's HTTP listeners.
pub fn router(served: Served) -> Router {
    let mut router = Router::new();
    for asset in page::assets() {
        let file = get(
            async move |served: extract::State<Served>, headers: HeaderMap| {
                let state = &served.state;
                let policy = state.general(|config| page::policy(&config.http.frame_ancestors));
                asset.response(&headers, &policy)
            },
        );
        router = router.route(asset.path, only(READ, file));
    }
    for (address, methods) in [
        (
            "/stream",
            only(ALL, get(stream::answer).post(stream::answer)),
        ),
        ("/snapshot", only(READ, get(snapshot::answer))),
        ("/state", only(READ, get(state::answer))),
        ("/ws", only("GET, OPTIONS", get(upgrade::answer))),
    ] {
        for camera in ["", "/", "/{camera}", "/{camera}/"] {
            router = router.route(&format!("{address}{camera}"), methods.clone());
        }
    }
    router
        .fallback(async |uri: Uri| Refusal::NotFound(uri.path().to_owned()))
        .with_state(served)
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
