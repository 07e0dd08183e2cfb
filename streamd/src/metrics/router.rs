//! The one address that Prometheus scrapes: `GET /metrics`.

use std::sync::Arc;

use axum::{
    Extension, Router,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::get,
};

use super::render;
use crate::{
    access::role::Action,
    http::{
        guard::{self, Route},
        visitor::Visitor,
    },
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
    let nothing = (StatusCode::NOT_FOUND, "there is /metrics\n");
    guard::router(vec![metrics]).fallback(async move |Extension(visitor): Extension<Visitor>| {
        guard::hidden(&visitor, nothing)
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, header::ALLOW};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::{access::role::Role, fixtures};

    #[tokio::test]
    async fn metrics_and_nothing_else_to_who_may_read_them() {
        let router = TowerToHyperService::new(router(fixtures::state("")));
        for (method, path, status) in [
            ("GET", "/metrics", 200),
            ("HEAD", "/metrics?x", 200),
            ("POST", "/metrics", 405),
            ("GET", "/", 404),
            ("GET", "/metrics/", 404),
        ] {
            for (roles, status) in [
                (vec![Role::Metrics], status),
                (vec![Role::Viewer], if status == 404 { 404 } else { 403 }),
                (vec![], 401),
            ] {
                let mut visitor = Visitor::new("192.0.2.1:5".into());
                visitor.who.roles = roles;
                let request = Request::builder().method(method).uri(path);
                let request = request.extension(visitor).body(String::new()).unwrap();
                let Ok(got) = router.call(request).await;
                assert_eq!(got.status(), status, "{method} {path}");
                assert!(status != 405 || got.headers().contains_key(ALLOW));
                let kind = got.headers().get(CONTENT_TYPE);
                let scraped = kind.is_some_and(|kind| kind == OPEN_METRICS);
                assert_eq!(scraped, status == 200, "{method} {path}");
            }
        }
    }
}
