//! Between the states: what becomes of a camera that opens, delivers, falls silent, is lost.

use std::{path::Path, time::Duration};

use super::Worker;
use crate::{
    capture::{
        Settings,
        devices::DEV,
        error::DeviceError,
        holder,
        pace::Ticker,
        source::{self, Found},
        state::{Loss, Pattern, StandIn, State},
        stream::Stream,
        test_pattern::TestPattern,
    },
    config::values::Device,
    events,
    media::Timestamp,
};

/// Who holds a busy device is looked up no more often than this: it is a walk through all processes.
const HOLDER_KNOWN_FOR: Duration = Duration::from_secs(5);

impl Worker {
    /// Has the kernel tell of what happens to the device's path.
    pub(super) fn look_out(&mut self) {
        let target = source::watch_for(&self.settings().device, Path::new(DEV));
        self.hotplug.watch(target);
    }

    /// Something has happened to the device's path.
    pub(super) fn plugged(&mut self) {
        match self.state.stream().map(|stream| stream.camera().check()) {
            Some(Err(error)) => self.lose(error),
            Some(Ok(())) => {}
            None => self.plugged_unless_open(),
        }
    }

    /// Something has happened that may let the device be opened.
    pub(super) fn plugged_unless_open(&mut self) {
        let is_remote = matches!(self.settings().device, Device::Nats(_));
        if self.state.stream().is_none() && !is_remote {
            self.retry.reset();
            self.post.rejected.lock().forget();
            self.open();
        }
    }

    /// Opens what the settings ask for, and streams if somebody watches.
    pub(super) fn open(&mut self) {
        self.look_out();
        let dev = Path::new(DEV);
        let was_there = self.state.known().is_some();
        match source::find(self.settings(), dev, was_there, &self.post) {
            Found::Camera(stream) => self.adopt(stream),
            Found::Pattern(reason) => self.show_pattern(reason),
            Found::Remote => {
                self.retry.cancel();
                self.report();
                self.follow();
            }
            Found::Lost(error) => self.lose(error),
        }
    }

