//! `streamctl record`: what is kept of a camera's pictures.

use std::{
    fs::{File, Permissions},
    io::{BufReader, BufWriter, IsTerminal, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Local, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use clap::Subcommand;
use serde::Serialize;
use streamd_protocol::{
    control::{ListRecordings, ListRecordingsReply, Recording, SetRecording, SetRecordingReply},
    recording::{JoinError, Joiner, Kind, TIMESCALE},
    stats::RecordingState,
};

use crate::{
    complete,
    failure::Failure,
    session::Session,
    table::{self, Column, Screen, Tone},
    units,
};

/// Record a camera, list what was recorded, and save a part of it
///
/// With --json: what the daemon says; of export {"file","camera","from","to","recordings","bytes"}.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Record from now on; in event mode, from some time before that on (pre-roll)
    Start {
        /// The camera; the first where none is named
        #[arg(long, value_name = "NAME", add = complete::cameras())]
        camera: Option<String>,
        /// For so long: 30s, 5min or 1h; until it is stopped where it is not given
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        time: Option<f64>,
    },
    /// Record no more, also where the configuration says so, until it is started again
    Stop {
        /// The camera; the first where none is named
        #[arg(long, value_name = "NAME", add = complete::cameras())]
        camera: Option<String>,
    },
    /// List recordings
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Save a time of recordings as one MP4 file; it begins up to 2 s before, where a player can begin
    Export {
        /// Where to
        file: PathBuf,
        #[command(flatten)]
        of: Of,
        /// Replace the file if it is there
        #[arg(short, long)]
        force: bool,
    },
}

/// Which recordings.
#[derive(Debug, clap::Args)]
struct Of {
    /// The camera; the first where none is named
    #[arg(long, value_name = "NAME", add = complete::cameras())]
    camera: Option<String>,
    /// From when on: "2026-11-26 20:41:05", 20:41, as in RFC 3339, or 10min for so long ago; a day ago by
    /// default
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<f64>,
    /// Until when; now by default
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<f64>,
}

impl Of {
    fn call(&self) -> ListRecordings {
        ListRecordings {
            camera: self.camera.clone(),
            from: self.from,
            to: self.to,
        }
    }
}

/// Does it.
pub fn run(args: Args, session: &Session) -> Result<(), Failure> {
    match args.verb {
        Verb::Start { camera, time } => set(session, camera, true, time),
        Verb::Stop { camera } => set(session, camera, false, None),
        Verb::List { of } => {
            let reply = session.call(&of.call())?;
            session.print(&reply, |screen| render(&reply, screen))
        }
        Verb::Export { file, of, force } => export(session, &file, &of, force),
    }
}

fn set(
    session: &Session,
    camera: Option<String>,
    record: bool,
    seconds: Option<f64>,
) -> Result<(), Failure> {
    let reply = session.call(&SetRecording {
        camera,
        record,
        seconds,
    })?;
    session.print(&reply, |_| said(&reply, record))
}

fn said(reply: &SetRecordingReply, record: bool) -> String {
    let camera = table::clean(&reply.camera);
    let recording = &reply.recording;
    match (record, recording.state) {
        (_, RecordingState::Failed) => {
            let reason = table::line(&recording.reason);
            format!("{camera}: it can't be recorded yet, and is tried again: {reason}")
        }
        (true, _) => format!(
            "{camera}: recording to {}",
            table::line(&recording.directory)
        ),
        (false, _) => format!("{camera}: not recorded any more"),
    }
}

fn render(reply: &ListRecordingsReply, screen: Screen) -> String {
    const COLUMNS: &[Column<Recording>] = &[
        Column::text("FROM", 0, |r| (local(r.from), Tone::Plain)),
        Column::text("LENGTH", 0, |r| (length(r.to - r.from), Tone::Plain)),
        Column::text("KIND", 1, |r| (r.kind.word().into(), Tone::Plain)),
        Column::text("SIZE", 1, |r| (units::bytes(r.bytes), Tone::Plain)),
        Column::text("FILE", 2, |r| (table::clean(&r.file), Tone::Plain)),
    ];
    let camera = table::clean(&reply.camera);
    match (&reply.recordings[..], &reply.days[..]) {
        ([], []) => format!("camera {camera} has no recordings"),
        ([], [first, .., last]) => {
            format!(
                "camera {camera} has no recordings of that time; it has some from {first} to {last}"
            )
        }
        ([], [day]) => {
            format!("camera {camera} has no recordings of that time; it has some of {day}")
        }
        (recordings, _) => table::render(COLUMNS, recordings, screen),
    }
}

/// A moment in this machine's time zone.
fn local(seconds: f64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis((seconds * 1e3) as i64);
    let time = time.unwrap_or_default().with_timezone(&Local);
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn length(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1}s"),
        s => units::duration(s),
    }
}

