//! A lost camera: what is said and shown of it until its first frame comes again.

use std::{path::Path, time::Duration};

use streamd_protocol::stats::CameraState;

use super::{
    super::{
        blank::Blank,
        devices::DEV,
        error::DeviceError,
        source::{self, Source},
    },
    Worker,
};
use crate::{
    config::values::Size,
    events,
    media::{Origin, RawFrame, Timestamp},
};

/// Between two "no signal" pictures: they show a clock in seconds.
const BLANK_INTERVAL: Duration = Duration::from_secs(1);

/// What the "no signal" picture says, and when the next one is due.
#[derive(Debug)]
pub(super) struct Loss {
    pub reason: String,
    pub since: Timestamp,
    pub next_picture: Timestamp,
}

impl Worker {
    /// The source is as it should be: no loss is shown any more.
    pub(super) fn recovered(&mut self) {
        if !matches!(self.source, Source::Pattern(..)) {
            self.status.reason.clear();
            self.retry.reset();
        }
        if self.loss.take().is_some() {
            self.log_opened();
        }
        self.status.state = if self.orders.watched {
            CameraState::Streaming
        } else {
            CameraState::Idle
        };
        self.report();
    }

    /// The device is gone or unusable: says why, shows it, and waits for it.
    pub(super) fn lose(&mut self, error: DeviceError) {
        let now = Timestamp::now();
        let source = std::mem::replace(&mut self.source, Source::None);
        let was_open = matches!(source, Source::Camera(_));
        if was_open && self.loss.is_none() {
            self.counters.losses.add(1);
        }
        // That an unplugged device can't be opened either is no news.
        let known = self.loss.as_ref().map(|loss| &loss.reason);
        let news = match (&error, known) {
            (DeviceError::Absent { .. }, Some(_)) => false,
            (error, Some(known)) => error.to_string() != *known,
            (_, None) => true,
        };
        if news {
            tracing::warn!(
                message_id = events::CAMERA_LOST,
                camera = self.settings().name,
                reason = %error,
                "no signal: {error}"
            );
            self.loss = Some(Loss {
                reason: error.to_string(),
                since: self.loss.as_ref().map_or(now, |loss| loss.since),
                next_picture: now,
            });
            self.status.reason = error.to_string();
        }
        self.status.state = CameraState::Lost;
        self.status.driver_fps = 0.0;
        self.report();
        self.show_loss();
        // Only now, since stopping a device that is going away may take its time.
        drop(source);
        self.schedule_retry();
    }

    /// Looks again later, if something is there that may change without an event.
    pub(super) fn schedule_retry(&mut self) {
        if source::may_return_unannounced(&self.settings().device, Path::new(DEV)) {
            self.retry.schedule(Timestamp::now());
        } else {
            self.retry.cancel();
        }
    }

    /// Shows the "no signal" picture when one is due.
    pub(super) fn show_loss(&mut self) {
        let now = Timestamp::now();
        let Some(loss) = self.loss.as_mut().filter(|loss| loss.next_picture <= now) else {
            return;
        };
        if !self.orders.watched {
            return;
        }
        loss.next_picture = now + BLANK_INTERVAL;
        let blank = Blank {
            name: &self.orders.settings.name,
            reason: &loss.reason,
            lost_for: now.since(loss.since),
        };
        let size = match self.status.layout {
            Some(layout) => Size::new(layout.width, layout.height),
            None => self.orders.settings.size,
        };
        let (layout, bytes) = blank.draw(size);
        self.sequence += 1;
        self.sink.frame(RawFrame {
            sequence: self.sequence,
            captured: Timestamp::now(),
            layout,
            origin: Origin::Blank,
            pixels: Box::new(bytes),
        });
    }
}
