//! The capture thread: owns the device, waits for frames, orders and plugs in one poll, and keeps
//! something to show coming whatever the device does.

use std::{io, os::fd::AsFd, path::Path, sync::Arc, thread, time::Duration};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use super::{
    Settings, Sink, Start, Status,
    devices::DEV,
    error::DeviceError,
    hotplug::Hotplug,
    orders::{Orders, Told},
    pace::Ticker,
    retry::Retry,
    source::{self, Found},
    state::{Loss, Pattern, State},
    stream::Stream,
    test_pattern::TestPattern,
};
use crate::{
    events,
    media::{RawFrame, Timestamp},
    meters::CaptureCounters,
    supervise::heartbeat::Heartbeat,
};

/// The longest the thread sleeps while it has something to do: it beats more often than the
/// watchdog asks, and looks whether frames still come.
const TURN: Duration = Duration::from_secs(1);

/// The shortest wait for a stream that is overdue, and the rest after a wait that failed.
const SHORTEST: Duration = Duration::from_millis(10);

/// All that the thread owns.
pub(super) struct Worker {
    orders: Arc<Orders>,
    told: Told,
    counters: Arc<CaptureCounters>,
    heartbeat: Heartbeat,
    sink: Box<dyn Sink>,
    hotplug: Hotplug,
    state: State,
    retry: Retry,
    reported: Option<Status>,
}

/// What ended a wait.
struct Woken {
    device: PollFlags,
    orders: bool,
    plug: bool,
}

impl Worker {
    /// Nothing is opened yet.
    pub fn new(start: Start) -> io::Result<Self> {
        Ok(Self {
            told: start.orders.read(),
            orders: start.orders,
            counters: start.counters,
            heartbeat: start.heartbeat,
            sink: start.sink,
            hotplug: Hotplug::new()?,
            state: State::Starting,
            retry: Retry::default(),
            reported: None,
        })
    }

    /// The camera's name.
    pub fn name(&self) -> &str {
        &self.told.settings.name
    }

    /// The thread's life.
    pub fn run(mut self) {
        self.report();
        self.open();
        while !self.told.stop {
            let woken = self.wait();
            self.serve(woken.device);
            if woken.orders {
                self.obey();
            }
            if woken.plug && self.hotplug.drain() {
                self.plugged();
            }
            if self.retry.is_due(Timestamp::now()) {
                self.open();
            }
            self.show_loss();
        }
    }

    fn settings(&self) -> &Settings {
        &self.told.settings
    }

    /// Sleeps until something is to be done.
    fn wait(&mut self) -> Woken {
        let timeout = self.timeout(Timestamp::now());
        match timeout {
            Some(_) => self.heartbeat.beat(),
            None => self.heartbeat.idle(),
        }
        let orders = PollFd::new(self.orders.event().as_fd(), PollFlags::POLLIN);
        let plug = PollFd::new(self.hotplug.as_fd(), PollFlags::POLLIN);
        let mut fds = vec![orders, plug];
        let device = self.state.stream().and_then(Stream::interest);
        fds.extend(device.map(|(fd, events)| PollFd::new(fd, events)));
        let woken = match ppoll(&mut fds, timeout.map(TimeSpec::from), None) {
            Ok(_) => {
                let events = |n: usize| {
                    let events = fds.get(n).and_then(PollFd::revents);
                    events.unwrap_or(PollFlags::empty())
                };
                Woken {
                    orders: !events(0).is_empty(),
                    plug: !events(1).is_empty(),
                    device: events(2),
                }
            }
            Err(_) => {
                // A signal; a driver that has one come each time is looked at after a rest.
                thread::sleep(SHORTEST);
                Woken {
                    orders: true,
                    plug: true,
                    device: PollFlags::POLLIN,
                }
            }
        };
        self.heartbeat.beat();
        woken
    }

