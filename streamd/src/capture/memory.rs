//! How a driver's buffers hold a picture. By the single-planar API it is one run of bytes; by the
//! multi-planar one, each of the picture's planes may lie in a memory of its own.

use std::{io, ptr::NonNull};

use v4l::{buffer::Type, memory::Memory as Kind, v4l_sys as sys, v4l2::vidioc};

use super::{
    descriptor::{Descriptor, ioctl},
    driver,
};
use crate::media::{Layout, MOST_PLANES, Plane};

/// Of V4L2's two APIs for buffers, the one that a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE`
    SinglePlanar,
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`
    MultiPlanar,
}

impl Api {
    /// By the capabilities of a node; `None` if it captures no video.
    pub fn of(capabilities: u32) -> Option<Self> {
        let has = |capability| capabilities & capability != 0;
        if has(sys::V4L2_CAP_VIDEO_CAPTURE) {
            Some(Self::SinglePlanar)
        } else {
            has(sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE).then_some(Self::MultiPlanar)
        }
    }

    /// The type of its buffers.
    pub const fn buffer_type(self) -> u32 {
        match self {
            Self::SinglePlanar => Type::VideoCapture as u32,
            Self::MultiPlanar => Type::VideoCaptureMplane as u32,
        }
    }
}

/// How the bytes of a picture are spread over the memories of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spread {
    pub api: Api,
    /// Bytes from one line to the next in each memory, by the driver's word.
    strides: Vec<usize>,
    /// The picture in one run of bytes.
    planes: [Plane; MOST_PLANES],
}

/// What a memory of a filled buffer holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Part {
    /// Where it begins.
    pub offset: usize,
    /// Bytes from there.
    pub bytes: usize,
}

/// A buffer of the driver's, as it answers a question about it.
pub(super) struct Answer {
    pub buffer: sys::v4l2_buffer,
    /// Filled in by the multi-planar API only.
    planes: [sys::v4l2_plane; sys::VIDEO_MAX_PLANES as usize],
}

/// A memory of a buffer, mapped.
pub(crate) struct Map {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is plain shared memory, valid from every thread until it is unmapped on drop.
unsafe impl Send for Map {}
// SAFETY: as above; it is only read, while the driver does not write to it.
unsafe impl Sync for Map {}

impl Spread {
    /// By the strides that the driver gave, one for each memory. `None` if there is neither one
    /// memory nor one for each plane of the format.
    pub fn new(api: Api, layout: Layout, strides: &[u32]) -> Option<Self> {
        let planes = layout.planes();
        let count = planes.iter().filter(|plane| plane.lines > 0).count();
        // Of a driver that says no stride, the lines have no padding.
        let strides = strides.iter().zip(&planes);
        let strides: Vec<_> = strides
            .map(|(stride, plane)| (*stride as usize).max(plane.shown))
            .collect();
        (strides.len() == 1 || strides.len() == count).then_some(Self {
            api,
            strides,
            planes,
        })
    }

    /// How many memories a buffer has.
    pub const fn memories(&self) -> usize {
        self.strides.len()
    }

    /// Bytes of the picture, in one run, where each memory has so many. Of the lines' padding, the
    /// last one may be missing.
    pub fn bytes(&self, have: impl IntoIterator<Item = usize>) -> usize {
        let have = have.into_iter();
        if self.memories() == 1 {
            return have.take(1).sum();
        }
        let mut bytes = 0;
        for ((have, plane), stride) in have.zip(&self.planes).zip(&self.strides) {
            let need = stride * plane.lines.saturating_sub(1) + plane.shown;
            if have < need {
                return bytes + have.min(plane.bytes().saturating_sub(1));
            }
            bytes += plane.bytes();
        }
        bytes
    }

    /// The picture in one run of bytes, from what each memory holds. What is missing is zeros.
    pub fn gather<'a>(&self, memories: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
        let whole = self.planes.iter().map(Plane::bytes).sum();
        let mut picture = Vec::with_capacity(whole);
        let memories = memories.into_iter().zip(&self.planes).zip(&self.strides);
        for ((memory, plane), stride) in memories {
            let end = picture.len() + plane.bytes();
            for line in memory.chunks(*stride).take(plane.lines) {
                let next = picture.len() + plane.line;
                picture.extend_from_slice(&line[..line.len().min(plane.line)]);
                picture.resize(next, 0);
            }
            picture.resize(end, 0);
        }
        picture.resize(whole, 0);
        picture
    }
}

impl Answer {
    /// Bytes that each memory has room for.
    fn lengths(&self, spread: &Spread) -> Result<Vec<usize>, io::Error> {
        match spread.api {
            Api::SinglePlanar => Ok(vec![self.buffer.length as usize]),
            Api::MultiPlanar if self.buffer.length as usize == spread.memories() => {
                let planes = self.planes.iter().take(spread.memories());
                Ok(planes.map(|plane| plane.length as usize).collect())
            }
            Api::MultiPlanar => Err(io::Error::from_raw_os_error(libc::EPROTO)),
        }
    }

    /// Where a memory is to be mapped from.
    fn offset(&self, api: Api, memory: usize) -> u32 {
        match api {
            // SAFETY: for mapped memory the kernel fills in the union's `offset`.
            Api::SinglePlanar => unsafe { self.buffer.m.offset },
            // SAFETY: for mapped memory the kernel fills in the union's `mem_offset`.
            Api::MultiPlanar => unsafe { self.planes[memory].m.mem_offset },
        }
    }

    /// What is in each memory.
    pub fn parts(&self, api: Api) -> [Part; MOST_PLANES] {
        match api {
            Api::SinglePlanar => {
                let bytes = self.buffer.bytesused as usize;
                [Part { offset: 0, bytes }, Part::default(), Part::default()]
            }
            Api::MultiPlanar => std::array::from_fn(|memory| {
                let plane = &self.planes[memory];
                // By V4L2, the bytes used include what lies before the picture.
                let bytes = plane.bytesused.saturating_sub(plane.data_offset) as usize;
                let offset = plane.data_offset as usize;
                Part { offset, bytes }
            }),
        }
    }
}

impl Map {
    /// Its bytes.
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// What is in it of this part.
    ///
    /// # Safety
    /// The driver does not write to it as long as the result is in use: the buffer is dequeued.
    pub unsafe fn part(&self, part: Part) -> &[u8] {
        let offset = part.offset.min(self.bytes);
        let bytes = part.bytes.min(self.bytes - offset);
        // SAFETY: it lies within the mapping, which lives as long as the result; nobody writes to
        // it, as the caller promises.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset), bytes) }
    }

    /// All of it, to be written to.
    ///
    /// # Safety
    /// The driver does not touch it as long as the result is in use: the buffer is not queued.
    #[cfg(feature = "h264")]
    pub unsafe fn whole_mut(&mut self) -> &mut [u8] {
        // SAFETY: it is the mapping, which lives as long as the result; nobody else has it, as the
        // caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    /// Maps so many bytes of a device.
    pub fn new(at: &Descriptor, bytes: usize, offset: u32) -> io::Result<Self> {
        // Some drivers refuse a mapping that can't be written to, though it is only read.
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let fd = at.device().handle().fd();
        let start = driver::call("mmap", || {
            let (shared, offset) = (libc::MAP_SHARED, offset as libc::off_t);
            // SAFETY: a new mapping, placed by the kernel.
            unsafe { v4l::v4l2::mmap(std::ptr::null_mut(), bytes, access, shared, fd, offset) }
        })?;
        let start = NonNull::new(start.cast()).expect("the kernel never maps at address 0 unasked");
        Ok(Self { start, bytes })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let unmap = || {
            // SAFETY: the mapping was made with this start and length, and nothing borrows it any more.
            unsafe { v4l::v4l2::munmap(self.start.as_ptr().cast(), self.bytes) }
        };
        let result = driver::call("munmap", unmap);
        debug_assert!(result.is_ok(), "{result:?}");
    }
}

/// A question about the buffer `index`: `VIDIOC_QUERYBUF`, `VIDIOC_QBUF` or `VIDIOC_DQBUF`.
pub(super) fn ask(
    at: &Descriptor,
    api: Api,
    request: vidioc::_IOC_TYPE,
    index: u32,
) -> io::Result<Answer> {
    // SAFETY: the structure is made of integers and a pointer, for which zeros are valid.
    let mut answer: Answer = unsafe { std::mem::zeroed() };
    answer.buffer.index = index;
    answer.buffer.type_ = api.buffer_type();
    answer.buffer.memory = Kind::Mmap as u32;
    if api == Api::MultiPlanar {
        answer.buffer.m.planes = answer.planes.as_mut_ptr();
        answer.buffer.length = sys::VIDEO_MAX_PLANES;
    }
    ioctl(at.device(), request, &mut answer.buffer)?;
    Ok(answer)
}

/// Maps all memories of the buffer `index`. On error, the name of the call and what it said.
pub(super) fn map(
    at: &Descriptor,
    spread: &Spread,
    index: u32,
) -> Result<Vec<Map>, (&'static str, io::Error)> {
    let queried = |error| ("VIDIOC_QUERYBUF", error);
    let answer = ask(at, spread.api, vidioc::VIDIOC_QUERYBUF, index).map_err(queried)?;
    let lengths = answer.lengths(spread).map_err(queried)?;
    let memories = lengths.into_iter().enumerate();
    memories
        .map(|(memory, bytes)| Map::new(at, bytes, answer.offset(spread.api, memory)))
        .collect::<io::Result<_>>()
        .map_err(|error| ("mmap", error))
}

/// Has the driver make so many buffers, or free all; returns how many there are.
pub(super) fn request(at: &Descriptor, api: Api, count: u32) -> io::Result<u32> {
    let mut request = sys::v4l2_requestbuffers {
        count,
        type_: api.buffer_type(),
        memory: Kind::Mmap as u32,
        // SAFETY: the structure is made of integers, for which zeros are valid.
        ..unsafe { std::mem::zeroed() }
    };
    ioctl(at.device(), vidioc::VIDIOC_REQBUFS, &mut request)?;
    Ok(request.count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, PixelFormat};

    fn spread(format: PixelFormat, size: (u32, u32, u32), strides: &[u32]) -> Option<Spread> {
        let (width, height, stride) = size;
        let colour = Colour::JFIF;
        let layout = Layout {
            format,
            width,
            height,
            stride,
            colour,
        };
        Spread::new(Api::MultiPlanar, layout, strides)
    }

    #[test]
    fn planes_come_together_whatever_their_strides() {
        // 3 x 3 pixels, lines of 4 bytes; chroma lines of 3 bytes where 2 show something.
        let spread = spread(PixelFormat::Yu12, (3, 3, 4), &[4, 3, 3]).expect("three planes");
        let luma = b"abc.def.ghi";
        let (blue, red) = (b"kl-mn-", b"op-q");
        let parts: [&[u8]; 3] = [luma, blue, red];
        let picture = spread.gather(parts);
        assert_eq!(picture, b"abc.def.ghi\0klmnopq\0");
        assert_eq!(spread.bytes([11, 6, 5]), 20);
        assert_eq!(spread.bytes([11, 5, 5]), 20);
        assert!(spread.bytes([11, 4, 6]) < 20);
        assert!(spread.bytes([12, 6, 0]) < 20);
        assert!(spread.bytes([10, 6, 6]) < 12);
    }

    #[test]
    fn a_memory_for_each_plane_or_one_for_all() {
        let (nv12, size) = (PixelFormat::Nv12, (4, 2, 4));
        assert!(spread(nv12, size, &[4]).is_some());
        assert!(spread(nv12, size, &[4, 4]).is_some());
        for strides in [&[][..], &[4, 2, 2]] {
            assert_eq!(spread(nv12, size, strides), None);
        }
        assert!(spread(PixelFormat::Mjpg, (4, 2, 0), &[0]).is_some());
        assert!(spread(PixelFormat::Mjpg, (4, 2, 0), &[0, 0]).is_none());
    }

    #[test]
    fn a_driver_that_says_no_stride_has_lines_without_padding() {
        let spread = spread(PixelFormat::Nv12, (4, 2, 4), &[0, 0]).expect("two planes");
        let parts: [&[u8]; 2] = [b"abcdefgh", b"uvuv"];
        assert_eq!(spread.gather(parts), b"abcdefghuvuv");
    }

    #[test]
    fn the_single_planar_api_comes_first() {
        let both = sys::V4L2_CAP_VIDEO_CAPTURE | sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE;
        assert_eq!(Api::of(both), Some(Api::SinglePlanar));
        let multi = sys::V4L2_CAP_VIDEO_CAPTURE_MPLANE;
        assert_eq!(Api::of(multi), Some(Api::MultiPlanar));
        assert_eq!(Api::of(sys::V4L2_CAP_VIDEO_OUTPUT), None);
    }
}
