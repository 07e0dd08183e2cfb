//! In which call of a driver a capture thread is, and since when: a call may never return, and
//! only another thread can see that.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use v4l::v4l2::vidioc;

use super::timings;
use crate::{media::Timestamp, supervise::heartbeat::Heartbeat};

thread_local! {
    /// Where this thread tells of its calls; a thread that is no capture thread tells nobody.
    static POSITION: RefCell<Option<Arc<Position>>> = const { RefCell::new(None) };
}

/// What one capture thread is at.
pub(super) struct Position {
    at: Mutex<At>,
    /// While the thread is in a call, whoever watches it answers for it, and it need not beat.
    pub heartbeat: Heartbeat,
    /// Somebody else said and showed "no signal" in its place.
    pub covered: AtomicBool,
    /// Another thread has taken its place: nothing it does counts any more.
    pub relieved: AtomicBool,
    alarm: Arc<Alarm>,
}

#[derive(Default)]
struct At {
    /// The thread waits for something to do, without a time-out.
    idle: bool,
    /// The call it is in, and from when on that is no longer what was expected.
    call: Option<(&'static str, Timestamp)>,
    /// Spent in calls since the thread last waited, those that have returned.
    spent: Duration,
    /// The device.
    path: PathBuf,
}

/// A call that takes too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Late {
    /// The device.
    pub path: PathBuf,
    /// The call: `VIDIOC_DQBUF`.
    pub step: &'static str,
    /// For how long it has lasted.
    pub lasts: Duration,
    /// With the calls before it since the thread last waited.
    pub keeps: Duration,
}

/// Wakes the thread that watches the others, once one of them has something to do.
#[derive(Default)]
pub(super) struct Alarm {
    state: Mutex<Rung>,
    rings: Condvar,
}

#[derive(Default)]
struct Rung {
    rung: bool,
    stop: bool,
}

impl Position {
    /// A thread that has not begun.
    pub fn new(heartbeat: Heartbeat, alarm: Arc<Alarm>) -> Arc<Self> {
        Arc::new(Self {
            at: Mutex::default(),
            heartbeat,
            covered: AtomicBool::new(false),
            relieved: AtomicBool::new(false),
            alarm,
        })
    }

    /// This thread is the one.
    pub fn take(self: &Arc<Self>) {
        POSITION.set(Some(Arc::clone(self)));
        self.alarm.ring();
    }

    /// The thread is about to wait: without end, or until `until`. The wait asks the driver, too.
    pub fn waits(&self, until: Option<Timestamp>) {
        match until {
            Some(_) => self.heartbeat.beat(),
            None => self.heartbeat.idle(),
        }
        let mut at = self.at.lock();
        at.idle = until.is_none();
        at.call = until.map(|until| ("poll", until));
        at.spent = Duration::ZERO;
    }

    /// The wait is over.
    pub fn woke(&self) {
        self.heartbeat.beat();
        let mut at = self.at.lock();
        at.call = None;
        if std::mem::take(&mut at.idle) {
            drop(at);
            self.alarm.ring();
        }
    }

    /// Whether it waits for something to do, without a time-out.
    pub fn is_idle(&self) -> bool {
        self.at.lock().idle
    }

    /// The call that it is in, if it is overdue.
    pub fn late(&self, now: Timestamp) -> Option<Late> {
        let at = self.at.lock();
        let (step, since) = at.call?;
        let lasts = now.since(since);
        (!lasts.is_zero()).then(|| Late {
            path: at.path.clone(),
            step,
            lasts,
            keeps: at.spent + lasts,
        })
    }

    /// Whether it was covered since this was last asked.
    pub fn was_covered(&self) -> bool {
        self.covered.load(Ordering::Acquire) && self.covered.swap(false, Ordering::AcqRel)
    }
}

/// Makes a call of a driver, which may take its time, or never return.
pub(super) fn call<T>(step: &'static str, call: impl FnOnce() -> T) -> T {
    let Some(position) = POSITION.with_borrow(Option::clone) else {
        return call();
    };
    let begin = Timestamp::now();
    position.heartbeat.idle();
    let outer = position.at.lock().call.replace((step, begin));
    let result = call();
    let mut at = position.at.lock();
    at.call = outer;
    if outer.is_none() {
        at.spent += Timestamp::now().since(begin);
        drop(at);
        position.heartbeat.beat();
    }
    result
}

/// Whether another thread has taken the place of this one: it must not touch the device again, which
/// the other may have in use by now.
pub(super) fn is_relieved() -> bool {
    POSITION.with_borrow(|position| {
        position
            .as_ref()
            .is_some_and(|position| position.relieved.load(Ordering::Acquire))
    })
}

/// Says which device the calls of this thread concern from now on.
pub(super) fn concerns(path: &Path) {
    POSITION.with_borrow(|position| {
        if let Some(position) = position {
            position.at.lock().path = path.into();
        }
    });
}

impl Alarm {
    fn ring(&self) {
        self.state.lock().rung = true;
        self.rings.notify_all();
    }

    /// Ends [`wait`](Self::wait), now and later.
    pub fn stop(&self) {
        self.state.lock().stop = true;
        self.rings.notify_all();
    }