    /// How long nothing needs to be done; `None` for as long as nothing happens.
    fn timeout(&self, now: Timestamp) -> Option<Duration> {
        let watched = self.told.watched;
        let source = match &self.state {
            State::Open(stream) | State::Returning(stream, _) => stream
                .is_on()
                .then(|| stream.next_look(now).max(now + SHORTEST)),
            State::Pattern(pattern) => watched.then(|| pattern.ticker.due()),
            State::Starting | State::Lost(_) => None,
        };
        let blank = self.state.loss().filter(|_| watched);
        [source, blank.map(|loss| loss.next_picture), self.retry.at()]
            .into_iter()
            .flatten()
            .min()
            .map(|next| next.since(now).min(TURN))
    }

    /// Takes what the device or the test pattern has.
    fn serve(&mut self, events: PollFlags) {
        let alive = self.state.stream().map(Stream::alive).unwrap_or_default();
        let result = match &mut self.state {
            State::Open(stream) | State::Returning(stream, _) => {
                match stream.woken(events, &self.counters) {
                    Ok(None) => stream.check_silence(Timestamp::now()).map(|()| None),
                    other => other,
                }
            }
            State::Pattern(pattern) if self.told.watched => {
                Ok(pattern.next(self.counters.sequence.get() + 1, &self.counters))
            }
            State::Starting | State::Pattern(_) | State::Lost(_) => return,
        };
        match result {
            Ok(Some(frame)) => self.take(frame, alive),
            Ok(None) => {}
            Err(error) => self.lose(&error),
        }
    }

    /// Hands a frame of the source on; the source was `alive` last before it. A frame that turns
    /// out to be no picture is no sign of life.
    fn take(&mut self, frame: RawFrame, alive: Timestamp) {
        match self.hand_on(frame) {
            Ok(()) => self.delivers(),
            Err(what) => {
                if let State::Open(stream) | State::Returning(stream, _) = &mut self.state {
                    stream.was_broken(what, alive);
                }
            }
        }
    }

    /// Gives a frame its number and hands it on: what a viewer misses in it, it did not get.
    fn hand_on(&mut self, mut frame: RawFrame) -> Result<(), String> {
        self.counters.sequence.add(1);
        frame.sequence = self.counters.sequence.get();
        self.sink.frame(frame)
    }

    /// Does what the orders say now.
    fn obey(&mut self) {
        let old = std::mem::replace(&mut self.told, self.orders.read());
        if self.told.stop {
            return;
        }
        let new = self.settings().clone();
        let fps = new.fps;
        if (Settings {
            fps,
            ..old.settings.clone()
        }) != new
        {
            let old = self.leave();
            // The hub lets its frames go, so that the device is free to be opened anew.
            self.report();
            if let State::Open(stream) | State::Returning(stream, _) = old {
                stream.close();
            }
            self.retry.reset();
            self.open();
        } else if old.settings.fps != fps {
            self.set_fps();
        }
        if old.watched != self.told.watched {
            self.switch();
        }
    }

    fn set_fps(&mut self) {
        let fps = self.settings().fps;
        let result = match &mut self.state {
            State::Open(stream) | State::Returning(stream, _) => stream.set_fps(fps),
            State::Pattern(pattern) => {
                pattern.ticker = Ticker::new(fps, Timestamp::now());
                pattern.fps = fps.get();
                Ok(())
            }
            State::Starting | State::Lost(_) => Ok(()),
        };
        match result {
            Ok(()) => self.report(),
            Err(error) => self.lose(&error),
        }
    }

    /// Something has happened to the device's path.
    fn plugged(&mut self) {
        if let Some(stream) = self.state.stream() {
            if let Err(error) = stream.camera().check() {
                self.lose(&error);
            }
        } else {
            self.retry.reset();
            self.open();
        }
    }

    /// Opens what the settings ask for, and streams if somebody watches.
    fn open(&mut self) {
        let dev = Path::new(DEV);
        let target = source::watch_for(&self.settings().device, dev);
        self.hotplug.watch(target);
        match source::find(self.settings(), dev, self.state.has_been_open()) {
            Found::Camera(stream) => self.adopt(stream),
            Found::Pattern(reason) => self.show_pattern(reason),
            Found::Lost(error) => self.lose(&error),
        }
    }

