//! What the daemon can be asked to do, by whatever way: one file a method, and the table that lists
//! them. The control socket and the HTTP API lead here; each says who calls.
//!
//! The rest of the daemon is reached only through [`State`], which never waits for the video path.

pub mod caller;
pub mod method;

mod add_token;
mod get_configuration;
mod get_picture;
pub mod get_stats;
mod kick_client;
mod list_audit;
mod list_clients;
mod list_controls;
mod list_devices;
mod list_hosts;
mod list_recordings;
mod list_tokens;
mod reload;
mod revoke_token;
mod rotate_token;
mod service;
mod set_camera;
mod set_client;
mod set_controls;
mod set_log_level;
mod set_recording;
pub mod watch_events;

use std::sync::Arc;

use serde_json::Value;
use streamd_protocol::control::{
    AddToken, Call, Error, GetConfiguration, GetInfo, GetInterfaceDescription, GetPicture,
    GetStats, INTERFACE, KickClient, ListAudit, ListClients, ListControls, ListDevices, ListHosts,
    ListRecordings, ListTokens, Reload, RevokeToken, RotateToken, SERVICE_INTERFACE, SetCamera,
    SetClient, SetControls, SetLogLevel, SetRecording, WatchEvents,
};

pub use self::list_devices::MAX_LISTINGS;
use self::{
    caller::{Caller, Who, process},
    method::{Answer, Entry, entry, out_of_range},
};
use crate::{
    access::tokens::Refused,
    events,
    news::{self, Event, EventKind},
    state::State,
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
    entry::<ListHosts>(),
    entry::<ListControls>(),
    entry::<SetControls>(),
    entry::<SetLogLevel>(),
    entry::<WatchEvents>(),
    entry::<SetRecording>(),
    entry::<ListRecordings>(),
    entry::<GetPicture>(),
    entry::<AddToken>(),
    entry::<RotateToken>(),
    entry::<RevokeToken>(),
    entry::<ListTokens>(),
    entry::<ListAudit>(),
];

/// Does what a call asks for.
///
/// # Errors
/// See [`Error`]; in particular when the caller may not do this.
pub fn answer(call: Call, caller: &Caller, state: &Arc<State>) -> Result<Answer, Error> {
    let method = call.method;
    if call.upgrade {
        return Err(Error::MethodNotImplemented { method });
    }
    match METHODS.iter().find(|entry| entry.name == method) {
        Some(entry) if entry.for_administrators && !caller.is_administrator => {
            let message = format!("{method} refused: it is for root and the daemon's own user");
            say(events::CONTROL_REFUSED, &message, entry, "", caller);
            Err(Error::PermissionDenied {})
        }
        Some(entry) if entry.changes => change(entry, call.parameters, caller, state),
        Some(entry) => (entry.call)(call.parameters, state),
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

/// Says in the log what somebody has called, or was refused.
fn say(message_id: &str, message: &str, entry: &Entry, parameters: &str, caller: &Caller) {
    let method = entry.short_name();
    match &caller.who {
        Who::Process { uid, pid } => tracing::info!(
            message_id,
            uid,
            pid,
            process = process(*pid),
            method,
            parameters,
            "{message}"
        ),
        Who::Visitor { token, peer } => tracing::info!(
            message_id,
            peer = %peer,
            token = %token,
            method,
            parameters,
            "{message}"
        ),
    }
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

/// Makes a change if the caller may, and logs it in either case.
fn change(
    entry: &Entry,
    parameters: Value,
    caller: &Caller,
    state: &Arc<State>,
) -> Result<Answer, Error> {
    let camera = parameters.get("camera").and_then(Value::as_str);
    let about: Vec<_> = camera.map(str::to_owned).into_iter().collect();
    let logged: String = parameters.to_string().chars().take(MAX_LOGGED).collect();
    let result = match caller.may_change {
        false => Err(Error::PermissionDenied {}),
        true => (entry.call)(parameters, state),
    };
    let outcome = match &result {
        Ok(_) => "done".into(),
        Err(error) => format!("refused: {error}"),
    };
    let method = entry.short_name();
    let message = format!("{method}: {outcome}");
    say(events::CONTROL_CHANGE, &message, entry, &logged, caller);
    if result.is_ok() {
        let (name, peer) = match &caller.who {
            Who::Process { .. } => (String::new(), String::new()),
            Who::Visitor { token, peer } => (token.to_string(), peer.to_string()),
        };
        let text = format!("{method} {logged} by {}", caller.name());
        state.viewers.news.tell(Event {
            cameras: about,
            method: method.into(),
            parameters: logged,
            uid: caller.uid().map_or(-1, i64::from),
            name,
            peer,
            ..news::event(EventKind::Changed, text)
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
