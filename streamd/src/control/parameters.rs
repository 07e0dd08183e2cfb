//! A call's parameters, taken one by one, so that an error names the one that is wrong.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use streamd_protocol::control::Error;

/// The parameters that are not yet taken.
#[derive(Debug)]
pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    /// All parameters of a call.
    pub(super) fn new(parameters: Value) -> Result<Self, Error> {
        match parameters {
            Value::Null => Ok(Self(Map::new())),
            Value::Object(parameters) => Ok(Self(parameters)),
            _ => Err(invalid("parameters")),
        }
    }

    /// A parameter that may be left out, or null.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Error> {
        let value = self.0.remove(name).unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|_| invalid(name))
    }

    /// A parameter that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Error> {
        self.optional(name)?.ok_or_else(|| invalid(name))
    }

    /// A number that becomes a configuration value with a range of its own.
    pub(super) fn ranged<N, T>(&mut self, name: &str) -> Result<Option<T>, Error>
    where
        N: DeserializeOwned,
        T: TryFrom<N, Error = String>,
    {
        let number = self.optional::<N>(name)?;
        number
            .map(T::try_from)
            .transpose()
            .map_err(|message| out_of_range(name, message))
    }

    /// There must be none left: a misspelt parameter is not ignored.
    pub(super) fn end(self) -> Result<(), Error> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(invalid(&name)),
        }
    }
}

fn invalid(name: &str) -> Error {
    Error::InvalidParameter {
        parameter: name.into(),
    }
}

/// The error for a value that has the right type but is not allowed.
pub(super) fn out_of_range(name: &str, message: impl Into<String>) -> Error {
    Error::InvalidValue {
        parameter: name.into(),
        message: message.into(),
    }
}
