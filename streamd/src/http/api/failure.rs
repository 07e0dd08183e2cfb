//! Calls that failed, as the API answers them.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use streamd_protocol::control::Error;

use crate::http::refusal::Refusal;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failure {
    /// As for any request.
    Refused(Refusal),
    /// The call itself failed.
    Call(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// The status that says the same as an error.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::NoSuchCamera(_) | Error::NoSuchClient { .. } | Error::NoSuchControl { .. } => {
            StatusCode::NOT_FOUND
        }
        Error::InvalidValue { .. } | Error::InvalidParameter { .. } => StatusCode::BAD_REQUEST,
        Error::PermissionDenied {} => StatusCode::FORBIDDEN,
        Error::ControlsUnavailable { .. }
        | Error::HostsUnavailable { .. }
        | Error::RecordingUnavailable { .. }
        | Error::CameraTimeout { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = match self {
            Self::Refused(refusal) => return refusal.into_response(),
            Self::Call(error) => error,
        };
        let (status, message) = (status(&error), error.to_string());
        let reply = error.into_reply();
        let name = reply.error.unwrap_or_default();
        let code = name.rsplit_once('.').map_or(&*name, |(_, code)| code);
        let error = json!({ "code": code, "message": message, "parameters": reply.parameters });
        (status, Json(json!({ "error": error }))).into_response()
    }
}
