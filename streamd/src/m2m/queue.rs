//! One of the two queues of a memory-to-memory device: its format, its buffers, mapped, and which
//! of them the driver has.

use std::{io, sync::Arc};

use v4l::{memory::Memory as Kind, v4l_sys as sys, v4l2::vidioc};

use crate::capture::{
    descriptor::{Descriptor, ioctl},
    memory::{Map, Part},
};

/// More than any driver grants (`VIDEO_MAX_FRAME`).
const MOST_BUFFERS: u32 = 32;

/// What is called, and what the kernel said.
pub(super) type Failed = (&'static str, io::Error);

/// Which of the queues, as the kernel has it: from the program to the device, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Pixels.
    Output,
    /// H.264.
    Capture,
}

/// A queue of an open device.
#[derive(Clone)]
pub(super) struct Side {
    pub device: Arc<Descriptor>,
    pub way: Way,
    /// Of V4L2's two APIs for buffers, it has the multi-planar one.
    pub multi_planar: bool,
}

/// What the driver has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    /// The pixel format.
    pub code: u32,
    /// Pixels of a line, with those that make it a multiple of what the encoder works in.
    pub width: u32,
    /// Lines, the same.
    pub height: u32,
    /// Bytes from one line to the next in each memory.
    pub strides: Vec<u32>,
}

/// The buffers of a queue.
pub(super) struct Queue {
    side: Side,
    /// By index, the memories of each.
    maps: Vec<Vec<Map>>,
    /// By index: the driver has it.
    away: Vec<bool>,
}

/// A buffer that the driver has given back.
pub(super) struct Taken {
    pub index: usize,
    /// What is in its first memory.
    pub part: Part,
    /// Of `V4L2_BUF_FLAG_…`.
    pub flags: u32,
    /// The number that went in with the picture, where the driver copies it.
    pub stamp: u64,
}

/// A buffer as the kernel has it, with room for its planes.
struct Answer {
    buffer: sys::v4l2_buffer,
    planes: [sys::v4l2_plane; sys::VIDEO_MAX_PLANES as usize],
}

impl Side {
    /// The type of its buffers.
    pub const fn buffer_type(&self) -> u32 {
        match (self.way, self.multi_planar) {
            (Way::Output, false) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT,
            (Way::Output, true) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
            (Way::Capture, false) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE,
            (Way::Capture, true) => sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
        }
    }

    /// Asks for a format; `bytes` is how much a buffer of coded pictures is to hold.
    pub fn set_format(&self, code: u32, size: (u32, u32), bytes: u32) -> Result<Granted, Failed> {
        // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
        let mut format: sys::v4l2_format = unsafe { std::mem::zeroed() };
        format.type_ = self.buffer_type();
        let field = sys::v4l2_field_V4L2_FIELD_NONE;
        let colorspace = sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG;
        if self.multi_planar {
            // SAFETY: both are made of integers, for which zeros are valid.
            let mut pix: sys::v4l2_pix_format_mplane = unsafe { std::mem::zeroed() };
            (pix.width, pix.height) = size;
            (pix.pixelformat, pix.field, pix.colorspace) = (code, field, colorspace);
            pix.num_planes = 1;
            pix.plane_fmt[0].sizeimage = bytes;
            format.fmt.pix_mp = pix;
        } else {
            // SAFETY: it is made of integers, for which zeros are valid.
            let mut pix: sys::v4l2_pix_format = unsafe { std::mem::zeroed() };
            (pix.width, pix.height) = size;
            (pix.pixelformat, pix.field, pix.colorspace) = (code, field, colorspace);
            pix.sizeimage = bytes;
            format.fmt.pix = pix;
        }
        self.ask("VIDIOC_S_FMT", vidioc::VIDIOC_S_FMT, &mut format)?;
        if self.multi_planar {
            // SAFETY: for this type the driver fills in `pix_mp`, made of integers.
            let pix = unsafe { format.fmt.pix_mp };
            let count = usize::from(pix.num_planes).min(pix.plane_fmt.len());
            let planes = pix.plane_fmt;
            return Ok(Granted {
                code: pix.pixelformat,
                width: pix.width,
                height: pix.height,
                strides: planes[..count]
                    .iter()
                    .map(|plane| plane.bytesperline)
                    .collect(),
            });
        }
        // SAFETY: for this type the driver fills in `pix`, made of integers.
        let pix = unsafe { format.fmt.pix };
        Ok(Granted {
            code: pix.pixelformat,
            width: pix.width,
            height: pix.height,
            strides: vec![pix.bytesperline],
        })
    }

