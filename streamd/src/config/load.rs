//! From the file to a checked [`Config`].

use std::{fs, io, path::Path};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeTable, Deserializer},
};

use super::{Config, Error, Fault, check, schema::CAMERA};

/// The file that is read when none is named.
pub const DEFAULT_PATH: &str = "/etc/streamd/streamd.toml";

/// Reads and checks the file. With no `path`, that is [`DEFAULT_PATH`] if it exists, else the defaults.
///
/// # Errors
/// The file can't be read (a file that is named must exist), or says what is not allowed.
pub fn load(path: Option<&Path>) -> Result<Config, Error> {
    let file = path.unwrap_or(Path::new(DEFAULT_PATH));
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
            return Ok(Config::default());
        }
        Err(reason) => {
            return Err(Error::Unreadable {
                path: file.into(),
                reason,
            });
        }
    };
    let name = file.display().to_string();
    match str::from_utf8(&bytes) {
        Ok(text) => parse(text, &name),
        Err(error) => {
            let text = String::from_utf8_lossy(&bytes);
            let at = error.valid_up_to();
            let fault = Fault::new(&name, &text, at..at + 1, "not UTF-8", "allowed: UTF-8 text");
            Err(Error::Invalid(vec![fault]))
        }
    }
}

/// Checks a text; `file` is what the faults call it.
///
/// # Errors
/// It says what is not allowed.
pub fn parse(text: &str, file: &str) -> Result<Config, Error> {
    let document = DeTable::parse(text).map_err(|error| syntax(text, file, &error))?;
    let faults = check::keys(file, text, document.get_ref());
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    let first = first_camera(&document);
    let mut config = Config::deserialize(Deserializer::from(document.clone()))
        .map_err(|error| syntax(text, file, &error))?;
    config.resolve_listeners(&first);
    let mut faults = check::listeners(file, text, document.get_ref(), &config);
    faults.extend(check::tls(file, text, document.get_ref(), &config));
    faults.extend(check::devices(file, text, document.get_ref(), &config));
    faults.extend(check::nats(file, text, document.get_ref(), &config));
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(Error::Invalid(faults))
    }
}

fn syntax(text: &str, file: &str, error: &toml::de::Error) -> Error {
    let span = error.span().unwrap_or(0..0);
    Error::Invalid(vec![Fault::new(file, text, span, error.message(), "")])
}

/// The camera that is named first in the file, or the one that a file without cameras means.
fn first_camera(document: &Spanned<DeTable<'_>>) -> String {
    document
        .get_ref()
        .get(CAMERA)
        .and_then(|cameras| cameras.get_ref().as_table())
        .and_then(|cameras| cameras.keys().next())
        .map_or_else(|| "main".into(), |name| name.get_ref().to_string())
}
