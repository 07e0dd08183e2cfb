//! One camera's frames on their way to one client: pace, rendition, and what was left out and why.

use std::{
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use streamd_protocol::{
    limits::Limits,
    stats::DroppedStats,
    stream::{Event, ToClient},
};

use crate::{
    camera::{Camera, Place, Settings},
    hub::{Follows, Subscription},
    link::{
        adapt::{Adapt, Frame, Reason, Step, View, steps},
        bit_rate::{self, BitRate},
        estimate::Forecast,
    },
    media::{CODECS, Codec, Level, Origin, Packet, Rendition, Scale, Timestamp, Track},
};

/// How much earlier than due a frame may be, as a part of the interval: cameras are not clocks.
const EARLY: f64 = 0.2;

/// A client's claim on a camera.
pub struct Feed {
    /// Its number among the viewer's; never used again.
    pub id: u32,
    place: Place,
    subscription: Subscription,
    settings: Arc<Settings>,
    version: u64,
    adapt: Adapt,
    /// The same for a track with a bit rate.
    bit_rate: BitRate,
    /// Its ladder: the camera's, with what is preferred there.
    steps: Vec<Step>,
    /// The rung of the next frame.
    picked: usize,
    /// What it stands on; `None` before the first decision.
    track: Option<Track>,
    /// The frames a second that it was told of.
    told_fps: f64,
    /// The bits a second that it was told of.
    told_bits: u32,
    /// The next frame's rendition has been picked, and the feed waits for it.
    waits: bool,
    /// The shortest time that frames took lately from capture until they were taken.
    prompt: Duration,
    limits: Limits,
    /// The rungs that the limits allow, best first; at least one.
    allowed: Vec<usize>,
    /// No frame captured before this, by the client's frame rate.
    due: Timestamp,
    /// No frame captured before this, by what the client may be sent.
    affordable: Timestamp,
    last: Option<(u64, Timestamp)>,
    /// Of a camera of another machine: the numbers that were left out on their way here, as far as
    /// they have been looked at, and those of them that no gap has been put down to.
    elsewhere: (u64, u64),
    /// Why its picture stands in for the camera's; `None` if it does not.
    lost: Option<String>,
    /// Whether the gate was shut since the last frame, and by whom.
    held_up: Option<HeldUp>,
}

/// Who held a client up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldUp {
    /// The network.
    Link,
    /// The client's own receive window.
    Reader,
    /// The client, which has not read the frames that are there.
    Unread,
    /// The congestion control, for reasons of its own that will soon pass.
    Probe,
}

/// What was left out before a frame, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Held up by the network.
    pub slow_link: u32,
    /// Held up by the client.
    pub slow_reader: u32,
    /// The daemon was not in time.
    pub server_busy: u32,
    /// Over the client's limit.
    pub frame_rate: u32,
}

/// What changed of what a client gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// In which coding, quality and size.
    pub track: Track,
    /// Bits a second at most, where the track has a bit rate; else 0.
    pub bit_rate: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second at most.
    pub fps: f64,
    /// What decided on it: the link, a limit, or nothing.
    pub reason: Reason,
}

impl Feed {
    /// A new claim.
    pub fn new(id: u32, place: Place, limits: Limits, now: Timestamp) -> Self {
        let camera = place.camera();
        let version = camera.version();
        let mut feed = Self {
            id,
            subscription: camera.hub.subscribe(),
            settings: camera.settings(),
            version,
            adapt: Adapt::new(now),
            bit_rate: BitRate::new(now),
            steps: Vec::new(),
            picked: 0,
            track: None,
            told_fps: 0.0,
            told_bits: 0,
            waits: false,
            prompt: Duration::ZERO,
            limits,
            allowed: Vec::new(),
            due: Timestamp::default(),
            affordable: Timestamp::default(),
            last: None,
            elsewhere: (camera.captured.elsewhere.get(), 0),
            lost: None,
            held_up: None,
            place,
        };
        feed.climb();
        feed.set_limits(limits);
        feed
    }

    /// The camera.
    pub fn camera(&self) -> &Arc<Camera> {
        self.place.camera()
    }

