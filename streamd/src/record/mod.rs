//! Recordings: a camera's pictures on a disk, which nobody who watches waits for.
//!
//! ```text
//! hub ──Packet──▶ feed ──queue──▶ writer ──fragments──▶ segment.part ──▶ segment.mp4
//!                 a task           a thread a camera
//! ```
//!
//! [`feed`] takes every packet, with the sound of its time, and decides which are kept; what the disk does not take in time is
//! lost to the recording, and to nobody else. [`writer`] cuts them into files ([`segment`], [`mp4`]),
//! and removes old ones ([`store`]); a file that was cut off is made whole at the next start
//! ([`recover`]). The names of the files are the index ([`names`]).

mod feed;
mod lapse;
mod mp4;
mod names;
mod queue;
mod recover;
mod segment;
pub mod store;
mod units;
mod writer;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use streamd_protocol::{
    control::{ListRecordingsReply, Recording},
    stats::{RecordingState, RecordingStats},
};
use tokio::sync::watch;

use self::{
    names::Kind,
    queue::{Item, Queue, Rest},
    writer::Writer,
};
use crate::{
    camera::{Camera, Cameras},
    config::{Record, values::RecordMode},
    events,
    media::Timestamp,
    meters::Counter,
    news::{self, Event, EventKind, News},
};

/// How long the end of the last files may take when the daemon stops.
const STOP: Duration = Duration::from_secs(2);

/// All recorders, in the order of the cameras.
pub struct Recorders(Vec<Arc<Recorder>>);

/// What records a camera.
pub struct Recorder {
    camera: Arc<Camera>,
    /// All cameras, for those whose recordings lie in the same folder.
    cameras: Arc<Cameras>,
    news: News,
    queue: Queue,
    figures: Figures,
    asked: Mutex<Asked>,
    condition: Mutex<Condition>,
    /// Told when what is to be recorded may have changed.
    changed: watch::Sender<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is counted.
#[derive(Debug, Default)]
pub struct Figures {
    /// Pictures written.
    pub frames: Counter,
    /// Bytes written.
    pub bytes: Counter,
    /// Pictures that should have been written and were not.
    pub lost: Counter,
    /// Recordings removed, since they were too old or too many.
    pub removed: Counter,
    /// Bytes free on the disk, and one; 0 while that is not known.
    free: AtomicU64,
}

impl Figures {
    fn set_free(&self, bytes: Option<u64>) {
        let known = bytes.map_or(0, |bytes| bytes.saturating_add(1));
        self.free.store(known, Ordering::Relaxed);
    }
}

/// What somebody has asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Asked {
    /// Nothing: the configuration holds.
    #[default]
    Nothing,
    /// To record, until then.
    Record(Option<Instant>),
    /// Not to record.
    Rest,
}

/// What is to be done with pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Nothing: none are encoded for it.
    Nothing,
    /// To be kept for an event that may come.
    Await(Duration),
    /// To be recorded.
    Record(Kind, Option<Instant>),
}

/// How it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Off,
    /// Pictures are kept for an event that may come.
    Armed,
    /// Recording is asked for, and no picture has come yet.
    Waiting,
    Recording {
        /// The file that is written.
        file: PathBuf,
        /// Since when, ms since 1970.
        since_ms: i64,
    },
    Failed(String),
}

impl Recorder {
    fn new(camera: &Arc<Camera>, cameras: &Arc<Cameras>, news: &News) -> Arc<Self> {
        Arc::new(Self {
            camera: Arc::clone(camera),
            cameras: Arc::clone(cameras),
            news: news.clone(),
            queue: Queue::default(),
            figures: Figures::default(),
            asked: Mutex::default(),
            condition: Mutex::new(Condition::Off),
            changed: watch::Sender::default(),
            thread: Mutex::default(),
        })
    }

    /// Records from now on, in event mode from some time before on; for so long, or until it is
    /// stopped. Where it records already, that is how long it goes on.
    pub fn start(&self, time: Option<Duration>) {
        let until = time.and_then(|time| Instant::now().checked_add(time));
        *self.asked.lock() = Asked::Record(until);
        self.look();
    }

    /// Records no more, whatever the configuration says, until it is started again.
    pub fn stop(&self) {
        *self.asked.lock() = Asked::Rest;
        self.look();
    }

    /// The settings in force.
    fn settings(&self) -> Record {
        self.camera.settings().config.record.clone()
    }

    /// Where the camera's recordings are.
    pub fn folder(&self) -> PathBuf {
        self.settings().folder().join(&self.camera.name)
    }

    /// The camera's name.
    pub fn name(&self) -> &str {
        &self.camera.name
    }

