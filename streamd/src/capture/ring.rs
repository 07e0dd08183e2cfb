//! The driver's buffers, mapped: filled ones are taken out and leased, and go back when the lease ends.
//!
//! A lease may end on any thread and at any time, also when the stream is off, the device unplugged
//! or the camera closed: it keeps mapping and descriptor alive. Its end is only noted: the capture
//! thread gives the buffer back, since a driver may not answer, and no other thread is to wait for it.

use std::{io, mem::ManuallyDrop, ptr::NonNull, sync::Arc, thread, time::Duration};

use parking_lot::{Condvar, Mutex};

use v4l::{buffer::Type, memory::Memory, v4l_sys as sys, v4l2::vidioc};

use crate::{
    capture::{
        descriptor::{Descriptor, ioctl},
        driver,
    },
    media::Timestamp,
};

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
    maps: Vec<Map>,
    descriptor: Arc<Descriptor>,
    /// By index. The lock is held for a look at them, never while the driver is asked.
    places: Mutex<Vec<Place>>,
    returned: Condvar,
}

/// Where a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// With the driver, or in the capture thread's hands.
    Home,
    Leased,
    /// Its lease has ended, and it is to be queued again.
    Returned,
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
    /// Taken out at the end.
    ring: ManuallyDrop<Arc<Buffers>>,
    index: usize,
    bytes: usize,
}

