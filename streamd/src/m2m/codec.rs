//! A stateful encoder, asked on its own thread: opened, prepared, and given one picture at a time.
//! The kernel's "Memory-to-Memory Stateful Video Encoder Interface" says how.
//!
//! Each picture is awaited before the next one goes in, so that none is ever late for another, and
//! nothing is left to drain at the end.

use std::{path::Path, sync::Arc, time::Duration};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    request_code_readwrite,
};
use parking_lot::Mutex;
use v4l::{v4l_sys as sys, v4l2::vidioc};

use super::{
    controls,
    layout::{FORMATS, Layout},
    queue::{Failed, Granted, Queue, Side, Taken, Way},
};
use crate::{
    capture::{
        DeviceError,
        descriptor::{self, Descriptor, ioctl},
    },
    encode::h264::{Planes, is_slice, starts},
    media::Timestamp,
};

/// The crate has not this request.
const S_SELECTION: vidioc::_IOC_TYPE =
    request_code_readwrite!(b'V', 95, size_of::<sys::v4l2_selection>());

/// What comes out.
const H264: u32 = u32::from_le_bytes(*b"H264");

/// Pictures in memory: one that is encoded, one that a driver may keep a moment longer.
const PICTURES: u32 = 2;

/// Coded pictures in memory: one, its parameter sets apart where a driver has them so, and one more.
const PACKETS: u32 = 4;

/// So long a picture may take; a device that needs longer makes no live video.
pub(super) const WITHIN: Duration = Duration::from_millis(500);

/// Buffers without a picture that come before one: parameter sets, each kind apart.
const MOST_HEADS: usize = 4;

/// By how much the frame rate may change before the driver is told.
const OTHER_RATE: f64 = 0.2;

/// A picture to be encoded.
pub(super) struct Job {
    pub planes: Arc<Planes>,
    pub captured: Timestamp,
    pub fps: f64,
    pub bit_rate: u32,
    /// The kernel's number of the level that the stream is to have.
    pub level: i32,
    pub key: bool,
    /// The stream is to begin anew.
    pub anew: bool,
}

/// Which call of the driver was begun last.
pub(super) type Step = Arc<Mutex<&'static str>>;

/// An encoder that is open and streams.
pub(super) struct Codec {
    pixels: Queue,
    packets: Queue,
    /// Closed after its queues.
    device: Arc<Descriptor>,
    layout: Layout,
    step: Step,
    is_single: bool,
    bit_rate: u32,
    fps: f64,
    stamp: u64,
    /// Nothing has come since the stream began: the first picture is a key by itself.
    is_fresh: bool,
}

/// What a call of the kernel means, in words.
fn failed((call, error): Failed) -> String {
    match error.raw_os_error() {
        Some(libc::ENODEV) => "is gone".into(),
        Some(libc::EPIPE) => "has ended the stream".into(),
        Some(libc::EPROTO) => format!("names a buffer that it has not ({call})"),
        _ => format!("{call} failed: {error}"),
    }
}

impl Codec {
    /// Opens the device at `path` for pictures as the first of them is.
    ///
    /// # Errors
    /// Why it can't be used, in words that follow its name.
    pub fn open(path: &Path, job: &Job, step: Step) -> Result<Self, String> {
        *step.lock() = "open";
        let device = descriptor::open(path).map_err(|error| match error {
            DeviceError::Absent { .. } => "no such device".into(),
            error => error.to_string(),
        })?;
        let device = Arc::new(Descriptor::new(device));
        *step.lock() = "VIDIOC_S_FMT";
        let multi_planar = has_multi_planar(&device)?;
        let side = |way| Side {
            device: Arc::clone(&device),
            way,
            multi_planar,
        };
        let size = job.planes.size();
        let (pixels, packets) = (side(Way::Output), side(Way::Capture));
        // As the interface has it, first what comes out. A picture that does not compress at all has
        // as many bytes as its pixels.
        let bytes = size.0 * size.1 * 3 / 2;
        let coded = packets.set_format(H264, size, bytes).map_err(failed)?;
        if coded.code != H264 {
            return Err("makes no H.264".into());
        }
        let layout = lay_out(&pixels, size)?;
        cut(&pixels, size);
        set_interval(&pixels, job.fps);
        *step.lock() = "VIDIOC_S_EXT_CTRLS";
        controls::prepare(&device, job.level);
        controls::set_bit_rate(&device, job.bit_rate)
            .map_err(|error| format!("takes no bit rate: {error}"))?;
        *step.lock() = "VIDIOC_REQBUFS";
        let needs = layout.bytes();
        let pixels = Queue::new(pixels, needs.len(), PICTURES).map_err(failed)?;
        let packets = Queue::new(packets, 1, PACKETS).map_err(failed)?;
        let room = pixels.room();
        if room.iter().zip(&needs).any(|(have, need)| have < need) {
            return Err(format!(
                "has buffers of {room:?} bytes; a picture has {needs:?}"
            ));
        }
        let mut codec = Self {
            pixels,
            packets,
            device,
            layout,
            step,
            is_single: !multi_planar,
            bit_rate: job.bit_rate,
            fps: job.fps,
            stamp: 0,
            is_fresh: true,
        };
        codec.start().map_err(failed)?;
        Ok(codec)
    }