    /// An ioctl of this queue.
    pub fn ask<T>(
        &self,
        name: &'static str,
        request: vidioc::_IOC_TYPE,
        argument: &mut T,
    ) -> Result<(), Failed> {
        ioctl(self.device.device(), request, argument).map_err(|error| (name, error))
    }

    /// Has the driver make so many buffers, or free all; returns how many there are.
    fn request(&self, count: u32) -> Result<u32, Failed> {
        let mut request = sys::v4l2_requestbuffers {
            count,
            type_: self.buffer_type(),
            memory: Kind::Mmap as u32,
            // SAFETY: the structure is made of integers, for which zeros are valid.
            ..unsafe { std::mem::zeroed() }
        };
        self.ask("VIDIOC_REQBUFS", vidioc::VIDIOC_REQBUFS, &mut request)?;
        Ok(request.count)
    }

    fn buffer(&self, index: usize) -> Answer {
        // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
        let mut answer: Answer = unsafe { std::mem::zeroed() };
        answer.buffer.index = index as u32;
        answer.buffer.type_ = self.buffer_type();
        answer.buffer.memory = Kind::Mmap as u32;
        answer.buffer.field = sys::v4l2_field_V4L2_FIELD_NONE;
        answer
    }

    /// Asks about a buffer, with its planes where the API has them.
    fn exchange(
        &self,
        name: &'static str,
        request: vidioc::_IOC_TYPE,
        answer: &mut Answer,
    ) -> Result<(), Failed> {
        if self.multi_planar {
            answer.buffer.m.planes = answer.planes.as_mut_ptr();
            answer.buffer.length = sys::VIDEO_MAX_PLANES;
        }
        self.ask(name, request, &mut answer.buffer)
    }

    /// Maps all memories of a buffer.
    fn map(&self, index: usize, memories: usize) -> Result<Vec<Map>, Failed> {
        let mut answer = self.buffer(index);
        self.exchange("VIDIOC_QUERYBUF", vidioc::VIDIOC_QUERYBUF, &mut answer)?;
        let planes = answer.planes.iter().take(memories);
        // SAFETY: for mapped memory the kernel fills in the union's `mem_offset`.
        let of_plane = |plane: &sys::v4l2_plane| (plane.length, unsafe { plane.m.mem_offset });
        // SAFETY: for mapped memory the kernel fills in the union's `offset`.
        let whole = (answer.buffer.length, unsafe { answer.buffer.m.offset });
        let parts: Vec<(u32, u32)> = match self.multi_planar {
            true => planes.map(of_plane).collect(),
            false => vec![whole],
        };
        let mapped = |(bytes, offset): (u32, u32)| Map::new(&self.device, bytes as usize, offset);
        let maps: io::Result<_> = parts.into_iter().map(mapped).collect();
        maps.map_err(|error| ("mmap", error))
    }
}

impl Queue {
    /// Has the driver make buffers of so many memories, and maps them.
    pub fn new(side: Side, memories: usize, count: u32) -> Result<Self, Failed> {
        let count = side.request(count)?.min(MOST_BUFFERS) as usize;
        if count == 0 {
            return Err(("VIDIOC_REQBUFS", io::Error::from_raw_os_error(libc::ENOMEM)));
        }
        let maps = (0..count).map(|index| side.map(index, memories));
        Ok(Self {
            maps: maps.collect::<Result<_, _>>()?,
            away: vec![false; count],
            side,
        })
    }

    /// Bytes that each memory of the smallest buffer has room for.
    pub fn room(&self) -> Vec<usize> {
        let memories = self.maps.first().map_or(0, Vec::len);
        let least = |n: usize| self.maps.iter().map(|maps| maps[n].len()).min();
        (0..memories).filter_map(least).collect()
    }

    /// A buffer that the driver has not.
    pub fn home(&self) -> Option<usize> {
        self.away.iter().position(|away| !away)
    }

