//! Who gets which packet, for both kinds of track.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    fixtures,
    media::{Codec, Layout, Origin, PixelFormat, Rendition, Scale},
};

const fn rendition(quality: u8, scale: Scale) -> Rendition {
    Rendition { quality, scale }
}

const BEST: Track = Track::jpeg(rendition(80, Scale::Full));
const HALF: Track = Track::jpeg(rendition(40, Scale::Half));
const FILM: Track = Track {
    codec: Codec::H264,
    rendition: rendition(1, Scale::Full),
};

fn at(n: u64) -> Timestamp {
    Timestamp::from_nanos(n * 1_000_000)
}

fn raw(n: u64) -> Arc<RawFrame> {
    Arc::new(RawFrame {
        sequence: n,
        captured: at(n),
        layout: Layout {
            format: PixelFormat::Grey,
            width: 2,
            height: 1,
            stride: 2,
            colour: crate::media::Colour::JFIF,
        },
        origin: Origin::Camera,
        pixels: Box::new([0u8; 2]),
    })
}

fn packet(track: Track, n: u64, key: bool) -> Arc<Packet> {
    Arc::new(Packet {
        track,
        key,
        captured: at(n),
        bytes: Bytes::from_static(b"x"),
        ..fixtures::frame(n)
    })
}

fn hub() -> (Arc<Hub>, Arc<WorkList>, Arc<AtomicBool>) {
    let (work, on) = (Arc::<WorkList>::default(), Arc::<AtomicBool>::default());
    let watched = Arc::clone(&on);
    let hub = Hub::new("main".into(), Arc::clone(&work), move |is_watched| {
        watched.store(is_watched, Ordering::Relaxed);
    });
    (hub, work, on)
}

fn poll(subscription: &mut Subscription) -> Option<u64> {
    match subscription.poll_next(Timestamp::default(), Waker::noop()) {
        Poll::Ready(packet) => Some(packet.sequence),
        Poll::Pending => None,
    }
}

#[test]
fn what_nobody_waits_for_is_not_encoded() {
    let (hub, _, on) = hub();
    assert_eq!(hub.offer(&raw(1)), None);
    let mut subscription = hub.subscribe();
    assert!(on.load(Ordering::Relaxed));
    subscription.select(BEST);
    assert_eq!(hub.offer(&raw(2)), None, "selected, and not waiting");
    assert_eq!(poll(&mut subscription), None);
    assert_eq!(hub.offer(&raw(3)), Some(BEST));
    hub.publish(packet(BEST, 3, true));
    assert_eq!(poll(&mut subscription), Some(3));
    subscription.rest();
    assert_eq!(hub.offer(&raw(4)), None);
    drop(subscription);
    assert!(!on.load(Ordering::Relaxed) && hub.tracks().is_empty());
}

#[test]
fn the_best_track_is_encoded_at_once_and_the_others_are_work() {
    let (hub, work, _) = hub();
    let mut tracks = [HALF, BEST, FILM].map(|track| {
        let mut subscription = hub.subscribe();
        subscription.select(track);
        assert_eq!(poll(&mut subscription), None);
        subscription
    });
    assert_eq!(hub.offer(&raw(1)), Some(BEST));
    let mut others = [work.next(|| {}), work.next(|| {})].map(|work| work.unwrap().1);
    others.sort_by_key(|track| track.rendition.quality);
    assert_eq!(others, [FILM, HALF]);
    assert_eq!(hub.begin(HALF).unwrap().sequence, 1);
    assert!(hub.begin(HALF).is_none(), "it is being encoded");
    hub.abandon(HALF);
    assert!(hub.begin(HALF).is_some(), "somebody still waits");
    hub.publish(packet(HALF, 1, true));
    assert_eq!(poll(&mut tracks[0]), Some(1));
    assert!(hub.begin(HALF).is_none(), "nobody waits");
}

#[test]
fn a_track_of_which_every_packet_counts_is_encoded_while_somebody_watches() {
    let (hub, work, _) = hub();
    let mut subscription = hub.subscribe();
    subscription.select(FILM);
    assert_eq!(hub.offer(&raw(1)), None, "not on the capture thread");
    assert_eq!(work.next(|| {}).unwrap().1, FILM);
    assert!(hub.begin(FILM).is_some());
    hub.publish(packet(FILM, 1, true));
    subscription.watch(false);
    hub.offer(&raw(2));
    assert!(hub.begin(FILM).is_none());
    subscription.watch(true);
    hub.offer(&raw(3));
    assert!(hub.begin(FILM).is_some());
}

#[test]
fn a_limit_of_time_holds_for_pictures() {
    let (hub, _, _) = hub();
    let mut subscription = hub.subscribe();
    subscription.select(BEST);
    hub.publish(packet(BEST, 5, true));
    assert!(subscription.poll_next(at(6), Waker::noop()).is_pending());
    assert!(hub.offer(&raw(5)).is_none(), "too old for who waits");
    assert_eq!(hub.offer(&raw(6)), Some(BEST));
}

proptest! {
    /// Whoever takes packets of a group when it likes gets them in order, without a gap but before
    /// a key, and never a packet whose forerunners it has not had.
    #[test]
    fn who_falls_behind_goes_on_at_the_newest_key(
        steps in prop::collection::vec((any::<bool>(), 0usize..4), 1..60),
    ) {
        let (hub, _, _) = hub();
        let mut subscription = hub.subscribe();
        subscription.select(FILM);
        let (mut keys, mut last) = (Vec::new(), None);
        for (n, (key, takes)) in (1u64..).zip(steps) {
            if key {
                keys.push(n);
            }
            hub.publish(packet(FILM, n, key));
            for _ in 0..takes {
                let Some(got) = poll(&mut subscription) else {
                    prop_assert!(last == Some(n) || keys.is_empty());
                    break;
                };
                let next = last.is_some_and(|last| got == last + 1);
                prop_assert!(next || keys.last() == Some(&got), "{got} after {last:?}, keys {keys:?}");
                last = Some(got);
            }
        }
    }
}
