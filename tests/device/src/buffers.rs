//! A camera's buffers, and the frames that come into them, one each interval.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::{fd::FromRawFd, unix::fs::FileExt},
    time::Duration,
};

use crate::{
    open::{Format, Open},
    orders::{Fault, Frames, Number, Stamp},
};

/// Between two looks at whether a camera that does not stream is still there.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The buffers of an open camera.
pub(crate) struct Buffers {
    /// What the program maps: buffer after buffer.
    pub memory: File,
    /// Of each, bytes.
    pub length: u32,
    pub count: u32,
    pub streaming: bool,
    /// Those that wait for a frame.
    pub queued: VecDeque<u32>,
    /// Those that wait for the program.
    pub filled: VecDeque<Filled>,
    /// Frames since the stream began.
    frames: u32,
    /// The interval that is set, as a rate.
    pub fps: u32,
}

/// A buffer with a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filled {
    pub index: u32,
    pub bytes: u32,
    pub damaged: bool,
    pub number: u32,
    /// µs of `CLOCK_MONOTONIC`.
    pub stamp: i64,
}

impl Buffers {
    pub fn none() -> io::Result<Self> {
        // SAFETY: the name ends with a zero byte.
        let memory = unsafe { libc::memfd_create(c"camera".as_ptr(), libc::MFD_CLOEXEC) };
        if memory < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: it was just made, and is nobody else's.
            memory: unsafe { File::from_raw_fd(memory) },
            length: 0,
            count: 0,
            streaming: false,
            queued: VecDeque::new(),
            filled: VecDeque::new(),
            frames: 0,
            fps: 0,
        })
    }

    /// Where a buffer begins in the memory: at a page.
    pub fn offset(&self, index: u32) -> u32 {
        index * self.length.next_multiple_of(4096)
    }

    pub fn allocate(&mut self, count: u32, length: u32) -> io::Result<()> {
        (self.count, self.length) = (count, length);
        self.memory.set_len(self.offset(count).into())
    }

    pub fn begin(&mut self) {
        (self.streaming, self.frames) = (true, 0);
    }
}

impl Open {
    /// What happens once an interval: a frame, or none. `None` once the camera is gone.
    pub fn tick(&self) -> Option<Duration> {
        if self.is_gone() {
            return None;
        }
        let orders = self.camera.orders();
        if !self.buffers.lock().streaming {
            return Some(LOOK_EVERY);
        }
        let wrong = self.camera.next_frame();
        let format = self.format();
        let mut buffers = self.buffers.lock();
        let fps = match buffers.fps {
            0 => orders.model.fps[0],
            fps => fps,
        };
        buffers.frames += 1;
        let comes = !wrong.contains(&Frames::Missing) && buffers.streaming;
        if comes && let Some(index) = buffers.queued.pop_front() {
            let padding = orders.faults.iter().find_map(|fault| match fault {
                Fault::Padding(bytes) => Some(*bytes),
                _ => None,
            });
            let picture = self.picture(&format, buffers.frames, &wrong, padding.unwrap_or(0));
            let room = picture.len().min(buffers.length as usize);
            let at = buffers.offset(index).into();
            let written = buffers.memory.write_all_at(&picture[..room], at);
            written.expect("memory can be written to");
            let filled = Filled::new(index, room as u32, buffers.frames, &wrong);
            buffers.filled.push_back(filled);
            drop(buffers);
            self.announce();
        }
        Some(Duration::from_secs(1) / fps)
    }

    /// The bytes of a frame, as the driver puts them into a buffer.
    fn picture(&self, format: &Format, frame: u32, wrong: &[Frames], padding: u32) -> Vec<u8> {
        let Format {
            fourcc,
            width,
            height,
        } = format;
        let other = wrong.iter().find_map(|wrong| match wrong {
            Frames::Film(name) => Some(name.clone()),
            _ => None,
        });
        let name = other.unwrap_or_else(|| format!("{fourcc}-{width}x{height}"));
        let film = self.camera.film(&name);
        let picture = &film[frame as usize % film.len()];
        match (padding, line_bytes(fourcc, *width)) {
            (0, _) | (_, 0) => picture.clone(),
            (padding, line) => {
                let gap = vec![0; padding as usize];
                let lines = picture.chunks(line as usize);
                lines.flat_map(|line| [line, &gap].concat()).collect()
            }
        }
    }
}

impl Filled {
    fn new(index: u32, bytes: u32, frame: u32, wrong: &[Frames]) -> Self {
        let mut filled = Self {
            index,
            bytes,
            damaged: false,
            number: frame - 1,
            stamp: now(),
        };
        for wrong in wrong {
            match wrong {
                Frames::Missing | Frames::Film(_) => {}
                Frames::Flagged => filled.damaged = true,
                Frames::Bytes(bytes) => filled.bytes = *bytes,
                Frames::Half => filled.bytes /= 2,
                Frames::Index(index) => filled.index = *index,
                Frames::Stamp(stamp) => filled.stamp = stamped(*stamp, filled.stamp, frame),
                Frames::Number(number) => filled.number = numbered(*number, frame),
            }
        }
        filled
    }
}

fn stamped(stamp: Stamp, now: i64, frame: u32) -> i64 {
    const SECOND: i64 = 1_000_000;
    match stamp {
        Stamp::Zero => 0,
        Stamp::Backwards if frame.is_multiple_of(2) => now - SECOND / 20,
        Stamp::Backwards => now,
        Stamp::Coarse => now / SECOND * SECOND,
        Stamp::Same => SECOND,
        Stamp::Future => now + 3600 * SECOND,
        Stamp::Past => (now - 3600 * SECOND).max(1),
        Stamp::Reverse => 1000 * SECOND - i64::from(frame) * SECOND / 30,
    }
}

fn numbered(number: Number, frame: u32) -> u32 {
    match number {
        Number::Same => 7,
        Number::Jumps => frame.wrapping_mul(1_000_000),
        Number::Reverse => 1_000_000 - frame,
        Number::Wraps => frame.wrapping_sub(20),
    }
}

fn now() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the structure is written to.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// Bytes of a line without padding; 0 where there are no lines.
pub(crate) fn line_bytes(fourcc: &str, width: u32) -> u32 {
    match fourcc {
        "YUYV" => width * 2,
        "GREY" | "NV12" => width,
        _ => 0,
    }
}

/// Bytes of a frame, lines of so many bytes.
pub(crate) fn image_bytes(fourcc: &str, width: u32, height: u32, line: u32) -> u32 {
    match fourcc {
        "YUYV" | "GREY" => line * height,
        "NV12" => line * height * 3 / 2,
        // Of a coded picture, more than it ever needs.
        _ => width * height * 2,
    }
}
