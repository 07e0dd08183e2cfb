//! Why a call failed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Reply;

/// Why a call failed: `error` and `parameters` of a [`Reply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "parameters", rename_all_fields = "camelCase")]
pub enum Error {
    /// No camera of this name.
    #[serde(rename = "io.streamd.Control.NoSuchCamera")]
    #[error(transparent)]
    NoSuchCamera(NoSuchCamera),
    /// No client of this number.
    #[serde(rename = "io.streamd.Control.NoSuchClient")]
    #[error("no client {id}")]
    NoSuchClient {
        /// What was asked for.
        id: i64,
    },
    /// A value out of its range.
    #[serde(rename = "io.streamd.Control.InvalidValue")]
    #[error("{message}")]
    InvalidValue {
        /// The parameter's name.
        parameter: String,
        /// What is allowed, for people.
        message: String,
    },
    /// The configuration file can't be used; the old one stays in force.
    #[serde(rename = "io.streamd.Control.ConfigurationInvalid")]
    #[error("{message}")]
    ConfigurationInvalid {
        /// The line and what is wrong, for people.
        message: String,
    },
    /// The camera gave no frame in time.
    #[serde(rename = "io.streamd.Control.CameraTimeout")]
    #[error("camera {camera:?} gave no frame for {seconds} s")]
    CameraTimeout {
        /// The camera's name.
        camera: String,
        /// How long was waited.
        seconds: f64,
    },
    /// A camera has no control of this name.
    #[serde(rename = "io.streamd.Control.NoSuchControl")]
    #[error("camera {camera:?} has no control {name:?}; the nearest are {}", nearest.join(", "))]
    NoSuchControl {
        /// The camera's name.
        camera: String,
        /// What was asked for.
        name: String,
        /// The names that are most like it.
        nearest: Vec<String>,
    },
    /// A camera's controls could not be listed or set.
    #[serde(rename = "io.streamd.Control.ControlsUnavailable")]
    #[error("camera {camera:?}: {message}")]
    ControlsUnavailable {
        /// The camera's name.
        camera: String,
        /// Why, for people.
        message: String,
    },
    /// A camera's recordings can't be had or made.
    #[serde(rename = "io.streamd.Control.RecordingUnavailable")]
    #[error("camera {camera:?}: {message}")]
    RecordingUnavailable {
        /// The camera's name.
        camera: String,
        /// Why, for people.
        message: String,
    },
    /// The devices could not be listed.
    #[serde(rename = "io.streamd.Control.DevicesUnavailable")]
    #[error("the devices can't be listed: {message}")]
    DevicesUnavailable {
        /// Why, for people.
        message: String,
    },
    /// Nobody listens to other machines here.
    #[serde(rename = "io.streamd.Control.HostsUnavailable")]
    #[error("the hosts can't be listed: {message}")]
    HostsUnavailable {
        /// Why, for people.
        message: String,
    },
    /// The tokens can't be read or kept.
    #[serde(rename = "io.streamd.Control.TokensUnavailable")]
    #[error("{message}")]
    TokensUnavailable {
        /// Why, for people.
        message: String,
    },
    /// No token of this name.
    #[serde(rename = "io.streamd.Control.NoSuchToken")]
    #[error("no token {name:?}")]
    NoSuchToken {
        /// What was asked for.
        name: String,
    },
    /// Too many control connections.
    #[serde(rename = "io.streamd.Control.TooManyConnections")]
    #[error("streamd already has {maximum} control connections, its maximum")]
    TooManyConnections {
        /// Connections at most.
        maximum: i64,
    },
    /// A call without an end within the maximum.
    #[serde(rename = "io.streamd.Control.MessageTooLong")]
    #[error("the message is longer than {maximum_bytes} bytes")]
    MessageTooLong {
        /// Bytes at most.
        maximum_bytes: i64,
    },
    /// No Varlink call.
    #[serde(rename = "io.streamd.Control.MessageMalformed")]
    #[error("the message is no Varlink call: {message}")]
    MessageMalformed {
        /// What is wrong with it.
        message: String,
    },
    /// No such interface here.
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    #[error("streamd has no interface {interface:?}")]
    InterfaceNotFound {
        /// What was asked for.
        interface: String,
    },
    /// No such method in the interface.
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    #[error("streamd has no method {method:?}")]
    MethodNotFound {
        /// What was asked for.
        method: String,
    },
    /// The method can't be called in this way.
    #[serde(rename = "org.varlink.service.MethodNotImplemented")]
    #[error("streamd does not offer method {method:?} in this way")]
    MethodNotImplemented {
        /// What was asked for.
        method: String,
    },
    /// An unknown parameter, one of the wrong type, or one that is missing.
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    #[error("parameter {parameter:?} is unknown, missing or of the wrong type")]
    InvalidParameter {
        /// The parameter's name.
        parameter: String,
    },
    /// The caller may read only.
    #[serde(rename = "org.varlink.service.PermissionDenied")]
    #[error("your user may not do this")]
    PermissionDenied {},
    /// The method answers with a stream, and the caller takes one reply only.
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    #[error("the method can only be called with \"more\"")]
    ExpectedMore {},
}

/// There is no camera of this name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("no camera {name:?}; there {}", there_are(known))]
pub struct NoSuchCamera {
    /// What was asked for.
    pub name: String,
    /// The names there are.
    pub known: Vec<String>,
}

fn there_are(known: &[String]) -> String {
    match known {
        [] => "is none".into(),
        [one] => format!("is {one}"),
        [first @ .., last] => format!("are {} and {last}", first.join(", ")),
    }
}

impl Error {
    /// The error of a reply; `None` if its name or parameters are not known here.
    pub fn from_reply(name: &str, parameters: Value) -> Option<Self> {
        let parameters = match parameters {
            Value::Null => Value::Object(serde_json::Map::new()),
            parameters => parameters,
        };
        let tagged = serde_json::json!({ "error": name, "parameters": parameters });
        serde_json::from_value(tagged).ok()
    }

    /// The full name, with the interface, and the parameters.
    pub fn into_reply(self) -> Reply {
        let value = serde_json::to_value(&self).expect("strings and numbers are always JSON");
        serde_json::from_value(value).expect("an error has a name and an object of parameters")
    }
}
