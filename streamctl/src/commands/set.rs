//! `streamctl set`: changes a camera, or the limits of one client, at once.

mod control;

use std::fmt;

use serde_json::json;
use streamd_protocol::{
    control::{GetStats, SetCamera, SetClient},
    stats::CameraStats,
};

use crate::{
    complete,
    failure::Failure,
    session::Session,
    table::{clean, line},
};

/// Change quality, fps, rotate or flip from the next frame on, or a control of the camera itself
///
/// For a client it is a limit, and `none` lifts it. Holds until the next reload or restart.
/// `set control NAME=VALUE…` sets what `streamctl controls` shows: all of it, or nothing where a
/// name or a value is wrong. With --json: {"cameras":[…]} with the names of the cameras changed,
/// {"client":ID}, or {"camera":NAME,"controls":[Control,…]}, with --save also "file" and "saved".
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to change
    #[arg(value_enum)]
    key: Key,

    /// quality: 1 to 100; fps: 0.1 to 1000; rotate: 0, 90, 180 or 270; flip: none, horizontal,
    /// vertical or both; max-width: 16 to 16384; control: NAME=VALUE, one or more
    #[arg(value_name = "VALUE", required_unless_present = "save", add = complete::values())]
    values: Vec<String>,

    /// The camera; all where none is named, but for controls the first one
    #[arg(long, value_name = "NAME", conflicts_with = "client", add = complete::cameras())]
    camera: Option<String>,

    /// Write the controls of the camera, as they are set, into the configuration file
    #[arg(long, conflicts_with = "client")]
    save: bool,

    /// A client, by its number in `streamctl clients`
    #[arg(long, value_name = "ID", add = complete::clients())]
    client: Option<i64>,
}

/// What can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Key {
    /// JPEG quality
    Quality,
    /// Frames a second
    Fps,
    /// Degrees by which pictures are turned clockwise
    Rotate,
    /// How pictures are mirrored
    Flip,
    /// A client's largest width, in pixels
    MaxWidth,
    /// A control of the camera itself
    Control,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quality => "quality",
            Self::Fps => "fps",
            Self::Rotate => "rotate",
            Self::Flip => "flip",
            Self::MaxWidth => "max-width",
            Self::Control => "control",
        })
    }
}

/// Makes the change.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    match (args.client, args.key) {
        (Some(id), _) => set_client(id, &args, session),
        (None, Key::Control) => control::run(&args, session),
        (None, _) => set_camera(args, session),
    }
}

/// The value of what takes one.
fn single(args: &Args) -> Result<&str, Failure> {
    let (key, count) = (args.key, args.values.len());
    match args.values.as_slice() {
        _ if args.save => Err(Failure::Usage("--save is for controls".into())),
        [value] => Ok(value),
        _ => Err(Failure::Usage(format!(
            "{key} takes one value, and there are {count}"
        ))),
    }
}

fn set_camera(args: Args, session: &Session) -> Result<(), Failure> {
    let value = single(&args)?.to_owned();
    let mut call = SetCamera {
        camera: args.camera,
        ..SetCamera::default()
    };
    match args.key {
        Key::Quality => call.quality = Some(whole(args.key, &value)?),
        Key::Fps => call.fps = Some(number(args.key, &value)?),
        Key::Rotate => call.rotate = Some(whole(args.key, &value)?),
        Key::Flip => call.flip = Some(value.clone()),
        Key::MaxWidth | Key::Control => {
            return Err(Failure::Usage(
                "max-width is a limit of one client: name it with --client ID".into(),
            ));
        }
    }
    let reply = session.call(&call)?;
    session.print(&reply, |_| {
        let cameras = line(&reply.cameras.join(", "));
        format!("{cameras}: {} {value}", args.key)
    })?;
    match args.key {
        Key::Quality => say_what_is_encoded_anew(&reply.cameras, session),
        Key::Fps | Key::Rotate | Key::Flip | Key::MaxWidth | Key::Control => Ok(()),
    }
}

/// A camera's own JPEG pictures have the quality that the camera gives them: who asks for another
/// one turns their passing through off.
fn say_what_is_encoded_anew(changed: &[String], session: &Session) -> Result<(), Failure> {
    let stats = session.call(&GetStats::default())?.stats;
    let own = |camera: &&CameraStats| camera.format == "MJPG" && changed.contains(&camera.name);
    for camera in stats.cameras.iter().filter(own) {
        eprintln!(
            "streamctl: camera {}: its own JPEG pictures are no longer passed through but encoded anew, until the next reload",
            clean(&camera.name)
        );
    }
    Ok(())
}

fn set_client(id: i64, args: &Args, session: &Session) -> Result<(), Failure> {
    let key = args.key;
    let mut call = SetClient {
        id,
        ..SetClient::default()
    };
    let value = match single(args)? {
        "none" => "0",
        value => value,
    };
    match key {
        Key::Quality => call.quality = Some(whole(key, value)?),
        Key::Fps => call.fps = Some(number(key, value)?),
        Key::MaxWidth => call.max_width = Some(whole(key, value)?),
        Key::Rotate | Key::Flip => {
            let message = format!("{key} is of a camera: name it with --camera NAME");
            return Err(Failure::Usage(message));
        }
        Key::Control => return Err(Failure::Usage("a client has no controls".into())),
    }
    session.call(&call)?;
    session.print(&json!({ "client": id }), |_| match value {
        "0" => format!("client {id}: no limit on {key}"),
        value => format!("client {id}: {key} at most {value}"),
    })
}

fn whole(key: Key, value: &str) -> Result<i64, Failure> {
    value
        .parse()
        .map_err(|_| Failure::Value(format!("{key} {value:?}: a whole number is needed")))
}

fn number(key: Key, value: &str) -> Result<f64, Failure> {
    let number = value.parse().ok().filter(|n: &f64| n.is_finite());
    number.ok_or_else(|| Failure::Value(format!("{key} {value:?}: a number is needed")))
}