    /// Waits until it rings; true if that is the end.
    pub fn wait(&self) -> bool {
        let mut state = self.state.lock();
        self.rings.wait_while(&mut state, |s| !s.rung && !s.stop);
        state.rung = false;
        state.stop
    }

    /// Waits for `time`; true if that is the end.
    pub fn rest(&self, time: Duration) -> bool {
        let mut state = self.state.lock();
        self.rings.wait_while_for(&mut state, |s| !s.stop, time);
        state.stop
    }
}

/// The name of an ioctl.
pub(super) fn name(request: vidioc::_IOC_TYPE) -> &'static str {
    match request {
        vidioc::VIDIOC_QUERYCAP => "VIDIOC_QUERYCAP",
        vidioc::VIDIOC_ENUM_FMT => "VIDIOC_ENUM_FMT",
        vidioc::VIDIOC_ENUM_FRAMESIZES => "VIDIOC_ENUM_FRAMESIZES",
        vidioc::VIDIOC_ENUM_FRAMEINTERVALS => "VIDIOC_ENUM_FRAMEINTERVALS",
        vidioc::VIDIOC_G_INPUT => "VIDIOC_G_INPUT",
        vidioc::VIDIOC_S_INPUT => "VIDIOC_S_INPUT",
        vidioc::VIDIOC_S_FMT => "VIDIOC_S_FMT",
        vidioc::VIDIOC_G_PARM => "VIDIOC_G_PARM",
        vidioc::VIDIOC_S_PARM => "VIDIOC_S_PARM",
        vidioc::VIDIOC_REQBUFS => "VIDIOC_REQBUFS",
        vidioc::VIDIOC_QUERYBUF => "VIDIOC_QUERYBUF",
        vidioc::VIDIOC_QBUF => "VIDIOC_QBUF",
        vidioc::VIDIOC_DQBUF => "VIDIOC_DQBUF",
        vidioc::VIDIOC_STREAMON => "VIDIOC_STREAMON",
        vidioc::VIDIOC_STREAMOFF => "VIDIOC_STREAMOFF",
        vidioc::VIDIOC_ENUMINPUT => "VIDIOC_ENUMINPUT",
        vidioc::VIDIOC_ENUMSTD => "VIDIOC_ENUMSTD",
        vidioc::VIDIOC_G_STD => "VIDIOC_G_STD",
        vidioc::VIDIOC_S_STD => "VIDIOC_S_STD",
        vidioc::VIDIOC_QUERY_EXT_CTRL => "VIDIOC_QUERY_EXT_CTRL",
        vidioc::VIDIOC_QUERYCTRL => "VIDIOC_QUERYCTRL",
        vidioc::VIDIOC_QUERYMENU => "VIDIOC_QUERYMENU",
        vidioc::VIDIOC_G_EXT_CTRLS => "VIDIOC_G_EXT_CTRLS",
        vidioc::VIDIOC_S_EXT_CTRLS => "VIDIOC_S_EXT_CTRLS",
        vidioc::VIDIOC_G_EDID => "VIDIOC_G_EDID",
        vidioc::VIDIOC_S_EDID => "VIDIOC_S_EDID",
        timings::QUERY_DV_TIMINGS => "VIDIOC_QUERY_DV_TIMINGS",
        timings::G_DV_TIMINGS => "VIDIOC_G_DV_TIMINGS",
        timings::S_DV_TIMINGS => "VIDIOC_S_DV_TIMINGS",
        _ => "an ioctl",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::heartbeat::Heartbeats;

    fn position() -> Arc<Position> {
        Position::new(
            Heartbeats::default().register("capture-main"),
            Arc::default(),
        )
    }

    #[test]
    fn a_call_is_told_of_while_it_lasts_and_with_those_inside_it() {
        let position = position();
        let told = Arc::clone(&position);
        let thread = std::thread::spawn(move || {
            told.take();
            concerns(Path::new("/dev/video3"));
            let at = |told: &Position| {
                let later = Timestamp::now() + Duration::from_secs(3);
                told.late(later).map(|late| (late.step, late.path))
            };
            assert_eq!(at(&told), None);
            let of = |step| Some((step, PathBuf::from("/dev/video3")));
            call("close", || {
                assert_eq!(at(&told), of("close"));
                call("VIDIOC_STREAMOFF", || {
                    assert_eq!(at(&told), of("VIDIOC_STREAMOFF"))
                });
                assert_eq!(at(&told), of("close"));
            });
            assert_eq!(at(&told), None);
        });
        thread.join().expect("all is told");
    }

    #[test]
    fn a_wait_is_late_only_after_its_time() {
        let position = position();
        let start = Timestamp::now();
        let until = start + Duration::from_secs(1);
        position.waits(Some(until));
        assert_eq!(position.late(until), None);
        let late = position.late(until + Duration::from_secs(2)).expect("late");
        assert_eq!((late.step, late.lasts), ("poll", Duration::from_secs(2)));
        position.waits(None);
        assert!(position.is_idle());
        assert_eq!(position.late(until + Duration::from_secs(9)), None);
        position.woke();
        assert!(!position.is_idle());
    }
}
