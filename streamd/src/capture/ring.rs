//! The driver's buffers, mapped: filled ones are taken out and leased, and go back when the lease ends.
//!
//! A lease may end on any thread and at any time, also when the stream is off, the device unplugged
//! or the camera closed: it keeps mapping and descriptor alive, and is queued again only while the
//! stream it could serve is on.

use std::{io, ptr::NonNull, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};

use v4l::{buffer::Type, device::Handle, memory::Memory, v4l_sys as sys, v4l2::vidioc};

use crate::{capture::v4l2::ioctl, media::Timestamp};

/// Buffers asked of the driver: two for it to fill, two for an encoder (one being encoded, one
/// waiting), one to take the next frame in before it is known which of them is dropped.
const BUFFERS: u32 = 5;

/// More than any driver grants (`VIDEO_MAX_FRAME`).
const MOST_BUFFERS: u32 = 32;

/// Buffers that are never leased, so that the driver always has one to fill and one to go on with.
const DRIVERS_OWN: usize = 2;

/// The buffers of one open device.
pub(super) struct Ring(Arc<Buffers>);

struct Buffers {
    handle: Arc<Handle>,
    maps: Vec<Map>,
    state: Mutex<Queue>,
    returned: Condvar,
}

struct Queue {
    /// Whether a buffer that is given back is to be queued.
    on: bool,
    /// By index.
    leased: Vec<bool>,
}

