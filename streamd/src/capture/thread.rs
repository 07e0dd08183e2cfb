//! The capture thread: owns the device, waits for frames, orders and plugs in one poll, and keeps
//! something to show coming whatever the device does.

mod loss;

use std::{io, os::fd::AsFd, path::Path, sync::Arc, time::Duration};

use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use streamd_protocol::stats::CameraState;

use self::loss::Loss;
use super::{
    Settings, Sink, Start, Status,
    devices::DEV,
    handle::{Mailbox, Orders},
    hotplug::Hotplug,
    pace::Ticker,
    retry::Retry,
    source::{self, Found, Source},
    stream::Stream,
    test_pattern::TestPattern,
};
use crate::{
    events,
    media::{Origin, RawFrame, Timestamp},
    meters::CaptureCounters,
    supervise::heartbeat::Heartbeat,
};

/// The longest the thread sleeps while it has something to do: it beats more often than the
/// watchdog asks, and looks whether frames still come.
const TURN: Duration = Duration::from_secs(1);

/// All that the thread owns.
pub(super) struct Worker {
    mailbox: Arc<Mailbox>,
    orders: Orders,
    counters: Arc<CaptureCounters>,
    heartbeat: Heartbeat,
    sink: Box<dyn Sink>,
    hotplug: Hotplug,
    source: Source,
    /// Kept until the first frame of a device that is opened again: opened is not yet alive.
    loss: Option<Loss>,
    retry: Retry,
    status: Status,
    reported: Option<Status>,
    sequence: u64,
    /// Whether a camera has been open under these settings.
    was_there: bool,
}

/// What ended a wait.
struct Woken {
    device: PollFlags,
    orders: bool,
    plug: bool,
}

impl Worker {
    /// Nothing is opened yet.
    pub fn new(start: Start, mailbox: Arc<Mailbox>) -> io::Result<Self> {
        Ok(Self {
            orders: mailbox.read(),
            mailbox,
            counters: start.counters,
            heartbeat: start.heartbeat,
            sink: start.sink,
            hotplug: Hotplug::new()?,
            source: Source::None,
            loss: None,
            retry: Retry::default(),
            status: Status {
                state: CameraState::Starting,
                reason: String::new(),
                path: String::new(),
                card: String::new(),
                layout: None,
                driver_fps: 0.0,
            },
            reported: None,
            sequence: 0,
            was_there: false,
        })
    }

