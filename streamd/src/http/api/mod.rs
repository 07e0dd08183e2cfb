//! `/api/v1`: what the control socket does, for programs and the page, as far as an operator may.
//!
//! [`operation`] is the table of what can be asked for, and answers; [`description`] makes the
//! OpenAPI document of the same table. The methods themselves are in [`crate::calls`].

mod description;
mod events;
mod failure;
mod operation;
mod scope;

use axum::{
    Extension, Json,
    extract::State,
    http::header::CACHE_CONTROL,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use serde_json::json;

use self::operation::{OPERATIONS, Operation, Verb};
use super::{served::Served, visitor::Visitor};
use crate::access::role::{Action, Identity, may};

const READ: &str = "GET, HEAD, OPTIONS";

/// An address of the API.
pub struct Address {
    /// As axum writes it.
    pub path: String,
    /// What who asks must be allowed.
    pub action: Action,
    /// The methods, for the `Allow` header.
    pub allowed: &'static str,
    /// The methods.
    pub methods: MethodRouter<Served>,
}

/// All addresses of the API.
pub fn addresses() -> Vec<Address> {
    let address = |path: &str, action, methods| Address {
        path: path.into(),
        action,
        allowed: READ,
        methods,
    };
    let description = get(async || {
        let document = description::document();
        ([(CACHE_CONTROL, "no-cache")], Json(document))
    });
    let mut addresses = vec![
        address("/api/v1/openapi.json", Action::Page, description),
        address("/api/v1/session", Action::Page, get(session)),
    ];
    let at_one_path = OPERATIONS.chunk_by(|one, next| one.path == next.path);
    addresses.extend(at_one_path.map(|operations| {
        let methods = operations.iter().map(Operation::methods);
        Address {
            path: operations[0].path.into(),
            action: operations[0].action,
            allowed: allowed(operations),
            methods: methods.fold(MethodRouter::new(), MethodRouter::merge),
        }
    }));
    addresses
}

/// The methods of an address, for the `Allow` header.
fn allowed(operations: &[Operation]) -> &'static str {
    let has = |verb| operations.iter().any(|operation| operation.verb == verb);
    match (has(Verb::Get), has(Verb::Patch), has(Verb::Delete)) {
        (true, false, false) => READ,
        (false, true, false) => "PATCH, OPTIONS",
        (true, true, false) => "GET, HEAD, PATCH, OPTIONS",
        (false, true, true) => "PATCH, DELETE, OPTIONS",
        other => unreachable!("{other:?}: no address has these"),
    }
}

/// Who asks, what they may, and by which ways they may watch: the page shows no more than that.
async fn session(State(served): State<Served>, Extension(visitor): Extension<Visitor>) -> Response {
    let Identity {
        name,
        roles,
        camera,
        ..
    } = &visitor.who;
    let session = json!({
        "name": **name,
        "roles": roles,
        "camera": camera.as_deref().unwrap_or_default(),
        "mayChange": may(&visitor.who, Action::Operate, None),
        "webrtc": served.has_webrtc(),
    });
    ([(CACHE_CONTROL, "no-store")], Json(session)).into_response()
}

#[cfg(test)]
mod tests;
