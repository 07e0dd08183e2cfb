//! `streamctl set`: changes a camera, or the limits of one client, at once.

use std::fmt;

use serde_json::json;
use streamd_protocol::{
    control::{GetStats, SetCamera, SetClient},
    stats::CameraStats,
};

use crate::{failure::Failure, session::Session, table::clean};

/// Change quality or fps from the next frame on
///
/// For a client it is a limit, and `none` lifts it. Holds until the next reload or restart.
/// With --json: {"cameras":[…]} with the names of the cameras changed, or {"client":ID}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to change
    #[arg(value_enum)]
    key: Key,

    /// quality: 1 to 100; fps: 0.1 to 1000; max-width: 16 to 16384
    value: String,

    /// The camera; all where none is named
    #[arg(long, value_name = "NAME", conflicts_with = "client")]
    camera: Option<String>,

    /// A client, by its number in `streamctl clients`
    #[arg(long, value_name = "ID")]
    client: Option<i64>,
}

/// What can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Key {
    /// JPEG quality
    Quality,
    /// Frames a second
    Fps,
    /// A client's largest width, in pixels
    MaxWidth,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quality => "quality",
            Self::Fps => "fps",
            Self::MaxWidth => "max-width",
        })
    }
}

/// Makes the change.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    match args.client {
        Some(id) => set_client(id, &args, session),
        None => set_camera(args, session),
    }
}

fn set_camera(args: Args, session: &Session) -> Result<(), Failure> {
    let mut call = SetCamera {
        camera: args.camera,
        ..SetCamera::default()
    };
    match args.key {
        Key::Quality => call.quality = Some(whole(args.key, &args.value)?),
        Key::Fps => call.fps = Some(number(args.key, &args.value)?),
        Key::MaxWidth => {
            return Err(Failure::Usage(
                "max-width is a limit of one client: name it with --client ID".into(),
            ));
        }
    }
    let reply = session.call(&call)?;
    session.print(&reply, |_| {
        let cameras = reply.cameras.join(", ");
        format!("{cameras}: {} {}", args.key, args.value)
    })?;
    match args.key {
        Key::Quality => say_what_is_encoded_anew(&reply.cameras, session),
        Key::Fps | Key::MaxWidth => Ok(()),
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
    let mut call = SetClient {
        id,
        ..SetClient::default()
    };
    let value = match args.value.as_str() {
        "none" => "0",
        value => value,
    };
    match args.key {
        Key::Quality => call.quality = Some(whole(args.key, value)?),
        Key::Fps => call.fps = Some(number(args.key, value)?),
        Key::MaxWidth => call.max_width = Some(whole(args.key, value)?),
    }
    session.call(&call)?;
    session.print(&json!({ "client": id }), |_| match value {
        "0" => format!("client {id}: no limit on {}", args.key),
        value => format!("client {id}: {} at most {value}", args.key),
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
