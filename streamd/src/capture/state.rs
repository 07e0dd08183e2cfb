//! What a camera is doing, as one value: each state holds what it needs and nothing else.

use std::time::Duration;

use streamd_protocol::stats::CameraState;

use super::{
    Settings, Status,
    blank::Blank,
    error::{DeviceError, Kind},
    pace::Ticker,
    remote::Far,
    stream::Stream,
    test_pattern::TestPattern,
};
use crate::{
    config::values::Size,
    events,
    media::{Layout, Origin, RawFrame, Timestamp},
    meters::CaptureCounters,
};

/// Between two "no signal" pictures: they show a clock in seconds.
const BLANK_INTERVAL: Duration = Duration::from_secs(1);

/// The state of a camera.
pub(super) enum State {
    /// Its device has not been opened yet.
    Starting,
    /// Its device is open, and delivers while somebody watches.
    Open(Box<Stream>),
    /// Its device is open, and does not deliver yet, or any more: open is not alive. What stands in
    /// for it stays until it does.
    Returning(Box<Stream>, StandIn),
    /// It is a camera of another machine, and is there.
    Remote(Box<Far>),
    /// No device is open; this stands in for it.
    Without(StandIn),
}

/// What is shown instead of a camera's pictures.
pub(super) enum StandIn {
    /// The test pattern: asked for, or there has been no camera yet.
    Pattern(Box<Pattern>),
    /// "No signal".
    Loss(Loss),
}

/// The test pattern, with the times of its pictures.
pub(super) struct Pattern {
    pub picture: TestPattern,
    pub ticker: Ticker,
    /// Why it stands in for a camera; empty where it was asked for.
    pub reason: String,
    pub fps: f64,
}

/// What is known of a device that has been open: the driver's name of it, the layout of its frames.
pub(super) type Known = Option<(String, Layout)>;

/// A loss: what is said and shown of it until the first frame comes again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Loss {
    /// For people.
    pub reason: String,
    /// Of the error that is the reason.
    pub kind: Kind,
    pub since: Timestamp,
    /// When the next "no signal" picture is due.
    pub next_picture: Timestamp,
    /// The device, if it has been open.
    pub known: Known,
}

impl Loss {
    /// A loss for this reason.
    pub fn new(error: &DeviceError, known: Known, since: Timestamp, now: Timestamp) -> Self {
        Self {
            reason: error.to_string(),
            kind: error.kind(),
            since,
            next_picture: now,
            known,
        }
    }

    /// What to say of an error in a state, and whether that is a fault of another kind than the one
    /// that is shown: that an unplugged device can't be opened either is none.
    pub fn after(state: &State, error: &DeviceError, now: Timestamp) -> (Self, bool) {
        let known = state.known();
        let Some(old) = state.loss() else {
            return (Self::new(error, known, now, now), true);
        };
        let mut loss = old.clone();
        loss.known = known;
        if matches!(error, DeviceError::Absent { .. }) {
            return (loss, false);
        }
        let news = error.kind() != old.kind;
        let reason = error.to_string();
        if reason != old.reason {
            loss.next_picture = now;
        }
        (loss.kind, loss.reason) = (error.kind(), reason);
        (loss, news)
    }

    /// Writes it into what is told of the camera.
    pub fn tell(&self, status: &mut Status) {
        status.state = CameraState::Lost;
        status.reason.clone_from(&self.reason);
        if let Some((card, layout)) = &self.known {
            status.card.clone_from(card);
            status.layout = Some(*layout);
        }
    }