/// A buffer's memory.
struct Map {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is plain shared memory, valid from every thread until it is unmapped on drop.
unsafe impl Send for Map {}
// SAFETY: as above; it is only read through a `Lease`, while the driver does not write to it.
unsafe impl Sync for Map {}

/// A buffer taken from the driver. It must be queued again or leased; a restart also queues it.
pub(super) struct Filled {
    index: u32,
    /// Bytes of the picture.
    pub bytes: usize,
    /// The driver's number of the frame.
    pub sequence: u32,
    /// The driver's stamp, where it is one of `CLOCK_MONOTONIC`.
    pub stamp: Option<Timestamp>,
    /// The driver says the content is broken.
    pub broken: bool,
}

/// A filled buffer in our hands; dropped, it goes back to the driver.
pub(super) struct Lease {
    ring: Arc<Buffers>,
    index: usize,
    bytes: usize,
}

impl Ring {
    /// Has the driver make buffers, and maps them. On error, the ioctl's name and what it said.
    pub fn new(handle: Arc<Handle>) -> Result<Self, (&'static str, io::Error)> {
        let count = request(&handle, BUFFERS).map_err(|e| ("VIDIOC_REQBUFS", e))?;
        if count == 0 {
            return Err(("VIDIOC_REQBUFS", io::Error::from_raw_os_error(libc::ENOMEM)));
        }
        let maps = (0..count.min(MOST_BUFFERS))
            .map(|index| map(&handle, index))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(Buffers {
            handle,
            state: Mutex::new(Queue {
                on: false,
                leased: vec![false; maps.len()],
            }),
            maps,
            returned: Condvar::new(),
        })))
    }

    /// Queues every buffer that is not leased and starts the stream.
    pub fn start(&self) -> Result<(), (&'static str, io::Error)> {
        let result = self
            .queue_all()
            .map_err(|e| ("VIDIOC_QBUF", e))
            .and_then(|()| {
                // STREAMON may take a second; it runs without the lock, so that a lease that ends
                // meanwhile does not hold up the encoder.
                self.switch(vidioc::VIDIOC_STREAMON)
                    .map_err(|e| ("VIDIOC_STREAMON", e))
            });
        if result.is_err() {
            self.stop();
        }
        result
    }

    fn queue_all(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        state.on = true;
        for (index, leased) in (0..).zip(&state.leased) {
            if !leased {
                self.0.queue(index)?;
            }
        }
        Ok(())
    }

    /// Stops the stream: the driver lets go of all buffers.
    pub fn stop(&self) {
        self.0.state.lock().on = false;
        // A device that is gone refuses, and has stopped anyway.
        if let Err(error) = self.switch(vidioc::VIDIOC_STREAMOFF) {
            tracing::debug!(%error, "VIDIOC_STREAMOFF");
        }
    }

    fn switch(&self, request: vidioc::_IOC_TYPE) -> io::Result<()> {
        let mut kind = Type::VideoCapture as std::os::raw::c_int;
        ioctl(&self.0.handle, request, &mut kind)
    }

    /// How many buffers there are.
    pub fn len(&self) -> usize {
        self.0.maps.len()
    }

    /// The oldest filled buffer; `None` if there is none.
    pub fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut buffer = descriptor(0);
        match ioctl(&self.0.handle, vidioc::VIDIOC_DQBUF, &mut buffer) {
            Ok(()) if buffer.index as usize >= self.len() => {
                Err(io::Error::from_raw_os_error(libc::EPROTO))
            }
            Ok(()) => Ok(Some(Filled::of(&buffer))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a buffer back to the driver at once.
    pub fn requeue(&self, filled: Filled) -> io::Result<()> {
        self.0.queue(filled.index)
    }

    /// A copy of a buffer's picture, where no lease can be afforded.
    pub fn copy(&self, filled: &Filled) -> Vec<u8> {
        let map = &self.0.maps[filled.index as usize];
        let bytes = filled.bytes.min(map.bytes);
        // SAFETY: `bytes` lies within the mapping, and the driver does not write to a buffer that
        // is dequeued, as this one is while `filled` has not been given back.
        unsafe { std::slice::from_raw_parts(map.start.as_ptr(), bytes) }.to_vec()
    }

    /// Leases a buffer; gives it back as it came if so many are leased that the driver would starve.
    pub fn lease(&self, filled: Filled) -> Result<Lease, Filled> {
        let mut state = self.0.state.lock();
        let out = state.leased.iter().filter(|leased| **leased).count();
        if out >= self.len().saturating_sub(DRIVERS_OWN) {
            return Err(filled);
        }
        let index = filled.index as usize;
        state.leased[index] = true;
        Ok(Lease {
            ring: Arc::clone(&self.0),
            index,
            bytes: filled.bytes.min(self.0.maps[index].bytes),
        })
    }

    /// Gives the buffers back to the driver once all leases have ended, or after `limit`: another
    /// program may use the device only then.
    pub fn free(self, limit: Duration) {
        self.wait_for_leases(limit);
        let handle = Arc::clone(&self.0.handle);
        drop(self);
        // What is still leased keeps the driver from it, and ends soon.
        if let Err(error) = request(&handle, 0) {
            tracing::debug!(%error, "VIDIOC_REQBUFS");
        }
    }

    fn wait_for_leases(&self, limit: Duration) {
        let leased = |state: &mut Queue| state.leased.iter().any(|leased| *leased);
        let mut state = self.0.state.lock();
        self.0.returned.wait_while_for(&mut state, leased, limit);
    }
}

impl Buffers {
    fn queue(&self, index: u32) -> io::Result<()> {
        ioctl(&self.handle, vidioc::VIDIOC_QBUF, &mut descriptor(index))
    }
}

impl Filled {
    fn of(buffer: &sys::v4l2_buffer) -> Self {
        let clock = buffer.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK;
        let stamp = (clock == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC).then(|| {
            let seconds = u64::try_from(buffer.timestamp.tv_sec).unwrap_or(0);
            let micros = u64::try_from(buffer.timestamp.tv_usec).unwrap_or(0);
            Timestamp::from_nanos(
                seconds
                    .saturating_mul(1_000_000_000)
                    .saturating_add(micros * 1000),
            )
        });
        Self {
            index: buffer.index,
            bytes: buffer.bytesused as usize,
            sequence: buffer.sequence,
            stamp,
            broken: buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
        }
    }
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        let map = &self.ring.maps[self.index];
        // SAFETY: `bytes` lies within the mapping, which lives as long as `ring`; the driver does
        // not write to a buffer that is dequeued, and this one is not queued before the drop.
        unsafe { std::slice::from_raw_parts(map.start.as_ptr(), self.bytes) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = self.ring.state.lock();
        state.leased[self.index] = false;
        if state.on {
            // If it fails the stream is broken, which the capture thread sees by itself.
            if let Err(error) = self.ring.queue(self.index as u32) {
                tracing::debug!(%error, "VIDIOC_QBUF");
            }
        }
        drop(state);
        self.ring.returned.notify_all();
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this start and length, and nothing borrows it any more.
        let result = unsafe { v4l::v4l2::munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(result.is_ok(), "{result:?}");
    }
}

/// A `v4l2_buffer` that names the buffer and nothing else.
fn descriptor(index: u32) -> sys::v4l2_buffer {
    sys::v4l2_buffer {
        index,
        type_: Type::VideoCapture as u32,
        memory: Memory::Mmap as u32,
        // SAFETY: the structure is made of integers, for which zeros are valid.
        ..unsafe { std::mem::zeroed() }
    }
}

/// Has the driver make so many buffers, or free all; returns how many there are.
fn request(handle: &Handle, count: u32) -> io::Result<u32> {
    let mut request = sys::v4l2_requestbuffers {
        count,
        type_: Type::VideoCapture as u32,
        memory: Memory::Mmap as u32,
        // SAFETY: the structure is made of integers, for which zeros are valid.
        ..unsafe { std::mem::zeroed() }
    };
    ioctl(handle, vidioc::VIDIOC_REQBUFS, &mut request)?;
    Ok(request.count)
}

fn map(handle: &Handle, index: u32) -> Result<Map, (&'static str, io::Error)> {
    let mut buffer = descriptor(index);
    ioctl(handle, vidioc::VIDIOC_QUERYBUF, &mut buffer).map_err(|e| ("VIDIOC_QUERYBUF", e))?;
    let bytes = buffer.length as usize;
    // SAFETY: for mapped memory the kernel fills in the union's `offset`.
    let offset = unsafe { buffer.m.offset };
    // Some drivers refuse a mapping that can't be written to, though it is only read.
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, placed by the kernel.
    let start = unsafe {
        v4l::v4l2::mmap(
            std::ptr::null_mut(),
            bytes,
            access,
            libc::MAP_SHARED,
            handle.fd(),
            offset as libc::off_t,
        )
    }
    .map_err(|e| ("mmap", e))?;
    let start = NonNull::new(start.cast()).expect("the kernel never maps at address 0 unasked");
    Ok(Map { start, bytes })
}
