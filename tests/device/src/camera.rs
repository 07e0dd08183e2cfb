//! A camera: where its node is, what it has been told, and which call is to fail.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use crate::orders::{Call, Fault, Frames, Orders, When};

/// Between two looks at whether a call is still to hang.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A camera of the folder, known by the name of its node. It outlives the node.
pub(crate) struct Camera {
    /// The node.
    pub path: PathBuf,
    folder: PathBuf,
    name: String,
    calls: File,
    told: Mutex<Told>,
    films: Mutex<HashMap<String, Arc<Vec<Vec<u8>>>>>,
    /// Of an encoder, streams that have buffers.
    pub instances: AtomicUsize,
    /// The film is to begin anew.
    pub key_wanted: AtomicBool,
}

struct Told {
    text: Vec<u8>,
    orders: Arc<Orders>,
    /// How often each fault's turn was asked for, by its place.
    turns: HashMap<usize, u32>,
}

/// The folder with the cameras, if the program is to have any.
fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let named = || fs::canonicalize(std::env::var_os("STREAMD_TESTS_DEVICES")?).ok();
    FOLDER.get_or_init(named).as_deref()
}

/// Where a path in `/dev` really leads; a path in the folder stays as it is. `None` for all others.
pub(crate) fn redirected(path: &Path) -> Option<PathBuf> {
    let folder = folder()?;
    let inside = path.strip_prefix("/dev").ok();
    match inside {
        Some(rest) => {
            let name = rest.as_os_str().as_encoded_bytes();
            let ours = name.is_empty() || name.starts_with(b"video") || name.starts_with(b"v4l");
            ours.then(|| folder.join("dev").join(rest))
        }
        None => path.starts_with(folder).then(|| path.to_path_buf()),
    }
}

/// The camera whose node is at this path, which may be a link to it.
pub(crate) fn at(path: &Path) -> Option<Arc<Camera>> {
    static KNOWN: Mutex<Vec<Arc<Camera>>> = Mutex::new(Vec::new());
    let folder = folder()?;
    let node = fs::canonicalize(path).ok()?;
    let name = node.file_name()?.to_str()?.to_owned();
    if node.parent()? != folder.join("dev") || !name.starts_with("video") {
        return None;
    }
    let mut known = KNOWN.lock();
    if let Some(camera) = known.iter().find(|camera| camera.name == name) {
        return Some(Arc::clone(camera));
    }
    let camera = Arc::new(Camera::new(folder, &name)?);
    known.push(Arc::clone(&camera));
    Some(camera)
}

impl Camera {
    fn new(folder: &Path, name: &str) -> Option<Self> {
        let text = fs::read(folder.join(format!("{name}.json"))).ok()?;
        let calls = folder.join(format!("{name}.calls"));
        Some(Self {
            path: folder.join("dev").join(name),
            calls: File::options().create(true).append(true).open(calls).ok()?,
            told: Mutex::new(Told {
                orders: Arc::new(parsed(&text)),
                turns: HashMap::new(),
                text,
            }),
            folder: folder.into(),
            name: name.into(),
            films: Mutex::default(),
            instances: AtomicUsize::new(0),
            key_wanted: AtomicBool::new(false),
        })
    }

    /// What it is told now.
    pub fn orders(&self) -> Arc<Orders> {
        let file = self.folder.join(format!("{}.json", self.name));
        let text = fs::read(file).expect("the orders are replaced, and never taken away");
        let mut told = self.told.lock();
        if told.text != text {
            (told.orders, told.turns) = (Arc::new(parsed(&text)), HashMap::new());
            told.text = text;
        }
        Arc::clone(&told.orders)
    }

    /// Notes a call, and lets it be as slow as ordered.
    ///
    /// # Errors
    /// The errno with which it is to fail.
    pub fn attempt(&self, call: Call) -> Result<(), i32> {
        // A test that has ended takes its folder away.
        let _ = writeln!(&self.calls, "{call:?}");
        for fault in &self.orders().faults {
            match fault {
                Fault::Delays(which, ms) if *which == call => {
                    thread::sleep(Duration::from_millis(*ms));
                }
                Fault::Hangs(which) if *which == call => self.hang(fault),
                _ => {}
            }
        }
        let errno = self.find(|fault| match fault {
            Fault::Fails(which, errno, when) if *which == call => Some((*errno, *when)),
            _ => None,
        });
        errno.map_or(Ok(()), Err)
    }

    fn hang(&self, fault: &Fault) {
        while self.orders().faults.contains(fault) {
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The controls that have been set: a line each.
    pub fn controls(&self) -> String {
        let file = self.folder.join(format!("{}.controls", self.name));
        fs::read_to_string(file).unwrap_or_default()
    }

    /// Sets them.
    pub fn set_controls(&self, lines: &str) {
        // A test that has ended takes its folder away.
        let _ = fs::write(self.folder.join(format!("{}.controls", self.name)), lines);
    }

    /// Sets one of them: its line is replaced.
    pub fn note(&self, name: &str, value: u32) {
        let told = self.told.lock();
        let others = self.controls();
        let others = others.lines().filter(|line| !line.starts_with(name));
        let own = format!("{name}={value}");
        let lines: Vec<&str> = others.chain([own.as_str()]).collect();
        self.set_controls(&lines.join("\n"));
        drop(told);
    }

    /// The events that `poll` is to say, whatever there is.
    pub fn polled(&self) -> Option<i16> {
        self.find(|fault| match fault {
            Fault::Polls(events) => Some((*events, When::Always)),
            _ => None,
        })
    }

    /// What is wrong with the next frame.
    pub fn next_frame(&self) -> Vec<Frames> {
        let orders = self.orders();
        let mut told = self.told.lock();
        let wrong = orders
            .faults
            .iter()
            .enumerate()
            .filter_map(|(n, fault)| match fault {
                Fault::Frames(what, when) => told.turn(n, *when).then(|| what.clone()),
                _ => None,
            });
        wrong.collect()
    }

    /// The first fault whose turn it is, of those that `which` picks.
    pub fn find<T>(&self, which: impl Fn(&Fault) -> Option<(T, When)>) -> Option<T> {
        let orders = self.orders();
        let mut told = self.told.lock();
        let mut faults = orders.faults.iter().enumerate();
        faults.find_map(|(n, fault)| {
            let (found, when) = which(fault)?;
            told.turn(n, when).then_some(found)
        })
    }

    /// The frames of a film; they are repeated.
    ///
    /// # Panics
    /// If the test has not given it.
    pub fn film(&self, name: &str) -> Arc<Vec<Vec<u8>>> {
        let mut films = self.films.lock();
        let film = films.entry(name.into()).or_insert_with(|| {
            let file = self.folder.join("films").join(name);
            let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            Arc::new(frames(&bytes))
        });
        Arc::clone(film)
    }
}

impl Told {
    fn turn(&mut self, fault: usize, when: When) -> bool {
        let turn = self.turns.entry(fault).or_default();
        *turn += 1;
        match when {
            When::Always => true,
            When::First(count) => *turn <= count,
            When::Each(count) => turn.is_multiple_of(count),
            When::AllBut(count) => !turn.is_multiple_of(count),
        }
    }
}

fn parsed(text: &[u8]) -> Orders {
    serde_json::from_slice(text).expect("the tests write whole orders")
}

/// The frames of a file, each behind its length.
fn frames(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (frame, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        frames.push(frame.into());
        file = rest;
    }
    frames
}
