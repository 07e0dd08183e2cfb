//! What takes a camera's pictures for its recording. It never waits for the disk: what is not taken
//! there in time is left out up to the next key.

use std::{collections::VecDeque, future::poll_fn, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use super::{
    Plan, Recorder,
    names::Kind,
    queue::{Item, Rest},
};
use crate::{
    config::values::RecordCodec,
    hub::{Follows, Subscription},
    media::{CODECS, Codec, Level, Origin, Packet, Timestamp, Track},
    sound,
};

/// Between two keys: a file begins at one, and a player that seeks goes to one.
const KEYS_EVERY: Duration = Duration::from_secs(2);

/// Where no picture has come for so long, the file is ended.
const SILENT: Duration = Duration::from_secs(5);

/// Bytes of memory for the time before an event.
const MOST_KEPT: usize = 64 * 1024 * 1024;

/// Takes pictures for as long as the daemon lives.
pub async fn run(recorder: Arc<Recorder>) {
    let mut changed = recorder.changed.subscribe();
    let mut before = Before::default();
    loop {
        changed.mark_unchanged();
        match recorder.plan() {
            Plan::Nothing => {
                before.clear();
                recorder.queue.say(Item::End(Rest::Off));
                if changed.changed().await.is_err() {
                    return;
                }
            }
            plan => take(&recorder, plan, &mut before, &mut changed).await,
        }
    }
}

/// Takes pictures as long as the plan holds.
async fn take(
    recorder: &Recorder,
    plan: Plan,
    before: &mut Before,
    changed: &mut watch::Receiver<()>,
) {
    let until = match plan {
        Plan::Record(kind, until) => {
            recorder.awaits();
            let packets: Vec<_> = before.take().collect();
            if !packets.is_empty() {
                recorder.queue.say(Item::Before(kind, packets));
            }
            until
        }
        _ => {
            recorder.queue.say(Item::End(Rest::Armed));
            None
        }
    };
    let mut taking = Taking::new(recorder);
    let mut listening = match plan {
        Plan::Record(..) => recorder.camera.sound().map(sound::Sound::subscribe),
        // What is not recorded is not heard.
        _ => None,
    };
    loop {
        let until = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = changed.changed() => return,
            () = until => return,
            packet = hear(&mut listening) => {
                if !recorder.queue.put_sound(packet)
                    && let Some(sound) = recorder.camera.sound()
                {
                    sound.dropped.add(1);
                }
            }
            packet = taking.next() => match packet {
                Some(packet) => taking.give(plan, packet, before),
                None => {
                    before.clear();
                    let armed = matches!(plan, Plan::Await(_));
                    let rest = if armed { Rest::Armed } else { Rest::Waiting };
                    recorder.queue.say(Item::End(rest));
                }
            },
        }
    }
}

/// The next packet of sound; for ever where nobody listens.
async fn hear(listening: &mut Option<sound::Subscription>) -> Arc<sound::Packet> {
    match listening {
        Some(listening) => listening.next().await,
        None => std::future::pending().await,
    }
}

fn put(recorder: &Recorder, kind: Kind, packet: Arc<Packet>) -> bool {
    let taken = recorder.queue.put(kind, packet);
    if !taken {
        recorder.figures.lost.add(1);
        recorder.failed("the disk does not take the pictures as fast as they come");
    }
    taken
}

/// A claim on the camera's pictures.
struct Taking<'r> {
    recorder: &'r Recorder,
    subscription: Subscription,
    /// Of what the track depends.
    of: Option<(u64, bool)>,
    /// When no picture will have come for a while.
    silent: Instant,
    /// The next one has to be a key: the one before it is missing.
    lacks: bool,
}

impl<'r> Taking<'r> {
    fn new(recorder: &'r Recorder) -> Self {
        let mut subscription = recorder.camera.hub.subscribe();
        subscription.follow(Follows::All);
        subscription.keys_every(KEYS_EVERY);
        Self {
            recorder,
            subscription,
            of: None,
            silent: Instant::now() + SILENT,
            lacks: false,
        }
    }