    /// Between two pictures, as they are meant.
    fn interval(&self) -> Duration {
        let fps = self.camera.settings().config.fps.get();
        Duration::from_secs_f64(1.0 / fps)
    }

    /// How many channels the sound has that is recorded beside pictures; `None` where there is none.
    fn sound(&self) -> Option<u8> {
        let settings = self.camera.settings();
        let audio = settings.config.audio.as_ref()?;
        Some(audio.channels.get() as u8)
    }

    /// The cameras whose recordings lie below the same folder.
    fn neighbours(&self, root: &Path) -> Vec<String> {
        let cameras = self.cameras.iter();
        let there = cameras.filter(|camera| camera.settings().config.record.folder() == root);
        there.map(|camera| camera.name.clone()).collect()
    }

    fn plan(&self) -> Plan {
        let settings = self.settings();
        let mut asked = self.asked.lock();
        if let Asked::Record(Some(until)) = *asked
            && Instant::now() >= until
        {
            *asked = Asked::Nothing;
        }
        let pre_roll = settings.pre_roll.get();
        match (*asked, settings.mode) {
            (Asked::Rest, RecordMode::Continuous) => Plan::Nothing,
            (_, RecordMode::Continuous) => Plan::Record(Kind::Continuous, None),
            (Asked::Record(until), _) => Plan::Record(Kind::Event, until),
            (_, RecordMode::Event) if !pre_roll.is_zero() => Plan::Await(pre_roll),
            _ => Plan::Nothing,
        }
    }

    /// Something has changed: what is to be recorded is decided anew.
    fn look(&self) {
        self.changed.send_replace(());
    }

    /// How it goes, and what is counted.
    pub fn stats(&self) -> RecordingStats {
        let (state, reason, file, since) = match self.condition.lock().clone() {
            Condition::Off => (RecordingState::Off, String::new(), String::new(), 0),
            Condition::Armed => (RecordingState::Armed, String::new(), String::new(), 0),
            Condition::Waiting => (RecordingState::Waiting, String::new(), String::new(), 0),
            Condition::Failed(reason) => (RecordingState::Failed, reason, String::new(), 0),
            Condition::Recording { file, since_ms } => {
                let file = file.display().to_string();
                (RecordingState::Recording, String::new(), file, since_ms)
            }
        };
        let settings = self.settings();
        RecordingStats {
            mode: settings.mode.to_string(),
            state,
            reason,
            file,
            since: since as f64 / 1e3,
            directory: self.folder().display().to_string(),
            frames: self.figures.frames.get() as i64,
            bytes: self.figures.bytes.get() as i64,
            lost: self.figures.lost.get() as i64,
            removed: self.figures.removed.get() as i64,
            free_bytes: self.figures.free.load(Ordering::Relaxed) as i64 - 1,
        }
    }

    /// Its recordings that have something of a time (ms since 1970), and the days that have any. Waits
    /// for the disk.
    pub fn list(&self, from_ms: i64, to_ms: i64) -> ListRecordingsReply {
        let folder = self.folder();
        let recording = |entry: store::Entry| Recording {
            id: entry.name.id(),
            kind: entry.name.kind,
            from: entry.name.from_ms as f64 / 1e3,
            to: entry.name.to_ms() as f64 / 1e3,
            bytes: entry.bytes as i64,
            file: entry.path.display().to_string(),
        };
        let entries = store::list(&folder, from_ms, to_ms).into_iter();
        ListRecordingsReply {
            camera: self.name().into(),
            days: store::days(&folder),
            recordings: entries.map(recording).collect(),
        }
    }

    /// The recording of this name and its size, if there is one. Waits for the disk.
    ///
    /// # Errors
    /// When it can't be opened.
    pub fn open(&self, id: &str) -> std::io::Result<Option<(File, u64)>> {
        let Some(entry) = store::find(&self.folder(), id) else {
            return Ok(None);
        };
        let file = File::open(entry.path)?;
        let length = file.metadata()?.len();
        Ok(Some((file, length)))
    }

    /// What of it the line says that systemd shows.
    pub fn trouble(&self) -> Option<String> {
        match &*self.condition.lock() {
            Condition::Failed(reason) => Some(format!("not recording: {reason}")),
            _ => None,
        }
    }

    /// Recording is asked for.
    fn awaits(&self) {
        let mut condition = self.condition.lock();
        if matches!(*condition, Condition::Off | Condition::Armed) {
            *condition = Condition::Waiting;
        }
    }

