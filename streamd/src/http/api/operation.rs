//! What can be asked for: one line of the table each.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, State},
    http::{
        HeaderMap, Uri,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, patch},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use streamd_protocol::{
    control::{
        Call, Error, GetStatsReply, KickClient, KickClientReply, ListClientsReply, ListControls,
        ListControlsReply, ListRecordings, ListRecordingsReply, Method, SetCamera, SetCameraReply,
        SetClient, SetControls, SetControlsReply, SetRecording, SetRecordingReply,
        WatchEventsReply,
    },
    stats::CameraStats,
};

use super::{events, failure::Failure, scope};
use crate::{
    access::role::{Action, may},
    calls::{
        self,
        caller::{Caller, Who},
        method::{Answer, json},
    },
    http::{origin::Origins, query::Query, refusal::Refusal, served::Served, visitor::Visitor},
};

/// An HTTP method of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Changes nothing.
    Get,
    /// Changes what is named.
    Patch,
    /// Ends something.
    Delete,
}

/// What a schema is made by.
pub type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

/// Something that can be asked for.
pub struct Operation {
    /// How.
    pub verb: Verb,
    /// Where, as axum and OpenAPI write it.
    pub path: &'static str,
    /// What it takes.
    pub action: Action,
    /// What it is, for the description.
    pub summary: &'static str,
    /// The body, and what of its type stands in the address instead.
    pub request: Option<(MakeSchema, &'static str)>,
    /// What is answered.
    pub reply: MakeSchema,
    /// Whether that is the data of each event of a stream.
    pub is_stream: bool,
    route: fn() -> MethodRouter<Served>,
}

impl Operation {
    /// What answers it.
    pub fn methods(&self) -> MethodRouter<Served> {
        (self.route)()
    }
}

/// The list of `/api/v1/cameras`.
#[derive(serde::Serialize, JsonSchema)]
pub struct CamerasReply {
    /// One per camera, in the configuration's order.
    cameras: Vec<CameraStats>,
}

/// Nothing more to say.
#[derive(JsonSchema)]
struct Done {}

/// All operations. What has one address stands together, what reads first.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        verb: Verb::Get,
        path: "/api/v1/stats",
        action: Action::Operate,
        summary: "Everything that is counted",
        request: None,
        reply: SchemaGenerator::subschema_for::<GetStatsReply>,
        is_stream: false,
        route: || get(stats),
    },
    Operation {
        verb: Verb::Get,
        path: "/api/v1/cameras",
        action: Action::State,
        summary: "The cameras",
        request: None,
        reply: SchemaGenerator::subschema_for::<CamerasReply>,
        is_stream: false,
        route: || get(cameras),
    },
    Operation {
        verb: Verb::Get,
        path: "/api/v1/cameras/{camera}",
        action: Action::Operate,
        summary: "One camera",
        request: None,
        reply: SchemaGenerator::subschema_for::<CameraStats>,
        is_stream: false,
        route: || get(camera),
    },
    Operation {
        verb: Verb::Patch,
        path: "/api/v1/cameras/{camera}",
        action: Action::Operate,
        summary: "Change a camera's quality, rate, turn or flip, for everybody, until the next reload",
        request: Some((SchemaGenerator::subschema_for::<SetCamera>, "camera")),
        reply: SchemaGenerator::subschema_for::<SetCameraReply>,
        is_stream: false,
        route: || patch(change_of_camera::<SetCamera>),
    },
    Operation {
        verb: Verb::Get,
        path: "/api/v1/cameras/{camera}/controls",
        action: Action::Operate,
        summary: "A camera's own controls, as its driver has them now",
        request: None,
        reply: SchemaGenerator::subschema_for::<ListControlsReply>,
        is_stream: false,
        route: || get(controls),
    },
    Operation {
        verb: Verb::Patch,
        path: "/api/v1/cameras/{camera}/controls",
        action: Action::Operate,
        summary: "Set controls of a camera, until the next reload: all of them or none",
        request: Some((SchemaGenerator::subschema_for::<SetControls>, "camera")),
        reply: SchemaGenerator::subschema_for::<SetControlsReply>,
        is_stream: false,
        route: || patch(change_of_camera::<SetControls>),
    },
    Operation {
        verb: Verb::Patch,
        path: "/api/v1/cameras/{camera}/recording",
        action: Action::Operate,
        summary: "Record a camera from now on, for so long, or no more",
        request: Some((SchemaGenerator::subschema_for::<SetRecording>, "camera")),
        reply: SchemaGenerator::subschema_for::<SetRecordingReply>,
        is_stream: false,
        route: || patch(change_of_camera::<SetRecording>),
    },
    Operation {
        verb: Verb::Get,
        path: "/api/v1/cameras/{camera}/recordings",
        action: Action::Operate,
        summary: "A camera's recordings of ?from= to ?to=, seconds since the epoch; of the last day without",
        request: None,
        reply: SchemaGenerator::subschema_for::<ListRecordingsReply>,
        is_stream: false,
        route: || get(recordings),
    },
    Operation {
        verb: Verb::Get,
        path: "/api/v1/clients",
        action: Action::Operate,
        summary: "Who is connected",
        request: None,
        reply: SchemaGenerator::subschema_for::<ListClientsReply>,
        is_stream: false,
        route: || get(clients),
    },
    Operation {
        verb: Verb::Patch,
        path: "/api/v1/clients/{id}",
        action: Action::Operate,
        summary: "Limit what a client is sent; 0 lifts a limit",
        request: Some((SchemaGenerator::subschema_for::<SetClient>, "id")),
        reply: SchemaGenerator::subschema_for::<Done>,
        is_stream: false,
        route: || patch(change_of_client),
    },
    Operation {
        verb: Verb::Delete,
        path: "/api/v1/clients/{id}",
        action: Action::Operate,
        summary: "Disconnect a client; ?reason= is told to it",
        request: None,
        reply: SchemaGenerator::subschema_for::<KickClientReply>,
        is_stream: false,
        route: || delete(kick),
    },
    Operation {
        verb: Verb::Get,
        path: "/api/v1/events",
        action: Action::Operate,
        summary: "What happens, as it happens, as Server-Sent Events",
        request: None,
        reply: SchemaGenerator::subschema_for::<WatchEventsReply>,
        is_stream: true,
        route: || get(events::answer),
    },
];