    /// The thread's life.
    pub fn run(mut self) {
        self.report();
        self.open();
        while !self.orders.stop {
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
        &self.orders.settings
    }

    /// Sleeps until something is to be done.
    fn wait(&mut self) -> Woken {
        let timeout = self.timeout(Timestamp::now());
        match timeout {
            Some(_) => self.heartbeat.beat(),
            None => self.heartbeat.idle(),
        }
        let orders = PollFd::new(self.mailbox.event().as_fd(), PollFlags::POLLIN);
        let plug = PollFd::new(self.hotplug.as_fd(), PollFlags::POLLIN);
        let mut fds = vec![orders, plug];
        if let Source::Camera(stream) = &self.source {
            fds.extend(
                stream
                    .interest()
                    .map(|(fd, events)| PollFd::new(fd, events)),
            );
        }
        // It fails only when a signal interrupts it, and then nothing has happened.
        let happened = ppoll(&mut fds, timeout.map(TimeSpec::from), None).is_ok();
        let events = |n: usize| {
            let events = fds.get(n).and_then(PollFd::revents);
            events.filter(|_| happened).unwrap_or(PollFlags::empty())
        };
        let woken = Woken {
            orders: !events(0).is_empty(),
            plug: !events(1).is_empty(),
            device: events(2),
        };
        self.heartbeat.beat();
        woken
    }

    /// How long nothing needs to be done; `None` for as long as nothing happens.
    fn timeout(&self, now: Timestamp) -> Option<Duration> {
        let watched = self.orders.watched;
        let source = match &self.source {
            Source::Camera(stream) => stream.is_on().then(|| now + TURN),
            Source::Pattern(_, ticker) => watched.then(|| ticker.due()),
            Source::None => None,
        };
        let blank = self.loss.as_ref().filter(|_| watched);
        [source, blank.map(|loss| loss.next_picture), self.retry.at()]
            .into_iter()
            .flatten()
            .min()
            .map(|next| next.since(now).min(TURN))
    }

    /// Takes what the source has.
    fn serve(&mut self, events: PollFlags) {
        let result = match &mut self.source {
            Source::Camera(stream) => {
                let frame = stream.woken(events, &mut self.sequence, &self.counters);
                match frame {
                    Ok(None) => stream.check_silence(Timestamp::now()).map(|()| None),
                    other => other,
                }
            }
            Source::Pattern(..) => Ok(self.next_pattern()),
            Source::None => return,
        };
        match result {
            Ok(Some(frame)) => {
                if self.status.state != CameraState::Streaming {
                    self.recovered();
                }
                self.sink.frame(frame);
            }
            Ok(None) => {}
            Err(error) => self.lose(error),
        }
    }

    fn next_pattern(&mut self) -> Option<RawFrame> {
        let Source::Pattern(pattern, ticker) = &mut self.source else {
            return None;
        };
        let now = Timestamp::now();
        let passed = if self.orders.watched {
            ticker.pass(now)
        } else {
            0
        };
        if passed == 0 {
            return None;
        }
        self.sequence += passed;
        let picture = pattern.draw(self.sequence, now);
        let taken = u64::from(picture.is_some());
        self.counters.captured.add(taken);
        self.counters.skipped.add(passed - taken);
        picture.map(|picture| RawFrame {
            sequence: self.sequence,
            captured: Timestamp::now(),
            layout: pattern.layout(),
            origin: Origin::TestPattern,
            pixels: Box::new(picture),
        })
    }

    /// Does what the orders say now.
    fn obey(&mut self) {
        let orders = self.mailbox.read();
        let old = std::mem::replace(&mut self.orders, orders);
        let new = self.settings().clone();
        if self.orders.stop {
            return;
        }
        if (Settings {
            fps: new.fps,
            ..old.settings.clone()
        }) != new
        {
            if let Source::Camera(stream) = std::mem::replace(&mut self.source, Source::None) {
                stream.close();
            }
            self.loss = None;
            self.was_there = false;
            self.status.layout = None;
            self.retry.reset();
            self.open();
        } else if old.settings.fps != new.fps {
            self.set_fps();
        }
        if old.watched != self.orders.watched {
            self.switch();
        }
    }

    fn set_fps(&mut self) {
        let fps = self.settings().fps;
        let result = match &mut self.source {
            Source::Camera(stream) => {
                let result = stream.set_fps(fps);
                self.status.driver_fps = stream.camera().driver_fps;
                result
            }
            Source::Pattern(_, ticker) => {
                *ticker = Ticker::new(fps, Timestamp::now());
                self.status.driver_fps = fps.get();
                Ok(())
            }
            Source::None => Ok(()),
        };
        match result {
            Ok(()) => self.report(),
            Err(error) => self.lose(error),
        }
    }

    /// Something has happened to the device's path.
    fn plugged(&mut self) {
        if let Source::Camera(stream) = &self.source {
            if let Err(error) = stream.camera().check() {
                self.lose(error);
            }
        } else {
            self.retry.reset();
            self.open();
        }
    }

    /// Opens what the settings ask for, and streams if somebody watches.
    fn open(&mut self) {
        let dev = Path::new(DEV);
        let target = source::target(&self.settings().device, dev);
        self.hotplug.watch(target);
        match source::find(self.settings(), dev, self.was_there) {
            Found::Camera(stream) => self.adopt(stream),
            Found::Pattern(reason) => self.show_pattern(reason),
            Found::Lost(error) => self.lose(error),
        }
    }

    fn adopt(&mut self, stream: Box<Stream>) {
        let camera = stream.camera();
        self.status.card.clone_from(&camera.card);
        self.status.layout = Some(camera.layout);
        self.status.driver_fps = camera.driver_fps;
        self.source = Source::Camera(stream);
        self.was_there = true;
        self.retry.cancel();
        if self.loss.is_none() {
            // What it takes the place of may have had a reason: the test pattern.
            self.status.reason.clear();
            self.log_opened();
        }
        self.switch();
    }

    fn show_pattern(&mut self, reason: String) {
        if !reason.is_empty() {
            self.schedule_retry();
        }
        if matches!(self.source, Source::Pattern(..)) && self.status.reason == reason {
            return;
        }
        let fps = self.settings().fps;
        let pattern = TestPattern::new(&self.settings().name, self.settings().size);
        self.status.card = "test pattern".into();
        self.status.layout = Some(pattern.layout());
        self.status.driver_fps = fps.get();
        self.status.reason = reason;
        self.source = Source::Pattern(pattern, Ticker::new(fps, Timestamp::now()));
        self.log_opened();
        self.switch();
    }

    /// Puts the source in the state that fits whether somebody watches.
    fn switch(&mut self) {
        let watched = self.orders.watched;
        let now = Timestamp::now();
        let fps = self.settings().fps;
        let result = match &mut self.source {
            Source::Camera(stream) if watched => stream.start(),
            Source::Camera(stream) => {
                if stream.is_on() {
                    tracing::info!(
                        message_id = events::CAMERA_IDLE,
                        camera = self.orders.settings.name,
                        "camera off: nobody watches"
                    );
                }
                stream.stop();
                Ok(())
            }
            Source::Pattern(_, ticker) => {
                *ticker = Ticker::new(fps, now);
                Ok(())
            }
            Source::None => {
                self.loss
                    .iter_mut()
                    .for_each(|loss| loss.next_picture = now);
                return;
            }
        };
        match result {
            Err(error) => self.lose(error),
            Ok(())
                if watched && self.loss.is_some() && matches!(self.source, Source::Camera(_)) => {}
            Ok(()) => self.recovered(),
        }
    }

    fn log_opened(&self) {
        let Settings {
            name,
            size,
            format,
            fps,
            ..
        } = self.settings();
        let (format_granted, granted) = self.status.layout.map_or_else(Default::default, |l| {
            (l.format.to_string(), format!("{}x{}", l.width, l.height))
        });
        tracing::info!(
            message_id = events::CAMERA_OPENED,
            camera = name,
            path = %self.source.path().display(),
            card = self.status.card,
            driver = match &self.source {
                Source::Camera(stream) => stream.camera().driver.as_str(),
                _ => "",
            },
            asked = format!("{size} {} fps {format}", fps.get()),
            granted = format!("{granted} {} fps {format_granted}", self.status.driver_fps),
            reason = self.status.reason,
            "camera opened: {}, {granted} {} fps {format_granted}{}",
            self.source.path().display(),
            self.status.driver_fps,
            if self.status.reason.is_empty() { String::new() } else { format!(" ({})", self.status.reason) }
        );
    }

    /// Tells the sink of the state, if it has changed.
    fn report(&mut self) {
        self.status.path = self.source.path().display().to_string();
        if self.reported.as_ref() != Some(&self.status) {
            self.reported = Some(self.status.clone());
            self.sink.status(self.status.clone());
        }
    }
}