    fn at(&self, step: &'static str) {
        *self.step.lock() = step;
    }

    fn start(&mut self) -> Result<(), Failed> {
        self.at("VIDIOC_STREAMON");
        self.packets.queue_all()?;
        self.pixels.start()?;
        self.packets.start()?;
        self.is_fresh = true;
        Ok(())
    }

    /// Begins the stream anew: what comes next is a key with its parameter sets.
    fn restart(&mut self) -> Result<(), Failed> {
        self.at("VIDIOC_STREAMOFF");
        self.pixels.stop()?;
        self.packets.stop()?;
        self.start()
    }

    /// Encodes a picture: its NAL units, and the parameter sets that came before it.
    ///
    /// # Errors
    /// What the device did instead, in words that follow its name.
    pub fn encode(&mut self, job: &Job) -> Result<Vec<u8>, String> {
        self.adjust(job)?;
        let index = self.room()?;
        let bytes = self.layout.bytes();
        {
            let mut memories = self.pixels.memories(index);
            self.layout.write(&job.planes, &mut memories);
        }
        // Each picture has a number of its own, also one that is encoded again.
        let captured = job.captured.as_nanos() / 1000;
        self.stamp = captured.max(self.stamp + 1);
        self.at("VIDIOC_QBUF");
        self.pixels
            .queue(index, &bytes, self.stamp)
            .map_err(failed)?;
        self.is_fresh = false;
        let until = Timestamp::now() + WITHIN;
        let mut picture = Vec::new();
        for _ in 0..=MOST_HEADS {
            let taken = self.packet(until)?;
            let content = self.packets.content(&taken);
            let has_picture = starts(content).any(|at| is_slice(&content[at]));
            picture.extend_from_slice(content);
            self.at("VIDIOC_QBUF");
            self.packets.queue(taken.index, &[], 0).map_err(failed)?;
            if has_picture {
                self.check_stamp(&taken)?;
                return Ok(picture);
            }
        }
        Err("sends parameter sets and no picture".into())
    }

    /// Tells the driver what has changed since the last picture.
    fn adjust(&mut self, job: &Job) -> Result<(), String> {
        if job.anew {
            self.restart().map_err(failed)?;
        }
        self.at("VIDIOC_S_EXT_CTRLS");
        if job.bit_rate != self.bit_rate {
            controls::set_bit_rate(&self.device, job.bit_rate)
                .map_err(|error| failed(("VIDIOC_S_EXT_CTRLS", error)))?;
            self.bit_rate = job.bit_rate;
        }
        if (job.fps / self.fps - 1.0).abs() > OTHER_RATE {
            self.fps = job.fps;
            set_interval(&self.side(), job.fps);
        }
        // A driver that makes no key when asked for one makes one when it begins.
        if job.key && !self.is_fresh && controls::force_key(&self.device).is_err() {
            self.restart().map_err(failed)?;
        }
        Ok(())
    }

    fn side(&self) -> Side {
        Side {
            device: Arc::clone(&self.device),
            way: Way::Output,
            multi_planar: !self.is_single,
        }
    }

    /// A buffer for a picture.
    fn room(&mut self) -> Result<usize, String> {
        self.at("VIDIOC_DQBUF");
        let until = Timestamp::now() + WITHIN;
        loop {
            while self.pixels.take().map_err(failed)?.is_some() {}
            if let Some(index) = self.pixels.home() {
                return Ok(index);
            }
            self.wait(PollFlags::POLLOUT, until)?;
        }
    }

    /// The next packet.
    fn packet(&mut self, until: Timestamp) -> Result<Taken, String> {
        self.at("VIDIOC_DQBUF");
        loop {
            if let Some(taken) = self.packets.take().map_err(failed)? {
                return match taken.part.bytes {
                    _ if taken.flags & sys::V4L2_BUF_FLAG_ERROR != 0 => {
                        Err("says that a picture is damaged".into())
                    }
                    0 if taken.flags & sys::V4L2_BUF_FLAG_LAST != 0 => {
                        Err("has ended the stream".into())
                    }
                    0 => Err("sends an empty picture".into()),
                    _ => Ok(taken),
                };
            }
            self.wait(PollFlags::POLLIN, until)?;
        }
    }

