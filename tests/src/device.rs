//! Cameras that do not exist, for a daemon that is started with the library of `tests/device`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;

#[path = "../device/src/orders.rs"]
pub mod orders;

use crate::film;
use orders::{Call, Fault, Model, Offer, Orders};

/// The folder of some cameras: what a daemon takes for its `/dev`, and what the cameras are told.
/// It goes with the last who has it.
#[derive(Debug, Clone)]
pub struct Bus(Arc<tempfile::TempDir>);

/// A camera on a bus.
#[derive(Debug)]
pub struct Device {
    bus: Bus,
    name: String,
    told: Mutex<(Model, Vec<Fault>)>,
}

/// What another program has while it uses a camera.
#[derive(Debug)]
pub struct Taken(#[expect(dead_code, reason = "it is held, not read")] Flock<File>);

impl Model {
    /// A camera with one format, in 160x120 and 320x240, 25 frames a second.
    pub fn of(fourcc: &str) -> Self {
        Self {
            card: format!("Camera {fourcc}"),
            fps: vec![25],
            formats: vec![Offer {
                fourcc: fourcc.into(),
                sizes: vec![(160, 120), (320, 240)],
            }],
            multi_planar: false,
            encodes: false,
            by_clock: false,
        }
    }

    /// A device that makes H.264 of pictures in these formats, by the multi-planar API as nearly all do.
    pub fn encoder(fourccs: &[&str]) -> Self {
        let offer = |fourcc: &&str| Offer {
            fourcc: (*fourcc).into(),
            sizes: Vec::new(),
        };
        Self {
            card: "Encoder".into(),
            formats: fourccs.iter().map(offer).collect(),
            multi_planar: true,
            encodes: true,
            ..Self::yuyv()
        }
    }

    /// The same by the multi-planar API only.
    pub fn multi_planar(fourcc: &str) -> Self {
        Self {
            multi_planar: true,
            ..Self::of(fourcc)
        }
    }

    /// A camera that sends pixels.
    pub fn yuyv() -> Self {
        Self::of("YUYV")
    }

    /// A camera that makes H.264.
    pub fn h264() -> Self {
        Self::of("H264")
    }

    /// A camera that sends JPEG pictures.
    pub fn mjpg() -> Self {
        Self::of("MJPG")
    }
}

impl Default for Bus {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["dev", "films"] {
            fs::create_dir(folder.path().join(name)).expect("a fresh folder");
        }
        Self(Arc::new(folder))
    }
}

impl Bus {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Plugs a camera in, as `videoNUMBER`.
    pub fn plug(&self, number: u32, model: Model) -> Device {
        let device = Device {
            bus: self.clone(),
            name: format!("video{number}"),
            told: Mutex::new((model, Vec::new())),
        };
        device.tell(|_, _| ());
        device.replug();
        device
    }

    /// Gives the cameras a film: frames that are repeated.
    pub fn give_film(&self, name: &str, frames: &[Vec<u8>]) {
        let length = |frame: &[u8]| (frame.len() as u32).to_le_bytes();
        let file: Vec<u8> = frames
            .iter()
            .flat_map(|frame| [&length(frame)[..], frame].concat())
            .collect();
        self.put(&format!("films/{name}"), &file);
    }

    /// Replaces a file as a whole: whoever reads it has the old one or the new one.
    fn put(&self, name: &str, content: &[u8]) {
        let new = self.path().join("new");
        let put = fs::write(&new, content).and_then(|()| fs::rename(new, self.path().join(name)));
        put.expect("the folder can be written to");
    }
}

impl Device {
    /// Its node.
    pub fn path(&self) -> PathBuf {
        self.bus.path().join("dev").join(&self.name)
    }

    /// From now on, this is wrong with it, and nothing else.
    pub fn fault(&self, faults: &[Fault]) {
        self.tell(|_, now| *now = faults.to_vec());
    }

    /// Nothing is wrong with it any more.
    pub fn heal(&self) {
        self.fault(&[]);
    }

    /// It becomes another camera, for whoever opens it next.
    pub fn become_another(&self, model: Model) {
        self.tell(|now, _| *now = model);
    }

    fn tell(&self, change: impl FnOnce(&mut Model, &mut Vec<Fault>)) {
        static GENERATION: AtomicU64 = AtomicU64::new(0);
        let mut told = self.told.lock();
        let (model, faults) = &mut *told;
        change(model, faults);
        for Offer { fourcc, sizes } in &model.formats {
            for &(width, height) in sizes {
                let name = format!("{fourcc}-{width}x{height}");
                if !self.bus.path().join("films").join(&name).exists() {
                    let film = film::film(fourcc, (width, height), false);
                    self.bus.give_film(&name, &film);
                }
            }
        }
        let orders = Orders {
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            model: model.clone(),
            faults: faults.clone(),
        };
        let json = serde_json::to_vec(&orders).expect("orders are plain");
        self.bus.put(&format!("{}.json", self.name), &json);
    }

    /// Pulls it out.
    pub fn unplug(&self) {
        fs::remove_file(self.path()).expect("it is plugged in");
    }

    /// Puts it in again. Its controls are as they were when it was new.
    pub fn replug(&self) {
        // It may never have been set.
        let _ = fs::remove_file(self.bus.path().join(format!("{}.controls", self.name)));
        File::create(self.path()).expect("the folder can be written to");
    }

    /// Another program sets a format.
    pub fn set_format(&self, fourcc: &str, (width, height): (u32, u32)) {
        let format = format!("{:64}", format!("{fourcc} {width} {height}"));
        fs::write(self.path(), format).expect("it is plugged in");
    }

    /// Another program uses it, until the result is dropped; an error if it is in use.
    ///
    /// # Errors
    /// If a program has it.
    pub fn take(&self) -> Result<Taken, String> {
        let node = File::options().read(true).write(true).open(self.path());
        let node = node.expect("it is plugged in");
        let taken = Flock::lock(node, FlockArg::LockExclusiveNonblock);
        taken.map(Taken).map_err(|(_, error)| error.to_string())
    }

    /// What a control has been set to, by the driver's name of it; `None` if it has not been set.
    pub fn control(&self, name: &str) -> Option<i32> {
        let file = self.bus.path().join(format!("{}.controls", self.name));
        let lines = fs::read_to_string(file).unwrap_or_default();
        let mut lines = lines.lines().filter_map(|line| line.split_once('='));
        let (_, value) = lines.find(|(of, _)| *of == name)?;
        value.parse().ok()
    }

    /// Calls so far, of all programs.
    pub fn calls(&self) -> Vec<String> {
        let file = self.bus.path().join(format!("{}.calls", self.name));
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often this was called so far.
    pub fn count(&self, call: Call) -> usize {
        let name = format!("{call:?}");
        self.calls()
            .iter()
            .filter(|called| **called == name)
            .count()
    }
}