    /// The disk has taken something of this file.
    fn writes(&self, kind: Kind, path: &Path) {
        let mut condition = self.condition.lock();
        if kind == Kind::Timelapse {
            if matches!(*condition, Condition::Failed(_)) {
                *condition = Condition::Waiting;
            }
            return;
        }
        let since_ms = match &*condition {
            Condition::Recording { file, .. } if file == path => return,
            Condition::Recording { since_ms, .. } => Some(*since_ms),
            _ => None,
        };
        let now = (Timestamp::now().unix_micros() / 1000) as i64;
        *condition = Condition::Recording {
            file: path.into(),
            since_ms: since_ms.unwrap_or(now),
        };
        drop(condition);
        if since_ms.is_some() {
            return;
        }
        let name = &self.camera.name;
        let text = format!("camera {name} is recorded in {}", path.display());
        tracing::info!(
            message_id = events::RECORDING_STARTED,
            camera = name,
            "{text}"
        );
        self.tell(EventKind::RecordingStarted, text, String::new());
    }

    /// Nothing more is written for now.
    fn ended(&self, then: Rest) {
        let then = match then {
            Rest::Off => Condition::Off,
            Rest::Armed => Condition::Armed,
            Rest::Waiting => Condition::Waiting,
        };
        let was = std::mem::replace(&mut *self.condition.lock(), then);
        if matches!(was, Condition::Recording { .. }) {
            self.tell_stopped();
        }
    }

    fn tell_stopped(&self) {
        let name = &self.camera.name;
        let text = format!("camera {name} is not recorded any more");
        tracing::info!(
            message_id = events::RECORDING_STOPPED,
            camera = name,
            "{text}"
        );
        self.tell(EventKind::RecordingStopped, text, String::new());
    }

    /// Nothing can be written, or not fast enough. Said once for one reason.
    fn failed(&self, reason: &str) {
        let mut condition = self.condition.lock();
        if *condition == Condition::Failed(reason.into()) {
            return;
        }
        *condition = Condition::Failed(reason.into());
        drop(condition);
        let name = &self.camera.name;
        let text = format!("camera {name} is not recorded: {reason}");
        tracing::error!(
            message_id = events::RECORDING_FAILED,
            camera = name,
            "{text}; it is tried again"
        );
        self.tell(EventKind::RecordingFailed, text, reason.into());
    }

    /// So many files were made whole that had been cut off.
    fn recovered(&self, count: usize) {
        if count > 0 {
            let name = &self.camera.name;
            tracing::info!(
                camera = name,
                "{count} recordings that were cut off are whole again"
            );
        }
    }

    fn tell(&self, kind: EventKind, text: String, reason: String) {
        self.news.tell(Event {
            cameras: vec![self.camera.name.clone()],
            reason,
            ..news::event(kind, text)
        });
    }
}

impl Recorders {
    /// Recorders for all cameras that do nothing yet.
    pub fn new(cameras: &Arc<Cameras>, news: &News) -> Self {
        let recorders = cameras.iter();
        Self(recorders.map(|c| Recorder::new(c, cameras, news)).collect())
    }

    /// Starts them, on the runtime that is entered and a thread each.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn spawn(&self) -> std::io::Result<()> {
        for recorder in &self.0 {
            let writer = Writer::new(Arc::clone(recorder));
            let thread = std::thread::Builder::new()
                .name(format!("record-{}", recorder.name()))
                .spawn(move || writer.run())?;
            *recorder.thread.lock() = Some(thread);
            tokio::spawn(feed::run(Arc::clone(recorder)));
            tokio::spawn(lapse::run(Arc::clone(recorder)));
        }
        Ok(())
    }

    /// The recorder of this camera.
    pub fn of(&self, camera: &str) -> Option<&Arc<Recorder>> {
        self.0.iter().find(|recorder| recorder.name() == camera)
    }

    /// The settings have changed. What was asked for by hand ends where the mode is another one.
    pub fn look_over(&self) {
        self.0.iter().for_each(|recorder| recorder.look());
    }

    /// Ends all files, as far as the disk takes them in time.
    pub fn stop(&self) {
        self.0.iter().for_each(|r| r.queue.say(Item::Stop));
        let deadline = Instant::now() + STOP;
        for recorder in &self.0 {
            let Some(thread) = recorder.thread.lock().take() else {
                continue;
            };
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            match thread.is_finished() {
                true if thread.join().is_err() => {
                    tracing::error!(camera = recorder.name(), "the thread that records panicked");
                }
                true => {}
                false => tracing::warn!(
                    camera = recorder.name(),
                    "the disk takes too long: the last recording is made whole at the next start"
                ),
            }
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({})", self.name())
    }
}
