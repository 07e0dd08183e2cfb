//! The driver's buffers, mapped: filled ones are taken out and leased, and go back when the lease ends.
//!
//! A lease may end on any thread and at any time, also when the stream is off, the device unplugged
//! or the camera closed: it keeps mapping and descriptor alive. Its end is only noted: the capture
//! thread gives the buffer back, since a driver may not answer, and no other thread is to wait for it.

use std::{io, mem::ManuallyDrop, sync::Arc, thread, time::Duration};

use parking_lot::{Condvar, Mutex};

use v4l::{v4l_sys as sys, v4l2::vidioc};

use crate::{
    capture::{
        descriptor::{Descriptor, ioctl},
        memory::{self, Answer, Map, Part, Spread},
    },
    media::{MOST_PLANES, Timestamp},
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
    /// By index, the memories of each.
    maps: Vec<Vec<Map>>,
    spread: Spread,
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

/// A buffer taken from the driver. It must be queued again or leased; a restart also queues it.
pub(super) struct Filled {
    index: u32,
    parts: [Part; MOST_PLANES],
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
    part: Part,
}

impl Ring {
    /// Has the driver make buffers, and maps them. On error, the ioctl's name and what it said.
    pub fn new(
        descriptor: Arc<Descriptor>,
        spread: Spread,
    ) -> Result<Self, (&'static str, io::Error)> {
        let count =
            memory::request(&descriptor, spread.api, BUFFERS).map_err(|e| ("VIDIOC_REQBUFS", e))?;
        if count == 0 {
            return Err(("VIDIOC_REQBUFS", io::Error::from_raw_os_error(libc::ENOMEM)));
        }
        let maps = (0..count.min(MOST_BUFFERS))
            .map(|index| memory::map(&descriptor, &spread, index))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(Buffers {
            places: Mutex::new(vec![Place::Home; maps.len()]),
            maps,
            spread,
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
        let mut kind = self.0.spread.api.buffer_type();
        ioctl(self.0.descriptor.device(), request, &mut kind)
    }

    /// Bytes of a picture that the smallest buffer has room for.
    pub fn room(&self) -> usize {
        let room = |maps: &Vec<Map>| self.0.spread.bytes(maps.iter().map(Map::len));
        self.0.maps.iter().map(room).min().unwrap_or(0)
    }

    /// How many buffers there are.
    pub fn len(&self) -> usize {
        self.0.maps.len()
    }

    /// The oldest filled buffer; `None` if there is none.
    pub fn dequeue(&self) -> io::Result<Option<Filled>> {
        match self.0.ask(vidioc::VIDIOC_DQBUF, 0) {
            Ok(answer) if answer.buffer.index as usize >= self.len() => {
                Err(io::Error::from_raw_os_error(libc::EPROTO))
            }
            Ok(answer) => Ok(Some(Filled::of(&answer, &self.0.spread))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a buffer back to the driver at once.
    pub fn requeue(&self, filled: Filled) -> io::Result<()> {
        self.0.queue(filled.index)
    }

    /// A copy of a buffer's picture, in one run of bytes filled up with zeros to `least`.
    pub fn copy(&self, filled: &Filled, least: usize) -> Vec<u8> {
        let maps = self.0.maps[filled.index as usize].iter();
        // SAFETY: the driver does not write to a buffer that is dequeued, as this one is while
        // `filled` has not been given back.
        let mut parts = maps
            .zip(filled.parts)
            .map(|(map, part)| unsafe { map.part(part) });
        let mut copy = match self.0.spread.memories() {
            1 => parts.next().map_or_else(Vec::new, <[u8]>::to_vec),
            _ => self.0.spread.gather(parts),
        };
        copy.resize(copy.len().max(least), 0);
        copy
    }

    /// Leases a buffer, with at least `least` bytes of it; gives it back as it came if so many are
    /// leased that the driver would starve, it has not so many bytes, or they lie in several memories.
    pub fn lease(&self, filled: Filled, least: usize) -> Result<Lease, Filled> {
        let index = filled.index as usize;
        let [map] = &self.0.maps[index][..] else {
            return Err(filled);
        };
        let part = Part {
            bytes: filled.bytes.max(least),
            ..filled.parts[0]
        };
        let room = map.len().saturating_sub(part.offset);
        let mut places = self.0.places.lock();
        let out = places.iter().filter(|place| **place != Place::Home).count();
        if out >= self.len().saturating_sub(DRIVERS_OWN) || room < least {
            return Err(filled);
        }
        places[index] = Place::Leased;
        Ok(Lease {
            ring: ManuallyDrop::new(Arc::clone(&self.0)),
            index,
            part,
        })
    }

    /// Gives the buffers back to the driver once all leases have ended, or after `limit`: another
    /// program may use the device only then.
    pub fn free(self, limit: Duration) {
        self.wait_for_leases(limit);
        let (descriptor, api) = (Arc::clone(&self.0.descriptor), self.0.spread.api);
        drop(self);
        // What is still leased keeps the driver from it, and ends soon.
        if let Err(error) = memory::request(&descriptor, api, 0) {
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
        self.ask(vidioc::VIDIOC_QBUF, index).map(drop)
    }

    fn ask(&self, request: vidioc::_IOC_TYPE, index: u32) -> io::Result<Answer> {
        memory::ask(&self.descriptor, self.spread.api, request, index)
    }
}

impl Filled {
    fn of(answer: &Answer, spread: &Spread) -> Self {
        let buffer = &answer.buffer;
        let parts = answer.parts(spread.api);
        let clock = buffer.flags & sys::V4L2_BUF_FLAG_TIMESTAMP_MASK;
        let stamp = (clock == sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC).then(|| {
            let seconds = u64::try_from(buffer.timestamp.tv_sec).unwrap_or(0);
            let micros = u64::try_from(buffer.timestamp.tv_usec).unwrap_or(0);
            Timestamp::from_nanos(
                seconds
                    .saturating_mul(1_000_000_000)
                    .saturating_add(micros.saturating_mul(1000)),
            )
        });
        Self {
            index: buffer.index,
            bytes: spread.bytes(parts.map(|part| part.bytes)),
            parts,
            sequence: buffer.sequence,
            stamp,
            broken: buffer.flags & sys::V4L2_BUF_FLAG_ERROR != 0,
        }
    }
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the driver does not write to a buffer that is dequeued, and this one is not queued
        // before the drop.
        unsafe { self.ring.maps[self.index][0].part(self.part) }
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
