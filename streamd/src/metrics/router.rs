//! The one address that Prometheus scrapes: `GET /metrics`.

use std::sync::Arc;

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};

use super::render;
use crate::{
    access::role::Action,
    http::guard::{Route, router as router_of},
    state::State,
};

/// What OpenMetrics text calls itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All addresses of the daemon's listeners for metrics.
pub fn router(state: Arc<State>) -> Router {
    let scrape = async move || ([(CONTENT_TYPE, OPEN_METRICS)], render(&state));
    let metrics = Route {
        path: "/metrics".into(),
        action: Action::Metrics,
        methods: get(scrape),
    };
    router_of(vec![metrics]).fallback((StatusCode::NOT_FOUND, "there is /metrics\n"))
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, header::ALLOW};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::fixtures;

    #[tokio::test]
    async fn metrics_and_nothing_else() {
        let router = TowerToHyperService::new(router(fixtures::state("")));
        for (method, path, status) in [
            ("GET", "/metrics", 200),
            ("HEAD", "/metrics?x", 200),
            ("POST", "/metrics", 405),
            ("GET", "/", 404),
            ("GET", "/metrics/", 404),
        ] {
            let request = Request::builder().method(method).uri(path);
            let request = request.body(String::new()).unwrap();
            let Ok(got) = router.call(request).await;
            assert_eq!(got.status(), status, "{method} {path}");
            assert_eq!(got.headers().contains_key(ALLOW), status == 405);
            let kind = got.headers().get(CONTENT_TYPE);
            let scraped = kind.is_some_and(|kind| kind == OPEN_METRICS);
            assert_eq!(scraped, status == 200, "{method} {path}");
        }
    }
}