    /// Waits for the driver, until then at most.
    fn wait(&self, what: PollFlags, until: Timestamp) -> Result<(), String> {
        self.at("poll");
        let now = Timestamp::now();
        let left = until.since(now);
        if left.is_zero() {
            let ms = WITHIN.as_millis();
            return Err(format!("has made no picture of a frame in {ms} ms"));
        }
        let mut fds = [PollFd::new(descriptor::borrow(self.device.device()), what)];
        // Rounded up, so that it does not spin at the end.
        let ms = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
        match poll(&mut fds, PollTimeout::from(ms)) {
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            result => result.map_err(|error| failed(("poll", error.into())))?,
        };
        let events = fds[0].revents().unwrap_or(PollFlags::empty());
        if events.contains(PollFlags::POLLHUP) {
            return Err("is gone".into());
        }
        match events.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL) && !events.contains(what)
        {
            true => Err("has ceased to stream".into()),
            false => Ok(()),
        }
    }

    /// The packet must be that of the picture that has gone in; a driver that copies no time stamps
    /// does not say.
    fn check_stamp(&self, taken: &Taken) -> Result<(), String> {
        let copies =
            taken.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK == sys::V4L2_BUF_FLAG_TIMESTAMP_COPY;
        match copies && taken.stamp != self.stamp {
            true => Err("sends a picture of another frame".into()),
            false => Ok(()),
        }
    }
}

/// Whether it has the multi-planar API; an error if it is no memory-to-memory device.
fn has_multi_planar(device: &Descriptor) -> Result<bool, String> {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut capability: sys::v4l2_capability = unsafe { std::mem::zeroed() };
    ioctl(device.device(), vidioc::VIDIOC_QUERYCAP, &mut capability).map_err(
        |error| match error.raw_os_error() {
            Some(libc::ENODEV) => "is gone",
            _ => "is no V4L2 device",
        },
    )?;
    let capabilities = match capability.capabilities & sys::V4L2_CAP_DEVICE_CAPS {
        0 => capability.capabilities,
        _ => capability.device_caps,
    };
    let has = |all: u32| capabilities & all == all;
    let both = sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE | sys::V4L2_CAP_VIDEO_OUTPUT_MPLANE;
    if has(sys::V4L2_CAP_VIDEO_M2M_MPLANE) || has(both) {
        return Ok(true);
    }
    let both = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_VIDEO_OUTPUT;
    match has(sys::V4L2_CAP_VIDEO_M2M) || has(both) {
        true => Ok(false),
        false => Err("is no encoder".into()),
    }
}

/// The first of our formats that the driver takes.
fn lay_out(pixels: &Side, size: (u32, u32)) -> Result<Layout, String> {
    let mut why = String::new();
    for format in FORMATS {
        let granted: Granted = match pixels.set_format(format.code(), size, 0) {
            Ok(granted) => granted,
            Err(error) => {
                why = failed(error);
                continue;
            }
        };
        match Layout::new(&granted, size) {
            Ok(layout) => return Ok(layout),
            Err(other) => why = other,
        }
    }
    Err(why)
}

/// Says which part of the coded picture is one. A driver that does not take it codes the rest too, and
/// the stream says what is cut off.
fn cut(pixels: &Side, (width, height): (u32, u32)) {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut selection: sys::v4l2_selection = unsafe { std::mem::zeroed() };
    // Both APIs have this type here; since Linux 4.13 the other one is taken as well.
    selection.type_ = sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT;
    selection.target = sys::V4L2_SEL_TGT_CROP;
    (selection.r.width, selection.r.height) = (width, height);
    if let Err((call, error)) = pixels.ask("VIDIOC_S_SELECTION", S_SELECTION, &mut selection) {
        tracing::debug!(%error, "{call}");
    }
}

/// Says how many pictures come in a second, as far as the driver wants to know.
fn set_interval(pixels: &Side, fps: f64) {
    // SAFETY: the structure is made of integers, for which zeros are valid.
    let mut parameters: sys::v4l2_streamparm = unsafe { std::mem::zeroed() };
    parameters.type_ = pixels.buffer_type();
    // SAFETY: it is made of integers, for which zeros are valid.
    let mut output: sys::v4l2_outputparm = unsafe { std::mem::zeroed() };
    output.timeperframe = sys::v4l2_fract {
        numerator: 1000,
        denominator: (fps * 1000.0) as u32,
    };
    parameters.parm.output = output;
    let set = pixels.ask("VIDIOC_S_PARM", vidioc::VIDIOC_S_PARM, &mut parameters);
    if let Err((call, error)) = set {
        tracing::debug!(%error, "{call}");
    }
}
