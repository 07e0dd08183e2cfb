//! `/recordings/CAMERA/…`: recordings as files, in parts if need be, and a time of them as one file.
//! For operators: who may watch what is may not therefore see what was.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::{
        HeaderMap, Method, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
            CONTENT_TYPE, RANGE, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use streamd_protocol::recording::{Joiner, TIMESCALE};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    connection::Lasting, query::Query, refusal::Refusal, served::Served, visitor::Visitor,
};
use crate::{
    access::role::{Action, may},
    record::Recorder,
};

/// What is read of a file at once.
const PIECE: u64 = 256 * 1024;

/// Pieces of a file that is put together which wait for their reader.
const WAITING: usize = 4;

/// What a time of recordings is called.
const EXPORT: &str = "export.mp4";

/// A recording, or a time of them.
pub async fn answer(
    State(served): State<Served>,
    Extension(visitor): Extension<Visitor>,
    Path((camera, file)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Refusal> {
    if !may(&visitor.who, Action::Operate, Some(&camera)) {
        return Err(Refusal::MayNot);
    }
    served.state.cameras.find(Some(&camera))?;
    let recorder = served.state.recorders.of(&camera);
    let recorder = Arc::clone(recorder.ok_or(Refusal::NotBuilt("recordings"))?);
    if file == EXPORT {
        return export(recorder, &query, &method).await;
    }
    let missing = || Refusal::NotFound(format!("/recordings/{camera}/{file}"));
    let id = file.strip_suffix(".mp4").ok_or_else(missing)?.to_owned();
    let opened = spawn_blocking(move || recorder.open(&id)).await;
    let opened = opened.ok().and_then(Result::ok).flatten();
    let (recording, length) = opened.ok_or_else(missing)?;
    let download = query.get("download").is_some();
    let name = format!("{camera}_{file}");
    Ok(whole_or_part(
        recording,
        length,
        &headers,
        &method,
        download.then_some(&*name),
    ))
}

/// The part of a file that is asked for: its first byte, and the one after its last one.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// From here up to there.
    Of(u64, u64),
    /// None that there is.
    Outside,
}

/// What `Range` asks for of a file of `length` bytes. What is not understood, and several parts, are
/// answered with the whole file, as RFC 9110 allows.
fn part(range: Option<&str>, length: u64) -> Part {
    let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = (first.trim(), last.trim());
    let (from, to) = match (number(first), number(last)) {
        (Some(from), Some(last)) if last < from => return Part::Whole,
        (Some(from), Some(last)) => (from, last.saturating_add(1).min(length)),
        (Some(from), None) if last.is_empty() => (from, length),
        (None, Some(0)) if first.is_empty() => return Part::Outside,
        (None, Some(count)) if first.is_empty() => (length.saturating_sub(count), length),
        _ => return Part::Whole,
    };
    match from < length {
        true => Part::Of(from, to),
        false => Part::Outside,
    }
}

fn whole_or_part(
    file: File,
    length: u64,
    headers: &HeaderMap,
    method: &Method,
    name: Option<&str>,
) -> Response {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let (status, from, to) = match part(range, length) {
        Part::Whole => (StatusCode::OK, 0, length),
        Part::Of(from, to) => (StatusCode::PARTIAL_CONTENT, from, to),
        Part::Outside => {
            let says = [(CONTENT_RANGE, format!("bytes */{length}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, says).into_response();
        }
    };
    let body = match *method == Method::HEAD {
        true => Body::empty(),
        false => read(file, from, to),
    };
    let mut response = (status, video(), body).into_response();
    let says = response.headers_mut();
    says.insert(CONTENT_LENGTH, (to - from).into());
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = format!("bytes {from}-{}/{length}", to - 1).parse()
    {
        says.insert(CONTENT_RANGE, range);
    }
    as_file(response, name)
}

/// Headers of all recordings. They never change, and yet nobody else is to keep them.
fn video() -> [(axum::http::HeaderName, &'static str); 4] {
    [
        (CONTENT_TYPE, "video/mp4"),
        (ACCEPT_RANGES, "bytes"),
        (CACHE_CONTROL, "private, max-age=3600"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ]
}

/// Has a browser keep it as a file of this name; names are made of letters, digits, `-`, `_` and `.`.
fn as_file(mut response: Response, name: Option<&str>) -> Response {
    if let Some(name) = name
        && let Ok(value) = format!("attachment; filename=\"{name}\"").parse()
    {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response.extensions_mut().insert(Lasting);
    response
}

/// A part of a file, read a piece at a time, on a thread that may wait for the disk.
fn read(file: File, from: u64, to: u64) -> Body {
    let pieces = stream::try_unfold((file, from), move |(mut file, at)| async move {
        if at >= to {
            return Ok::<_, io::Error>(None);
        }
        let piece = spawn_blocking(move || {
            let mut piece = vec![0; (to - at).min(PIECE) as usize];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut piece)?;
            Ok::<_, io::Error>((file, piece))
        });
        let (file, piece) = piece.await.map_err(io::Error::other)??;
        let next = at + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, next))))
    });
    Body::from_stream(pieces)
}

/// The recordings from `from` to `to` as one file, put together while it is sent.
async fn export(
    recorder: Arc<Recorder>,
    query: &Query,
    method: &Method,
) -> Result<Response, Refusal> {
    let time = |name| {
        let allowed = "seconds since the epoch";
        query.checked(name, allowed, |time: &f64| (0.0..=4e9).contains(time))
    };
    let (Some(from), Some(to)) = (time("from")?, time("to")?) else {
        return Err(Refusal::BadAddress(
            "an export without ?from= and &to=, seconds since the epoch,".into(),
        ));
    };
    let camera = recorder.name().to_owned();
    let (from_ms, to_ms) = ((from * 1e3) as i64, (to * 1e3) as i64);
    let listed = recorder.clone();
    let all = spawn_blocking(move || listed.list(from_ms, to_ms)).await;
    let mut all = all.map_or_else(|_| Vec::new(), |reply| reply.recordings);
    all.retain(|recording| recording.kind != streamd_protocol::recording::Kind::Timelapse);
    if all.is_empty() {
        return Err(Refusal::NotFound(format!(
            "/recordings/{camera}/{EXPORT}: camera {camera} has no recording of that time; else"
        )));
    }
    let name = format!(
        "{camera}_{}.mp4",
        all[0].id.split('_').next().unwrap_or_default()
    );
    if *method == Method::HEAD {
        return Ok(as_file(video().into_response(), Some(&name)));
    }
    let (pieces, sent) = mpsc::channel(WAITING);
    spawn_blocking(move || {
        let mut joiner = Joiner::new(Pieces {
            buffer: Vec::new(),
            pieces: pieces.clone(),
        });
        for recording in &all {
            let ticks =
                |seconds: f64| ((seconds - recording.from).max(0.0) * TIMESCALE as f64) as u64;
            let added = match recorder.open(&recording.id) {
                Ok(Some((file, _))) => joiner
                    .add(&mut BufReader::new(file), ticks(from), ticks(to))
                    .map_err(io::Error::other),
                // It has been removed meanwhile.
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = added {
                tracing::warn!("{}: the export ends before it: {error}", recording.file);
                // The reader learns that it is not whole.
                let _ = pieces.blocking_send(Err(error));
                return;
            }
        }
        let _ = joiner.into_inner().flush();
    });
    let body = stream::unfold(sent, async |mut sent| Some((sent.recv().await?, sent)));
    let kind = [(CONTENT_TYPE, "video/mp4"), (CACHE_CONTROL, "no-store")];
    let response = (kind, Body::from_stream(body)).into_response();
    Ok(as_file(response, Some(&name)))
}

/// What is written to it goes out in pieces; it waits for who reads them.
struct Pieces {
    buffer: Vec<u8>,
    pieces: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() as u64 >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.buffer);
        let sent = self.pieces.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_is_asked_for_as_far_as_it_is_there() {
        for (range, expected) in [
            ("bytes=0-", Part::Of(0, 100)),
            ("bytes=0-0", Part::Of(0, 1)),
            ("bytes=10-19", Part::Of(10, 20)),
            ("bytes=90-1000", Part::Of(90, 100)),
            ("bytes=-10", Part::Of(90, 100)),
            ("bytes=-1000", Part::Of(0, 100)),
            ("bytes=99-99999999999999999999999", Part::Of(99, 100)),
            ("bytes=100-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=20-10", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(part(Some(range), 100), expected, "{range}");
        }
        assert_eq!(part(None, 100), Part::Whole);
        assert_eq!(part(Some("bytes=0-"), 0), Part::Outside);
    }
}
