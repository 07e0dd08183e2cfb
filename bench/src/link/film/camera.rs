//! The film as a camera: the V4L2 device of the end-to-end tests, preloaded into a server.

use std::{fs, path::PathBuf, process::Command};

use anyhow::ensure;
use serde_json::json;
use tempfile::TempDir;

use super::{FPS, Film};

/// A camera for servers that are started with it.
#[derive(Debug)]
pub struct Camera {
    folder: TempDir,
    library: PathBuf,
}

impl Camera {
    /// A camera that films this.
    ///
    /// # Errors
    /// When the library is not beside this program, or there is no room for the film.
    pub fn plug(film: &Film) -> anyhow::Result<Self> {
        let library = std::env::current_exe()?.with_file_name("libstreamd_tests_device.so");
        ensure!(
            library.exists(),
            "{} is not there: build it (cargo build --release), or name a camera with --device",
            library.display()
        );
        let folder = tempfile::tempdir()?;
        let (width, height) = (film.width, film.height);
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("dev"))?;
        fs::create_dir(path("films"))?;
        fs::write(path("dev/video0"), "")?;
        let mut frames = Vec::new();
        for frame in film.frames() {
            frames.extend((frame.len() as u32).to_le_bytes());
            frames.extend(frame);
        }
        fs::write(path(&format!("films/YUYV-{width}x{height}")), frames)?;
        let formats = json!([{ "fourcc": "YUYV", "sizes": [[width, height]] }]);
        let model = json!({ "card": "Film", "fps": [FPS], "formats": formats, "multi_planar": false, "by_clock": true });
        let orders = json!({ "generation": 0, "model": model, "faults": [] });
        fs::write(path("video0.json"), orders.to_string())?;
        Ok(Self { folder, library })
    }

    /// Its node.
    pub fn device(&self) -> PathBuf {
        self.folder.path().join("dev/video0")
    }

    /// The program will have it.
    pub fn give_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command.env("STREAMD_TESTS_DEVICES", self.folder.path());
    }
}
