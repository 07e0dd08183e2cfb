//! What a viewer's messages do, and what it is told of itself.

use std::os::fd::AsRawFd;

use nix::sys::socket::{Shutdown, shutdown};
use streamd_protocol::stream::{Event, FromClient, ToClient};

use super::{
    Viewer,
    coming::{GAVE_WAY, REVOKED, shown_name},
    feed::{Change, Feed},
    framing::{Goodbye, Received},
    registry::Guard,
    talk::Talk,
};
use crate::{
    access::role::Shown,
    events,
    link::receipts::Receipt,
    media::{CODECS, Timestamp},
};

impl Viewer {
    pub(super) fn hear(&mut self, received: Received) -> Result<(), Goodbye> {
        let receipts = &mut self.wire.receipts;
        match &received {
            Received::Answer(question) => receipts.answered(*question, Timestamp::now()),
            _ => receipts.listen(),
        }
        match received {
            Received::Message(message) => self.obey(message)?,
            Received::Bad(why) => self.bad(why),
            Received::Answer(_) => {}
            Received::Close => return Err(Goodbye::Closed),
        }
        Ok(())
    }

    fn obey(&mut self, message: FromClient) -> Result<(), Goodbye> {
        match message {
            FromClient::Hello { name, token, want } => {
                if let Some(token) = token {
                    self.show(&token)?;
                }
                if let Some(name) = name {
                    self.entry.figures().name = shown_name(&name);
                }
                self.talk.is_told = true;
                self.want(&want);
                self.welcome();
                for feed in self.watching.feeds() {
                    if let Some(change) = feed.current() {
                        tell_rendition(&mut self.talk, feed, &change);
                    }
                    if let Some(news) = feed.signal() {
                        self.talk.say(&news);
                    }
                }
            }
            FromClient::Want(want) => self.want(&want),
            FromClient::Subscribe { cameras } => self.asked = Some(cameras),
            FromClient::Ping { t } => {
                let server_time = Timestamp::now().unix_micros();
                self.talk.say(&ToClient::Pong { t, server_time });
            }
            FromClient::Receipt {
                sequence,
                t,
                camera,
            } => self.receipt(sequence, t, camera.as_deref()),
        }
        Ok(())
    }

    /// It shows a token: from now on it may what that is for. One that is not good counts for none.
    fn show(&mut self, token: &str) -> Result<(), Goodbye> {
        match self.viewers.rules.known(token) {
            Some(who) => self.entry.show(Shown::of(&who)),
            // Its answer is in its next pictures, which are not held back.
            None => drop(self.viewers.wrong_token(&self.entry.peer)),
        }
        match self.viewers.may_stay(&self.entry) {
            true => Ok(()),
            false => Err(Goodbye::Revoked),
        }
    }

    fn want(&mut self, want: &streamd_protocol::stream::Want) {
        match self.entry.want(want) {
            Ok(()) => {
                self.watching.set_limits(self.entry.limits());
                // Also where it is the same: a decoder may have lost its way.
                if want.codec.is_some() {
                    self.watching.begin_anew();
                }
            }
            Err(why) => self.bad(why.to_string()),
        }
    }

    fn receipt(&mut self, sequence: u64, micros: u64, camera: Option<&str>) {
        let at = Timestamp::from_unix_nanos(micros.saturating_mul(1000));
        let is_it = |feed: &&Feed| camera.is_none_or(|camera| feed.camera().name == camera);
        let Some(feed) = self.watching.feeds().iter().find(is_it).map(|feed| feed.id) else {
            return;
        };
        let said = Receipt { feed, sequence, at };
        match self.wire.receipt(&said, Timestamp::now()) {
            Ok(Some(frame)) => {
                self.watching
                    .arrived(&self.entry, &self.wire.receipts, frame);
            }
            Ok(None) => {}
            Err(untrue) => self.bad(untrue.to_string()),
        }
    }

    /// Watches other cameras over the same connection, in the order of `names`.
    pub(super) fn watch(&mut self, names: &[String]) {
        let refused = {
            let limits = self.entry.limits();
            let places = (&*self.viewers, &*self.entry.peer);
            self.watching.watch(names, places, limits, &self.entry)
        };
        self.entry.figures().errors += refused.len() as u64;
        for (name, why) in refused {
            let why = why.to_string();
            self.talk.notice(Event::CameraRefused, Some(&name), why);
        }
        self.welcome();
    }

    fn bad(&mut self, why: String) {
        self.entry.figures().errors += 1;
        self.talk.notice(Event::BadMessage, None, why);
    }

    fn welcome(&mut self) {
        let camera = self.watching.feeds()[0].camera();
        let (width, height) = camera.size();
        let settings = camera.settings();
        self.talk.say(&ToClient::Welcome {
            client_id: self.entry.id,
            camera: camera.name.clone(),
            width,
            height,
            fps: settings.config.fps.get(),
            quality: settings.config.quality.get(),
            server_time: Timestamp::now().unix_micros(),
            cameras: self.viewers.names_for(&self.entry),
            codecs: CODECS.to_vec(),
        });
    }

    /// The last words, as far as the socket takes them at once. In the middle of a frame there are
    /// none.
    pub(super) fn say_goodbye(&mut self, why: &Goodbye) {
        match why {
            Goodbye::Kicked(reason) => self.talk.notice(Event::Kicked, None, reason.clone()),
            Goodbye::Revoked => self.talk.notice(Event::Kicked, None, REVOKED.into()),
            Goodbye::GaveWay => self.talk.notice(Event::Kicked, None, GAVE_WAY.into()),
            Goodbye::Stopping => {
                self.talk
                    .notice(Event::Stopping, None, "the server stops".into());
            }
            _ => {}
        }
        let _ = self.wire.write(&mut self.talk.outbox);
        if self.wire.outgoing.is_none() {
            self.talk.framing.farewell(why, &mut self.talk.outbox);
            let _ = self.wire.write(&mut self.talk.outbox);
        }
        self.wire.channel.say_end();
        let _ = shutdown(self.wire.channel.as_raw_fd(), Shutdown::Write);
    }
}

/// A feed gets another rendition: into the figures and the log, and told to the viewer.
pub(super) fn rendition_changed(entry: &Guard, talk: &mut Talk, feed: &Feed, change: Change) {
    tell_rendition(talk, feed, &change);
    let (width, height) = (change.width, change.height);
    let (codec, quality) = (change.track.codec().name(), change.track.quality());
    let bit_rate = change.bit_rate;
    let reason = change.reason.to_string();
    {
        let mut figures = entry.figures();
        let Some(figures) = figures.feed(feed.id) else {
            return;
        };
        if figures.gets.replace(change).is_none() {
            return;
        }
        figures.changes += 1;
    }
    tracing::debug!(
        message_id = events::RENDITION_CHANGED,
        client = entry.id,
        peer = %entry.peer,
        camera = feed.camera().name,
        codec,
        quality,
        bit_rate,
        width,
        height,
        reason,
        "rendition changed"
    );
}

fn tell_rendition(talk: &mut Talk, feed: &Feed, change: &Change) {
    talk.say(&ToClient::Rendition {
        camera: feed.camera().name.clone(),
        codec: change.track.codec(),
        quality: change.track.quality(),
        bit_rate: change.bit_rate,
        width: change.width,
        height: change.height,
        fps: change.fps,
        reason: change.reason.to_string(),
    });
}