/// What was saved.
#[derive(Debug, Serialize)]
struct Saved<'a> {
    file: &'a Path,
    camera: &'a str,
    from: f64,
    to: f64,
    recordings: usize,
    bytes: u64,
}

/// Joins the recordings of a time: the file is there whole or not at all.
fn export(session: &Session, file: &Path, of: &Of, force: bool) -> Result<(), Failure> {
    let unwritten = |why: String| Failure::File {
        path: file.into(),
        why,
    };
    if !force && file.symlink_metadata().is_ok() {
        return Err(unwritten("is there already: --force replaces it".into()));
    }
    let mut reply = session.call(&of.call())?;
    // What is shown fast is no part of a time that is not.
    reply.recordings.retain(|one| one.kind != Kind::Timelapse);
    let (Some(first), Some(last)) = (reply.recordings.first(), reply.recordings.last()) else {
        let none = ListRecordingsReply {
            recordings: Vec::new(),
            ..reply
        };
        return Err(Failure::NotFound(render(
            &none,
            Screen {
                width: None,
                colour: false,
            },
        )));
    };
    let (begins, ends) = (of.from.unwrap_or(first.from), of.to.unwrap_or(last.to));
    let saved = (first.from.max(begins), last.to.min(ends));
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let part = tempfile::Builder::new()
        .prefix(".streamctl-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| unwritten(error.to_string()))?;
    let mut joiner = Joiner::new(BufWriter::new(part.as_file()));
    let mut progress = Progress::new(session, &reply.recordings);
    for recording in &reply.recordings {
        let ticks = |time: f64| ((time - recording.from).max(0.0) * TIMESCALE as f64) as u64;
        let path = Path::new(&recording.file);
        let source = File::open(path).map_err(|error| unreadable(path, &error))?;
        let added = joiner.add(&mut BufReader::new(source), ticks(begins), ticks(ends));
        added.map_err(|error| not_joined(path, file, error, recording))?;
        progress.step(recording.bytes);
    }
    progress.end();
    let written = joiner.finish().and_then(|mut out| out.flush());
    written.map_err(|error| unwritten(error.to_string()))?;
    let synced = part.as_file().sync_all();
    synced.map_err(|error| unwritten(error.to_string()))?;
    let bytes = part.as_file().metadata().map_or(0, |data| data.len());
    let kept = if force {
        part.persist(file)
    } else {
        part.persist_noclobber(file)
    };
    kept.map_err(|error| unwritten(error.error.to_string()))?;
    let saved = Saved {
        file,
        camera: &reply.camera,
        from: saved.0,
        to: saved.1,
        recordings: reply.recordings.len(),
        bytes,
    };
    session.print(&saved, |_| {
        let (from, to) = (local(saved.from), local(saved.to));
        let size = units::bytes(bytes as i64);
        format!("{}: {from} to {to}, {size}", file.display())
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            "; recordings are for root and the daemon's own user, and for operators over HTTP"
        }
        std::io::ErrorKind::NotFound => {
            "; it has been removed meanwhile, or lies on another machine"
        }
        _ => "",
    };
    Failure::NotFound(format!("{}: {error}{hint}", path.display()))
}

fn not_joined(path: &Path, file: &Path, error: JoinError, at: &Recording) -> Failure {
    match error {
        JoinError::Io(error) => Failure::File {
            path: file.into(),
            why: error.to_string(),
        },
        JoinError::Differs => Failure::Value(format!(
            "{}: {error}: export up to {} and from there on",
            path.display(),
            local(at.from)
        )),
        JoinError::Broken(_) => Failure::Value(format!("{}: {error}", path.display())),
    }
}

/// How far it is, on a terminal.
struct Progress {
    done: i64,
    all: i64,
    is_shown: bool,
}

impl Progress {
    fn new(session: &Session, recordings: &[Recording]) -> Self {
        Self {
            done: 0,
            all: recordings.iter().map(|one| one.bytes).sum(),
            is_shown: !session.json && std::io::stderr().is_terminal(),
        }
    }

    fn step(&mut self, bytes: i64) {
        self.done += bytes;
        if self.is_shown {
            const WIDTH: i64 = 30;
            let filled = (self.done * WIDTH / self.all.max(1)) as usize;
            let bar = "#".repeat(filled) + &"-".repeat(WIDTH as usize - filled);
            let percent = self.done * 100 / self.all.max(1);
            eprint!("\r[{bar}] {percent:3} % of {}", units::bytes(self.all));
        }
    }

    fn end(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}

/// A length of time with its unit, in seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let each = match unit {
        "s" => Some(1.0),
        "min" => Some(60.0),
        "h" => Some(3_600.0),
        "d" => Some(86_400.0),
        _ => None,
    };
    let number = number.parse::<u32>().ok().filter(|n| *n > 0);
    each.zip(number)
        .map(|(each, number)| each * f64::from(number))
        .ok_or_else(|| "a whole number with d, h, min or s is allowed, as in 10min".into())
}

