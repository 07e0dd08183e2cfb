//! A camera's place in the daemon, whichever thread captures for it at present: where its frames
//! and its status go. A thread that a driver does not let go of is covered, then relieved by another.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use streamd_protocol::stats::CameraState;

use super::{
    Sink, Start, Status,
    claims::Claims,
    driver::{Alarm, Late, Position},
    error::DeviceError,
    faults::Faults,
    orders::Orders,
    source::Rejected,
    state::{Loss, StandIn, State},
    thread::Worker,
};
use crate::{
    config::values::Device,
    events,
    media::{RawFrame, Timestamp},
    meters::CaptureCounters,
    supervise::heartbeat::Heartbeats,
};

/// After the first thread that was given up, the next one tries at once; after the second, so long
/// later, and then twice as long each time.
const PAUSE: Duration = Duration::from_secs(10);

/// At most, between two threads that may be given up as well.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// One camera's.
pub(super) struct Post {
    pub orders: Arc<Orders>,
    pub counters: Arc<CaptureCounters>,
    /// Which devices the other cameras have.
    pub claims: Arc<Claims>,
    /// Devices that `auto` has found to give nothing.
    pub rejected: Mutex<Rejected>,
    /// What the log has said.
    pub faults: Mutex<Faults>,
    heartbeats: Heartbeats,
    alarm: Arc<Alarm>,
    desk: Mutex<Desk>,
}

/// What the thread on duty and the one that watches it share. A frame is encoded with the lock
/// held; the only other one who takes it does so while the thread on duty is in a call.
struct Desk {
    sink: Box<dyn Sink>,
    on_duty: Option<Duty>,
    /// What the sink was told last.
    reported: Status,
    lost_since: Option<Timestamp>,
    /// "No signal", while the thread on duty is in a call that takes too long.
    cover: Option<Loss>,
    /// The calls of the threads that were given up and have not returned.
    stuck: Vec<(Arc<Position>, &'static str)>,
}

/// A thread.
struct Duty {
    position: Arc<Position>,
    thread: JoinHandle<()>,
    /// Hears when it has ended.
    ended: Receiver<()>,
}

impl Post {
    /// A camera's post, with nobody on duty.
    pub fn new(
        start: Start,
        heartbeats: Heartbeats,
        alarm: Arc<Alarm>,
        claims: Arc<Claims>,
    ) -> Arc<Self> {
        let settings = start.orders.peek().settings;
        if let Device::Path(path) = &settings.device {
            claims.set(&settings.name, path);
        }
        Arc::new(Self {
            orders: start.orders,
            counters: start.counters,
            claims,
            rejected: Mutex::default(),
            faults: Mutex::default(),
            heartbeats,
            alarm,
            desk: Mutex::new(Desk {
                sink: start.sink,
                on_duty: None,
                reported: Status::default(),
                lost_since: None,
                cover: None,
                stuck: Vec::new(),
            }),
        })
    }

    /// Starts the thread `capture-NAME`.
    pub fn begin(self: &Arc<Self>) -> io::Result<()> {
        let duty = self.spawn(State::Starting, Duration::ZERO)?;
        self.desk.lock().on_duty = Some(duty);
        Ok(())
    }

    /// A thread that begins in this state, and opens the device after a pause.
    fn spawn(self: &Arc<Self>, state: State, pause: Duration) -> io::Result<Duty> {
        let post = Arc::clone(self);
        let worker = |position| Worker::new(post, position, state, pause);
        self.start(|position| worker(position).map(|worker| || worker.run()))
    }

    /// Starts a thread that does what `work` makes for its position.
    fn start<W: FnOnce() + Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(Arc<Position>) -> io::Result<W>,
    ) -> io::Result<Duty> {
        let name = format!("capture-{}", self.orders.peek().settings.name);
        let heartbeat = self.heartbeats.register(&name);
        let position = Position::new(heartbeat, Arc::clone(&self.alarm));
        let work = work(Arc::clone(&position))?;
        let (ends, ended) = sync_channel(0);
        let (post, told) = (Arc::clone(self), Arc::clone(&position));
        let run = move || {
            told.take();
            work();
            post.ends(&told);
            drop(ends);
        };
        let thread = thread::Builder::new().name(name).spawn(run)?;
        Ok(Duty {
            position,
            thread,
            ended,
        })
    }

