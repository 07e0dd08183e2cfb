//! `streamctl set control`: sets controls of a camera itself, and writes them into the
//! configuration file.

use serde_json::json;
use streamd_protocol::control::{
    ControlSetting, GetConfiguration, GetStats, ListControls, SetControls,
};

use super::Args;
use crate::{commands::controls::note, configuration, failure::Failure, session::Session, units};

/// Sets what is named, and saves what is in force where that is wanted.
pub fn run(args: &Args, session: &Session) -> Result<(), Failure> {
    let settings = args.values.iter().map(|word| setting(word));
    let controls: Vec<_> = settings.collect::<Result<_, _>>()?;
    let (camera, set) = match controls.is_empty() {
        true => (camera(args, session)?, Vec::new()),
        false => {
            let camera = args.camera.clone();
            let reply = session.call(&SetControls { camera, controls })?;
            (reply.camera, reply.controls)
        }
    };
    let saved = match args.save {
        true => Some(save(&camera, session)?),
        false => None,
    };
    let mut value = json!({ "camera": camera, "controls": set });
    if let Some(saved) = &saved {
        value["file"] = json!(saved.path);
        value["saved"] = json!(saved.lines);
    }
    session.print(&value, |_| {
        let mut text = String::new();
        for control in &set {
            let value = units::text(&control.value);
            text += &match note(control) {
                "" => format!("{camera}: {} = {value}\n", control.name),
                note => format!("{camera}: {} = {value} ({note})\n", control.name),
            };
        }
        for line in saved.iter().flat_map(|saved| &saved.lines) {
            text += &format!("saved: {line}\n");
        }
        text + &saved.map_or_else(String::new, |saved| saved.summary(&camera))
    })
}

/// `NAME=VALUE`.
fn setting(word: &str) -> Result<ControlSetting, Failure> {
    let parts = word
        .split_once('=')
        .filter(|(name, _)| !name.trim().is_empty());
    let (name, value) = parts.ok_or_else(|| {
        Failure::Usage(format!(
            "{word:?}: NAME=VALUE is needed, as in brightness=128"
        ))
    })?;
    Ok(ControlSetting {
        name: name.trim().into(),
        value: value.trim().into(),
    })
}

/// The camera that is meant where nothing is set.
fn camera(args: &Args, session: &Session) -> Result<String, Failure> {
    if let Some(name) = &args.camera {
        // An unknown one is answered with those there are.
        let camera = Some(name.clone());
        return Ok(session.call(&ListControls { camera })?.camera);
    }
    let stats = session.call(&GetStats::default())?.stats;
    let first = stats.cameras.into_iter().next();
    let first = first.ok_or_else(|| Failure::NotFound("there is no camera".into()))?;
    Ok(first.name)
}

/// Writes the controls in force of a camera into the configuration file.
fn save(camera: &str, session: &Session) -> Result<configuration::Saved, Failure> {
    let configuration = session.call(&GetConfiguration {})?;
    let bad = |e: toml::de::Error| streamd_protocol::client::Error::Protocol(e.to_string());
    let in_force: toml::Table = configuration.toml.parse().map_err(bad)?;
    let controls = in_force
        .get("camera")
        .and_then(|cameras| cameras.get(camera)?.get("controls")?.as_table().cloned())
        .unwrap_or_default();
    if configuration.file.is_empty() {
        return Err(Failure::NotFound(
            "this streamd does not say where its configuration is: restart it after an upgrade"
                .into(),
        ));
    }
    configuration::save_controls(configuration.file.as_ref(), camera, &controls)
}
