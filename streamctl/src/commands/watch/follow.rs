//! A watch from its start to its end: connect, receive, wait, connect again.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    args::Args,
    clock::{Clock, Offset},
    connect::{self, connect},
    keep::Keep,
    loss::Loss,
    measure::{Measure, Reading},
    output::Written,
    reconnect::Reconnect,
    save,
    steering::{Steering, Woken},
    view::{Front, Rendition, State, View},
};

/// Why a watch ended.
#[derive(Debug)]
pub enum Ending {
    /// The user or a signal wanted it.
    Asked,
    /// `--frames` have come, or `--duration` is over.
    Complete,
    /// Nobody reads what is written.
    Unread,
    /// An administrator disconnected it; with the reason.
    Kicked(String),
    /// Every attempt failed; with the last one's failure.
    GaveUp(Loss),
    /// A file can't be written.
    Unsaved(save::Error),
    /// The figures can't be shown.
    Unshown(io::Error),
}

/// What a watch came to.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended.
    pub ending: Ending,
    /// The figures at the end.
    pub reading: Reading,
    /// Connections that were made.
    pub connections: u64,
    /// The last failure to connect or loss, if there was one.
    pub last_loss: Option<Loss>,
    /// What came at last stood in for pictures of the camera.
    pub no_signal: bool,
    /// Frames saved.
    pub saved: u64,
}

/// A watch under way.
pub struct Follower<'a> {
    pub(super) args: &'a Args,
    pub(super) steering: &'a Steering,
    pub(super) clock: Clock,
    pub(super) offset: Offset,
    pub(super) measure: Measure,
    /// The rate of the camera that is watched; 0 while unknown.
    pub(super) camera_fps: f64,
    front: &'a mut dyn Front,
    start: Instant,
    reconnect: Reconnect,
    view: View,
    next_figures: Instant,
    keep: Keep,
    connections: u64,
}

impl<'a> Follower<'a> {
    /// A watch that starts now: what is received goes to `front` and is written to `keep`.
    pub fn new(
        args: &'a Args,
        steering: &'a Steering,
        front: &'a mut dyn Front,
        keep: Keep,
    ) -> Self {
        let start = Instant::now();
        Self {
            args,
            steering,
            clock: Clock::new(),
            offset: Offset::default(),
            measure: Measure::default(),
            camera_fps: 0.0,
            next_figures: start + front.interval(),
            front,
            start,
            reconnect: Reconnect::new(args.policy()),
            view: View::default(),
            keep,
            connections: 0,
        }
    }

    /// Watches to the end.
    pub fn run(mut self) -> Outcome {
        let mut last_loss = None;
        let ending = loop {
            let loss = match self.connection() {
                Ok(loss) => loss,
                Err(ending) => break ending,
            };
            self.measure.interrupted();
            let given_up = loss.is_final() || self.never_began(&loss);
            match self.reconnect.lost().filter(|_| !given_up) {
                None => break Ending::GaveUp(loss),
                Some(delay) => {
                    let rested = self.rest(&loss, delay);
                    last_loss = Some(loss);
                    if let Err(ending) = rested {
                        break ending;
                    }
                }
            }
        };
        Outcome {
            ending,
            reading: self.measure.reading(self.elapsed()),
            connections: self.connections,
            last_loss,
            no_signal: self.view.state == State::NoSignal,
            saved: self.keep.saved(),
        }
    }

    /// Whether an address is most likely wrong, though another attempt might come to something: a
    /// name that has never been found, also where the resolver says that it may be asked again, or
    /// a server that has never said a word. Who wants to wait for ever waits.
    fn never_began(&self, loss: &Loss) -> bool {
        let wrong = match loss {
            Loss::Unreachable(_, error) => self.connections == 0 && connect::is_unresolved(error),
            Loss::NoAnswer { .. } => self.connections == 1,
            _ => false,
        };
        wrong && self.args.reconnect_attempts != 0
    }

