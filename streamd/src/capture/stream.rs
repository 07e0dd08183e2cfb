//! An open camera's stream: on and off, the newest frame, and what can be healed without closing it.

use std::{io, os::fd::BorrowedFd, path::Path, time::Duration};

use nix::poll::PollFlags;

use crate::{
    capture::{
        Settings, continuity,
        continuity::Continuity,
        error::DeviceError,
        pace::Pacer,
        pulse::Pulse,
        ring::{Filled, Ring},
        timings,
        v4l2::Camera,
        whole,
    },
    config::values::Fps,
    media::{Origin, RawFrame, Timestamp},
    meters::CaptureCounters,
};

/// A stream that is on and brings no whole picture for so long is lost: viewers know within 2 s. A
/// camera slower than that is given three of its intervals.
const SILENCE: Duration = Duration::from_millis(1900);

/// Restarts in a row without a frame between them before the camera is given up.
const RESTARTS: u32 = 3;

/// So many wake-ups in a row may bring no frame before the descriptor is left alone for [`REST`]: a
/// driver that says "readable" and has nothing must not keep a core busy.
const EMPTY_WAKES: u32 = 4;

/// A pause of polling.
const REST: Duration = Duration::from_millis(10);

/// Frames that a driver needs longer for than this are not waited for to see whether there is a
/// newer one.
const LONGEST_PULL: Duration = Duration::from_millis(100);

/// For a camera that is never lost for being silent: 50 years.
const NEVER: Duration = Duration::from_secs(50 * 365 * 24 * 3600);

/// How long a camera that is closed waits for the frames that are being encoded.
const LEASES_END: Duration = Duration::from_millis(250);

/// The newest whole frame in the driver's queue.
struct Newest {
    filled: Filled,
    /// Periods of the driver from the last frame that the pacer saw to this one.
    periods: u64,
}

/// A camera and its buffers. Dropped, it is stopped, and closed when the last lease ends.
pub(super) struct Stream {
    camera: Camera,
    /// Made at the first start: a camera nobody watches holds no memory.
    ring: Option<Ring>,
    on: bool,
    /// It has no buffers while it is off: another program may have set up the device since.
    released: bool,
    settings: Settings,
    pacer: Pacer,
    continuity: Continuity,
    /// Filled buffers that were taken out.
    seen: u64,
    /// Periods of the driver since the pacer last saw a frame.
    periods: u64,
    /// Whether usable pictures come.
    pub pulse: Pulse,
    /// When the last whole frame was captured.
    captured: Timestamp,
    restarts: u32,
    /// An idle descriptor that reports an error, though the device is there, is not polled.
    deaf: bool,
    /// Wake-ups in a row without a frame.
    empty: u32,
    /// After too many of them, the descriptor is not polled until then.
    rests_until: Timestamp,
}

impl Stream {
    /// Opens the device at `path`; the stream is off.
    pub fn open(path: &Path, settings: &Settings) -> Result<Self, DeviceError> {
        let camera = Camera::open(path, settings)?;
        Ok(Self {
            pacer: Pacer::new(settings.fps, camera.driver_fps),
            camera,
            ring: None,
            on: false,
            released: false,
            settings: settings.clone(),
            continuity: Continuity::default(),
            seen: 0,
            periods: 0,
            pulse: Pulse::new(Timestamp::now()),
            captured: Timestamp::default(),
            restarts: 0,
            deaf: false,
            empty: 0,
            rests_until: Timestamp::default(),
        })
    }

