//! Requests that are refused: why, and with which status and headers.

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    header::{
        ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};

use crate::http::{
    origin::Forbidden, parameters::BadParameter, routes::Unanswerable,
    websocket::handshake::NoHandshake,
};

/// Seconds after which what is not to be had now may be asked for again.
const LATER: &str = "2";

/// Why a request is not served. What it displays is told to whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing is there, or not for this method.
    #[error(transparent)]
    Unanswerable(#[from] Unanswerable),
    /// A parameter can't have this value.
    #[error(transparent)]
    BadParameter(#[from] BadParameter),
    /// No WebSocket was asked for, or not as it should be.
    #[error(transparent)]
    NoHandshake(#[from] NoHandshake),
    /// The page may not connect.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such camera.
    #[error("no camera {meant}: there is {}", there.join(", "))]
    NoCamera {
        /// What was asked for.
        meant: String,
        /// Which there are.
        there: Vec<String>,
    },
    /// Not now: no place, or no picture.
    #[error("{0}")]
    Unavailable(String),
    /// The body is too large.
    #[error("a body of at most {0} bytes is taken")]
    BodyTooLarge(usize),
    /// The body came too slowly.
    #[error("the body did not come within {0} s")]
    BodyTooSlow(u64),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unanswerable(Unanswerable::NotFound(_)) | Self::NoCamera { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::Unanswerable(Unanswerable::Method { .. }) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unanswerable(Unanswerable::BadAction(_)) | Self::BadParameter(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::NoHandshake(why) => why.status(),
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow(_) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The headers that the status asks for.
    fn headers(&self) -> &'static [(HeaderName, &'static str)] {
        match self {
            Self::NoHandshake(_) => &[(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")],
            Self::Unavailable(_) => &[(RETRY_AFTER, LATER)],
            _ => &[],
        }
    }

    /// The answer, for people to read.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::builder()
            .status(self.status())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header("X-Content-Type-Options", "nosniff");
        for (name, value) in self.headers() {
            response = response.header(name, HeaderValue::from_static(value));
        }
        if let Self::Unanswerable(Unanswerable::Method { allowed, .. }) = self {
            response = response.header(ALLOW, HeaderValue::from_static(allowed));
        }
        let body = Bytes::from(format!("{self}\n"));
        response.body(body).expect("the headers are constants")
    }
}
