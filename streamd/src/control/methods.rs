//! What a call does: the methods that only look, here; those that change something, in
//! [`super::changes`]. Both ask [`Target`].
//!
//! [`Target`]: super::command::Target

use std::{pin::Pin, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
use streamd_protocol::control::{
    Call, DESCRIPTION, Error, GetConfigurationReply, GetInfoReply, GetInterfaceDescriptionReply,
    GetPictureReply, GetStatsReply, INTERFACE, INTERVAL_MS, ListClientsReply, ListDevicesReply,
    Origin, SERVICE_DESCRIPTION, SERVICE_INTERFACE,
};
use tokio::time::timeout;

use super::{
    Shared,
    access::Peer,
    changes::{change, changes},
    parameters::{Parameters, out_of_range},
};
use crate::{
    media,
    media::{Packet, Timestamp},
    state::{Refused, State},
};

/// For a picture: above the time that a camera takes to be switched on.
const PICTURE_TIMEOUT: Duration = Duration::from_secs(5);

/// For the devices to be opened and asked.
const DEVICES_TIMEOUT: Duration = Duration::from_secs(5);

/// Listings of the devices at a time, so that drivers that hang can't use up threads.
pub(super) const MAX_LISTINGS: usize = 2;

/// What a call is answered with.
pub(super) enum Answer {
    /// The reply's parameters.
    Now(Value),
    /// The reply's parameters, after a wait that is bounded.
    Later(Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>),
    /// The stats: again and again where the caller wants more.
    Stats {
        /// Between two replies.
        every: Duration,
    },
}

/// Does what a call asks for.
pub(super) fn answer(call: Call, peer: &Peer, shared: &Shared) -> Result<Answer, Error> {
    if call.upgrade {
        return Err(Error::MethodNotImplemented {
            method: call.method,
        });
    }
    let (interface, method) = call.method.rsplit_once('.').unwrap_or(("", &call.method));
    match interface {
        SERVICE_INTERFACE => service(method, call.parameters),
        INTERFACE if changes(method) => change(method, call.parameters, peer, shared),
        INTERFACE => read(method, call.parameters, shared),
        _ => Err(Error::InterfaceNotFound {
            interface: interface.into(),
        }),
    }
}

fn service(method: &str, parameters: Value) -> Result<Answer, Error> {
    let mut parameters = Parameters::new(parameters)?;
    match method {
        "GetInfo" => {
            parameters.end()?;
            Ok(now(&GetInfoReply {
                vendor: "streamd".into(),
                product: "streamd".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                url: env!("CARGO_PKG_REPOSITORY").into(),
                interfaces: [SERVICE_INTERFACE, INTERFACE].map(Into::into).into(),
            }))
        }
        "GetInterfaceDescription" => {
            let interface: String = parameters.required("interface")?;
            parameters.end()?;
            let description = match interface.as_str() {
                INTERFACE => DESCRIPTION,
                SERVICE_INTERFACE => SERVICE_DESCRIPTION,
                _ => return Err(Error::InterfaceNotFound { interface }),
            };
            Ok(now(&GetInterfaceDescriptionReply {
                description: description.into(),
            }))
        }
        _ => Err(unknown(SERVICE_INTERFACE, method)),
    }
}

/// The methods that only look.
fn read(method: &str, parameters: Value, shared: &Shared) -> Result<Answer, Error> {
    let mut parameters = Parameters::new(parameters)?;
    let target = &shared.state;
    match method {
        "GetStats" => {
            let every = interval(&mut parameters)?;
            parameters.end()?;
            Ok(Answer::Stats { every })
        }
        "ListClients" => {
            parameters.end()?;
            let _busy = shared.busy();
            let clients = target.stats().clients;
            Ok(now(&ListClientsReply { clients }))
        }
        "GetConfiguration" => {
            parameters.end()?;
            let _busy = shared.busy();
            let toml = target.configuration().to_toml();
            Ok(now(&GetConfigurationReply { toml }))
        }
        "ListDevices" => {
            parameters.end()?;
            Ok(Answer::Later(Box::pin(devices(Arc::clone(target)))))
        }
        "GetPicture" => {
            let camera = parameters.optional("camera")?;
            parameters.end()?;
            picture(camera, shared)
        }
        _ => Err(unknown(INTERFACE, method)),
    }
}

/// The stats, as a reply's parameters.
pub(super) fn stats(shared: &Shared) -> Value {
    let _busy = shared.busy();
    json(&GetStatsReply {
        stats: shared.state.stats(),
    })
}

fn interval(parameters: &mut Parameters) -> Result<Duration, Error> {
    let ms = parameters.optional("intervalMs")?.unwrap_or(1000);
    if !INTERVAL_MS.contains(&ms) {
        let (least, most) = (INTERVAL_MS.start(), INTERVAL_MS.end());
        return Err(out_of_range(
            "intervalMs",
            format!("intervalMs {ms}: {least} to {most} is allowed"),
        ));
    }
    Ok(Duration::from_millis(ms.unsigned_abs()))
}

async fn devices(target: Arc<State>) -> Result<Value, Error> {
    let listing = tokio::task::spawn_blocking(move || target.devices());
    let message = match timeout(DEVICES_TIMEOUT, listing).await {
        Ok(Ok(devices)) => return Ok(json(&ListDevicesReply { devices })),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!(
            "a driver did not answer for {} s",
            DEVICES_TIMEOUT.as_secs()
        ),
    };
    Err(Error::DevicesUnavailable { message })
}

fn picture(camera: Option<String>, shared: &Shared) -> Result<Answer, Error> {
    let _busy = shared.busy();
    let next = shared.state.picture(camera.as_deref(), Timestamp::now());
    let (camera, next) = next.map_err(|no| refused(no.into(), "camera"))?;
    Ok(Answer::Later(Box::pin(async move {
        match timeout(PICTURE_TIMEOUT, next).await {
            Ok(frame) => Ok(json(&picture_reply(camera, &frame))),
            Err(_) => Err(Error::CameraTimeout {
                camera,
                seconds: PICTURE_TIMEOUT.as_secs_f64(),
            }),
        }
    })))
}

fn picture_reply(camera: String, frame: &Packet) -> GetPictureReply {
    GetPictureReply {
        camera,
        jpeg: frame.bytes.to_vec(),
        sequence: frame.sequence as i64,
        captured_us: frame.captured.unix_micros() as i64,
        width: frame.width.into(),
        height: frame.height.into(),
        origin: match frame.origin {
            media::Origin::Camera => Origin::Camera,
            media::Origin::TestPattern => Origin::TestPattern,
            media::Origin::Blank => Origin::Blank,
        },
    }
}

/// The error of a refusal; `parameter` is the one that a bad value was given for.
pub(super) fn refused(refusal: Refused, parameter: &str) -> Error {
    match refusal {
        Refused::NoCamera(no) => Error::NoSuchCamera(no),
        Refused::NoClient(id) => Error::NoSuchClient { id: id as i64 },
        Refused::BadValue(message) => out_of_range(parameter, message),
        Refused::BadConfiguration(message) => Error::ConfigurationInvalid { message },
    }
}

pub(super) fn unknown(interface: &str, method: &str) -> Error {
    Error::MethodNotFound {
        method: format!("{interface}.{method}"),
    }
}

pub(super) fn now(reply: &impl Serialize) -> Answer {
    Answer::Now(json(reply))
}

fn json(reply: &impl Serialize) -> Value {
    serde_json::to_value(reply).expect("replies hold strings, numbers and lists of them")
}
