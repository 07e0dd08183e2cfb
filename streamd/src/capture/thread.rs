//! The capture thread: owns the device, waits for frames, orders and plugs in one poll, and keeps
//! something to show coming whatever the device does.

mod life;
mod remote;

use std::{io, os::fd::AsFd, sync::Arc, sync::atomic::Ordering, thread, time::Duration};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};

use super::{
    Settings,
    controls::Complaints,
    driver::Position,
    error::DeviceError,
    hotplug::Hotplug,
    orders::Told,
    pace::Ticker,
    post::Post,
    retry::{Restart, Retry},
    state::{StandIn, State},
    stream::Stream,
};
use crate::{
    events,
    media::{PixelFormat, RawFrame, Timestamp},
};

/// The longest the thread sleeps while it has something to do: it beats more often than the
/// watchdog asks, and looks whether frames still come.
const TURN: Duration = Duration::from_secs(1);

/// The shortest wait for a stream that is overdue, and the rest after a wait that failed.
const SHORTEST: Duration = Duration::from_millis(10);

/// All that the thread owns.
pub(super) struct Worker {
    post: Arc<Post>,
    position: Arc<Position>,
    told: Told,
    hotplug: Hotplug,
    state: State,
    retry: Retry,
    restart: Restart,
    /// When it was last looked who holds the device, and what was found.
    holder: Option<(Timestamp, Option<String>)>,
    complaints: Complaints,
}

/// What ended a wait.
struct Woken {
    device: PollFlags,
    orders: bool,
    plug: bool,
}

impl Worker {
    /// Nothing is opened yet; it will be after this pause.
    pub fn new(
        post: Arc<Post>,
        position: Arc<Position>,
        state: State,
        pause: Duration,
    ) -> io::Result<Self> {
        let mut retry = Retry::default();
        retry.after(pause, Timestamp::now());
        Ok(Self {
            told: post.orders.read(),
            post,
            position,
            hotplug: Hotplug::new()?,
            state,
            retry,
            restart: Restart::default(),
            holder: None,
            complaints: Complaints::default(),
        })
    }

    /// The thread's life.
    pub fn run(mut self) {
        self.report();
        self.look_out();
        while !self.told.stop && !self.position.relieved.load(Ordering::Acquire) {
            if self.retry.is_due(Timestamp::now()) {
                self.open();
            }
            self.show();
            let woken = self.wait();
            self.serve(woken.device);
            if woken.orders {
                self.obey();
                self.follow();
            }
            if woken.plug && self.hotplug.drain() {
                self.plugged();
            }
            self.look_for_life();
            self.say_what_is_over();
        }
    }

    fn settings(&self) -> &Settings {
        &self.told.settings
    }