    /// Hands a frame on, with its number: what a viewer misses in it, it did not get. True if it
    /// was looked at.
    ///
    /// # Errors
    /// What is wrong with the frame, if it was looked at and is no picture.
    pub fn frame(&self, from: &Position, frame: RawFrame) -> Result<bool, String> {
        let mut desk = self.desk.lock();
        match from.relieved.load(Ordering::Acquire) {
            true => Ok(false),
            false => desk.hand_on(frame, &self.counters),
        }
    }

    /// The number that the next frame gets.
    pub fn next_number(&self) -> u64 {
        self.counters.sequence.get() + 1
    }

    /// Tells of the device's state, if it has changed.
    pub fn status(&self, from: &Position, status: Status) {
        let mut desk = self.desk.lock();
        if !from.relieved.load(Ordering::Acquire) {
            desk.report(status);
        }
    }

    /// What was shown while the thread on duty was in a call that took too long, and now has returned.
    pub fn uncover(&self, from: &Position) -> Option<Loss> {
        if !from.was_covered() {
            return None;
        }
        self.desk.lock().cover.take()
    }

    /// The call in which a thread of this camera is stuck for good, if one is.
    pub fn stuck_in(&self) -> Option<&'static str> {
        self.desk.lock().stuck.last().map(|(_, step)| *step)
    }

    /// How many threads have been given up and have not returned.
    pub fn stuck(&self) -> usize {
        self.desk.lock().stuck.len()
    }

    /// Whether its thread waits for something to do, without a time-out.
    pub fn is_idle(&self) -> bool {
        let desk = self.desk.lock();
        desk.on_duty.as_ref().is_none_or(|d| d.position.is_idle())
    }

    /// The call that its thread is in, if it is overdue.
    pub fn late(&self, now: Timestamp) -> Option<Late> {
        // While the thread has the desk, it is in no call.
        let desk = self.desk.try_lock()?;
        desk.on_duty.as_ref()?.position.late(now)
    }

    /// Says and shows "no signal" for a thread that is in a call.
    pub fn cover(&self, late: &Late, now: Timestamp) {
        let told = self.orders.peek();
        let mut desk = self.desk.lock();
        let desk = &mut *desk;
        let Some(duty) = &desk.on_duty else {
            return;
        };
        // It may have returned meanwhile.
        if duty
            .position
            .late(now)
            .is_none_or(|now| now.step != late.step)
        {
            return;
        }
        if desk.cover.is_none() {
            duty.position.covered.store(true, Ordering::Release);
            let error = no_answer(late);
            if desk.lost_since.is_none() {
                self.counters.losses.add(1);
            }
            let known = desk
                .reported
                .layout
                .map(|layout| (desk.reported.card.clone(), layout));
            let loss = Loss::new(&error, known, desk.lost_since.unwrap_or(now), now);
            self.log_loss(&told.settings.name, &error, now);
            let mut status = desk.reported.clone();
            loss.tell(&mut status);
            desk.report(status);
            desk.cover = Some(loss);
        }
        let cover = desk.cover.as_mut().filter(|_| told.watched);
        if let Some(picture) = cover.and_then(|loss| loss.picture(&told.settings, now)) {
            // Drawn by ourselves, it is a picture.
            let _ = desk.hand_on(picture, &self.counters);
        }
    }

    /// Gives up a thread that is in a call, and puts another one in its place.
    pub fn relieve(self: &Arc<Self>, late: &Late, now: Timestamp) -> io::Result<()> {
        let told = self.orders.peek();
        let error = no_answer(late);
        let (loss, stuck) = {
            let desk = self.desk.lock();
            let loss = desk.cover.clone();
            (
                loss.unwrap_or_else(|| Loss::new(&error, None, now, now)),
                desk.stuck.len(),
            )
        };
        let pause = match stuck {
            0 => Duration::ZERO,
            n => (PAUSE * 2u32.pow(n as u32 - 1)).min(LONGEST_PAUSE),
        };
        if told.settings.device == Device::Auto {
            self.rejected.lock().add(&late.path, &error, now);
        }
        let next = self.spawn(State::Without(StandIn::Loss(loss)), pause)?;
        let mut desk = self.desk.lock();
        desk.cover = None;
        let old = desk.on_duty.replace(next).expect("somebody was on duty");
        old.position.relieved.store(true, Ordering::Release);
        desk.stuck.push((old.position, late.step));
        let stuck = desk.stuck.len();
        drop(desk);
        self.counters.given_up.add(1);
        tracing::warn!(
            message_id = events::THREAD_GIVEN_UP,
            camera = told.settings.name,
            stuck,
            "{} has not returned for {} s: its thread is given up ({stuck} of this camera), \
             and the device is opened anew in {} s",
            late.step,
            late.lasts.as_secs(),
            pause.as_secs(),
        );
        Ok(())
    }

    /// A thread has ended. One that was given up has returned, and let go of the device.
    fn ends(&self, position: &Arc<Position>) {
        let mut desk = self.desk.lock();
        let stuck = desk.stuck.len();
        desk.stuck
            .retain(|(stuck, _)| !Arc::ptr_eq(stuck, position));
        if desk.stuck.len() < stuck {
            self.orders.wake();
        }
    }

    /// Says in the log that a camera is lost, unless it has said so of this kind of fault.
    pub fn log_loss(&self, camera: &str, error: &DeviceError, now: Timestamp) {
        let reason = error.to_string();
        if self.faults.lock().happens(error.kind(), &reason, now) {
            tracing::warn!(
                message_id = events::CAMERA_LOST,
                camera,
                reason,
                "no signal: {reason}"
            );
        }
    }

    /// Waits until the thread has ended, and with it its device is closed, but no longer than until
    /// `limit`: one that is stuck ends with the process.
    pub fn wait_for_end(&self, limit: Instant) {
        let Some(duty) = self.desk.lock().on_duty.take() else {
            return;
        };
        let left = limit.saturating_duration_since(Instant::now());
        match duty.ended.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => tracing::warn!(
                camera = self.orders.peek().settings.name,
                "the driver does not answer: the device is left open"
            ),
            _ => {
                if duty.thread.join().is_err() {
                    tracing::error!("a capture thread panicked");
                }
            }
        }
    }
}