    /// The memories of a buffer that the driver has not, to be written to.
    pub fn memories(&mut self, index: usize) -> Vec<&mut [u8]> {
        assert!(!self.away[index], "it is the driver's");
        let maps = self.maps[index].iter_mut();
        // SAFETY: the driver does not touch a buffer that is not queued, as was just seen, and it can't
        // be queued while the result borrows the queue.
        maps.map(|map| unsafe { map.whole_mut() }).collect()
    }

    /// What is in a buffer that the driver has given back.
    pub fn content(&self, taken: &Taken) -> &[u8] {
        assert!(!self.away[taken.index], "it is the driver's");
        // SAFETY: the driver does not write to a buffer that is not queued, as was just seen.
        unsafe { self.maps[taken.index][0].part(taken.part) }
    }

    /// Gives the driver a buffer: `bytes` are used of each memory, `stamp` is its number.
    pub fn queue(&mut self, index: usize, bytes: &[usize], stamp: u64) -> Result<(), Failed> {
        let mut answer = self.side.buffer(index);
        answer.buffer.timestamp.tv_sec = (stamp / 1_000_000) as _;
        answer.buffer.timestamp.tv_usec = (stamp % 1_000_000) as _;
        answer.buffer.bytesused = bytes.first().map_or(0, |bytes| *bytes as u32);
        for (n, bytes) in bytes.iter().enumerate() {
            answer.planes[n].bytesused = *bytes as u32;
            answer.planes[n].length = self.maps[index][n].len() as u32;
        }
        let side = self.side.clone();
        side.exchange("VIDIOC_QBUF", vidioc::VIDIOC_QBUF, &mut answer)?;
        self.away[index] = true;
        Ok(())
    }

    /// Gives the driver all buffers, to be filled.
    pub fn queue_all(&mut self) -> Result<(), Failed> {
        while let Some(index) = self.home() {
            self.queue(index, &[], 0)?;
        }
        Ok(())
    }

    /// The next buffer that the driver gives back; `None` if there is none.
    pub fn take(&mut self) -> Result<Option<Taken>, Failed> {
        let mut answer = self.side.buffer(0);
        match self
            .side
            .exchange("VIDIOC_DQBUF", vidioc::VIDIOC_DQBUF, &mut answer)
        {
            Err((_, error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            result => result?,
        }
        let buffer = &answer.buffer;
        let index = buffer.index as usize;
        if !self.away.get(index).copied().unwrap_or(false) {
            return Err(("VIDIOC_DQBUF", io::Error::from_raw_os_error(libc::EPROTO)));
        }
        self.away[index] = false;
        let (offset, used) = match self.side.multi_planar {
            true => (answer.planes[0].data_offset, answer.planes[0].bytesused),
            false => (0, buffer.bytesused),
        };
        // By V4L2, the bytes used include what lies before them.
        let bytes = used.saturating_sub(offset) as usize;
        Ok(Some(Taken {
            index,
            part: Part {
                offset: offset as usize,
                bytes,
            },
            flags: buffer.flags,
            stamp: stamp(buffer.timestamp),
        }))
    }

    /// Begins to stream.
    pub fn start(&mut self) -> Result<(), Failed> {
        let mut kind = self.side.buffer_type() as std::ffi::c_int;
        self.side
            .ask("VIDIOC_STREAMON", vidioc::VIDIOC_STREAMON, &mut kind)
    }

    /// Ceases to stream: the driver lets go of all buffers.
    pub fn stop(&mut self) -> Result<(), Failed> {
        let mut kind = self.side.buffer_type() as std::ffi::c_int;
        self.side
            .ask("VIDIOC_STREAMOFF", vidioc::VIDIOC_STREAMOFF, &mut kind)?;
        self.away.fill(false);
        Ok(())
    }
}

/// µs.
fn stamp(time: sys::timeval) -> u64 {
    let part = |number| u64::try_from(number).unwrap_or(0);
    part(time.tv_sec)
        .saturating_mul(1_000_000)
        .saturating_add(part(time.tv_usec))
}

impl Drop for Queue {
    fn drop(&mut self) {
        let stopped = self.stop();
        self.maps.clear();
        // A device that is gone refuses, and has stopped anyway.
        if let Err((call, error)) = stopped.and_then(|()| self.side.request(0).map(drop)) {
            tracing::debug!(%error, "{call}");
        }
    }
}
