//! Requests that are refused: why, and with which status and headers.

use axum::{
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{ALLOW, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};

use streamd_protocol::control::NoSuchCamera;

use super::{
    host::BadHost, origin::Forbidden, query::BadParameter, websocket::handshake::NoHandshake,
};
use crate::access::{attempts::TooMany, rates::TooOften, role::Identity};

/// Seconds after which what is not to be had now may be asked for again.
const LATER: &str = "2";

/// The same of calls, whose bucket has room again by then.
const SOON: &str = "1";

/// Why a request is not served. What it displays is told to whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What is asked for is no address of a server.
    #[error("{0:?} is no address here: it must begin with /")]
    BadAddress(String),
    /// No such address.
    #[error(
        "nothing is at {0}: there is /, /ws, /stream, /stream.h264, /whep, /snapshot, /state and /api/v1"
    )]
    NotFound(String),
    /// The address does not take this method.
    #[error("{method} is not allowed here; allowed: {allowed}")]
    Method {
        /// What came.
        method: Method,
        /// What is allowed, for the `Allow` header.
        allowed: &'static str,
    },
    /// `/?action=` something else.
    #[error(
        "action={0:?}: stream and snapshot are allowed, and stream_N and snapshot_N for camera N, counted from 0"
    )]
    BadAction(String),
    /// A parameter can't have this value.
    #[error(transparent)]
    BadParameter(#[from] BadParameter),
    /// No WebSocket was asked for, or not as it should be.
    #[error(transparent)]
    NoHandshake(#[from] NoHandshake),
    /// It is not for this server.
    #[error(transparent)]
    BadHost(#[from] BadHost),
    /// No token was shown, or one that is not good.
    #[error("a token is needed: as a bearer, or as the password of any user; or log in at /login")]
    Unauthorized,
    /// Too many tokens of this address are none.
    #[error(transparent)]
    TooManyWrong(#[from] TooMany),
    /// Too many calls of late.
    #[error("{0}; try again in {SOON} s")]
    TooOften(#[from] TooOften),
    /// A token was shown that is for something else.
    #[error("this token is not good for that")]
    MayNot,
    /// The page may not connect.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such camera.
    #[error(transparent)]
    NoCamera(#[from] NoSuchCamera),
    /// It was left out of this build.
    #[error("this build has no {0}")]
    NotBuilt(&'static str),
    /// Not now: no place, or no picture.
    #[error("{0}")]
    Unavailable(String),
    /// It is not switched on: what, and the table of the configuration.
    #[error("{0} is off here: [{1}] has no `listen`")]
    Off(&'static str, &'static str),
    /// An offer is a session description.
    #[error("Content-Type: application/sdp is needed")]
    NotSdp,
    /// The offer can't be read.
    #[error("{0}")]
    BadOffer(String),
    /// Nothing of what is offered is to be had.
    #[error("{0}")]
    NotAcceptable(String),
    /// ICE does not begin anew within a session.
    #[error("ICE does not restart within a session: begin a new one")]
    NoRestart,
    /// What changes something is JSON, and says so: no form of another page can.
    #[error("Content-Type: application/json is needed")]
    NotJson,
    /// The body is no JSON object.
    #[error("the body is no JSON object: {0}")]
    BadJson(String),
    /// The body is too large.
    #[error("the body is too large: {0} bytes are allowed")]
    BodyTooLarge(usize),
    /// The body came too slowly.
    #[error("the body did not come within {0} s")]
    BodyTooSlow(u64),
}

impl Refusal {
    /// What of it somebody may be told: an outsider learns nothing, and who may watch one camera
    /// does not learn which others there are.
    pub fn told(self, who: &Identity) -> Self {
        match self {
            _ if who.is_outsider() => Self::Unauthorized,
            Self::NoCamera(_) if who.camera.is_some() => Self::MayNot,
            refusal => refusal,
        }
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) | Self::NoCamera(_) | Self::NotBuilt(_) | Self::Off(..) => {
                StatusCode::NOT_FOUND
            }
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadAddress(_)
            | Self::BadAction(_)
            | Self::BadParameter(_)
            | Self::BadJson(_)
            | Self::BadOffer(_) => StatusCode::BAD_REQUEST,
            Self::NotJson | Self::NotSdp => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE,
            Self::NoRestart => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BadHost(BadHost::NotOne(_)) => StatusCode::BAD_REQUEST,
            Self::BadHost(BadHost::Foreign(_)) => StatusCode::MISDIRECTED_REQUEST,
            Self::NoHandshake(why) => why.status(),
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::TooManyWrong(_) | Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden(_) | Self::MayNot => StatusCode::FORBIDDEN,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow(_) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The headers that the status asks for.
    fn headers(&self) -> &'static [(HeaderName, &'static str)] {
        match self {
            Self::NoHandshake(_) => &[(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")],
            // Browsers ask for it in a window of their own, and send it with every `<img>` too.
            Self::Unauthorized => &[(
                WWW_AUTHENTICATE,
                "Basic realm=\"streamd\", charset=\"UTF-8\"",
            )],
            Self::Unavailable(_) => &[(RETRY_AFTER, LATER)],
            Self::TooOften(_) => &[(RETRY_AFTER, SOON)],
            _ => &[],
        }
    }
}

impl IntoResponse for Refusal {
    /// The answer, for people to read.
    fn into_response(self) -> Response {
        let text = [("X-Content-Type-Options", "nosniff")];
        let mut response = (self.status(), text, format!("{self}\n")).into_response();
        let headers = response.headers_mut();
        for (name, value) in self.headers() {
            headers.insert(name, HeaderValue::from_static(value));
        }
        match self {
            Self::Method { allowed, .. } => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::TooManyWrong(too_many) => {
                headers.insert(RETRY_AFTER, too_many.seconds().into());
            }
            _ => {}
        }
        response
    }
}
