//! The thread that asks an encoder, and who waits for it: a call of a driver may never return, and
//! then only that thread is lost.

use std::{
    path::PathBuf,
    sync::{
        Arc, Weak,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use super::codec::{Codec, Job, Step, WITHIN};

/// What a driver may need longer than the device: it says itself when it has no picture in time.
const SLACK: Duration = Duration::from_millis(300);

/// What a driver may need besides, to open a device and prepare it.
const OPENING: Duration = Duration::from_millis(700);

/// How long the end of a stream is waited for before the next one begins.
const CLOSING: Duration = Duration::from_millis(300);

/// An encoder that is in use, on a thread of its own. Dropped, it is closed there.
pub(super) struct Session {
    jobs: SyncSender<Job>,
    made: Receiver<Result<Vec<u8>, String>>,
    step: Step,
    /// It has answered once: it is open.
    is_open: bool,
}

/// A thread that may still have the device open.
#[derive(Debug, Clone, Default)]
pub(super) struct Alive(Weak<()>);

impl Alive {
    /// As long as this is held.
    #[cfg(test)]
    pub fn of(life: &Arc<()>) -> Self {
        Self(Arc::downgrade(life))
    }

    /// Whether it has not ended yet.
    pub fn is(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Session {
    /// Starts the thread; the device is opened with the first picture.
    pub fn spawn(camera: &str, path: PathBuf) -> Result<(Self, Alive), String> {
        let (jobs, todo) = sync_channel::<Job>(1);
        let (done, made) = sync_channel(1);
        let step = Step::new(Mutex::new("open"));
        let life = Arc::new(());
        let alive = Alive(Arc::downgrade(&life));
        let at = Arc::clone(&step);
        thread::Builder::new()
            .name(format!("m2m-{camera}"))
            .spawn(move || {
                // Let go after the device is closed, and before anybody hears that it ends.
                let done = done;
                let life = life;
                run(&path, &todo, &done, at);
                drop(life);
            })
            .map_err(|error| format!("has no thread: {error}"))?;
        let session = Self {
            jobs,
            made,
            step,
            is_open: false,
        };
        Ok((session, alive))
    }

    /// Encodes a picture.
    ///
    /// # Errors
    /// What the device did instead, in words that follow its name. The session is of no use then.
    pub fn encode(&mut self, job: Job) -> Result<Vec<u8>, String> {
        let limit = match self.is_open {
            true => WITHIN + SLACK,
            false => WITHIN + SLACK + OPENING,
        };
        let ended = "has lost its thread";
        self.jobs.send(job).map_err(|_| ended)?;
        match self.made.recv_timeout(limit) {
            Ok(made) => {
                self.is_open = true;
                made
            }
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the driver does not answer ({})", self.step.lock()))
            }
            Err(RecvTimeoutError::Disconnected) => Err(ended.into()),
        }
    }

    /// Closes it, and waits for that a moment: some devices are one stream's only.
    pub fn close(self) {
        let Self { jobs, made, .. } = self;
        drop(jobs);
        // Nothing is made any more: this is the end of the thread, or too late.
        let _ = made.recv_timeout(CLOSING);
    }
}

fn run(
    path: &std::path::Path,
    todo: &Receiver<Job>,
    done: &SyncSender<Result<Vec<u8>, String>>,
    step: Step,
) {
    let mut codec = None;
    while let Ok(job) = todo.recv() {
        let codec = match &mut codec {
            Some(codec) => codec,
            none => match Codec::open(path, &job, Arc::clone(&step)) {
                Ok(open) => none.insert(open),
                Err(why) => {
                    let _ = done.send(Err(why));
                    return;
                }
            },
        };
        let made = codec.encode(&job);
        let failed = made.is_err();
        // The pixels go back to who made them before the answer does.
        drop(job);
        // Who has given this up does not hear it.
        if done.send(made).is_err() || failed {
            return;
        }
    }
}
