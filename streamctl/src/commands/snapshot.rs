//! `streamctl snapshot`: the next picture of a camera, into a file.

use std::{
    fs::Permissions,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use streamd_protocol::control::{GetPicture, GetPictureReply, GetStats, Origin};

use crate::{
    complete,
    failure::Failure,
    session::{self, Session},
    units,
};

/// Endings of files that are no JPEG.
const OTHER_FORMATS: [&str; 8] = ["avif", "bmp", "gif", "heic", "png", "tif", "tiff", "webp"];

/// Save the next picture of a camera
///
/// With --json: {"file","camera","sequence","capturedUs","width","height","bytes","origin"}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to; - for standard output
    file: PathBuf,

    /// The camera; the first where none is named
    #[arg(long, value_name = "NAME", add = complete::cameras())]
    camera: Option<String>,

    /// Replace the file if it is there
    #[arg(short, long)]
    force: bool,
}

/// What was saved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Saved<'a> {
    file: &'a Path,
    camera: &'a str,
    sequence: i64,
    captured_us: i64,
    width: i64,
    height: i64,
    bytes: usize,
    origin: Origin,
}

/// Saves it: the file is there whole or not at all.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    let to_stdout = args.file.as_os_str() == "-";
    check(&args, to_stdout, session)?;
    let picture = session.call(&GetPicture {
        camera: args.camera.clone(),
    })?;
    if picture.origin == Origin::Blank {
        return Err(no_signal(session, &picture.camera));
    }
    if to_stdout {
        return session::write(&picture.jpeg);
    }
    save(&picture.jpeg, &args.file, args.force)?;
    let saved = describe(&args.file, &picture);
    session.print(&saved, |_| {
        let size = units::size(picture.width, picture.height);
        let bytes = units::bytes(picture.jpeg.len() as i64);
        format!("{}: {size}, {bytes}", args.file.display())
    })
}

/// Why a camera gives no picture, by what the daemon says of it.
fn no_signal(session: &Session, camera: &str) -> Failure {
    let stats = match session.call(&GetStats::default()) {
        Ok(reply) => reply.stats,
        Err(failure) => return failure,
    };
    let known = stats.cameras.into_iter().find(|c| c.name == camera);
    Failure::NoSignal {
        camera: camera.into(),
        reason: known.map(|c| c.reason).unwrap_or_default(),
    }
}

/// Refuses what can't work before a picture is taken for it.
fn check(args: &Args, to_stdout: bool, session: &Session) -> Result<(), Failure> {
    if to_stdout && session.json {
        return Err(Failure::Usage(
            "standard output can't take both the picture and --json".into(),
        ));
    }
    if to_stdout && session::stdout_is_terminal() {
        return Err(Failure::Usage(
            "a terminal can't show a JPEG file: name a file, or pipe it".into(),
        ));
    }
    let ending = args
        .file
        .extension()
        .unwrap_or_default()
        .to_ascii_lowercase();
    if OTHER_FORMATS.iter().any(|other| ending == *other) {
        let file = args.file.display();
        return Err(Failure::Usage(format!(
            "{file}: a snapshot is a JPEG file: give it the ending .jpg"
        )));
    }
    if !to_stdout && !args.force && args.file.symlink_metadata().is_ok() {
        return Err(exists(&args.file));
    }
    Ok(())
}

fn describe<'a>(file: &'a Path, picture: &'a GetPictureReply) -> Saved<'a> {
    Saved {
        file,
        camera: &picture.camera,
        sequence: picture.sequence,
        captured_us: picture.captured_us,
        width: picture.width,
        height: picture.height,
        bytes: picture.jpeg.len(),
        origin: picture.origin,
    }
}

/// Writes beside the file, then renames.
fn save(bytes: &[u8], file: &Path, force: bool) -> Result<(), Failure> {
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => Failure::File {
            path: file.into(),
            // Without the path of the file that is written first, which nobody has named.
            why: match e.get_ref().and_then(std::error::Error::source) {
                Some(cause) => cause.to_string(),
                None => e.to_string(),
            },
        },
    };
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // The umask takes from this what the user does not want to give.
    let mut part = tempfile::Builder::new()
        .prefix(".streamctl-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(failed)?;
    part.write_all(bytes).map_err(failed)?;
    part.as_file().sync_all().map_err(failed)?;
    let kept = if force {
        part.persist(file)
    } else {
        part.persist_noclobber(file)
    };
    kept.map(drop).map_err(|e| failed(e.error))
}

fn exists(file: &Path) -> Failure {
    Failure::File {
        path: file.into(),
        why: "is there already: --force replaces it".into(),
    }
}
