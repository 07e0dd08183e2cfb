//! The methods, one file each, and the table that lists them.

mod get_configuration;
mod get_picture;
pub(super) mod get_stats;
mod kick_client;
mod list_clients;
mod list_controls;
mod list_devices;
mod reload;
mod service;
mod set_camera;
mod set_client;
mod set_controls;
mod set_log_level;
pub(super) mod watch_events;

use serde_json::Value;
use streamd_protocol::control::{
    Call, Error, GetConfiguration, GetInfo, GetInterfaceDescription, GetPicture, GetStats,
    INTERFACE, KickClient, ListClients, ListControls, ListDevices, Reload, SERVICE_INTERFACE,
    SetCamera, SetClient, SetControls, SetLogLevel, WatchEvents,
};

pub(super) use self::list_devices::MAX_LISTINGS;
use super::{
    Context,
    access::Peer,
    method::{Answer, Entry, entry},
};
use crate::{
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
];

/// Does what a call asks for.
pub(super) fn answer(call: Call, peer: &Peer, context: &Context) -> Result<Answer, Error> {
    let method = call.method;
    if call.upgrade {
        return Err(Error::MethodNotImplemented { method });
    }
    match METHODS.iter().find(|entry| entry.name == method) {
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
