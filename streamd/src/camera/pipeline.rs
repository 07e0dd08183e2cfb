//! Which rendition is encoded on which thread: the best one wanted at once on the capture thread,
//! so that it passes no hand-over on its way to the clients; the others on the `encode` threads,
//! which also encode what is asked for between two frames.

use std::{io, sync::Arc, thread::JoinHandle};

use streamd_protocol::{
    stats::CameraState,
    stream::{AppSegment, MAX_CAMERA_NAME, STAND_IN},
};

use crate::{
    camera::{Camera, own_stream::OwnStream},
    capture::{Sink, Status},
    config::values::CameraName,
    encode::{
        self,
        jpeg::Encoder,
        prepare::{Look, Preparer},
    },
    hub::WorkList,
    media::{Level, Origin, Packet, PixelFormat, RawFrame, Rendition, Timestamp, Track},
    supervise::heartbeat::{Heartbeat, Heartbeats},
};

const _: () = assert!(
    CameraName::MAX <= MAX_CAMERA_NAME,
    "a name fits into the APP segment"
);

/// A camera's frames on the capture thread: numbered, handed to the hub, encoded.
pub struct Pipeline {
    camera: Arc<Camera>,
    encoder: Encoder,
    preparer: Preparer,
    own_stream: OwnStream,
    quiet: Quiet,
}

impl Pipeline {
    /// A camera's pipeline, for its capture thread.
    pub fn new(camera: Arc<Camera>) -> Self {
        Self {
            camera,
            encoder: Encoder::new(),
            preparer: Preparer::default(),
            own_stream: OwnStream::default(),
            quiet: Quiet::default(),
        }
    }
}

impl Pipeline {
    /// What all renditions of a frame have in common is done once, before any is encoded.
    fn prepare(&mut self, raw: RawFrame) -> Result<RawFrame, encode::Error> {
        let config = &self.camera.settings().config;
        let look = Look {
            arrangement: config.arrangement(),
            text: (!config.text.is_empty())
                .then(|| raw.captured.local())
                .and_then(|time| config.text.at(&self.camera.name, &time)),
            gray_range: config.gray_range,
            chroma: config.chroma,
        };
        self.preparer.prepare(raw, &look, &self.camera.past)
    }
}

impl Sink for Pipeline {
    fn frame(&mut self, raw: RawFrame) -> Result<bool, String> {
        let camera = &self.camera;
        // Only what the camera delivers is a frame of it.
        if raw.origin != Origin::Blank {
            camera.count_frame(raw.captured);
        }
        let raw = match self.own_stream.take(camera, raw) {
            Ok(Some(raw)) => raw,
            Ok(None) => return Ok(true),
            Err(error) => return Err(failed(&self.camera, &mut self.quiet, &error)),
        };
        let raw = match self.prepare(raw) {
            Ok(raw) => Arc::new(raw),
            Err(error) => return Err(failed(&self.camera, &mut self.quiet, &error)),
        };
        let camera = &self.camera;
        match camera.hub.offer(&raw) {
            Some(best) => {
                encode(camera, &mut self.encoder, &raw, best, &mut self.quiet).map(|()| true)
            }
            None => Ok(false),
        }
    }

    fn status(&mut self, status: Status) {
        if matches!(status.state, CameraState::Idle | CameraState::Starting) {
            self.camera.hub.clear();
            self.camera.streams.clear();
        }
        self.camera.set_status(status);
    }
}

/// Keeps a camera that delivers nothing but broken pictures from filling the log.
#[derive(Default)]
struct Quiet(u32);

impl Quiet {
    fn failed(&mut self, camera: &str, error: &encode::Error) {
        self.0 += 1;
        if self.0.is_power_of_two() {
            tracing::warn!(camera, failed = self.0, "a frame is dropped: {error}");
        }
    }
}

