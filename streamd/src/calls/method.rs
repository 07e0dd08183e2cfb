//! A method: how its parameters are read, and what its answer is made of.

use std::{pin::Pin, sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use streamd_protocol::{
    control::{Error, Method},
    limits::BadLimit,
};

use crate::state::{Refused, State};

/// What a call is answered with.
pub enum Answer {
    /// The reply's parameters.
    Now(Value),
    /// The reply's parameters, after a wait that is bounded.
    Later(Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>),
    /// What happens, as it happens; only for a caller that wants more than one reply.
    Events,
    /// The figures: again and again where the caller wants more.
    Figures {
        /// Between two replies.
        every: Duration,
    },
}

/// A method that is served. Its parameters are the fields of the implementing type.
pub trait Served: Method + DeserializeOwned {
    /// Whether it changes something: then not everybody may call it, and each call is logged.
    const CHANGES: bool = false;

    /// Whether it is for root and the daemon's own user alone.
    const FOR_ADMINISTRATORS: bool = false;

    /// Checks the parameters, and does what they ask for.
    fn answer(self, state: &Arc<State>) -> Result<Answer, Error>;
}

/// A method in the table of all methods.
pub struct Entry {
    /// Its full name.
    pub name: &'static str,
    /// [`Served::CHANGES`].
    pub changes: bool,
    /// [`Served::FOR_ADMINISTRATORS`].
    pub for_administrators: bool,
    /// Reads the parameters and answers.
    pub call: fn(Value, &Arc<State>) -> Result<Answer, Error>,
}

impl Entry {
    /// Its name without the interface.
    pub fn short_name(&self) -> &'static str {
        self.name
            .rsplit_once('.')
            .map_or(self.name, |(_, name)| name)
    }
}

/// The table's line of a method.
pub const fn entry<M: Served>() -> Entry {
    Entry {
        name: M::NAME,
        changes: M::CHANGES,
        for_administrators: M::FOR_ADMINISTRATORS,
        call: |parameters, state| {
            let method: M = read(parameters)?;
            method.answer(state)
        },
    }
}

/// The parameters of a call; an error names the one that is unknown, missing or of a wrong type.
fn read<M: DeserializeOwned>(parameters: Value) -> Result<M, Error> {
    let parameters = match parameters {
        Value::Null => Value::Object(Map::new()),
        Value::Object(_) => parameters,
        _ => return Err(invalid("parameters".into())),
    };
    serde_path_to_error::deserialize(parameters).map_err(|error| {
        // Of a parameter that is missing, the path ends above it, and the text names it.
        let named = error.inner().to_string();
        match named.strip_prefix("missing field `") {
            Some(rest) => invalid(rest.trim_end_matches('`').into()),
            None => invalid(error.path().to_string()),
        }
    })
}

fn invalid(parameter: String) -> Error {
    Error::InvalidParameter { parameter }
}

/// The error for a value that has the right type but is not allowed.
pub fn out_of_range(name: &str, message: impl Into<String>) -> Error {
    Error::InvalidValue {
        parameter: name.into(),
        message: message.into(),
    }
}

/// The error for a limit that is out of its range.
pub fn bad_limit(bad: &BadLimit) -> Error {
    out_of_range(bad.name, bad.to_string())
}

/// The error of a refusal; `parameter` is the one that a bad value was given for.
pub fn refused(refused: Refused, parameter: &str) -> Error {
    match refused {
        Refused::NoCamera(no) => Error::NoSuchCamera(no),
        Refused::NoClient(id) => Error::NoSuchClient { id: id as i64 },
        Refused::BadLimit(bad) => bad_limit(&bad),
        Refused::BadValue(message) => out_of_range(parameter, message),
        Refused::NoControl {
            camera,
            name,
            nearest,
        } => Error::NoSuchControl {
            camera,
            name,
            nearest,
        },
        Refused::NoControls { camera, reason } => Error::ControlsUnavailable {
            camera,
            message: reason,
        },
        Refused::BadConfiguration(message) => Error::ConfigurationInvalid { message },
    }
}

/// A viewer's number, as calls have it.
pub fn client_id(id: i64) -> Result<u64, Error> {
    u64::try_from(id).map_err(|_| Error::NoSuchClient { id })
}

/// A reply that is there at once.
pub fn now(reply: &impl Serialize) -> Result<Answer, Error> {
    Ok(Answer::Now(json(reply)))
}

/// A reply's parameters.
pub fn json(reply: &impl Serialize) -> Value {
    serde_json::to_value(reply).expect("replies hold strings, numbers and lists of them")
}