    /// Takes over new limits.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.subscription.watch(!limits.paused);
        if limits.paused {
            self.subscription.rest();
        }
        self.due = Timestamp::default();
        self.waits = false;
    }

    /// Of pictures that build on one another, one is to be a key at least so often.
    pub fn keys_every(&self, interval: Duration) {
        self.subscription.keys_every(interval);
    }

    /// Something of what it was sent is missing: it goes on at a key.
    pub fn begin_anew(&mut self) {
        self.subscription.begin_anew();
    }

    /// The ladder follows the settings.
    fn climb(&mut self) {
        self.steps = steps(&self.settings.ladder, self.settings.config.prefer);
    }

    /// The step that it stands on.
    fn step(&self) -> Step {
        self.steps[self.adapt.rung().min(self.steps.len() - 1)]
    }

    /// Of so many frames one is sent.
    fn every(&self) -> u32 {
        match self.codec() {
            Codec::Jpeg => self.step().every,
            Codec::H264 => 1,
        }
    }

    /// Frames a second that this client wants at most.
    fn wanted(&self) -> f64 {
        let camera = self.settings.config.fps.get();
        self.limits.fps.map_or(camera, |fps| fps.min(camera))
    }

    /// Frames a second that this client gets at most.
    pub fn fps(&self) -> f64 {
        self.wanted() / f64::from(self.every())
    }

    /// Time between two frames.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.fps())
    }

    /// No frame captured before this is sent.
    fn due(&self) -> Timestamp {
        self.due.max(self.affordable)
    }

    /// No frame captured before `then` is to be sent, by what the client may be sent.
    pub fn afford(&mut self, then: Timestamp) {
        if self.affordable != then {
            self.affordable = then;
            // What was picked is picked anew: other frames are meant now.
            self.waits = false;
        }
    }

    /// Decides on the rendition, and picks that of the next frame. Until that frame has come,
    /// what is encoded for this feed stays as it was picked.
    pub fn decide(
        &mut self,
        now: Timestamp,
        forecast: Option<Forecast>,
        room: Option<u32>,
    ) -> Option<Change> {
        let renewed = self.camera().version() != self.version;
        if renewed {
            self.version = self.camera().version();
            self.settings = self.camera().settings();
            self.climb();
        }
        let (track, changed) = match self.codec() {
            Codec::Jpeg => self.decide_picture(now, forecast, room),
            Codec::H264 => self.decide_stream(now, forecast),
        };
        let other = self.track.replace(track) != Some(track);
        let fps = self.fps();
        let paced = std::mem::replace(&mut self.told_fps, fps) != fps;
        (changed || renewed || other || paced).then(|| self.change(track))
    }

    /// Whether each of its pictures can be shown without those before.
    pub fn stands_alone(&self) -> bool {
        self.codec() == Codec::Jpeg
    }

    /// How its pictures are coded: as it asks, where this build can.
    fn codec(&self) -> Codec {
        match CODECS.contains(&self.limits.codec) {
            true => self.limits.codec,
            false => Codec::Jpeg,
        }
    }

    /// By the ladder: what it stands on, and whether that has changed. The next picture may be
    /// another.
    fn decide_picture(
        &mut self,
        now: Timestamp,
        forecast: Option<Forecast>,
        room: Option<u32>,
    ) -> (Track, bool) {
        self.allow();
        let view = View {
            now,
            ladder: &self.steps,
            allowed: &self.allowed,
            adapts: self.settings.config.adapt,
            interval: Duration::from_secs_f64(1.0 / self.wanted()),
            forecast,
            late: self.late(now),
            room,
        };
        let changed = self.adapt.decide(&view);
        self.picked = self.adapt.pick(&view);
        let picked = self.steps[self.picked].rendition;
        self.subscription.select(Track::Jpeg(picked));
        (Track::Jpeg(self.step().rendition), changed)
    }

    /// By the bit rate: the same. It moves all the time; what is worth telling is a change of a
    /// quarter.
    fn decide_stream(&mut self, now: Timestamp, forecast: Option<Forecast>) -> (Track, bool) {
        let (width, _) = self.camera().size();
        let fits = |most| width <= most;
        let fps = self.settings.config.fps.get();
        let whole = self.camera().whole_bit_rate();
        self.bit_rate.decide(&bit_rate::View {
            now,
            whole,
            is_given: self.camera().gives_stream(),
            fps,
            largest: match self.limits.max_width.is_none_or(fits) {
                true => Scale::Full,
                false => Scale::Half,
            },
            adapts: self.settings.config.adapt,
            forecast,
        });
        let track = Track::H264(self.bit_rate.level());
        self.subscription.select(track);
        let bits = self.bit_rate.bits(whole);
        self.subscription.take_bit_rate(bits);
        let changed = bits.abs_diff(self.told_bits) > self.told_bits / 4;
        if changed {
            self.told_bits = bits;
        }
        self.subscription.follow(match self.halves() {
            true => Follows::Needed,
            false => Follows::Newest,
        });
        (track, changed)
    }

    /// Whether a limit of frames a second leaves a stream the needed half of its pictures.
    fn halves(&self) -> bool {
        self.fps() < self.settings.config.fps.get() * 0.75
    }

    /// For how long a frame has waited that was not sent yet; frames always take a while from
    /// capture until they can be sent.
    fn late(&self, now: Timestamp) -> Duration {
        match (self.subscription.newest_raw(), self.last) {
            (Some((sequence, captured)), Some((last, _)))
                if sequence > last && captured >= self.due() =>
            {
                now.since(captured).saturating_sub(self.prompt)
            }
            _ => Duration::ZERO,
        }
    }

    /// What it gets now; `None` before the first frame.
    pub fn current(&self) -> Option<Change> {
        self.track.map(|track| self.change(track))
    }

    /// What it gets of this track.
    fn change(&self, track: Track) -> Change {
        let (width, height) = self.camera().size();
        let divisor = track.scale().divisor();
        let whole = self.camera().whole_bit_rate();
        let (bit_rate, reason) = match track {
            Track::Jpeg(_) => (0, self.adapt.reason()),
            Track::H264(level) => {
                let link = self.bit_rate.held_by(whole);
                let limited = level != Level::High || self.halves();
                let without = if limited { Reason::Limit } else { Reason::Top };
                (self.bit_rate.bits(whole), link.unwrap_or(without))
            }
        };
        Change {
            track,
            bit_rate,
            width: width.div_ceil(divisor),
            height: height.div_ceil(divisor),
            fps: self.fps(),
            reason,
        }
    }

    /// Finds the rungs that the client's limits allow; the last one where none is.
    fn allow(&mut self) {
        let (width, _) = self.camera().size();
        let (quality, max_width) = (self.limits.quality, self.limits.max_width);
        let allows = |r: &Rendition| {
            quality.is_none_or(|q| r.quality <= q)
                && max_width.is_none_or(|w| width.div_ceil(r.scale.divisor()) <= w)
        };
        let steps = &self.steps;
        self.allowed.clear();
        self.allowed
            .extend((0..steps.len()).filter(|rung| allows(&steps[*rung].rendition)));
        if self.allowed.is_empty() {
            self.allowed.push(steps.len() - 1);
        }
    }

    /// The next frame, if there is one; else waits for it.
    pub fn next(&mut self, waker: &Waker) -> Option<Arc<Packet>> {
        if self.limits.paused {
            return None;
        }
        let Poll::Ready(frame) = self.subscription.poll_next(self.due(), waker) else {
            self.waits = true;
            return None;
        };
        self.waits = false;
        let took = Timestamp::now().since(frame.captured);
        self.prompt = match self.prompt {
            Duration::ZERO => took,
            // Slowly forgotten, since a camera may become slower.
            prompt => took.min(prompt.mul_f64(1.02)),
        };
        Some(frame)
    }

    /// Whether the next frame's rendition has been picked, and nothing has come between since.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Waits for the next frame without taking it; true if it is there.
    pub fn ready(&mut self, waker: &Waker) -> bool {
        !self.limits.paused && self.subscription.poll_ready(self.due(), waker)
    }

    /// Wants nothing for now, because of this.
    pub fn rest(&mut self, why: HeldUp) {
        self.subscription.rest();
        self.waits = false;
        if self.held_up != Some(HeldUp::Probe) {
            self.held_up = Some(why);
        }
    }

    /// A frame has gone out: counts what was left out since the last one.
    pub fn sent(&mut self, frame: &Packet) -> LeftOut {
        let mut out = LeftOut::default();
        let (mut missed, mut paced) = (0, 0);
        if let Some((sequence, captured)) = self.last.replace((frame.sequence, frame.captured)) {
            missed = frame
                .sequence
                .saturating_sub(sequence + 1)
                .min(u32::MAX.into()) as u32;
            missed -= self.left_out_elsewhere(missed);
            let early = self.due().since(captured).as_secs_f64() * self.settings.config.fps.get();
            paced = missed.min(early as u32);
            missed -= paced;
        }
        let held_up = self.held_up.take();
        match held_up {
            Some(HeldUp::Link | HeldUp::Probe) => out.slow_link = missed,
            Some(HeldUp::Reader | HeldUp::Unread) => out.slow_reader = missed,
            None => out.server_busy = missed,
        }
        let skipped = match held_up {
            Some(HeldUp::Probe | HeldUp::Unread) => 0,
            _ => out.slow_link + out.slow_reader,
        };
        // On a rung of fewer frames it is the link that leaves them out.
        match self.every() {
            1 => out.frame_rate = paced,
            _ => out.slow_link += paced,
        }
        match frame.track {
            Track::Jpeg(rendition) => {
                let of = Frame {
                    sequence: frame.sequence,
                    rendition,
                    rung: self.picked,
                    bytes: frame.bytes.len(),
                    skipped,
                };
                self.adapt.sent(&of, Timestamp::now());
                self.pace(frame.captured);
            }
            Track::H264(_) => {
                self.bit_rate.sent(frame.bytes.len());
                // What may be left out costs nothing.
                if skipped > 1 {
                    self.bit_rate.skipped();
                }
            }
        }
        self.count(&out);
        out
    }

    /// That frame has arrived; the link was busy with it for so long, if that is known.
    pub fn delivered(&mut self, sequence: u64, busy: Option<Duration>) {
        let interval = Duration::from_secs_f64(1.0 / self.wanted());
        self.adapt.delivered(sequence, busy, &self.steps, interval);
    }

    /// Of so many frames that are missing, those that never came here: nobody here left them out.
    fn left_out_elsewhere(&mut self, missing: u32) -> u32 {
        let now = self.camera().captured.elsewhere.get();
        let (before, rest) = self.elsewhere;
        let all = rest + (now - before);
        let of_these = all.min(missing.into());
        self.elsewhere = (now, all - of_these);
        of_these as u32
    }

    fn count(&self, out: &LeftOut) {
        let dropped = &self.camera().dropped;
        for (counter, n) in [
            (&dropped.slow_link, out.slow_link),
            (&dropped.slow_reader, out.slow_reader),
            (&dropped.server_busy, out.server_busy),
            (&dropped.frame_rate, out.frame_rate),
        ] {
            if n > 0 {
                counter.add(n.into());
            }
        }
    }

    /// Any rational rate by the frames' own time stamps: slots of one interval each, the next one
    /// counted from the last and not from the frame that filled it, so that nothing accumulates.
    fn pace(&mut self, captured: Timestamp) {
        let fps = self.fps();
        if fps >= self.settings.config.fps.get() {
            self.due = Timestamp::default();
            return;
        }
        let interval = 1e9 / fps;
        let early = (interval * EARLY) as u64;
        let slot = self.due.as_nanos() + early;
        let slot = if captured.as_nanos() > slot + interval as u64 {
            captured.as_nanos()
        } else {
            slot
        };
        self.due = Timestamp::from_nanos(slot + interval as u64 - early);
    }

    /// Takes note of where the next picture comes from; what the client is to be told of it, if
    /// its picture changes between the camera's and "no signal", or the reason of that.
    pub fn signal_changed(&mut self, origin: Origin) -> Option<ToClient> {
        let lost = match origin {
            Origin::Blank => Some(self.camera().loss().map_or_else(String::new, |loss| loss.0)),
            Origin::Camera | Origin::TestPattern => None,
        };
        if lost == self.lost {
            return None;
        }
        self.lost = lost;
        self.signal().or_else(|| {
            let camera = &self.camera().name;
            Some(ToClient::Notice {
                event: Event::CameraBack,
                camera: Some(camera.clone()),
                since: None,
                message: format!("camera {camera} is back"),
            })
        })
    }

    /// What tells the client that its picture stands in for the camera's; `None` if it does not.
    pub fn signal(&self) -> Option<ToClient> {
        let reason = self.lost.as_ref()?;
        let camera = self.camera();
        Some(ToClient::Notice {
            event: Event::CameraLost,
            camera: Some(camera.name.clone()),
            since: camera.loss().map(|(_, since)| since.unix_micros()),
            message: format!("camera {}: {reason}", camera.name),
        })
    }
}

impl LeftOut {
    /// Adds it to a client's figures.
    pub fn add_to(&self, dropped: &mut DroppedStats) {
        dropped.slow_link += i64::from(self.slow_link);
        dropped.slow_reader += i64::from(self.slow_reader);
        dropped.server_busy += i64::from(self.server_busy);
        dropped.frame_rate += i64::from(self.frame_rate);
        dropped.total += i64::from(self.slow_link + self.slow_reader + self.server_busy);
    }
}
