//! The listener that Prometheus scrapes: `GET /metrics`, and nothing else.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::render;
use crate::state::State;

/// What OpenMetrics text calls itself.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// For the head of a request; also how long a scraper's connection is kept between two scrapes,
/// which come every 15 s to a minute.
const HEAD_TIMEOUT: Duration = Duration::from_secs(90);

/// For a whole connection, so that a scraper that stalls does not hold one for ever.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3600);

/// Answers the requests of a connection until it is closed.
pub async fn serve<T>(state: Arc<State>, socket: T)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let answer = answer(&state, &request);
        async move { Ok::<_, Infallible>(answer.map(Full::new)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(8 * 1024)
        .serve_connection(TokioIo::new(socket), service);
    // However it ends, the scraper connects again.
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

fn answer<B>(state: &State, request: &Request<B>) -> Response<Bytes> {
    let (status, kind, body) = match (request.uri().path(), request.method()) {
        ("/metrics", &Method::GET | &Method::HEAD) => {
            let text = render(state);
            (StatusCode::OK, OPEN_METRICS, Bytes::from(text))
        }
        ("/metrics", _) => refusal(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD are allowed\n"),
        _ => refusal(StatusCode::NOT_FOUND, "there is /metrics\n"),
    };
    let mut answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        answer = answer.header(ALLOW, "GET, HEAD");
    }
    answer.body(body).expect("the headers are constants")
}

fn refusal(status: StatusCode, why: &'static str) -> (StatusCode, &'static str, Bytes) {
    let kind = "text/plain; charset=utf-8";
    (status, kind, Bytes::from_static(why.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[tokio::test]
    async fn metrics_and_nothing_else() {
        let state = fixtures::state("");
        for (method, path, status) in [
            ("GET", "/metrics", 200),
            ("HEAD", "/metrics?x", 200),
            ("POST", "/metrics", 405),
            ("GET", "/", 404),
            ("GET", "/metrics/", 404),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(())
                .unwrap();
            let got = answer(&state, &request);
            assert_eq!(got.status(), status, "{method} {path}");
            assert_eq!(got.headers().contains_key(ALLOW), status == 405);
            assert_eq!(got.headers()[CONTENT_TYPE] == OPEN_METRICS, status == 200);
        }
    }
}
