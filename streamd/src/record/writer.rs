//! The thread that writes a camera's recordings: the one that waits for the disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Recorder,
    mp4::Head,
    names::Kind,
    queue::{Item, Rest},
    segment::{self, Segment},
    store::{self, Rules},
};
use crate::{
    config::{Record, values::Keep},
    media::{Packet, Timestamp},
    sound,
};

/// Between two attempts to write to a disk that did not take it.
const RETRY: Duration = Duration::from_secs(2);

/// Between two looks at how much room is left.
const LOOK: Duration = Duration::from_secs(10);

/// Between two looks at what lies there and has to go.
const TIDY: Duration = Duration::from_secs(60);

/// A file ends where no picture has come for so long, or for three intervals.
const GAP: Duration = Duration::from_secs(2);

/// A file that is over waits so long for the last sound of its time: it comes a little later than the
/// pictures.
const LAST_SOUND: Duration = Duration::from_millis(500);

/// What writes.
pub struct Writer {
    recorder: Arc<Recorder>,
    /// The recording and the time lapse.
    segments: [Option<Segment>; 2],
    /// The recording before, which is over but for its last sound.
    closing: Option<Segment>,
    /// Where files have been looked for that were being written.
    recovered: Option<PathBuf>,
    /// Not before this is the disk tried again.
    retry: Option<Instant>,
    looked: Option<Instant>,
    tidied: Option<Instant>,
}

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{}: {error}{}", .path.display(), hint(.error))]
    Io { path: PathBuf, error: io::Error },
    #[error("{path}: there is no such directory: is its disk mounted?", path = .0.display())]
    NoFolder(PathBuf),
    #[error(
        "{path}: less than min-free ({least} MB) is left on the disk, and no recording is left to remove",
        path = .0.display(), least = .1 / 1_000_000
    )]
    NoRoom(PathBuf, u64),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ": the daemon's user must be able to write there",
        io::ErrorKind::ReadOnlyFilesystem => {
            ": it is mounted read-only, or not in ReadWritePaths= of the service"
        }
        _ => "",
    }
}