    /// The "no signal" picture, if one is due.
    pub fn picture(&mut self, settings: &Settings, now: Timestamp) -> Option<RawFrame> {
        if self.next_picture > now {
            return None;
        }
        self.next_picture = now + BLANK_INTERVAL;
        let blank = Blank {
            name: &settings.name,
            reason: &self.reason,
            lost_for: now.since(self.since),
        };
        let size = self.known.as_ref().map_or(settings.size, |(_, layout)| {
            Size::new(layout.width, layout.height)
        });
        let (width, height) = settings.arrangement.size(size.width, size.height);
        let (layout, bytes) = blank.draw(Size::new(width, height));
        Some(RawFrame {
            sequence: 0,
            captured: Timestamp::now(),
            layout,
            origin: Origin::Blank,
            pixels: Box::new(bytes),
        })
    }
}

impl State {
    /// What is shown instead of the camera's pictures.
    pub fn stand_in(&self) -> Option<&StandIn> {
        match self {
            Self::Returning(_, stand_in) | Self::Without(stand_in) => Some(stand_in),
            Self::Starting | Self::Open(_) | Self::Remote(_) => None,
        }
    }

    /// What is shown instead of the camera's pictures, to draw the next one.
    pub fn stand_in_mut(&mut self) -> Option<&mut StandIn> {
        match self {
            Self::Returning(_, stand_in) | Self::Without(stand_in) => Some(stand_in),
            Self::Starting | Self::Open(_) | Self::Remote(_) => None,
        }
    }

    /// The loss that is shown.
    pub fn loss(&self) -> Option<&Loss> {
        match self.stand_in() {
            Some(StandIn::Loss(loss)) => Some(loss),
            _ => None,
        }
    }

    /// The device, if it is open.
    pub fn stream(&self) -> Option<&Stream> {
        match self {
            Self::Open(stream) | Self::Returning(stream, _) => Some(stream),
            _ => None,
        }
    }

    /// The device, if it is open, to ask something of it.
    pub fn stream_mut(&mut self) -> Option<&mut Stream> {
        match self {
            Self::Open(stream) | Self::Returning(stream, _) => Some(stream),
            _ => None,
        }
    }

    /// What is known of the camera that is there, or was: who watches it is shown its loss, and not
    /// the test pattern.
    pub fn known(&self) -> Known {
        match self {
            Self::Open(stream) | Self::Returning(stream, StandIn::Loss(_)) => Some(known(stream)),
            Self::Remote(far) => Some((far.remote.host.clone(), far.layout())),
            Self::Without(StandIn::Loss(loss)) => loss.known.clone(),
            _ => None,
        }
    }

    /// The device, if it is open, and what stands in for it.
    pub fn into_parts(self) -> (Option<Box<Stream>>, Option<StandIn>) {
        match self {
            Self::Open(stream) => (Some(stream), None),
            Self::Returning(stream, stand_in) => (Some(stream), Some(stand_in)),
            Self::Without(stand_in) => (None, Some(stand_in)),
            Self::Starting | Self::Remote(_) => (None, None),
        }
    }

    /// What is told of it to the rest of the daemon; a camera that returns is lost until it
    /// delivers, if somebody watches to see that.
    pub fn status(&self, watched: bool) -> Status {
        let on = match watched {
            true => CameraState::Streaming,
            false => CameraState::Idle,
        };
        let mut status = Status {
            state: on,
            ..Status::default()
        };
        match self.stand_in() {
            Some(StandIn::Loss(loss)) => loss.tell(&mut status),
            Some(StandIn::Pattern(pattern)) => pattern.tell(&mut status),
            None => {}
        }
        if !matches!(self.stand_in(), Some(StandIn::Pattern(_)))
            && let Some(stream) = self.stream()
        {
            let camera = stream.camera();
            status.path = camera.path.display().to_string();
            status.card.clone_from(&camera.card);
            status.layout = Some(camera.layout);
            status.driver_fps = camera.driver_fps;
        }
        if let Self::Remote(far) = self {
            status.path = format!("nats:{}/{}", far.remote.host, far.remote.camera);
            status.card.clone_from(&far.remote.host);
            status.layout = Some(far.layout());
            status.driver_fps = far.remote.fps;
        }
        if matches!(self, Self::Starting) {
            status.state = CameraState::Starting;
        }
        status
    }

