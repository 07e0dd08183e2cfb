//! `streamctl snapshot`: the next picture of a camera, into a file.

use std::{
    fs::Permissions,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use streamd_protocol::control::{GetPicture, GetPictureReply, Origin};

use crate::{
    failure::Failure,
    session::{self, Session},
    units,
};

/// Save the next picture of a camera
///
/// With --json: {"file","camera","sequence","capturedUs","width","height","bytes","origin"}.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to; - for standard output
    file: PathBuf,

    /// The camera; the first where none is named
    #[arg(long, value_name = "NAME")]
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
        eprintln!(
            "streamctl: camera {:?} gives no picture now, this one says why",
            crate::table::clean(&picture.camera)
        );
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
            why: e.to_string(),
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