    /// The device is open. After a loss, that is shown until the device delivers.
    fn adopt(&mut self, stream: Box<Stream>) {
        self.retry.cancel();
        self.state = match self.leave() {
            State::Lost(loss) => State::Returning(stream, loss),
            _ => State::Open(stream),
        };
        if matches!(self.state, State::Open(_)) {
            self.log_opened();
        }
        self.switch();
    }

    fn show_pattern(&mut self, reason: String) {
        if !reason.is_empty() {
            self.schedule_retry();
        }
        if matches!(&self.state, State::Pattern(shown) if shown.reason == reason) {
            return;
        }
        let Settings {
            name, size, fps, ..
        } = self.settings();
        self.state = State::Pattern(Box::new(Pattern {
            picture: TestPattern::new(name, *size),
            ticker: Ticker::new(*fps, Timestamp::now()),
            reason,
            fps: fps.get(),
        }));
        self.log_opened();
        self.switch();
    }

    /// Puts the source in the state that fits whether somebody watches.
    fn switch(&mut self) {
        let watched = self.told.watched;
        let now = Timestamp::now();
        let fps = self.settings().fps;
        let result = match &mut self.state {
            State::Open(stream) | State::Returning(stream, _) if watched => stream.start(),
            State::Open(stream) | State::Returning(stream, _) => {
                if stream.is_on() {
                    tracing::info!(
                        message_id = events::CAMERA_IDLE,
                        camera = self.told.settings.name,
                        "camera off: nobody watches"
                    );
                }
                stream.stop();
                Ok(())
            }
            State::Pattern(pattern) => {
                pattern.ticker = Ticker::new(fps, now);
                Ok(())
            }
            State::Lost(loss) => {
                loss.next_picture = now;
                return;
            }
            State::Starting => return,
        };
        if !watched {
            // Nobody waits for its first frame.
            self.delivers();
        }
        match result {
            Ok(()) => self.report(),
            Err(error) => return self.lose(&error),
        }
        // Only now, since the hub has let its frames go by the report.
        if !watched && let State::Open(stream) = &mut self.state {
            stream.release();
        }
    }

    /// The source does what it should: no loss is shown any more.
    fn delivers(&mut self) {
        if matches!(self.state, State::Returning(..)) {
            if let State::Returning(stream, _) = self.leave() {
                self.state = State::Open(stream);
            }
            self.retry.reset();
            self.log_opened();
            self.report();
        }
    }

    /// The device is gone or unusable: says why, shows it, and waits for it.
    fn lose(&mut self, error: &DeviceError) {
        let (loss, news) = Loss::after(&self.state, error, Timestamp::now());
        if matches!(self.state, State::Open(_)) {
            self.counters.losses.add(1);
        }
        if news {
            tracing::warn!(
                message_id = events::CAMERA_LOST,
                camera = self.settings().name,
                reason = %error,
                "no signal: {error}"
            );
        }
        let old = std::mem::replace(&mut self.state, State::Lost(loss));
        self.report();
        self.show_loss();
        // Only now, since stopping a device that is going away may take its time.
        drop(old);
        self.schedule_retry();
    }

    /// Looks again later, if something is there that may change without an event.
    fn schedule_retry(&mut self) {
        if source::may_return_unannounced(&self.settings().device, Path::new(DEV)) {
            self.retry.schedule(Timestamp::now());
        } else {
            self.retry.cancel();
        }
    }

    /// Shows the "no signal" picture when one is due.
    fn show_loss(&mut self) {
        if !self.told.watched {
            return;
        }
        let loss = self.state.loss_mut();
        let picture = loss.and_then(|loss| loss.picture(&self.told.settings, Timestamp::now()));
        if let Some(picture) = picture {
            // Drawn by ourselves, it is a picture.
            let _ = self.hand_on(picture);
        }
    }

    /// Takes the state, to go on to another one.
    fn leave(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Starting)
    }

    fn log_opened(&self) {
        self.state.log_opened(self.settings());
    }

    /// Tells the sink of the state, if it has changed.
    fn report(&mut self) {
        let status = self.state.status(self.told.watched);
        if self.reported.as_ref() != Some(&status) {
            self.reported = Some(status.clone());
            self.sink.status(status);
        }
    }
}