    /// The device.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Whether frames are to come.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Switches the camera on; nothing happens if it is.
    pub fn start(&mut self) -> Result<(), DeviceError> {
        if self.on {
            return Ok(());
        }
        if std::mem::take(&mut self.released) {
            self.camera.set_up(&self.settings)?;
        }
        let path = self.camera.path.clone();
        let failed =
            |(step, error): (&'static str, io::Error)| DeviceError::of(&path, step, &error);
        let ring = match self.ring.take() {
            Some(ring) => ring,
            None => {
                Ring::new(self.camera.descriptor(), self.camera.spread.clone()).map_err(failed)?
            }
        };
        let (have, need) = (ring.room(), whole::least(self.camera.layout));
        if have < need {
            return Err(DeviceError::Buffers { path, have, need });
        }
        let result = ring.start().map_err(failed);
        self.ring = Some(ring);
        result?;
        self.on = true;
        self.deaf = false;
        self.continuity = Continuity::default();
        self.periods = 0;
        self.pacer = Pacer::new(self.settings.fps, self.camera.driver_fps);
        self.pulse.starts(Timestamp::now());
        Ok(())
    }

    /// Switches it off.
    pub fn stop(&mut self) {
        if let Some(ring) = self.ring.as_ref().filter(|_| self.on) {
            ring.stop();
        }
        self.on = false;
    }

    /// Lets the buffers of a stream that is off go, so that another program may use the device.
    /// Waits for the frames that are being encoded, since the driver keeps it busy for them.
    pub fn release(&mut self) {
        if let Some(ring) = self.ring.take() {
            ring.free(LEASES_END);
        }
        self.released = true;
    }

    /// Closes a device that is to be opened anew.
    pub fn close(mut self) {
        self.stop();
        self.release();
    }

    /// Changes the rate: by the driver where it lets us while streaming, by a short restart where
    /// it has to run faster for it, and by pacing in any case.
    pub fn set_fps(&mut self, fps: Fps) -> Result<(), DeviceError> {
        self.settings.fps = fps;
        let refused = self.camera.request_fps(fps).is_err();
        if refused && self.on && self.camera.is_too_slow_for(fps) {
            self.stop();
            if let Err(error) = self.camera.request_fps(fps) {
                tracing::debug!(%error, "VIDIOC_S_PARM");
            }
            self.start()?;
        }
        self.pacer = Pacer::new(fps, self.camera.driver_fps);
        Ok(())
    }

    /// What to poll the descriptor for. An idle camera is polled without POLLIN, for which the
    /// kernel would answer POLLERR at once; an unplugged one answers POLLHUP to anything.
    pub fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let events = if self.on {
            PollFlags::POLLIN | PollFlags::POLLPRI
        } else {
            PollFlags::POLLPRI
        };
        let listens = !self.deaf && self.rests_until <= Timestamp::now();
        listens.then(|| (self.camera.fd(), events))
    }