    /// Sleeps until something is to be done.
    fn wait(&mut self) -> Woken {
        let now = Timestamp::now();
        let timeout = self.timeout(now);
        let orders = PollFd::new(self.post.orders.event().as_fd(), PollFlags::POLLIN);
        let plug = PollFd::new(self.hotplug.as_fd(), PollFlags::POLLIN);
        let mut fds = vec![orders, plug];
        let device = self.state.stream().and_then(Stream::interest);
        fds.extend(device.map(|(fd, events)| PollFd::new(fd, events)));
        self.position.waits(timeout.map(|timeout| now + timeout));
        let result = ppoll(&mut fds, timeout.map(TimeSpec::from), None);
        self.position.woke();
        if result.is_err() {
            // A signal; a driver that has one come each time is looked at after a rest.
            thread::sleep(SHORTEST);
            return Woken {
                orders: true,
                plug: true,
                device: PollFlags::POLLIN,
            };
        }
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

    /// How long nothing needs to be done; `None` for as long as nothing happens.
    fn timeout(&self, now: Timestamp) -> Option<Duration> {
        let stream = self.state.stream().filter(|stream| stream.is_on());
        let stream = stream.map(|stream| match stream.rests_until() > now {
            true => stream.rests_until(),
            false => self.next_look(stream).max(now + SHORTEST),
        });
        let shown = self.state.stand_in().filter(|_| self.told.watched);
        [stream, shown.map(StandIn::due), self.retry.at()]
            .into_iter()
            .flatten()
            .min()
            .map(|next| next.since(now).min(TURN))
    }

    /// Takes what the device has.
    fn serve(&mut self, events: PollFlags) {
        let counters = &self.post.counters;
        let Some(stream) = self.state.stream_mut() else {
            return;
        };
        let alive = stream.pulse.last;
        match stream.woken(events, counters) {
            Ok(Some(frame)) => self.take(frame, alive),
            Ok(None) => self.uncover(),
            Err(error) => self.lose(error),
        }
    }

    /// Hands a frame of the device on; the device was `alive` last before it. A frame that turns
    /// out to be no picture is no sign of life. Nor is one at which nobody looked, where what was
    /// looked at before was no picture.
    fn take(&mut self, frame: RawFrame, alive: Timestamp) {
        self.uncover();
        let gap = Timestamp::now().since(alive);
        let unproven = frame.layout.format == PixelFormat::Mjpg;
        let result = self.hand_on(frame);
        let returning = matches!(self.state, State::Returning(..));
        let Some(stream) = self.state.stream_mut() else {
            return;
        };
        match result {
            Err(what) => stream.pulse.skips(Some(what), alive),
            Ok(false) if unproven && stream.pulse.is_doubtful() => stream.pulse.skips(None, alive),
            Ok(false) if unproven && returning => {}
            Ok(_) => {
                stream.pulse.beats();
                self.restart.delivered(gap);
                self.delivers();
            }
        }
    }

    fn hand_on(&self, frame: RawFrame) -> Result<bool, String> {
        self.post.frame(&self.position, frame)
    }

    /// Does what the orders say now.
    fn obey(&mut self) {
        let old = std::mem::replace(&mut self.told, self.post.orders.read());
        if self.told.stop {
            return;
        }
        let Settings {
            fps,
            frame_timeout,
            arrangement,
            ..
        } = *self.settings();
        let same = Settings {
            fps,
            frame_timeout,
            arrangement,
            controls: self.settings().controls.clone(),
            ..old.settings.clone()
        };
        if same != *self.settings() {
            self.reopen_by_order();
        } else {
            if old.settings.frame_timeout != frame_timeout
                && let Some(stream) = self.state.stream_mut()
            {
                stream.set_frame_timeout(frame_timeout);
            }
            if old.settings.fps != fps {
                self.set_fps();
            }
        }
        if old == self.told {
            // Nothing is new but that a thread that was given up has let go of the device.
            self.plugged_unless_open();
        }
        if old.watched != self.told.watched {
            self.switch();
        }
    }

    /// Opens the device that the settings now ask for, in the way they ask for.
    fn reopen_by_order(&mut self) {
        let old = self.leave();
        // The hub lets its frames go, so that the device is free to be opened anew.
        self.report();
        if let State::Open(stream) | State::Returning(stream, _) = old {
            stream.close();
        }
        self.retry.reset();
        self.post.rejected.lock().forget();
        self.open();
    }

    fn set_fps(&mut self) {
        let fps = self.settings().fps;
        if let Some(StandIn::Pattern(pattern)) = self.state.stand_in_mut() {
            pattern.ticker = Ticker::new(fps, Timestamp::now());
            pattern.fps = fps.get();
        }
        if let State::Remote(far) = &mut self.state {
            far.set_fps(fps);
        }
        match self.state.stream_mut().map(|stream| stream.set_fps(fps)) {
            Some(Err(error)) => self.lose(error),
            Some(Ok(())) | None => self.report(),
        }
    }

    /// Puts the source in the state that fits whether somebody watches.
    fn switch(&mut self) {
        let watched = self.told.watched;
        let fps = self.settings().fps;
        match self.state.stand_in_mut() {
            Some(StandIn::Pattern(pattern)) => {
                pattern.ticker = Ticker::new(fps, Timestamp::now());
            }
            Some(StandIn::Loss(loss)) => loss.next_picture = Timestamp::now(),
            None => {}
        }
        let result = match self.state.stream_mut() {
            Some(stream) if watched => stream.start(),
            Some(stream) => {
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
            None => Ok(()),
        };
        if let Err(error) = result {
            return self.lose(error);
        }
        self.uncover();
        if !watched {
            // Nobody waits for its first frame.
            self.delivers();
        }
        self.report();
        // Only now, since the hub has let its frames go by the report.
        if !watched && let Some(stream) = self.state.stream_mut() {
            stream.release();
        }
    }

    /// Tells of the state.
    fn report(&mut self) {
        self.uncover();
        let status = self.state.status(self.told.watched);
        self.post.status(&self.position, status);
    }

    /// Takes the state, to go on to another one.
    fn leave(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Starting)
    }

    /// Whether this is a loss that a restart of the stream can't mend.
    fn is_gone(error: &DeviceError) -> bool {
        !matches!(
            error,
            DeviceError::Silent { .. } | DeviceError::Broken { .. }
        )
    }
}