impl Desk {
    fn hand_on(&mut self, mut frame: RawFrame, counters: &CaptureCounters) -> Result<bool, String> {
        // A frame of another machine has its number from there; what that left out never came here.
        let next = counters.sequence.get() + 1;
        frame.sequence = frame.sequence.max(next);
        counters.elsewhere.add(frame.sequence - next);
        counters.sequence.add(frame.sequence + 1 - next);
        self.sink.frame(frame)
    }

    fn report(&mut self, status: Status) {
        if status == self.reported {
            return;
        }
        self.lost_since = match status.state {
            CameraState::Lost => self.lost_since.or_else(|| Some(Timestamp::now())),
            _ => None,
        };
        self.reported = status.clone();
        self.sink.status(status);
    }
}

fn no_answer(late: &Late) -> DeviceError {
    DeviceError::NoAnswer {
        path: late.path.clone(),
        step: late.step,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::SyncSender;

    use super::*;
    use crate::{
        capture::{Settings, driver},
        media::Origin,
    };

    /// What the rest of the daemon sees.
    #[derive(Default)]
    struct Seen {
        states: Vec<(CameraState, String)>,
        origins: Vec<(u64, Origin)>,
    }

    struct Eyes(Arc<Mutex<Seen>>);

    impl Sink for Eyes {
        fn frame(&mut self, frame: RawFrame) -> Result<bool, String> {
            let mut seen = self.0.lock();
            seen.origins.push((frame.sequence, frame.origin));
            Ok(true)
        }
        fn status(&mut self, status: Status) {
            self.0.lock().states.push((status.state, status.reason));
        }
    }

    fn seen_by(seen: &Arc<Mutex<Seen>>) -> Arc<Post> {
        let start = Start {
            orders: Orders::new(Settings::test("main")).expect("a descriptor"),
            counters: Arc::default(),
            sink: Box::new(Eyes(Arc::clone(seen))),
        };
        Post::new(start, Heartbeats::default(), Arc::default(), Arc::default())
    }

    /// The post of a camera that shows the test pattern, with nobody on duty.
    pub fn post() -> Arc<Post> {
        seen_by(&Arc::default())
    }

    /// Puts a thread on duty that is in a call of its driver until the sender is dropped.
    fn hang(post: &Arc<Post>) -> SyncSender<()> {
        let (returns, hangs) = sync_channel::<()>(0);
        let (begins, begun) = sync_channel(1);
        let work = move |_| {
            Ok(move || {
                driver::concerns("/dev/video3".as_ref());
                driver::call("VIDIOC_STREAMON", || {
                    begins.send(()).expect("it is waited for");
                    hangs.recv().expect_err("nothing is sent");
                });
            })
        };
        let duty = post.start(work).expect("a thread");
        post.desk.lock().on_duty = Some(duty);
        begun.recv().expect("it begins");
        returns
    }

    const REASON: &str = "/dev/video3: the driver does not answer (VIDIOC_STREAMON)";

    #[test]
    fn a_thread_in_a_call_is_covered_and_what_it_does_later_counts() {
        let seen = Arc::<Mutex<Seen>>::default();
        let post = seen_by(&seen);
        let returns = hang(&post);
        assert!(!post.is_idle());
        let now = Timestamp::now() + Duration::from_secs(2);
        let late = post.late(now).expect("it is late");
        assert_eq!(late.step, "VIDIOC_STREAMON");
        post.cover(&late, now);
        assert!(seen.lock().origins.is_empty(), "nobody watches");
        post.orders.set_watched(true);
        post.cover(&late, now);
        post.cover(&late, now);
        assert_eq!(seen.lock().origins, [(1, Origin::Blank)], "one a second");
        assert_eq!(seen.lock().states, [(CameraState::Lost, REASON.into())]);
        assert_eq!(post.counters.losses.get(), 1);
        let position = Arc::clone(&post.desk.lock().on_duty.as_ref().expect("there").position);
        drop(returns);
        let cover = post.uncover(&position).expect("it was covered");
        assert_eq!(cover.reason, REASON);
        assert!(post.uncover(&position).is_none(), "once");
        post.status(&position, Status::default());
        assert_eq!(seen.lock().states.len(), 2);
        post.wait_for_end(Instant::now() + Duration::from_secs(10));
    }

    #[test]
    fn a_thread_that_was_given_up_is_not_heard_and_ends_when_its_call_returns() {
        let seen = Arc::<Mutex<Seen>>::default();
        let post = seen_by(&seen);
        let returns = hang(&post);
        let old = Arc::clone(&post.desk.lock().on_duty.as_ref().expect("there").position);
        let now = Timestamp::now() + Duration::from_secs(11);
        let late = post.late(now).expect("it is late");
        post.relieve(&late, now).expect("a thread");
        assert_eq!((post.stuck(), post.counters.given_up.get()), (1, 1));
        assert_eq!(post.stuck_in(), Some("VIDIOC_STREAMON"));
        let before = seen.lock().states.len();
        post.status(
            &old,
            Status {
                reason: "from the past".into(),
                ..Status::default()
            },
        );
        let heard = seen.lock().states[before.min(1)..].to_vec();
        assert!(heard.iter().all(|(_, reason)| reason != "from the past"));
        drop(returns);
        while post.stuck() > 0 {
            thread::yield_now();
        }
        post.orders.stop();
        post.wait_for_end(Instant::now() + Duration::from_secs(10));
    }

    #[test]
    fn a_stop_does_not_wait_for_a_driver() {
        let post = post();
        let returns = hang(&post);
        post.orders.stop();
        post.wait_for_end(Instant::now());
        assert!(post.desk.lock().on_duty.is_none());
        drop(returns);
    }
}