    /// What the poll returned is attended to. Gives the newest frame if there is one to hand on.
    pub fn woken(
        &mut self,
        events: PollFlags,
        counters: &CaptureCounters,
    ) -> Result<Option<RawFrame>, DeviceError> {
        if events.is_empty() {
            return Ok(None);
        }
        if events.contains(PollFlags::POLLPRI) {
            timings::follow(&self.camera)?;
        }
        let trouble =
            events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL);
        if !self.on {
            if trouble {
                self.camera.check()?;
                self.deaf = true;
            }
            return Ok(None);
        }
        let before = self.seen;
        let frame = match self.pull(counters) {
            Ok(frame) => frame,
            Err(error) => return self.heal(&error).map(|()| None),
        };
        if trouble && self.seen == before {
            // An error that brings no frame would come back at once, for ever.
            self.camera.check()?;
            self.heal(&io::Error::from_raw_os_error(libc::EIO))?;
        }
        if self.seen == before {
            self.empty += 1;
            if self.empty > EMPTY_WAKES {
                self.rests_until = Timestamp::now() + REST;
            }
        } else {
            self.empty = 0;
        }
        Ok(frame)
    }

    /// Why the stream counts as lost, if no whole picture has come for too long.
    pub fn silence(&self, now: Timestamp) -> Option<DeviceError> {
        let patience = self.patience();
        if !self.on || now.since(self.pulse.last) < patience {
            return None;
        }
        if let Err(error) = self.camera.check() {
            return Some(error);
        }
        let path = self.camera.path.clone();
        Some(match self.pulse.fault.clone() {
            Some(what) => DeviceError::Broken { path, what },
            None => DeviceError::Silent {
                path,
                seconds: patience.as_secs_f64().round().max(1.0) as u64,
            },
        })
    }

    /// For how long nothing may come: what the settings say, else by the rate.
    fn patience(&self) -> Duration {
        match self.settings.frame_timeout {
            Some(Duration::ZERO) => return NEVER,
            Some(timeout) => return timeout,
            None => {}
        }
        let fps = match self.camera.driver_fps {
            0.0 => self.settings.fps.get(),
            fps => fps,
        };
        SILENCE.max(Duration::from_secs_f64(3.0 / fps.max(0.01)))
    }

    /// When it counts as lost if nothing comes.
    pub fn lost_at(&self) -> Timestamp {
        self.pulse.last + self.patience()
    }

    /// Until when its descriptor is left alone.
    pub fn rests_until(&self) -> Timestamp {
        self.rests_until
    }

    /// For how long nothing may come, from now on.
    pub fn set_frame_timeout(&mut self, timeout: Option<Duration>) {
        self.settings.frame_timeout = timeout;
    }

    /// Takes everything out of the driver's queue and hands on the newest whole frame, if its time has come.
    fn pull(&mut self, counters: &CaptureCounters) -> io::Result<Option<RawFrame>> {
        let Some(ring) = &self.ring else {
            return Ok(None);
        };
        let mut newest: Option<Newest> = None;
        let begin = Timestamp::now();
        // Of a stream each picture counts; the next one wakes the thread again.
        let most = match self.camera.layout.format.is_stream() {
            true => 1,
            // Bounded, should a driver fill buffers faster than they are taken out.
            false => ring.len(),
        };
        for _ in 0..most {
            if newest.is_some() && Timestamp::now().since(begin) > LONGEST_PULL {
                break;
            }
            let Some(filled) = ring.dequeue()? else {
                break;
            };
            let periods = self.continuity.advance(filled.sequence);
            self.seen += 1;
            self.periods += periods;
            counters.driver_lost.add(periods - 1);
            if let Some(what) = whole::fault(self.camera.layout, &filled) {
                counters.corrupt.add(1);
                self.pulse.fault = Some(what);
                ring.requeue(filled)?;
                continue;
            }
            let next = Newest {
                filled,
                periods: self.periods,
            };
            if let Some(older) = newest.replace(next) {
                counters.skipped.add(1);
                ring.requeue(older.filled)?;
            }
        }
        ring.requeue_returned()?;
        newest.map_or(Ok(None), |newest| self.hand_on(newest, counters))
    }

    fn hand_on(
        &mut self,
        newest: Newest,
        counters: &CaptureCounters,
    ) -> io::Result<Option<RawFrame>> {
        let Some(ring) = &self.ring else {
            return Ok(None);
        };
        let now = Timestamp::now();
        self.pulse.last = now;
        self.restarts = 0;
        self.periods -= newest.periods;
        let captured = continuity::captured(newest.filled.stamp, now, self.captured);
        self.captured = captured;
        if !self.camera.layout.format.is_stream() && !self.pacer.take(captured, newest.periods) {
            counters.skipped.add(1);
            ring.requeue(newest.filled)?;
            return Ok(None);
        }
        let whole = whole::bytes(self.camera.layout);
        let pixels: Box<dyn AsRef<[u8]> + Send + Sync> = match ring.lease(newest.filled, whole) {
            Ok(lease) => Box::new(lease),
            Err(filled) => {
                let copy = ring.copy(&filled, whole);
                ring.requeue(filled)?;
                Box::new(copy)
            }
        };
        counters.captured.add(1);
        Ok(Some(RawFrame {
            sequence: 0,
            captured,
            layout: self.camera.layout,
            origin: Origin::Camera,
            pixels,
        }))
    }

    /// Restarts the stream after an error of `VIDIOC_DQBUF` or `VIDIOC_QBUF` that the device may survive.
    fn heal(&mut self, error: &io::Error) -> Result<(), DeviceError> {
        let error = DeviceError::of(&self.camera.path, "VIDIOC_DQBUF", error);
        if matches!(error, DeviceError::Unplugged { .. }) || self.restarts >= RESTARTS {
            return Err(error);
        }
        self.restarts += 1;
        // The loss is told, should it come to that.
        tracing::debug!(%error, "the stream is restarted");
        self.stop();
        self.start()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop();
    }
}
