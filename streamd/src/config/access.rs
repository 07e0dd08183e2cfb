//! `[access]`: who may watch, and whose word on others counts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    Config, first_directory, text,
    values::{Anonymous, Proxy, ProxyHeader, UserRole},
};

/// `[access]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Access {
    /// What everybody may who shows no token: `none`, or some of `viewer` and `metrics`. Where it
    /// says nothing: everything while no token has been made, and then nothing.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::anonymous"
    )]
    pub anonymous: Option<Vec<Anonymous>>,
    /// The file of tokens; by default `tokens.json` in `$STATE_DIRECTORY`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::path"
    )]
    pub token_file: Option<PathBuf>,
    /// Whether a token may stand in an address, `?token=`, where others may read it.
    pub token_in_query: bool,
    /// Proxies whose word on whom they serve counts.
    pub trusted_proxies: Vec<Proxy>,
    /// In which header they say it, over HTTP.
    pub proxy_header: ProxyHeader,
    /// In which header they say which of their users it is; such a user needs no token.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::header"
    )]
    pub user_header: Option<String>,
    /// The file with what they prove themselves by in `X-Proxy-Secret`, or `credential:NAME`. Without
    /// it, only who connects to a Unix socket is believed.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "text::credential"
    )]
    pub user_secret: Option<PathBuf>,
    /// What such users may.
    pub user_role: UserRole,
    /// Users who are operators.
    #[serde(deserialize_with = "text::users")]
    pub operators: Vec<String>,
}

impl Access {
    /// The file of tokens in force: as configured, else by the environment, else
    /// `/var/lib/streamd/tokens.json`.
    pub fn token_file(&self) -> PathBuf {
        let env = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let state = env("STATE_DIRECTORY").map(first_directory);
        let own = || env("XDG_STATE_HOME").map(|dir| PathBuf::from(dir).join("streamd"));
        self.token_file.clone().unwrap_or_else(|| {
            let folder = state.or_else(own);
            folder
                .unwrap_or_else(|| "/var/lib/streamd".into())
                .join("tokens.json")
        })
    }
}

impl Config {
    /// Listeners for proxies while none is trusted.
    pub(super) fn unserved_proxies(&self) -> impl Iterator<Item = String> {
        let cameras = self
            .camera
            .iter()
            .filter(|(_, camera)| camera.proxy_protocol);
        let mut listeners: Vec<_> = cameras.map(|(name, _)| format!("camera.{name}")).collect();
        if self.http.proxy_protocol {
            listeners.push("http".into());
        }
        listeners.retain(|_| self.access.trusted_proxies.is_empty());
        listeners.into_iter().map(|table| {
            format!(
                "{table}.proxy-protocol: access.trusted-proxies names nobody, so all connections there are refused"
            )
        })
    }

    /// Proxies whose word on users does not count.
    pub(super) fn unproven_proxies(&self) -> Option<String> {
        let access = &self.access;
        let is_proven = |proxy: &Proxy| *proxy == Proxy::Unix || access.user_secret.is_some();
        let header = access.user_header.as_ref()?;
        let proxy = access.trusted_proxies.iter().find(|p| !is_proven(p));
        match (proxy, access.trusted_proxies.is_empty()) {
            (None, false) => None,
            (None, true) => Some(
                "access.user-header: access.trusted-proxies names nobody, so nobody is believed"
                    .into(),
            ),
            (Some(proxy), _) => Some(format!(
                "access.user-header: {header} of {proxy} is not believed without access.user-secret, since others can connect from there too"
            )),
        }
    }
}
