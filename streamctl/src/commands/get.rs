//! `streamctl get`: the settings of the cameras, as they are now.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use streamd_protocol::{
    control::{GetConfiguration, GetStats, NoSuchCamera},
    stats::Stats,
};

use crate::{
    complete,
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Show the settings of the cameras, as they are now
///
/// With --json: an object of the cameras by name, each an object of its settings; with KEY, an
/// object of values by camera.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One setting, for instance quality, fps or size; all where it is left out
    #[arg(add = complete::settings())]
    key: Option<String>,

    /// Only this camera
    #[arg(long, value_name = "NAME", add = complete::cameras())]
    camera: Option<String>,

    /// The whole configuration in force, as TOML
    #[arg(long, conflicts_with_all = ["key", "camera", "json"])]
    toml: bool,
}

/// The cameras' settings by name, in the configuration's order.
type Cameras = Vec<(String, Map<String, Value>)>;

/// Prints the settings.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let mut client = session.connect()?;
    let toml = client.call(&GetConfiguration {})?.toml;
    if args.toml {
        return crate::session::write(table::lines(&toml).as_bytes());
    }
    let stats = client.call(&GetStats::default())?.stats;
    let mut cameras = settings(&toml, &stats)?;
    if let Some(wanted) = &args.camera {
        let known: Vec<_> = cameras.iter().map(|(name, _)| name.clone()).collect();
        cameras.retain(|(name, _)| name == wanted);
        if cameras.is_empty() {
            let name = wanted.clone();
            return Err(Failure::NotFound(NoSuchCamera { name, known }.to_string()));
        }
    }
    match &args.key {
        None => print_all(&cameras, session),
        Some(key) => print_one(&cameras, key, session),
    }
}

/// The configuration's settings, with quality and fps as they are now.
fn settings(toml: &str, stats: &Stats) -> Result<Cameras, Failure> {
    let bad = |e: String| Failure::from(streamd_protocol::client::Error::Protocol(e));
    let configuration: toml::Table = toml.parse().map_err(|e| bad(format!("{e}")))?;
    let mut cameras = Cameras::new();
    for camera in &stats.cameras {
        let configured = configuration
            .get("camera")
            .and_then(|all| all.get(&camera.name));
        let mut settings = match configured.map(serde_json::to_value).transpose() {
            Ok(Some(Value::Object(settings))) => settings,
            Ok(_) => Map::new(),
            Err(e) => return Err(bad(e.to_string())),
        };
        settings.insert("quality".into(), json!(camera.quality));
        settings.insert("fps".into(), json!(camera.desired_fps));
        cameras.push((camera.name.clone(), settings));
    }
    Ok(cameras)
}

fn print_all(cameras: &Cameras, session: &Session) -> Result<(), Failure> {
    let all: BTreeMap<_, _> = cameras.iter().map(|(n, s)| (n, s)).collect();
    session.print(&all, |screen| render(cameras, screen))
}

/// A section for each camera, in the order and with the names of the configuration file.
fn render(cameras: &Cameras, screen: Screen) -> String {
    const COLUMNS: &[Column<(String, String)>] = &[
        Column::text("SETTING", 0, |(key, _)| (key.clone(), Tone::Plain)),
        Column::whole("VALUE", |(_, value)| (value.clone(), Tone::Plain)),
    ];
    let section = |(name, settings): &(String, Map<String, Value>)| {
        let rows: Vec<_> = settings
            .iter()
            .map(|(key, value)| (key.clone(), show(value)))
            .collect();
        format!(
            "camera {}\n{}",
            table::line(name),
            table::render(COLUMNS, &rows, screen)
        )
    };
    let sections: Vec<_> = cameras.iter().map(section).collect();
    sections.join("\n")
}

fn print_one(cameras: &Cameras, key: &str, session: &Session) -> Result<(), Failure> {
    let mut values = Vec::new();
    for (name, settings) in cameras {
        let Some(value) = settings.get(key) else {
            let known: Vec<_> = settings.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(Failure::NotFound(format!(
                "no setting {key:?}; there are {known}"
            )));
        };
        values.push((name.clone(), value.clone()));
    }
    let by_name: BTreeMap<_, _> = values.iter().cloned().collect();
    session.print(&by_name, |screen| render_one(&values, screen))
}

/// The bare value of a single camera, for scripts; else a table.
fn render_one(values: &[(String, Value)], screen: Screen) -> String {
    const COLUMNS: &[Column<(String, Value)>] = &[
        Column::text("CAMERA", 0, |(name, _)| (name.clone(), Tone::Plain)),
        Column::whole("VALUE", |(_, value)| (show(value), Tone::Plain)),
    ];
    match values {
        [(_, value)] => show(value),
        values => table::render(COLUMNS, values, screen),
    }
}

/// A value as a person writes it.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => table::line(text),
        Value::Array(items) => units::text(&items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let pair = |(key, value): (&String, &Value)| format!("{key} = {}", show(value));
            units::text(&table.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
        Value::Number(n) if n.is_f64() => units::set_fps(n.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
