//! The methods that change something: for those who may, and always logged.

use serde_json::Value;
use streamd_protocol::{
    control::{Empty, Error, INTERFACE, KickClientReply, MAX_REASON, ReloadReply, SetCameraReply},
    stream::Want,
};
use tracing::info;

use super::{
    Shared,
    access::Peer,
    methods::{Answer, now, refused, unknown},
    parameters::{Parameters, out_of_range},
};
use crate::{
    config::values::{Fps, Quality},
    events,
};

/// The longest log filter, in bytes.
const MAX_FILTER: usize = 1024;

/// How much of a change's parameters is logged, in characters.
const MAX_LOGGED: usize = 300;

/// Whether a method changes something.
pub(super) fn changes(method: &str) -> bool {
    matches!(
        method,
        "KickClient" | "SetCamera" | "SetClient" | "Reload" | "SetLogLevel"
    )
}

/// Makes the change if the peer may, and logs it in either case.
pub(super) fn change(
    method: &str,
    parameters: Value,
    peer: &Peer,
    shared: &Shared,
) -> Result<Answer, Error> {
    let logged: String = parameters.to_string().chars().take(MAX_LOGGED).collect();
    let result = match peer.may_change {
        false => Err(Error::PermissionDenied {}),
        true => Parameters::new(parameters).and_then(|parameters| {
            let _busy = shared.busy();
            match method {
                "KickClient" => kick(parameters, shared),
                "SetCamera" => set_camera(parameters, shared),
                "SetClient" => set_client(parameters, shared),
                "Reload" => reload(parameters, shared),
                "SetLogLevel" => set_log_level(parameters, shared),
                _ => Err(unknown(INTERFACE, method)),
            }
        }),
    };
    let outcome = match &result {
        Ok(_) => "done".into(),
        Err(error) => format!("refused: {error}"),
    };
    info!(
        message_id = events::CONTROL_CHANGE,
        uid = peer.uid,
        pid = peer.pid,
        process = peer.process(),
        method,
        parameters = logged,
        "{method}: {outcome}"
    );
    result
}

fn kick(mut parameters: Parameters, shared: &Shared) -> Result<Answer, Error> {
    let id = parameters.optional::<i64>("id")?;
    let all = parameters.optional("all")?.unwrap_or(false);
    let reason = parameters.optional::<String>("reason")?;
    parameters.end()?;
    let reason = reason.unwrap_or_else(|| "by an administrator".into());
    if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        return Err(out_of_range(
            "reason",
            format!("reason: up to {MAX_REASON} characters on one line are allowed"),
        ));
    }
    let kicked = match (id, all) {
        (None, true) => shared.state.kick_all(&reason) as i64,
        (Some(id), false) => {
            let known = client_id(id)?;
            let kicked = shared.state.kick(known, &reason);
            kicked.map_err(|refusal| refused(refusal, "id"))?;
            1
        }
        _ => {
            return Err(out_of_range(
                "id",
                "either id or all = true is needed, and not both",
            ));
        }
    };
    Ok(now(&KickClientReply { kicked }))
}

fn set_camera(mut parameters: Parameters, shared: &Shared) -> Result<Answer, Error> {
    let camera = parameters.optional::<String>("camera")?;
    let quality = parameters.ranged::<i64, Quality>("quality")?;
    let fps = parameters.ranged::<f64, Fps>("fps")?;
    parameters.end()?;
    let named = match (quality, fps) {
        (None, None) => return Err(out_of_range("quality", "quality, fps or both are needed")),
        (Some(_), _) => "quality",
        (None, Some(_)) => "fps",
    };
    let changed = shared.state.set_camera(camera.as_deref(), quality, fps);
    let cameras = changed.map_err(|refusal| refused(refusal, named))?;
    Ok(now(&SetCameraReply { cameras }))
}

fn set_client(mut parameters: Parameters, shared: &Shared) -> Result<Answer, Error> {
    let id = client_id(parameters.required("id")?)?;
    let want = Want {
        fps: parameters.optional("fps")?,
        quality: parameters.optional("quality")?,
        max_width: parameters.optional("maxWidth")?,
        paused: None,
    };
    parameters.end()?;
    if want == Want::default() {
        return Err(out_of_range(
            "fps",
            "one of fps, quality and maxWidth is needed",
        ));
    }
    let changed = shared.state.set_client(id, &want);
    changed.map_err(|refusal| refused(refusal, "id"))?;
    Ok(now(&Empty {}))
}

fn client_id(id: i64) -> Result<u64, Error> {
    u64::try_from(id).map_err(|_| Error::NoSuchClient { id })
}

fn reload(parameters: Parameters, shared: &Shared) -> Result<Answer, Error> {
    parameters.end()?;
    let reloaded = shared.state.reload();
    let reloaded = reloaded.map_err(|refusal| refused(refusal, "configuration"))?;
    Ok(now(&ReloadReply {
        applied: reloaded.applied,
        needs_restart: reloaded.needs_restart,
    }))
}

fn set_log_level(mut parameters: Parameters, shared: &Shared) -> Result<Answer, Error> {
    let filter: String = parameters.required("filter")?;
    parameters.end()?;
    if filter.trim().is_empty() || filter.len() > MAX_FILTER {
        return Err(out_of_range(
            "filter",
            format!("filter: a level or a filter of up to {MAX_FILTER} bytes is needed"),
        ));
    }
    let changed = shared.state.set_log_level(&filter);
    changed.map_err(|refusal| refused(refusal, "filter"))?;
    Ok(now(&Empty {}))
}