/// A moment, seconds since the epoch.
fn time(text: &str) -> Result<f64, String> {
    read_time(text, Local::now()).ok_or_else(|| {
        "a time is allowed, as in \"2026-11-26 20:41:05\", 20:41, 2026-11-26T20:41:05Z, or 10min for so long ago"
            .into()
    })
}

fn read_time(text: &str, now: DateTime<Local>) -> Option<f64> {
    let seconds_of = |time: DateTime<Local>| time.timestamp_millis() as f64 / 1e3;
    if let Ok(ago) = seconds(text) {
        return Some(seconds_of(
            now - TimeDelta::milliseconds((ago * 1e3) as i64),
        ));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis() as f64 / 1e3);
    }
    let spaced = text.replacen('T', " ", 1);
    let dated = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"].iter();
    let dated = dated.filter_map(|form| NaiveDateTime::parse_from_str(&spaced, form).ok());
    let today = ["%H:%M:%S%.f", "%H:%M"].iter();
    let today = today.filter_map(|form| NaiveTime::parse_from_str(text, form).ok());
    let today = today.map(|time| now.date_naive().and_time(time));
    let named = dated.chain(today).next()?;
    // Of an hour that comes twice, the first one.
    Local.from_local_datetime(&named).earliest().map(seconds_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let now = Local.with_ymd_and_hms(2026, 11, 26, 20, 41, 5).unwrap();
        let at = |text| read_time(text, now);
        let is = now.timestamp() as f64;
        for text in ["2026-11-26 20:41:05", "2026-11-26T20:41:05", "20:41:05"] {
            assert_eq!(at(text), Some(is), "{text}");
        }
        assert_eq!(at("20:41"), Some(is - 5.0));
        assert_eq!(at("10min"), Some(is - 600.0));
        assert_eq!(at("2026-11-26T20:41:05.5Z"), Some(1_795_725_665.5));
        assert_eq!(at("2026-11-26T21:41:05+01:00"), Some(1_795_725_665.0));
        for bad in [
            "",
            "x",
            "25:00",
            "2026-13-01 00:00",
            "10",
            "-5min",
            "yesterday",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }
}
