//! One connection, from the first byte to its loss.

use std::{io, os::fd::AsFd, time::Instant};

use streamd_protocol::stream::{self, AppSegment, Event, ToClient};

use super::{
    args,
    clock::Offset,
    connect::Stream,
    follow::{Ending, Follower},
    framing::{self, Framing, Payload, head},
    loss::Loss,
    measure::Arrival,
    talk::{Manner, Talk, random},
    target::Target,
    tls,
    view::Rendition,
};
use crate::table::{clean, line};

/// Reads in a row before keys, questions and time-outs are looked after again.
const READS: usize = 16;

/// The code by which a WebSocket's server ends it for a reason of its own: a kick.
const POLICY: u16 = 1008;

/// The code by which it says that it has no place.
const TRY_LATER: u16 = 1013;

/// The end of a connection.
enum Over {
    Lost(Loss),
    End(Ending),
}

impl From<Ending> for Over {
    fn from(ending: Ending) -> Self {
        Self::End(ending)
    }
}

impl From<Loss> for Over {
    fn from(loss: Loss) -> Self {
        Self::Lost(loss)
    }
}

/// What a connection needs besides the watch.
struct Connection<'s> {
    stream: &'s mut Stream,
    framing: Framing,
    talk: Talk,
    heard: Instant,
    paused: bool,
    stopping: Option<String>,
}

impl Follower<'_> {
    /// Receives until the connection is lost.
    pub(super) fn receive(&mut self, stream: &mut Stream) -> Result<Loss, Ending> {
        self.offset = Offset::default();
        let (manner, request, opening) = match self.args.address() {
            None => (Manner::Raw, String::new(), None),
            Some(address) => {
                let (request, opening) = head::ask(&address, args::token().as_deref(), random());
                let manner = match address.websocket {
                    true => Manner::WebSocket,
                    false => Manner::Mute,
                };
                (manner, request, Some(opening))
            }
        };
        if manner == Manner::Mute && self.args.fps.is_some() {
            // Nobody says at which rate the camera runs: what is left out may all be wanted.
            self.measure.expect_every(u64::MAX);
        }
        let first = [self.args.hello(), self.args.subscription()];
        let mut connection = Connection {
            stream,
            framing: Framing::of(&self.args.target, opening),
            talk: Talk::new(manner, request, first, &self.clock),
            heard: Instant::now(),
            paused: false,
            stopping: None,
        };
        loop {
            match self.turn(&mut connection) {
                Ok(()) => {}
                Err(Over::End(ending)) => return Err(ending),
                Err(Over::Lost(loss)) => {
                    return Ok(match connection.stopping {
                        Some(message) => Loss::Stopping(message),
                        None => loss,
                    });
                }
            }
        }
    }

    /// Says what is due, sleeps, reads what has come.
    fn turn(&mut self, connection: &mut Connection<'_>) -> Result<(), Over> {
        self.on_time()?;
        let paused = self.steering.paused();
        if connection.paused != paused {
            connection.paused = paused;
            self.measure.interrupted();
        }
        let talk = &mut connection.talk;
        talk.due(Instant::now(), &self.clock, &self.offset, paused);
        flush(talk, connection.stream)?;
        let stalled = connection.heard + self.args.stall_timeout;
        if Instant::now() >= stalled {
            return Err(Loss::Stalled(self.args.stall_timeout).into());
        }
        let deadlines = [Some(stalled), Some(self.deadline()), talk.deadline()];
        let deadline = deadlines.into_iter().flatten().min().unwrap_or(stalled);
        let unsent = !talk.waiting().is_empty() || connection.stream.has_to_write();
        let deadline = match connection.stream.has_more() {
            true => Instant::now(),
            false => deadline,
        };
        self.steering
            .wait_readable(connection.stream.as_fd(), unsent, deadline)
            .map_err(Loss::Broken)?;
        self.read(connection)
    }

    fn read(&mut self, connection: &mut Connection<'_>) -> Result<(), Over> {
        let target = &self.args.target;
        for _ in 0..READS {
            let space = connection.framing.space();
            let room = space.len();
            let count = match connection.stream.receive(space) {
                Ok(0) => return Err(closed(&connection.framing, target).into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(target, error).into()),
            };
            connection.heard = Instant::now();
            connection.framing.filled(count);
            self.measure.received(self.elapsed(), count);
            self.payloads(connection)?;
            if count < room {
                return Ok(());
            }
        }
        Ok(())
    }

    fn payloads(&mut self, connection: &mut Connection<'_>) -> Result<(), Over> {
        let Connection { framing, talk, .. } = connection;
        let target = &self.args.target;
        let mut refused = None;
        while let Some(payload) = framing.next().map_err(|error| over(target, error))? {
            match payload {
                Payload::Opened => talk.open(&self.clock),
                Payload::Ping(data) => talk.pong(data),
                Payload::Picture(jpeg) => self.arrival(jpeg, talk)?,
                // A message of a newer server that this version does not know is no error.
                Payload::Message(json) => {
                    if let Ok(message) = serde_json::from_slice(json) {
                        self.message(message, talk, &mut connection.stopping, &mut refused)?;
                    }
                }
            }
            if let Some(why) = refused {
                return Err(Loss::Refused(why).into());
            }
        }
        Ok(())
    }

    fn arrival(&mut self, jpeg: &[u8], talk: &mut Talk) -> Result<(), Ending> {
        let segment = AppSegment::find(jpeg);
        if self.is_other(segment.as_ref()) {
            return Ok(());
        }
        if stream::is_stand_in(jpeg) {
            if let Some(segment) = &segment {
                self.camera(&clean(&segment.camera))?;
            }
            return self.stand_in(jpeg);
        }
        let now = self.clock.micros(Instant::now());
        let server_now = self
            .offset
            .micros()
            .and_then(|offset| now.checked_add_signed(offset));
        if let (Some(segment), Some(t)) = (&segment, server_now) {
            talk.receipt(segment.sequence, t);
        }
        let latency_ms = segment
            .as_ref()
            .zip(server_now)
            .map(|(segment, t)| t as f64 / 1e3 - segment.captured_us as f64 / 1e3);
        self.measure.frame(Arrival {
            at: self.elapsed(),
            sequence: segment.as_ref().map(|segment| segment.sequence),
            latency_ms,
        });
        if let Some(segment) = &segment {
            self.camera(&clean(&segment.camera))?;
        }
        self.picture(jpeg)
    }

    /// Whether a picture is of another camera than the one that is asked for: the target's own
    /// comes until the server has heard of it.
    fn is_other(&self, segment: Option<&AppSegment>) -> bool {
        let of = segment.map(|segment| segment.camera.as_str());
        self.args.subscription().is_some() && self.args.camera.as_deref() != of
    }

    fn message(
        &mut self,
        message: ToClient,
        talk: &mut Talk,
        stopping: &mut Option<String>,
        refused: &mut Option<String>,
    ) -> Result<(), Ending> {
        match message {
            ToClient::Welcome { server_time, .. } => {
                let asked = talk.answered();
                let now = self.clock.micros(Instant::now());
                self.offset.answer(asked, server_time, now);
                self.welcome(message)
            }
            ToClient::Pong { t, server_time } => {
                let now = self.clock.micros(Instant::now());
                self.offset.answer(t, server_time, now);
                Ok(())
            }
            ToClient::Rendition {
                quality,
                width,
                height,
                fps,
                reason,
                ..
            } => {
                self.expect(fps);
                self.rendition(|rendition| {
                    *rendition = Rendition {
                        camera: std::mem::take(&mut rendition.camera),
                        width,
                        height,
                        quality,
                        max_fps: fps,
                        reason: clean(&reason),
                    };
                })
            }
            ToClient::Notice { event, message, .. } => {
                self.notified(event, &message, stopping, refused)
            }
        }
    }

    fn notified(
        &mut self,
        event: Event,
        message: &str,
        stopping: &mut Option<String>,
        refused: &mut Option<String>,
    ) -> Result<(), Ending> {
        match event {
            Event::Kicked => Err(Ending::Kicked(clean(message))),
            Event::Stopping => {
                *stopping = Some(clean(message));
                Ok(())
            }
            Event::CameraLost | Event::CameraBack => self.notice(&line(message)),
            Event::CameraRefused => {
                *refused = Some(line(message));
                Ok(())
            }
            Event::BadMessage => self.notice(&format!("refused: {}", clean(message))),
        }
    }

    /// So many frames a second at most are sent: the camera's others are left out on purpose.
    fn expect(&mut self, fps: f64) {
        if fps > 0.0 && self.camera_fps > 0.0 {
            let step = (self.camera_fps / fps).ceil().max(1.0);
            self.measure.expect_every(step as u64);
        }
    }

    fn welcome(&mut self, welcome: ToClient) -> Result<(), Ending> {
        let ToClient::Welcome {
            camera,
            width,
            height,
            fps,
            quality,
            ..
        } = welcome
        else {
            return Ok(());
        };
        self.camera_fps = fps;
        self.expect(self.args.fps.map_or(fps, |limit| limit.min(fps)));
        self.rendition(|rendition| {
            *rendition = Rendition {
                camera: clean(&camera),
                width,
                height,
                quality,
                max_fps: fps,
                reason: String::new(),
            };
        })
    }
}