    /// The device is open. What stands in for it is shown until it delivers.
    fn adopt(&mut self, stream: Box<Stream>) {
        self.uncover();
        self.retry.cancel();
        self.complaints.apply(stream.camera(), &self.told.settings);
        self.state = match self.leave() {
            State::Without(stand_in) => State::Returning(stream, stand_in),
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
        let shown = |state: &State| matches!(state.stand_in(), Some(StandIn::Pattern(shown)) if shown.reason == reason);
        if matches!(self.state, State::Without(_)) && shown(&self.state) {
            return;
        }
        let Settings {
            name, size, fps, ..
        } = self.settings();
        self.state = State::Without(StandIn::Pattern(Box::new(Pattern {
            picture: TestPattern::new(name, *size),
            ticker: Ticker::new(*fps, Timestamp::now()),
            reason,
            fps: fps.get(),
        })));
        self.log_opened();
        self.switch();
    }

    /// The source does what it should: nothing stands in for it any more.
    pub(super) fn delivers(&mut self) {
        if matches!(self.state, State::Returning(..)) {
            if let State::Returning(stream, _) = self.leave() {
                self.state = State::Open(stream);
            }
            self.retry.reset();
            self.post.rejected.lock().forget();
            if !self.post.faults.lock().recur() {
                self.log_opened();
            }
            self.report();
        }
    }

    /// When the stream is to be looked after at the latest, though nothing comes.
    pub(super) fn next_look(&self, stream: &Stream) -> Timestamp {
        match stream.pulse.silence_told {
            true => stream.lost_at() + self.restart.after(),
            false => stream.lost_at(),
        }
    }

    /// A stream on which nothing usable comes is said to be lost; it stays on, for what comes late,
    /// and is opened anew when that has not helped.
    pub(super) fn look_for_life(&mut self) {
        let now = Timestamp::now();
        let Some(stream) = self.state.stream() else {
            return;
        };
        if self.next_look(stream) > now {
            return;
        }
        let (told, trial) = (stream.pulse.silence_told, self.is_trial(stream));
        match stream.silence(now) {
            None => {}
            Some(error) if trial || Self::is_gone(&error) => self.lose(error),
            Some(error) if told => self.open_anew(&error),
            Some(error) => self.is_silent(&error),
        }
    }

    /// Whether `auto` has this device without having had a picture of it: another one may be better.
    fn is_trial(&self, stream: &Stream) -> bool {
        self.settings().device == Device::Auto && !stream.pulse.delivered
    }

    /// The stream is on, and its pictures can't be used, or there are none.
    fn is_silent(&mut self, error: &DeviceError) {
        let loss = self.note_loss(error);
        self.state = match self.leave() {
            State::Open(mut stream) | State::Returning(mut stream, _) => {
                stream.pulse.silence_told = true;
                State::Returning(stream, StandIn::Loss(loss))
            }
            other => other,
        };
        self.report();
        self.show();
    }

    /// Closes the device, and opens it again.
    fn open_anew(&mut self, error: &DeviceError) {
        self.restart.restarts();
        let loss = self.note_loss(error);
        let (stream, _) = self.leave().into_parts();
        self.state = State::Without(StandIn::Loss(loss));
        tracing::debug!(%error, camera = self.settings().name, "the device is opened anew");
        if let Some(stream) = stream {
            stream.close();
        }
        self.open();
    }

    /// The device is gone or unusable: says why, shows it, and waits for it.
    pub(super) fn lose(&mut self, error: DeviceError) {
        self.uncover();
        let error = self.explain(error);
        let trial = self.state.stream().is_some_and(|s| self.is_trial(s));
        let mut loss = self.note_loss(&error);
        let (stream, shown) = self.leave().into_parts();
        if let Some(stream) = stream.as_ref().filter(|_| trial) {
            let path = &stream.camera().path;
            self.post
                .rejected
                .lock()
                .add(path, &error, Timestamp::now());
            // What has never given a picture was no camera; what was there before it stays known.
            loss.known = match &shown {
                Some(StandIn::Loss(before)) => before.known.clone(),
                _ => None,
            };
        }
        self.state = State::Without(match shown {
            Some(StandIn::Pattern(pattern)) if trial => StandIn::Pattern(pattern),
            _ => StandIn::Loss(loss),
        });
        self.report();
        self.show();
        // Only now, since stopping a device that is going away may take its time.
        drop(stream);
        match trial {
            true => self.retry.after(Duration::ZERO, Timestamp::now()),
            false => self.schedule_retry(),
        }
    }

    /// Counts and logs a loss for this reason, where it is news.
    fn note_loss(&self, error: &DeviceError) -> Loss {
        let now = Timestamp::now();
        let (loss, news) = Loss::after(&self.state, error, now);
        if matches!(self.state, State::Open(_) | State::Remote(_)) {
            self.post.counters.losses.add(1);
        }
        if news {
            self.post.log_loss(&self.settings().name, error, now);
        }
        loss
    }

    /// Says of a busy device who holds it: a thread of ours that its driver does not let go of,
    /// another camera of ours, or another program.
    fn explain(&mut self, error: DeviceError) -> DeviceError {
        let DeviceError::Busy { path, holder: None } = error else {
            return error;
        };
        if let Some(step) = self.post.stuck_in() {
            return DeviceError::NoAnswer { path, step };
        }
        let now = Timestamp::now();
        let known = self.holder.take();
        let known = known.filter(|(then, _)| now.since(*then) < HOLDER_KNOWN_FOR);
        let (then, holder) = known.unwrap_or_else(|| {
            let camera = self.post.claims.other(&self.told.settings.name, &path);
            let camera = camera.map(|camera| format!("the camera {camera}"));
            (now, camera.or_else(|| holder::of(&path)))
        });
        self.holder = Some((then, holder.clone()));
        DeviceError::Busy { path, holder }
    }

    /// Looks again later, if something is there that may change without an event.
    fn schedule_retry(&mut self) {
        let now = Timestamp::now();
        let device = &self.settings().device;
        if !source::may_return_unannounced(device, Path::new(DEV)) {
            return self.retry.cancel();
        }
        self.retry.schedule(now);
    }

    /// What somebody else said and showed for this thread, while it was in a call, holds until the
    /// device delivers.
    pub(super) fn uncover(&mut self) {
        let Some(cover) = self.post.uncover(&self.position) else {
            return;
        };
        self.state = match self.leave() {
            State::Open(stream) if self.told.watched => {
                State::Returning(stream, StandIn::Loss(cover))
            }
            State::Returning(stream, StandIn::Loss(_)) => {
                State::Returning(stream, StandIn::Loss(cover))
            }
            State::Starting | State::Without(StandIn::Loss(_)) => {
                State::Without(StandIn::Loss(cover))
            }
            other => other,
        };
    }

    /// Shows what stands in for the camera, when a picture of it is due.
    pub(super) fn show(&mut self) {
        if !self.told.watched {
            return;
        }
        let number = self.post.next_number();
        let picture = match self.state.stand_in_mut() {
            Some(StandIn::Pattern(pattern)) => pattern.next(number, &self.post.counters),
            Some(StandIn::Loss(loss)) => loss.picture(&self.told.settings, Timestamp::now()),
            None => None,
        };
        if let Some(picture) = picture {
            // Drawn by ourselves, it is a picture.
            let _ = self.hand_on(picture);
        }
    }

    pub(super) fn log_opened(&self) {
        self.state.log_opened(self.settings());
    }

    /// Says in the log which faults have not come back.
    pub(super) fn say_what_is_over(&self) {
        if !matches!(self.state, State::Open(_) | State::Remote(_)) {
            return;
        }
        for fault in self.post.faults.lock().over(Timestamp::now()) {
            tracing::info!(
                message_id = events::CAMERA_STEADY,
                camera = self.settings().name,
                "steady again after {fault}"
            );
        }
    }
}
