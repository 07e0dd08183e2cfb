//! The methods, one file each, and the table that lists them.

mod add_token;
mod get_configuration;
mod get_picture;
pub(super) mod get_stats;
mod kick_client;
mod list_audit;
mod list_clients;
mod list_controls;
mod list_devices;
mod list_tokens;
mod reload;
mod revoke_token;
mod rotate_token;
mod service;
mod set_camera;
mod set_client;
mod set_controls;
mod set_log_level;
pub(super) mod watch_events;

use serde_json::Value;
use streamd_protocol::control::{
    AddToken, Call, Error, GetConfiguration, GetInfo, GetInterfaceDescription, GetPicture,
    GetStats, INTERFACE, KickClient, ListAudit, ListClients, ListControls, ListDevices, ListTokens,
    Reload, RevokeToken, RotateToken, SERVICE_INTERFACE, SetCamera, SetClient, SetControls,
    SetLogLevel, WatchEvents,
};

pub(super) use self::list_devices::MAX_LISTINGS;
use super::{
    Context,
    access::Peer,
    method::{Answer, Entry, entry, out_of_range},
};
use crate::{
    access::tokens::Refused,
    events,
    news::{self, Event, EventKind},
};

/// How much of a change's parameters is logged, in characters.
const MAX_LOGGED: usize = 300;

const METHODS: &[Entry] = &[
    entry::<GetInfo>(),
    entry::<GetInterfaceDescription>(),
    entry::<GetStats>(),
    entry::<ListClients>(),
    entry::<KickClient>(),
    entry::<SetCamera>(),
    entry::<SetClient>(),
    entry::<GetConfiguration>(),
    entry::<Reload>(),
    entry::<ListDevices>(),
    entry::<ListControls>(),
    entry::<SetControls>(),
    entry::<SetLogLevel>(),
    entry::<WatchEvents>(),
    entry::<GetPicture>(),
    entry::<AddToken>(),
    entry::<RotateToken>(),
    entry::<RevokeToken>(),
    entry::<ListTokens>(),
    entry::<ListAudit>(),
];

/// Does what a call asks for.
pub(super) fn answer(call: Call, peer: &Peer, context: &Context) -> Result<Answer, Error> {
    let method = call.method;
    if call.upgrade {
        return Err(Error::MethodNotImplemented { method });
    }
    match METHODS.iter().find(|entry| entry.name == method) {
        Some(entry) if entry.for_administrators && !peer.is_administrator => {
            refuse(entry, peer);
            Err(Error::PermissionDenied {})
        }
        Some(entry) if entry.changes => change(entry, call.parameters, peer, context),
        Some(entry) => (entry.call)(call.parameters, context),
        None => match method.rsplit_once('.') {
            Some((INTERFACE | SERVICE_INTERFACE, _)) => Err(Error::MethodNotFound { method }),
            Some((interface, _)) => Err(Error::InterfaceNotFound {
                interface: interface.into(),
            }),
            None => Err(Error::InterfaceNotFound {
                interface: String::new(),
            }),
        },
    }
}

/// Says in the log that somebody asked for what only administrators may.
fn refuse(entry: &Entry, peer: &Peer) {
    tracing::info!(
        message_id = events::CONTROL_REFUSED,
        uid = peer.uid,
        pid = peer.pid,
        process = peer.process(),
        "{} refused: it is for root and the daemon's own user",
        entry.name
    );
}

/// The error of a token that can't be made, changed or revoked.
fn tokens_refused(refused: Refused) -> Error {
    match refused {
        Refused::NoToken(name) => Error::NoSuchToken { name },
        Refused::BadName(message) => out_of_range("name", message),
        Refused::TooMany => out_of_range("name", refused.to_string()),
        Refused::Io(_) => Error::TokensUnavailable {
            message: refused.to_string(),
        },
    }
}

/// Makes a change if the peer may, and logs it in either case.
fn change(
    entry: &Entry,
    parameters: Value,
    peer: &Peer,
    context: &Context,
) -> Result<Answer, Error> {
    let logged: String = parameters.to_string().chars().take(MAX_LOGGED).collect();
    let result = match peer.may_change {
        false => Err(Error::PermissionDenied {}),
        true => (entry.call)(parameters, context),
    };
    let outcome = match &result {
        Ok(_) => "done".into(),
        Err(error) => format!("refused: {error}"),
    };
    let (_, method) = entry.name.rsplit_once('.').unwrap_or(("", entry.name));
    tracing::info!(
        message_id = events::CONTROL_CHANGE,
        uid = peer.uid,
        pid = peer.pid,
        process = peer.process(),
        method,
        parameters = logged.as_str(),
        "{method}: {outcome}"
    );
    if result.is_ok() {
        context.state.viewers.news.tell(Event {
            method: method.into(),
            parameters: logged.clone(),
            uid: peer.uid.into(),
            ..news::event(
                EventKind::Changed,
                format!("{method} {logged} by user {}", peer.uid),
            )
        });
    }
    result
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_method_of_the_interface_is_served() {
        let served: BTreeSet<_> = METHODS.iter().map(|entry| entry.name).collect();
        for method in streamd_protocol::control::METHODS {
            assert!(served.contains(method), "{method}");
        }
    }
}