/// What an error of the framing comes to: a server that speaks WebSocket says goodbye by a code.
fn over(target: &Target, error: framing::Error) -> Over {
    match error {
        framing::Error::Closed(POLICY, why) => {
            Over::End(Ending::Kicked(clean(without_colon(&why))))
        }
        framing::Error::Closed(TRY_LATER, why) => Loss::Refused(line(without_colon(&why))).into(),
        framing::Error::Status(404, why) => Loss::Refused(line(without_colon(&why))).into(),
        error => Loss::of(target, error).into(),
    }
}

fn without_colon(why: &str) -> &str {
    why.trim_start_matches(": ")
}

/// Sends what fits.
fn flush(talk: &mut Talk, stream: &mut Stream) -> Result<(), Loss> {
    while !talk.waiting().is_empty() {
        match stream.send(talk.waiting()) {
            Ok(count) => talk.sent(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What the server sent before it closed is still to be read, and tells more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                let all = talk.waiting().len();
                talk.sent(all);
            }
            Err(error) => return Err(error.into()),
        }
    }
    stream.flush()?;
    Ok(())
}

/// What an error of the socket comes to; one of its encryption does not pass.
fn broken(target: &Target, error: io::Error) -> Loss {
    match tls::explain(&error) {
        Some(why) => Loss::Untrusted(target.clone(), why),
        None => Loss::Broken(error),
    }
}

fn closed(framing: &Framing, target: &Target) -> Loss {
    match framing.partial() {
        None if framing.is_unanswered() => Loss::NoAnswer {
            target: target.clone(),
        },
        Some((got, length)) => Loss::Half(got, length),
        None => Loss::Closed,
    }
}
