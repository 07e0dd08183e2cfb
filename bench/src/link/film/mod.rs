//! The film in front of the camera: known to the bench as well, so that what is on a screen can be
//! compared with what is in front of the camera at that very moment.

mod camera;
mod scene;

use std::{fs, path::Path};

use anyhow::{Context, ensure};

pub use self::camera::Camera;

/// Frames a second.
pub const FPS: u32 = 30;

const SECOND: u64 = 1_000_000_000;

/// Width and height of the scene, in pixels.
pub const SCENE: (usize, usize) = (640, 480);

/// Frames that are repeated.
#[derive(Debug)]
pub struct Film {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// YUYV, full range.
    frames: Vec<Vec<u8>>,
}

impl Film {
    /// The bench's own.
    pub fn scene() -> Self {
        let (width, height) = SCENE;
        Self {
            width,
            height,
            frames: scene::frames(width, height),
        }
    }

    /// Raw YUYV of this size, frame after frame.
    ///
    /// # Errors
    /// When it can't be read, or is no whole number of frames.
    pub fn read(path: &Path, (width, height): (usize, usize)) -> anyhow::Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("film {}", path.display()))?;
        let frame = width * height * 2;
        ensure!(
            !bytes.is_empty() && bytes.len().is_multiple_of(frame),
            "film {}: {} bytes are no whole number of frames of {width}x{height} in YUYV, {frame} bytes each",
            path.display(),
            bytes.len()
        );
        let frames = bytes.chunks(frame).map(<[u8]>::to_vec).collect();
        Ok(Self {
            width,
            height,
            frames,
        })
    }

    /// One that is two squares, one bright and one dark, which change places in each frame.
    #[cfg(test)]
    pub fn blinking() -> Self {
        let (width, height) = (160, 96);
        let pixel = |at: usize, n: usize| {
            let left = at % width < width / 2;
            let texture = (at * 7 % 5 * 6) as u8;
            [if left == (n == 0) { 200 } else { 60 } + texture, 128]
        };
        let frame = |n| (0..width * height).flat_map(|at| pixel(at, n)).collect();
        Self {
            width,
            height,
            frames: (0..2).map(frame).collect(),
        }
    }

    /// Which frame is in front of the camera at this moment of `CLOCK_MONOTONIC`, in nanoseconds.
    /// The camera has it from the clock alone.
    pub fn at(&self, moment: u64) -> usize {
        (turn(moment) % self.frames.len() as u64) as usize
    }

    /// The frames.
    pub fn frames(&self) -> &[Vec<u8>] {
        &self.frames
    }

    /// The luma of each frame.
    pub fn luma(&self) -> Vec<Vec<u8>> {
        let even = |frame: &Vec<u8>| frame.iter().step_by(2).copied().collect();
        self.frames.iter().map(even).collect()
    }
}

/// Frames since the clock began.
pub fn turn(moment: u64) -> u64 {
    // In microseconds, as the camera has it.
    moment / 1000 * u64::from(FPS) / (SECOND / 1000)
}

/// When a frame comes before the camera.
pub fn begin(turn: u64) -> u64 {
    (turn * (SECOND / 1000)).div_ceil(FPS.into()) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_there_from_its_moment_on() {
        for n in [0, 1, 2, 29, 30, 12_345_677] {
            assert_eq!(turn(begin(n)), n);
            assert_eq!(turn(begin(n + 1) - 1), n);
        }
        assert_eq!(begin(30), SECOND);
    }

    #[test]
    fn a_film_has_whole_frames() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = || Film::read(file.path(), (4, 2));
        assert!(read().is_err());
        fs::write(file.path(), (0..32).collect::<Vec<u8>>()).unwrap();
        let film = read().unwrap();
        assert_eq!(film.luma()[1], [16, 18, 20, 22, 24, 26, 28, 30]);
        assert_eq!((film.at(begin(4)), film.at(begin(5))), (0, 1));
        fs::write(file.path(), [0; 17]).unwrap();
        let said = read().unwrap_err().to_string();
        assert!(
            said.ends_with("17 bytes are no whole number of frames of 4x2 in YUYV, 16 bytes each"),
            "{said}"
        );
    }
}