impl Writer {
    /// What writes for this recorder.
    pub fn new(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder,
            segments: [None, None],
            closing: None,
            recovered: None,
            retry: None,
            looked: None,
            tidied: None,
        }
    }

    /// Writes until it is told to stop.
    pub fn run(mut self) {
        let folder = self.recorder.folder();
        if folder.is_dir() {
            self.recorder.recovered(store::recover(&folder));
            self.recovered = Some(folder);
        }
        loop {
            match self.recorder.queue.next(LOOK) {
                Some(Item::Packet(kind, packet)) => self.take(kind, &packet),
                Some(Item::Sound(packet)) => self.hear(packet),
                Some(Item::Before(kind, packets)) => {
                    packets.iter().for_each(|packet| self.take(kind, packet));
                }
                Some(Item::End(rest)) => self.end(0, Some(rest)),
                Some(Item::EndLapse) => self.end(1, None),
                Some(Item::Stop) => {
                    self.end(0, Some(Rest::Off));
                    self.end(1, None);
                    return;
                }
                None => {}
            }
            self.look();
        }
    }

    /// Writes a picture, or counts it as lost.
    fn take(&mut self, kind: Kind, packet: &Packet) {
        if self.retry.is_some_and(|at| Instant::now() < at) {
            self.recorder.figures.lost.add(1);
            return;
        }
        match self.write(kind, packet) {
            Ok(Some(bytes)) => {
                self.recorder.figures.frames.add(1);
                self.recorder.figures.bytes.add(bytes);
                self.retry = None;
            }
            // It can't begin with this one.
            Ok(None) => {}
            Err(failed) => {
                self.recorder.figures.lost.add(1);
                self.fail(&failed);
            }
        }
    }

    /// Sound goes with the pictures of its time; without any it is nothing to be recorded.
    fn hear(&mut self, packet: Arc<sound::Packet>) {
        let open = &mut self.segments[0];
        let begun = open.as_ref().map(Segment::begun);
        if let Some(closing) = &mut self.closing {
            if begun.is_none_or(|begun| packet.captured < begun) {
                closing.hear(packet);
                return;
            }
            if let Err(failed) = self.close() {
                self.fail(&failed);
                return;
            }
        }
        if let Some(open) = &mut self.segments[0] {
            open.hear(packet);
        }
    }

    fn fail(&mut self, failed: &Failed) {
        self.segments = [None, None];
        self.closing = None;
        // What is whole of it is kept.
        self.recovered = None;
        self.retry = Some(Instant::now() + RETRY);
        self.recorder.failed(&failed.to_string());
    }

    fn write(&mut self, kind: Kind, packet: &Packet) -> Result<Option<u64>, Failed> {
        let place = usize::from(kind == Kind::Timelapse);
        let settings = self.recorder.settings();
        let sound = self.recorder.sound().filter(|_| kind != Kind::Timelapse);
        let head = segment::head(packet, sound);
        if self.segments[place]
            .as_ref()
            .is_some_and(|open| self.is_over(open, kind, packet, head.as_ref(), &settings))
        {
            self.part_with(place)?;
        }
        let waited = |closing: &Segment| packet.captured.since(closing.last()) > LAST_SOUND;
        if self.closing.as_ref().is_some_and(waited) {
            self.close()?;
        }
        if self.segments[place].is_none() {
            let Some(head) = head else {
                return Ok(None);
            };
            let folder = self.folder(&settings)?;
            let begun = Segment::begin(&folder, kind, head, packet);
            let begun = begun.map_err(|error| io_failed(&folder, error))?;
            self.recorder.writes(kind, begun.path());
            self.segments[place] = Some(begun);
        }
        let open = self.segments[place].as_mut().expect("it has just begun");
        let written = open.push(packet);
        let written = written.map_err(|error| io_failed(open.path(), error))?;
        if written > 0 {
            self.recorder.writes(kind, open.path());
        }
        Ok(Some(written))
    }

    /// Whether the file that is open can't or is not to go on with this picture.
    fn is_over(
        &self,
        open: &Segment,
        kind: Kind,
        packet: &Packet,
        head: Option<&Head>,
        settings: &Record,
    ) -> bool {
        let differs = head.is_some_and(|head| !open.fits(head));
        if kind == Kind::Timelapse {
            let ms = (packet.captured.unix_micros() / 1000) as i64;
            return differs || open.day() != super::names::day(ms);
        }
        let gap = GAP.max(self.recorder.interval() * 3);
        let is_full = open.length() >= settings.segment.get();
        let is_elsewhere = !open.path().starts_with(settings.folder());
        let silent = packet.captured.since(open.last()) > gap;
        silent || kind != open.kind() || (head.is_some() && (differs || is_full || is_elsewhere))
    }

    /// The camera's folder, made and looked through, with room on its disk.
    fn folder(&mut self, settings: &Record) -> Result<PathBuf, Failed> {
        let root = settings.folder();
        let made = match settings.directory {
            // What is named must be there: without its disk, another one would be filled.
            Some(_) if !root.is_dir() => return Err(Failed::NoFolder(root)),
            Some(_) => Ok(()),
            None => std::fs::create_dir_all(&root),
        };
        made.map_err(|error| io_failed(&root, error))?;
        let folder = root.join(&self.recorder.camera.name);
        segment::make_folder(&folder).map_err(|error| io_failed(&folder, error))?;
        if self.recovered.as_ref() != Some(&folder) {
            // What is still written is not looked at: both are begun here.
            if self.segments.iter().all(Option::is_none) && self.closing.is_none() {
                self.recorder.recovered(store::recover(&folder));
                self.recovered = Some(folder.clone());
            }
        }
        self.make_room(&root, settings)?;
        Ok(folder)
    }

    fn make_room(&self, root: &Path, settings: &Record) -> Result<(), Failed> {
        let Some(least) = settings.min_free.bytes() else {
            return Ok(());
        };
        let cameras = self.recorder.neighbours(root);
        let made = store::make_room(root, &cameras, least);
        let (removed, room) = made.map_err(|error| io_failed(root, error))?;
        self.recorder.figures.removed.add(removed as u64);
        match room {
            true => Ok(()),
            false => Err(Failed::NoRoom(root.into(), least)),
        }
    }

    fn end(&mut self, place: usize, rest: Option<Rest>) {
        match self.finish(place) {
            Ok(()) => rest.into_iter().for_each(|rest| self.recorder.ended(rest)),
            Err(failed) => self.fail(&failed),
        }
    }

    /// Ends a file behind which another one begins.
    fn part_with(&mut self, place: usize) -> Result<(), Failed> {
        if !self.segments[place].as_ref().is_some_and(Segment::is_heard) {
            return self.finish(place);
        }
        self.close()?;
        self.closing = self.segments[place].take();
        Ok(())
    }

    /// Ends the file that waits for its last sound.
    fn close(&mut self) -> Result<(), Failed> {
        self.closing
            .take()
            .map_or(Ok(()), |last| self.complete(last))
    }

    /// Ends all of a recording, or of a time lapse.
    fn finish(&mut self, place: usize) -> Result<(), Failed> {
        if place == 0 {
            self.close()?;
        }
        let open = self.segments[place].take();
        open.map_or(Ok(()), |open| self.complete(open))
    }

    fn complete(&self, open: Segment) -> Result<(), Failed> {
        let path = open.path().to_owned();
        match open.finish(self.recorder.interval()) {
            Ok((_, bytes)) => {
                tracing::debug!(
                    camera = self.recorder.camera.name,
                    bytes,
                    "recorded {}",
                    path.display()
                );
                Ok(())
            }
            Err(error) => Err(io_failed(&path, error)),
        }
    }

    /// Removes what has to go, now and then.
    fn look(&mut self) {
        let is_due = |last: Option<Instant>, every| last.is_none_or(|at| at.elapsed() >= every);
        if !is_due(self.looked, LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        let settings = self.recorder.settings();
        let root = settings.folder();
        if is_due(self.tidied, TIDY) {
            self.tidied = self.looked;
            let now_ms = (Timestamp::now().unix_micros() / 1000) as i64;
            let removed = store::tidy(&self.recorder.folder(), &rules(&settings), now_ms);
            self.recorder.figures.removed.add(removed as u64);
        }
        self.recorder.figures.set_free(store::free(&root).ok());
        if self.segments.iter().any(Option::is_some)
            && let Err(failed) = self.make_room(&root, &settings)
        {
            let _ = (self.finish(0), self.finish(1));
            self.fail(&failed);
        }
    }
}

fn rules(settings: &Record) -> Rules {
    Rules {
        keep: match settings.keep {
            Keep::Forever => None,
            Keep::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        },
        most: settings.keep_bytes.bytes(),
    }
}

fn io_failed(path: &Path, error: io::Error) -> Failed {
    Failed::Io {
        path: path.into(),
        error,
    }
}