    /// One connection: how it was lost.
    fn connection(&mut self) -> Result<Loss, Ending> {
        self.state(State::Connecting)?;
        let limit = self.args.duration.map(|duration| self.start + duration);
        let mut stream = match connect(
            &self.args.target,
            self.args.fingerprint,
            self.steering,
            limit,
        ) {
            Ok(Some(stream)) => stream,
            Ok(None) => return Err(Ending::Asked),
            Err(loss) => return Ok(loss),
        };
        if self.connections > 0 {
            self.measure.reconnected();
        }
        self.connections += 1;
        self.state(State::Connected)?;
        self.receive(&mut stream)
    }

    /// Waits for the time of the next attempt.
    fn rest(&mut self, loss: &Loss, delay: Duration) -> Result<(), Ending> {
        let until = Instant::now() + delay;
        self.state(State::Waiting {
            cause: loss.to_string(),
            until: self.elapsed() + delay,
        })?;
        while Instant::now() < until {
            self.on_time()?;
            let deadline = until.min(self.deadline());
            match self.steering.wait(deadline).map_err(Ending::Unshown)? {
                Woken::Wakeups if self.steering.stop() => return Err(Ending::Asked),
                _ => {}
            }
        }
        Ok(())
    }

    /// What is due by the clock: figures, the end.
    pub(super) fn on_time(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        if self.steering.stop() {
            return Err(Ending::Asked);
        }
        if self.args.duration.is_some_and(|d| self.elapsed() >= d) {
            return Err(Ending::Complete);
        }
        if now >= self.next_figures {
            // A late one does not make the next ones come in a burst.
            self.next_figures = (self.next_figures + self.front.interval()).max(now);
            self.view.reading = self.measure.reading(self.elapsed());
            self.front.figures(&self.view).map_err(unshown)?;
        }
        Ok(())
    }

    /// When [`Follower::on_time`] has something to do next.
    pub(super) fn deadline(&self) -> Instant {
        match self.args.duration {
            Some(duration) => self.next_figures.min(self.start + duration),
            None => self.next_figures,
        }
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A picture came: shows, saves and counts it.
    pub(super) fn picture(&mut self, jpeg: &[u8]) -> Result<(), Ending> {
        if self.view.state != State::Live {
            self.reconnect.picture();
            self.state(State::Live)?;
        }
        self.front.picture(jpeg);
        let kept = self.keep.picture(jpeg, self.steering);
        if kept.map_err(Ending::Unsaved)? == Written::Enough {
            return Err(Ending::Unread);
        }
        match self.args.frames {
            Some(frames) if self.measure.frames() >= frames => Err(Ending::Complete),
            _ => Ok(()),
        }
    }

    /// A picture came that stands in for the camera's own: it is shown, and is no frame of it.
    pub(super) fn stand_in(&mut self, jpeg: &[u8]) -> Result<(), Ending> {
        self.measure.interrupted();
        if self.view.state != State::NoSignal {
            self.reconnect.picture();
            self.state(State::NoSignal)?;
        }
        self.front.picture(jpeg);
        Ok(())
    }

    /// What is received has changed.
    pub(super) fn rendition(&mut self, change: impl FnOnce(&mut Rendition)) -> Result<(), Ending> {
        change(&mut self.view.rendition);
        self.changed()
    }

    /// The camera that the pictures say they are from; nothing happens if that is known.
    pub(super) fn camera(&mut self, name: &str) -> Result<(), Ending> {
        if self.view.rendition.camera == name {
            return Ok(());
        }
        self.rendition(|rendition| name.clone_into(&mut rendition.camera))
    }

    /// Tells people something.
    pub(super) fn notice(&mut self, message: &str) -> Result<(), Ending> {
        self.front.notice(message).map_err(unshown)
    }

    fn state(&mut self, state: State) -> Result<(), Ending> {
        self.view.state = state;
        self.view.attempt = self.reconnect.attempt();
        self.changed()
    }

    fn changed(&mut self) -> Result<(), Ending> {
        self.view.reading = self.measure.reading(self.elapsed());
        self.front.changed(&self.view).map_err(unshown)
    }
}

/// A reader that has gone away (`| head`) is no failure.
fn unshown(error: io::Error) -> Ending {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ending::Unread,
        _ => Ending::Unshown(error),
    }
}