    /// Says in the log what has been opened.
    pub fn log_opened(&self, settings: &Settings) {
        let Settings {
            name,
            size,
            format,
            fps,
            ..
        } = settings;
        let status = self.status(true);
        let granted = status.layout.map_or_else(String::new, |layout| {
            let (width, height, format) = (layout.width, layout.height, layout.format);
            format!("{width}x{height} {} fps {format}", status.driver_fps)
        });
        let (path, reason) = (&status.path, &status.reason);
        let because = match reason.as_str() {
            "" => String::new(),
            reason => format!(" ({reason})"),
        };
        tracing::info!(
            message_id = events::CAMERA_OPENED,
            camera = name,
            path,
            card = status.card,
            driver = self
                .stream()
                .map_or("", |stream| stream.camera().driver.as_str()),
            asked = format!("{size} {} fps {format}", fps.get()),
            granted,
            reason,
            "camera opened: {path}, {granted}{because}"
        );
    }
}

fn known(stream: &Stream) -> (String, Layout) {
    let camera = stream.camera();
    (camera.card.clone(), camera.layout)
}

impl StandIn {
    /// When its next picture is due.
    pub fn due(&self) -> Timestamp {
        match self {
            Self::Pattern(pattern) => pattern.ticker.due(),
            Self::Loss(loss) => loss.next_picture,
        }
    }
}

impl Pattern {
    fn tell(&self, status: &mut Status) {
        status.path = "test".into();
        status.card = "test pattern".into();
        status.layout = Some(self.picture.layout());
        status.driver_fps = self.fps;
        status.reason.clone_from(&self.reason);
    }

    /// The next picture, if its time has come.
    pub fn next(&mut self, number: u64, counters: &CaptureCounters) -> Option<RawFrame> {
        let now = Timestamp::now();
        let passed = self.ticker.pass(now);
        if passed == 0 {
            return None;
        }
        counters.captured.add(1);
        counters.skipped.add(passed - 1);
        Some(RawFrame {
            sequence: number,
            captured: now,
            layout: self.picture.layout(),
            origin: Origin::TestPattern,
            pixels: Box::new(self.picture.draw(number, now)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    fn gone() -> DeviceError {
        DeviceError::Absent {
            path: "/dev/video7".into(),
        }
    }

    fn unplugged() -> DeviceError {
        DeviceError::Unplugged {
            path: "/dev/video7".into(),
        }
    }

    #[test]
    fn a_loss_is_told_once_and_dates_from_its_beginning() {
        let (first, news) = Loss::after(&State::Starting, &unplugged(), at(5));
        assert!(news && first.since == at(5));
        let lost = State::Without(StandIn::Loss(first.clone()));
        let (again, news) = Loss::after(&lost, &gone(), at(9));
        assert_eq!(
            (again, news),
            (first, false),
            "that it can't be opened is no news"
        );
        assert!(lost.known().is_none());
        let other = DeviceError::NotACamera {
            path: "/dev/video7".into(),
        };
        let (other, news) = Loss::after(&lost, &other, at(20));
        assert!(news && other.since == at(5) && other.next_picture == at(20));
        assert_eq!(lost.status(true).state, CameraState::Lost);
        assert_eq!(State::Starting.status(true).state, CameraState::Starting);
    }

    #[test]
    fn a_picture_of_the_loss_comes_each_second() {
        let settings = Settings::test("main");
        let (mut loss, _) = Loss::after(&State::Starting, &gone(), at(5));
        let picture = loss.picture(&settings, at(5)).unwrap();
        let size = (picture.layout.width, picture.layout.height);
        assert_eq!(size, (settings.size.width, settings.size.height));
        assert!(loss.picture(&settings, at(1004)).is_none());
        assert!(loss.picture(&settings, at(1005)).is_some());
    }
}