impl Ring {
    /// Has the driver make buffers, and maps them. On error, the ioctl's name and what it said.
    pub fn new(descriptor: Arc<Descriptor>) -> Result<Self, (&'static str, io::Error)> {
        let count = request(&descriptor, BUFFERS).map_err(|e| ("VIDIOC_REQBUFS", e))?;
        if count == 0 {
            return Err(("VIDIOC_REQBUFS", io::Error::from_raw_os_error(libc::ENOMEM)));
        }
        let maps = (0..count.min(MOST_BUFFERS))
            .map(|index| map(&descriptor, index))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(Buffers {
            places: Mutex::new(vec![Place::Home; maps.len()]),
            maps,
            descriptor,
            returned: Condvar::new(),
        })))
    }

    /// Queues every buffer that is not leased and starts the stream.
    pub fn start(&self) -> Result<(), (&'static str, io::Error)> {
        let result = self
            .queue_all()
            .map_err(|e| ("VIDIOC_QBUF", e))
            .and_then(|()| {
                self.switch(vidioc::VIDIOC_STREAMON)
                    .map_err(|e| ("VIDIOC_STREAMON", e))
            });
        if result.is_err() {
            self.stop();
        }
        result
    }

    fn queue_all(&self) -> io::Result<()> {
        self.take_back();
        let places = self.0.places.lock().clone();
        let mut ours = (0..).zip(places).filter(|(_, place)| *place == Place::Home);
        ours.try_for_each(|(index, _)| self.0.queue(index))
    }

    /// Gives the buffers whose leases have ended back to the driver.
    pub fn requeue_returned(&self) -> io::Result<()> {
        let back = self.take_back();
        back.into_iter().try_for_each(|index| self.0.queue(index))
    }

    /// The buffers whose leases have ended are the capture thread's again.
    fn take_back(&self) -> Vec<u32> {
        let mut places = self.0.places.lock();
        let returned = (0..).zip(places.iter_mut());
        let returned = returned.filter(|(_, place)| **place == Place::Returned);
        returned
            .map(|(index, place)| {
                *place = Place::Home;
                index
            })
            .collect()
    }

    /// Stops the stream: the driver lets go of all buffers.
    pub fn stop(&self) {
        // A device that is gone refuses, and has stopped anyway.
        if let Err(error) = self.switch(vidioc::VIDIOC_STREAMOFF) {
            tracing::debug!(%error, "VIDIOC_STREAMOFF");
        }
    }

    fn switch(&self, request: vidioc::_IOC_TYPE) -> io::Result<()> {
        let mut kind = Type::VideoCapture as std::os::raw::c_int;
        ioctl(self.0.descriptor.device(), request, &mut kind)
    }

    /// Bytes of the smallest buffer.
    pub fn room(&self) -> usize {
        self.0.maps.iter().map(|map| map.bytes).min().unwrap_or(0)
    }

    /// How many buffers there are.
    pub fn len(&self) -> usize {
        self.0.maps.len()
    }

    /// The oldest filled buffer; `None` if there is none.
    pub fn dequeue(&self) -> io::Result<Option<Filled>> {
        let mut buffer = descriptor(0);
        match ioctl(
            self.0.descriptor.device(),
            vidioc::VIDIOC_DQBUF,
            &mut buffer,
        ) {
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

    /// A copy of a buffer's picture, filled up with zeros to `least` bytes.
    pub fn copy(&self, filled: &Filled, least: usize) -> Vec<u8> {
        let map = &self.0.maps[filled.index as usize];
        let bytes = filled.bytes.min(map.bytes);
        // SAFETY: `bytes` lies within the mapping, and the driver does not write to a buffer that
        // is dequeued, as this one is while `filled` has not been given back.
        let mut copy = unsafe { std::slice::from_raw_parts(map.start.as_ptr(), bytes) }.to_vec();
        copy.resize(bytes.max(least), 0);
        copy
    }

    /// Leases a buffer, with at least `least` bytes of it; gives it back as it came if so many are
    /// leased that the driver would starve, or it has not so many bytes.
    pub fn lease(&self, filled: Filled, least: usize) -> Result<Lease, Filled> {
        let index = filled.index as usize;
        let room = self.0.maps[index].bytes;
        let mut places = self.0.places.lock();
        let out = places.iter().filter(|place| **place != Place::Home).count();
        if out >= self.len().saturating_sub(DRIVERS_OWN) || room < least {
            return Err(filled);
        }
        places[index] = Place::Leased;
        Ok(Lease {
            ring: ManuallyDrop::new(Arc::clone(&self.0)),
            index,
            bytes: filled.bytes.max(least).min(room),
        })
    }

    /// Gives the buffers back to the driver once all leases have ended, or after `limit`: another
    /// program may use the device only then.
    pub fn free(self, limit: Duration) {
        self.wait_for_leases(limit);
        let descriptor = Arc::clone(&self.0.descriptor);
        drop(self);
        // What is still leased keeps the driver from it, and ends soon.
        if let Err(error) = request(&descriptor, 0) {
            tracing::debug!(%error, "VIDIOC_REQBUFS");
        }
    }

    fn wait_for_leases(&self, limit: Duration) {
        let leased = |places: &mut Vec<Place>| places.contains(&Place::Leased);
        let mut places = self.0.places.lock();
        self.0.returned.wait_while_for(&mut places, leased, limit);
    }
}

impl Buffers {
    fn queue(&self, index: u32) -> io::Result<()> {
        ioctl(
            self.descriptor.device(),
            vidioc::VIDIOC_QBUF,
            &mut descriptor(index),
        )
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
        // SAFETY: it is taken once, here.
        let ring = unsafe { ManuallyDrop::take(&mut self.ring) };
        ring.places.lock()[self.index] = Place::Returned;
        ring.returned.notify_all();
        if let Some(last) = Arc::into_inner(ring) {
            // The device is closed by this, which may take its time, and the frame's holder has
            // other things to do. Without a thread to spare it is closed here.
            let close = move || drop(last);
            let _ = thread::Builder::new()
                .name("capture-close".into())
                .spawn(close);
        }
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
fn request(descriptor: &Descriptor, count: u32) -> io::Result<u32> {
    let mut request = sys::v4l2_requestbuffers {
        count,
        type_: Type::VideoCapture as u32,
        memory: Memory::Mmap as u32,
        // SAFETY: the structure is made of integers, for which zeros are valid.
        ..unsafe { std::mem::zeroed() }
    };
    ioctl(descriptor.device(), vidioc::VIDIOC_REQBUFS, &mut request)?;
    Ok(request.count)
}

fn map(at: &Descriptor, index: u32) -> Result<Map, (&'static str, io::Error)> {
    let mut buffer = descriptor(index);
    ioctl(at.device(), vidioc::VIDIOC_QUERYBUF, &mut buffer).map_err(|e| ("VIDIOC_QUERYBUF", e))?;
    let bytes = buffer.length as usize;
    // SAFETY: for mapped memory the kernel fills in the union's `offset`.
    let offset = unsafe { buffer.m.offset };
    // Some drivers refuse a mapping that can't be written to, though it is only read.
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let fd = at.device().handle().fd();
    let start = driver::call("mmap", || {
        let (shared, offset) = (libc::MAP_SHARED, offset as libc::off_t);
        // SAFETY: a new mapping, placed by the kernel.
        unsafe { v4l::v4l2::mmap(std::ptr::null_mut(), bytes, access, shared, fd, offset) }
    })
    .map_err(|e| ("mmap", e))?;
    let start = NonNull::new(start.cast()).expect("the kernel never maps at address 0 unasked");
    Ok(Map { start, bytes })
}