/// Encodes a frame that the hub has given out, and publishes it; else says what is wrong with it.
fn encode(
    camera: &Camera,
    encoder: &mut Encoder,
    raw: &RawFrame,
    track: Track,
    quiet: &mut Quiet,
) -> Result<(), String> {
    let begin = Timestamp::now();
    let label = AppSegment {
        sequence: raw.sequence,
        captured_us: raw.captured.unix_micros(),
        camera: camera.name.clone(),
    };
    let picture = match track {
        Track::Jpeg(rendition) => jpeg(camera, encoder, raw, rendition, &label),
        Track::H264(level) => camera.streams.encode(camera, raw, level, &label),
    };
    let end = Timestamp::now();
    match picture {
        Ok(picture) => {
            camera.shows(picture.frame);
            camera.encode_time.add(end.since(begin));
            if track == Track::Jpeg(camera.settings().ladder[0]) {
                camera.top_encode_time.add(end.since(begin));
            }
            camera.hub.publish(Arc::new(Packet {
                bytes: picture.bytes,
                sequence: raw.sequence,
                captured: raw.captured,
                encode_begin: begin,
                encode_end: end,
                width: picture.width,
                height: picture.height,
                track,
                key: picture.key,
                droppable: picture.droppable,
                origin: raw.origin,
            }));
            Ok(())
        }
        Err(error) => {
            camera.hub.abandon(track);
            Err(failed(camera, quiet, &error))
        }
    }
}

/// A frame as a JPEG picture: a camera's own one as it is, where that is wanted.
fn jpeg(
    camera: &Camera,
    encoder: &mut Encoder,
    raw: &RawFrame,
    rendition: Rendition,
    label: &AppSegment,
) -> Result<encode::Picture, encode::Error> {
    let settings = camera.settings();
    let mut app = label.head();
    if raw.origin == Origin::Blank {
        app.extend(STAND_IN);
    }
    let chroma = settings.config.chroma;
    let is_top = settings.ladder.first() == Some(&rendition);
    match is_top && raw.layout.format == PixelFormat::Mjpg && settings.passes_through() {
        true => encoder.hand_on(raw, (rendition, chroma), &app, &camera.past),
        false => encoder.encode(raw, rendition, chroma, &app),
    }
}

/// Counts and logs a frame that is no picture; says why it is none.
fn failed(camera: &Camera, quiet: &mut Quiet, error: &encode::Error) -> String {
    camera.captured.corrupt.add(1);
    quiet.failed(&camera.name, error);
    match error {
        encode::Error::Broken(what) => what.to_string(),
        error => error.to_string(),
    }
}

/// The threads of a camera whose streams are made in hardware: one a level, since each waits for it.
const WAITING: usize = Level::ALL.len() + 1;

/// The `encode` threads: those that all cameras share, and those of a camera whose streams are made
/// in hardware, which are waited for. They end when their work list is stopped.
pub struct Workers {
    lists: Vec<Arc<WorkList>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts them: shared ones as many as there are cores less one, since a capture thread encodes as
    /// well.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn spawn(
        work: &Arc<WorkList>,
        cameras: &[Arc<Camera>],
        heartbeats: &Heartbeats,
    ) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let start = |work: &Arc<WorkList>, name: String| {
            let heartbeat = heartbeats.register(&name);
            let (work, cameras) = (Arc::clone(work), cameras.to_vec());
            std::thread::Builder::new()
                .name(name)
                .spawn(move || run(&work, &cameras, &heartbeat))
        };
        let shared = (0..cores.saturating_sub(1).max(1))
            .map(|n| start(work, format!("encode-{n}")))
            .collect::<io::Result<_>>()?;
        let mut workers = Self {
            lists: vec![Arc::clone(work)],
            threads: shared,
        };
        let own = |camera: &&Arc<Camera>| !Arc::ptr_eq(&camera.stream_work, work);
        for camera in cameras.iter().filter(own) {
            workers.lists.push(Arc::clone(&camera.stream_work));
            for n in 0..WAITING {
                let name = format!("encode-{}-{n}", camera.name);
                workers.threads.push(start(&camera.stream_work, name)?);
            }
        }
        Ok(workers)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.lists.iter().for_each(|list| list.stop());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an encode thread panicked");
            }
        }
    }
}

fn run(work: &WorkList, cameras: &[Arc<Camera>], heartbeat: &Heartbeat) {
    let mut encoder = Encoder::new();
    let mut quiet = Quiet::default();
    while let Some((hub, track)) = work.next(|| heartbeat.idle()) {
        heartbeat.beat();
        let Some(camera) = cameras.iter().find(|c| Arc::ptr_eq(&c.hub, &hub)) else {
            continue;
        };
        if let Some(raw) = hub.begin(track) {
            // What is wrong is in the log and in the figures.
            let _ = encode(camera, &mut encoder, &raw, track, &mut quiet);
        }
    }
}
