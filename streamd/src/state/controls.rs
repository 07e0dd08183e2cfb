//! The controls of a camera: asked for and set on a thread of its own, since a driver may hang in
//! each call.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use streamd_protocol::control::{self, ControlEntry, ControlKind};
use tokio::sync::oneshot;

use super::{Refused, State};
use crate::{
    camera::Camera,
    capture::controls::{self, Control, Kind, Outcome, Raw, Refusal},
    config::values::{ControlValue, Controls},
};

/// For a driver to answer; a webcam with twenty controls takes some 100 ms.
const PATIENCE: Duration = Duration::from_secs(4);

impl State {
    /// A camera's name and its controls as they are now; the first camera's where `name` is `None`.
    /// The future waits for the driver, for a few seconds at most.
    ///
    /// # Errors
    /// When there is no such camera; later, when it has no controls or its driver does not answer.
    pub fn controls(
        &self,
        name: Option<&str>,
    ) -> Result<impl Future<Output = Result<Listed, Refused>> + Send + use<>, Refused> {
        let camera = Arc::clone(self.cameras.find(name)?);
        Ok(listed(camera))
    }

    /// Sets controls of a camera, the first one where `name` is `None`, now and at each opening
    /// until the next reload. The future gives them as they are then.
    ///
    /// # Errors
    /// When there is no such camera; later, when it lacks a control, a control can't have its
    /// value, or the driver does not answer.
    pub fn set_controls(
        &self,
        name: Option<&str>,
        assignments: Vec<(String, String)>,
    ) -> Result<impl Future<Output = Result<Listed, Refused>> + Send + use<>, Refused> {
        let camera = Arc::clone(self.cameras.find(name)?);
        let typed = |(name, value)| (name, ControlValue::Text(value));
        Ok(set(camera, assignments.into_iter().map(typed).collect()))
    }
}

/// A camera's name, and controls of it.
pub type Listed = (String, Vec<control::Control>);

async fn listed(camera: Arc<Camera>) -> Result<Listed, Refused> {
    let controls = ask(&camera, controls::list).await?;
    Ok((camera.name.clone(), controls.iter().map(told).collect()))
}

async fn set(
    camera: Arc<Camera>,
    assignments: Vec<(String, ControlValue)>,
) -> Result<Listed, Refused> {
    let target = Arc::clone(&camera);
    let names: Vec<_> = assignments.iter().map(|(name, _)| name.clone()).collect();
    let all = ask(&camera, move |path| {
        let Outcome { set, failed } = controls::set(path, &assignments)?;
        // Here, so that what was set is in force even if nobody waits any more.
        target.change(|config| {
            for (name, value) in set {
                config.controls.set(&name, value);
            }
        });
        failed.map_or_else(|| controls::list(path), Err)
    })
    .await?;
    let wanted = all
        .iter()
        .filter(|control| names.iter().any(|name| control.is_called(name)));
    Ok((camera.name.clone(), wanted.map(told).collect()))
}

/// Asks the driver of a camera, when nobody else does.
async fn ask<T: Send + 'static>(
    camera: &Arc<Camera>,
    question: impl FnOnce(&Path) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refused> {
    let refused = |reason: String| Refused::NoControls {
        camera: camera.name.clone(),
        reason,
    };
    let path = device(camera).map_err(refused)?;
    let answered = async {
        let turn = Arc::clone(&camera.asked).acquire_owned().await;
        let turn = turn.expect("nobody closes it");
        let (tell, told) = oneshot::channel();
        thread::Builder::new()
            .name(format!("controls-{}", camera.name))
            .spawn(move || {
                let _turn = turn;
                // Fails when nobody waits any more.
                let _ = tell.send(question(&path));
            })
            .map_err(|error| error.to_string())?;
        told.await
            .map_err(|_| "the thread that asked the driver has panicked".to_owned())
    };
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(Ok(answer)) => answer.map_err(|refusal| refusal_of(&camera.name, refusal)),
        Ok(Err(reason)) => Err(refused(reason)),
        Err(_) => Err(refused(format!(
            "the driver does not answer: nothing for {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn refusal_of(camera: &str, refusal: Refusal) -> Refused {
    let camera = camera.to_owned();
    match refusal {
        Refusal::Unknown { name, nearest } => Refused::NoControl {
            camera,
            name,
            nearest,
        },
        Refusal::Value { message, .. } => Refused::BadValue(message),
        Refusal::Device(reason) => Refused::NoControls { camera, reason },
    }
}

/// The node of a camera's device.
fn device(camera: &Camera) -> Result<PathBuf, String> {
    let status = camera.status();
    match status.path.as_str() {
        "" => Err(match status.reason.as_str() {
            "" => "its device is not open yet".into(),
            reason => format!("its device is not open: {reason}"),
        }),
        path if path.starts_with('/') => Ok(path.into()),
        _ => Err("it shows the test pattern, which has no controls".into()),
    }
}

/// Sets what the configuration of a camera says, on a thread of its own that nobody waits for.
pub(super) fn set_configured(camera: &Arc<Camera>) {
    let Ok(path) = device(camera) else {
        // They are set when it is opened.
        return;
    };
    let controls: Controls = camera.settings().config.controls.clone();
    let name = camera.name.clone();
    let thread = thread::Builder::new().name(format!("controls-{name}"));
    let spawned = thread.spawn(move || controls::set_configured(&name, &path, &controls));
    if let Err(error) = spawned {
        tracing::warn!(camera = camera.name, %error, "controls not set");
    }
}

/// A control as it is told over the control socket.
fn told(control: &Control) -> control::Control {
    let written = |raw: &Raw| match control.written(raw) {
        ControlValue::Text(text) => text,
        other => other.to_string(),
    };
    let default = match control.kind {
        Kind::Button | Kind::Text => String::new(),
        _ => written(&Raw::Number(control.default)),
    };
    let entry = |entry: &controls::Entry| ControlEntry {
        number: entry.number.into(),
        text: entry.text.clone(),
    };
    control::Control {
        name: control.name.clone(),
        label: control.label.clone(),
        kind: match control.kind {
            Kind::Integer => ControlKind::Integer,
            Kind::Boolean => ControlKind::Boolean,
            Kind::Menu => ControlKind::Menu,
            Kind::IntegerMenu => ControlKind::IntegerMenu,
            Kind::Button => ControlKind::Button,
            Kind::Bitmask => ControlKind::Bitmask,
            Kind::Text => ControlKind::Text,
        },
        value: control.value.as_ref().map(written).unwrap_or_default(),
        default,
        minimum: control.minimum,
        maximum: control.maximum,
        step: i64::try_from(control.step).unwrap_or(i64::MAX),
        menu: control.menu.iter().map(entry).collect(),
        inactive: control.is_inactive(),
        read_only: control.is_read_only(),
        busy: control.is_busy(),
    }
}
