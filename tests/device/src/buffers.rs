//! A camera's buffers, and the frames that come into them, one each interval.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::{fd::FromRawFd, unix::fs::FileExt},
    sync::atomic::Ordering,
    time::Duration,
};

use crate::{
    open::{Format, Open},
    orders::{Fault, Frames, Number, Stamp},
};

/// Between two looks at whether a camera that does not stream is still there.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Microseconds.
const SECOND: u64 = 1_000_000;

/// The buffers of an open camera.
pub(crate) struct Buffers {
    /// What the program maps: buffer after buffer.
    pub memory: File,
    /// Bytes of each memory of a buffer.
    pub lengths: Vec<u32>,
    pub count: u32,
    pub streaming: bool,
    /// Those that wait for a frame.
    pub queued: VecDeque<u32>,
    /// Those that wait for the program.
    pub filled: VecDeque<Filled>,
    /// Frames since the stream began.
    frames: u32,
    /// The one with which the film began, or began anew.
    film_from: u32,
    /// The interval that is set, as a rate.
    pub fps: u32,
}

/// A buffer with a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Filled {
    pub index: u32,
    pub bytes: u32,
    /// Bytes before the picture in each memory, when it was written.
    pub before: u32,
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
            lengths: Vec::new(),
            count: 0,
            streaming: false,
            queued: VecDeque::new(),
            filled: VecDeque::new(),
            frames: 0,
            film_from: 1,
            fps: 0,
        })
    }

    /// Where a memory of a buffer begins: at a page.
    pub fn offset(&self, index: u32, memory: usize) -> u32 {
        let pages = |lengths: &[u32]| -> u32 {
            lengths
                .iter()
                .map(|length| length.next_multiple_of(4096))
                .sum()
        };
        index * pages(&self.lengths) + pages(&self.lengths[..memory])
    }

    pub fn allocate(&mut self, count: u32, lengths: Vec<u32>) -> io::Result<()> {
        (self.count, self.lengths) = (count, lengths);
        self.memory.set_len(self.offset(count, 0).into())
    }

    /// Puts a picture, memory after memory, into a buffer.
    fn write(&self, index: u32, picture: &[Vec<u8>], from: u32) {
        for (memory, part) in picture.iter().enumerate() {
            let room = self.lengths[memory].saturating_sub(from) as usize;
            let at = u64::from(self.offset(index, memory)) + u64::from(from);
            let written = self.memory.write_all_at(&part[..part.len().min(room)], at);
            written.expect("memory can be written to");
        }
    }

    pub fn begin(&mut self) {
        (self.streaming, self.frames, self.film_from) = (true, 0, 1);
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
        if self.camera.key_wanted.swap(false, Ordering::Relaxed) {
            buffers.film_from = buffers.frames;
        }
        let comes = !wrong.contains(&Frames::Missing) && buffers.streaming;
        if comes && let Some(index) = buffers.queued.pop_front() {
            let turn = match orders.model.by_clock {
                true => turn(fps),
                false => (buffers.frames - buffers.film_from).into(),
            };
            let picture = self.picture(&format, turn, &wrong);
            let before = self.data_offset();
            buffers.write(index, &picture, before);
            let bytes = picture.iter().zip(&buffers.lengths);
            let bytes = bytes.map(|(part, length)| (part.len() as u32).min(*length));
            let filled = Filled {
                before,
                ..Filled::new(index, bytes.sum(), buffers.frames, &wrong)
            };
            buffers.filled.push_back(filled);
            drop(buffers);
            self.announce();
        }
        Some(match orders.model.by_clock {
            true => until_next_turn(fps),
            false => Duration::from_secs(1) / fps,
        })
    }

    /// The bytes of a frame, as the driver puts them into the memories of a buffer.
    fn picture(&self, format: &Format, turn: u64, wrong: &[Frames]) -> Vec<Vec<u8>> {
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
        let picture = &film[(turn % film.len() as u64) as usize];
        let gap = vec![0; self.padding() as usize];
        let mut rest = &picture[..];
        let mut part = |memory: &Memory| {
            if memory.lines == 0 {
                return std::mem::take(&mut rest).to_vec();
            }
            let bytes = (memory.line * memory.lines) as usize;
            let (part, behind) = rest.split_at(bytes.min(rest.len()));
            rest = behind;
            if gap.is_empty() {
                return part.to_vec();
            }
            let lines = part.chunks(memory.line as usize);
            lines.flat_map(|line| [line, &gap].concat()).collect()
        };
        let memories = memories(fourcc, *width, *height);
        memories.iter().map(&mut part).collect()
    }

    /// Bytes behind the pixels of each line.
    pub fn padding(&self) -> u32 {
        let padding = self.fault(|fault| match fault {
            Fault::Padding(bytes) => Some(*bytes),
            _ => None,
        });
        padding.unwrap_or(0)
    }

    /// Bytes before the picture in each memory.
    pub fn data_offset(&self) -> u32 {
        let offset = self.fault(|fault| match fault {
            Fault::DataOffset(bytes) => Some(*bytes),
            _ => None,
        });
        offset.unwrap_or(0)
    }
}

impl Filled {
    fn new(index: u32, bytes: u32, frame: u32, wrong: &[Frames]) -> Self {
        let mut filled = Self {
            index,
            bytes,
            before: 0,
            damaged: false,
            number: frame - 1,
            stamp: now(),
        };
        for wrong in wrong {
            match wrong {
                Frames::Missing | Frames::Film(_) | Frames::Last => {}
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
    const SECOND: i64 = self::SECOND as i64;
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

/// Intervals since the clock began.
fn turn(fps: u32) -> u64 {
    now() as u64 * u64::from(fps) / SECOND
}

fn until_next_turn(fps: u32) -> Duration {
    let next = ((turn(fps) + 1) * SECOND).div_ceil(fps.into());
    Duration::from_micros(next.saturating_sub(now() as u64))
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

/// What a memory of a buffer holds, without padding.
pub(crate) struct Memory {
    /// Bytes of a line.
    pub line: u32,
    /// Lines; 0 for coded pictures.
    pub lines: u32,
}

/// The memories of a buffer.
pub(crate) fn memories(fourcc: &str, width: u32, height: u32) -> Vec<Memory> {
    let memory = |line, lines| Memory { line, lines };
    match fourcc {
        "YUYV" => vec![memory(width * 2, height)],
        "GREY" => vec![memory(width, height)],
        "NV12" => vec![memory(width, height * 3 / 2)],
        "NM12" => vec![memory(width, height), memory(width, height / 2)],
        "YM12" => {
            let chroma = || memory(width / 2, height / 2);
            vec![memory(width, height), chroma(), chroma()]
        }
        _ => vec![memory(0, 0)],
    }
}