/// An answer, or why there is none.
pub type Answered = Result<Response, Failure>;

async fn stats(State(served): State<Served>, Extension(visitor): Extension<Visitor>) -> Answered {
    let mut stats = served.state.stats();
    scope::narrow(&mut stats, &visitor.who, Action::Operate);
    Ok(fresh(json(&GetStatsReply { stats })))
}

async fn cameras(State(served): State<Served>, Extension(visitor): Extension<Visitor>) -> Answered {
    let mut stats = served.state.stats();
    scope::narrow(&mut stats, &visitor.who, Action::State);
    let cameras = stats.cameras;
    Ok(fresh(json(&CamerasReply { cameras })))
}

async fn camera(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path(camera): Path<String>,
) -> Answered {
    may_operate(&visitor, &camera)?;
    let found = served.state.cameras.find(Some(&camera));
    found.map_err(Error::NoSuchCamera)?;
    let mut cameras = served.state.stats().cameras.into_iter();
    let stats = cameras.find(|stats| stats.name == camera);
    Ok(fresh(json(&stats)))
}

async fn controls(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path(camera): Path<String>,
) -> Answered {
    may_operate(&visitor, &camera)?;
    call::<ListControls>(json!({ "camera": camera }), &served, &visitor).await
}

async fn recordings(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path(camera): Path<String>,
    uri: Uri,
) -> Answered {
    may_operate(&visitor, &camera)?;
    let query = Query::of(&uri);
    let mut parameters = json!({ "camera": camera });
    for name in ["from", "to"] {
        let time = query.checked(name, "seconds since the epoch", |_: &f64| true);
        if let Some(time) = time.map_err(Refusal::from)? {
            parameters[name] = time.into();
        }
    }
    call::<ListRecordings>(parameters, &served, &visitor).await
}

async fn clients(State(served): State<Served>, Extension(visitor): Extension<Visitor>) -> Answered {
    let mut stats = served.state.stats();
    scope::narrow(&mut stats, &visitor.who, Action::Operate);
    let clients = stats.clients;
    Ok(fresh(json(&ListClientsReply { clients })))
}

async fn change_of_camera<M: Method>(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path(camera): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let mut parameters = change(&served, &headers, &body)?;
    may_operate(&visitor, &camera)?;
    put(&mut parameters, "camera", camera.into())?;
    call::<M>(parameters.into(), &served, &visitor).await
}

async fn change_of_client(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answered {
    let mut parameters = change(&served, &headers, &body)?;
    let id = scope::client(&served.state.stats(), &id, &visitor.who)?;
    put(&mut parameters, "id", id.into())?;
    call::<SetClient>(parameters.into(), &served, &visitor).await
}

async fn kick(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Answered {
    let origins = Origins::of(&served.state);
    origins.check_change(&headers).map_err(Refusal::from)?;
    let id = scope::client(&served.state.stats(), &id, &visitor.who)?;
    let mut parameters = json!({ "id": id });
    if let Some(reason) = Query::of(&uri).get("reason") {
        parameters["reason"] = reason.into();
    }
    call::<KickClient>(parameters, &served, &visitor).await
}

/// The parameters of a change. A page of another origin can neither send this without being asked
/// for leave by its browser first, nor without saying where it is from.
fn change(
    served: &Served,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Map<String, Value>, Refusal> {
    Origins::of(&served.state).check_change(headers)?;
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(Refusal::NotJson);
    }
    serde_json::from_slice(body).map_err(|error| Refusal::BadJson(error.to_string()))
}

/// Adds what stands in the address.
fn put(parameters: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Error> {
    match parameters.insert(name.into(), value) {
        None => Ok(()),
        Some(_) => Err(Error::InvalidParameter {
            parameter: name.into(),
        }),
    }
}

fn may_operate(visitor: &Visitor, camera: &str) -> Result<(), Refusal> {
    match may(&visitor.who, Action::Operate, Some(camera)) {
        true => Ok(()),
        false => Err(Refusal::MayNot),
    }
}

/// Makes a call as who has sent the request.
///
/// # Errors
/// See [`calls::answer`].
pub fn ask<M: Method>(
    parameters: Value,
    more: bool,
    served: &Served,
    visitor: &Visitor,
) -> Result<Answer, Error> {
    let caller = Caller {
        who: Who::Visitor {
            token: visitor.who.name.clone(),
            peer: visitor.peer.clone(),
        },
        may_change: may(&visitor.who, Action::Operate, None),
        is_administrator: false,
    };
    let call = Call {
        method: M::NAME.into(),
        parameters,
        oneway: false,
        more,
        upgrade: false,
    };
    calls::answer(call, &caller, &served.state)
}

async fn call<M: Method>(parameters: Value, served: &Served, visitor: &Visitor) -> Answered {
    let reply = match ask::<M>(parameters, false, served, visitor)? {
        Answer::Now(reply) => reply,
        Answer::Later(reply) => reply.await?,
        // What has no end is no call.
        Answer::Figures { .. } | Answer::Events => return Err(Error::ExpectedMore {}.into()),
    };
    Ok(fresh(reply))
}

fn fresh(reply: Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(reply)).into_response()
}