    /// The next picture of the camera itself; `None` where there is none for a while. Nothing is lost
    /// when this is not waited for to its end.
    async fn next(&mut self) -> Option<Arc<Packet>> {
        let camera = &self.recorder.camera;
        let of = Some((camera.version(), camera.gives_stream()));
        if self.of != of {
            self.of = of;
            self.subscription.select(track(self.recorder));
        }
        let all = Timestamp::default();
        let next = poll_fn(|cx| self.subscription.poll_next(all, cx.waker()));
        let packet = tokio::time::timeout_at(self.silent, next).await.ok();
        self.silent = Instant::now() + SILENT;
        let packet = packet?;
        // "No signal" is not what a camera has seen.
        if packet.origin == Origin::Blank {
            self.lacks = true;
            return None;
        }
        Some(packet)
    }

    fn give(&mut self, plan: Plan, packet: Arc<Packet>, before: &mut Before) {
        if self.lacks && !packet.key {
            if let Plan::Record(..) = plan {
                self.recorder.figures.lost.add(1);
            }
            self.subscription.begin_anew();
            return;
        }
        self.lacks = match plan {
            Plan::Record(kind, _) => !put(self.recorder, kind, packet),
            Plan::Await(time) => {
                before.put(packet, time);
                false
            }
            Plan::Nothing => false,
        };
    }
}

/// What is recorded of a camera.
fn track(recorder: &Recorder) -> Track {
    let settings = recorder.camera.settings();
    let h264 = match settings.config.record.codec {
        RecordCodec::Auto | RecordCodec::H264 => CODECS.contains(&Codec::H264),
        RecordCodec::Jpeg => false,
    };
    match h264 {
        // What a camera makes itself is as it is, and nobody lowers it.
        true if recorder.camera.gives_stream() => Track::H264(Level::High),
        true => Track::H264(Level::Archive),
        false => Track::Jpeg(settings.ladder[0]),
    }
}

/// The pictures before an event, from a key on.
#[derive(Default)]
struct Before {
    packets: VecDeque<Arc<Packet>>,
    bytes: usize,
}

impl Before {
    fn clear(&mut self) {
        self.packets.clear();
        self.bytes = 0;
    }

    fn take(&mut self) -> impl Iterator<Item = Arc<Packet>> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.packets).into_iter()
    }

    /// Keeps a packet, and what is needed of those before it for so long.
    fn put(&mut self, packet: Arc<Packet>, time: Duration) {
        if self.packets.is_empty() && !packet.key {
            return;
        }
        let other = |last: &Arc<Packet>| last.track != packet.track;
        if self.packets.back().is_some_and(other) {
            self.clear();
        }
        let newest = packet.captured;
        self.bytes += packet.bytes.len();
        self.packets.push_back(packet);
        // Up to the last key that is old enough, nothing is needed.
        loop {
            let next_key = self.packets.iter().skip(1).position(|packet| packet.key);
            let Some(next_key) = next_key.map(|at| at + 1) else {
                break;
            };
            let is_old = newest.since(self.packets[next_key].captured) >= time;
            if !is_old && self.bytes <= MOST_KEPT {
                break;
            }
            let gone = self.packets.drain(..next_key);
            self.bytes -= gone.map(|packet| packet.bytes.len()).sum::<usize>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    /// A packet a tenth of a second, each twentieth a key.
    fn packet(n: u64) -> Arc<Packet> {
        Arc::new(Packet {
            captured: Timestamp::from_nanos(n * 100_000_000),
            track: Track::H264(Level::Archive),
            key: n.is_multiple_of(20),
            ..fixtures::frame(n)
        })
    }

    #[test]
    fn before_an_event_so_much_is_kept_from_a_key_on() {
        let mut before = Before::default();
        for n in 5..200 {
            before.put(packet(n), Duration::from_secs(5));
            let first = before.packets.front().map_or(n, |first| first.sequence);
            assert!(first.is_multiple_of(20) || n < 20, "{first}");
            if n >= 80 {
                let kept = n - first;
                assert!((50..70).contains(&kept), "{n}: {kept}");
            }
        }
        assert_eq!(before.bytes, before.packets.len() * 5);
        let count = before.packets.len();
        assert_eq!(before.take().count(), count);
        assert_eq!((before.bytes, before.packets.len()), (0, 0));
    }
}
