//! `[nats]`: cameras from host to host.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    text,
    values::{CameraName, Machine, Server},
};

/// `[nats]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Nats {
    /// The servers, of which one that answers is used; none by default.
    pub servers: Vec<Server>,
    /// Who this daemon is there: a credentials file, or an NKey seed.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::credential"
    )]
    pub credentials: Option<PathBuf>,
    /// Who must have issued the certificates of the servers, as PEM; else those that the system trusts.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::credential"
    )]
    pub ca_file: Option<PathBuf>,
    /// By what name others know this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<Machine>,
    /// The cameras that others may have.
    pub publish: Vec<CameraName>,
}
