//! Who gets which packet, for both kinds of track.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    fixtures,
    media::{Layout, Level, Origin, PixelFormat, Rendition, Scale},
};

const fn rendition(quality: u8, scale: Scale) -> Rendition {
    Rendition { quality, scale }
}

const BEST: Track = Track::Jpeg(rendition(80, Scale::Full));
const HALF: Track = Track::Jpeg(rendition(40, Scale::Half));
const FILM: Track = Track::H264(Level::High);

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
    let lists = [Arc::clone(&work), Arc::clone(&work)];
    let hub = Hub::new("main".into(), lists, move |is_watched| {
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
    others.sort_by_key(|track| track.stands_alone());
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
fn what_the_camera_makes_itself_is_published_and_never_encoded() {
    let (hub, work, _) = hub();
    let [mut film, mut best] = [FILM, BEST].map(|track| {
        let mut subscription = hub.subscribe();
        subscription.select(track);
        subscription
    });
    assert_eq!((poll(&mut film), poll(&mut best)), (None, None));
    hub.give(Some(FILM));
    hub.publish(packet(FILM, 1, true));
    assert_eq!(hub.offer(&raw(1)), Some(BEST));
    assert!(hub.begin(FILM).is_none());
    assert_eq!(poll(&mut film), Some(1));
    assert_eq!(poll(&mut film), None);
    assert_eq!(hub.offer(&raw(2)), None, "the best one is being encoded");
    hub.give(None);
    assert_eq!(hub.offer(&raw(3)), None);
    assert_eq!(work.next(|| {}).map(|(_, track)| track), Some(FILM));
    assert!(hub.begin(FILM).is_some());
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

#[test]
fn who_comes_to_packets_that_build_on_one_another_waits_for_a_key_and_gets_one_soon() {
    let (hub, _, _) = hub();
    let key_at = |n| hub.order(FILM, at(n)).key;
    let mut first = hub.subscribe();
    first.select(FILM);
    assert!(key_at(0), "there is nothing yet");
    assert_eq!(poll(&mut first), None);
    hub.publish(packet(FILM, 0, true));
    assert_eq!(poll(&mut first), Some(0));
    assert!(!key_at(1));
    for n in 1..1000 {
        hub.publish(packet(FILM, n, false));
        assert_eq!(poll(&mut first), Some(n));
    }
    let mut second = hub.subscribe();
    second.select(FILM);
    assert_eq!(poll(&mut second), None, "the key is too old to begin at");
    assert!(key_at(1000));
    hub.publish(packet(FILM, 1000, true));
    assert_eq!(
        (poll(&mut first), poll(&mut second)),
        (Some(1000), Some(1000))
    );
    let mut third = hub.subscribe();
    third.select(FILM);
    hub.publish(packet(FILM, 1001, false));
    assert_eq!(
        (poll(&mut third), poll(&mut third)),
        (Some(1000), Some(1001)),
        "it is fresh"
    );
    second.begin_anew();
    hub.publish(packet(FILM, 1300, false));
    assert_eq!(poll(&mut second), None);
    assert!(!key_at(1301), "not so soon after the last one");
    assert!(key_at(1401));
}

#[test]
fn who_is_behind_leaves_out_what_nothing_needs() {
    let (hub, _, _) = hub();
    let mut live = hub.subscribe();
    let mut recorder = hub.subscribe();
    recorder.follow(Follows::All);
    let mut half = hub.subscribe();
    half.follow(Follows::Needed);
    for subscription in [&mut live, &mut recorder, &mut half] {
        subscription.select(FILM);
    }
    let publish = |n, droppable| {
        hub.publish(Arc::new(Packet {
            droppable,
            ..(*packet(FILM, n, n == 1)).clone()
        }));
    };
    publish(1, false);
    for subscription in [&mut live, &mut recorder, &mut half] {
        assert_eq!(poll(subscription), Some(1));
    }
    publish(2, true);
    assert_eq!(poll(&mut half), None);
    publish(3, false);
    publish(4, true);
    fn all(subscription: &mut Subscription) -> Vec<u64> {
        std::iter::from_fn(|| poll(subscription)).collect()
    }
    assert_eq!(all(&mut live), [3, 4]);
    assert_eq!(all(&mut recorder), [2, 3, 4]);
    assert_eq!(all(&mut half), [3]);
    // Nothing for more than a quarter of a second: it goes on at a key.
    publish(5, false);
    publish(300, false);
    assert_eq!(all(&mut live), [0; 0]);
    assert!(hub.order(FILM, at(500)).key);
    assert_eq!(all(&mut recorder), [5, 300]);
}

#[test]
fn the_bit_rate_is_one_that_all_can_take_and_keys_come_as_often_as_wanted() {
    let (hub, _, _) = hub();
    let mut two = [hub.subscribe(), hub.subscribe()];
    two.iter_mut()
        .for_each(|subscription| subscription.select(FILM));
    assert_eq!(hub.order(FILM, at(0)).bit_rate, None);
    two[0].take_bit_rate(900);
    two[1].take_bit_rate(500);
    assert_eq!(hub.order(FILM, at(0)).bit_rate, Some(500));
    two[1].watch(false);
    assert_eq!(
        hub.order(FILM, at(0)).bit_rate,
        Some(900),
        "who is paused has no say"
    );
    hub.publish(packet(FILM, 10, true));
    assert!(!hub.order(FILM, at(2010)).key);
    two[0].keys_every(Duration::from_secs(2));
    assert!(hub.order(FILM, at(2010)).key && !hub.order(FILM, at(2009)).key);
}

proptest! {
    /// Whoever takes packets when it likes gets them in order, without a gap but before a key, and
    /// never a packet whose forerunners it has not had.
    #[test]
    fn who_falls_behind_goes_on_at_a_key(
        steps in prop::collection::vec((any::<bool>(), 0usize..4, 1u64..150), 1..60),
    ) {
        let (hub, _, _) = hub();
        let mut subscription = hub.subscribe();
        subscription.select(FILM);
        let (mut keys, mut all, mut last, mut now) = (Vec::new(), Vec::new(), None, 0);
        for (key, takes, passed) in steps {
            now += passed;
            if key {
                keys.push(now);
            }
            if !keys.is_empty() {
                all.push(now);
            }
            hub.publish(packet(FILM, now, key));
            for _ in 0..takes {
                let Some(got) = poll(&mut subscription) else {
                    break;
                };
                let place = |n| all.iter().position(|other| *other == n);
                let next = last.is_some_and(|last| place(got) == place(last).map(|p| p + 1));
                prop_assert!(next || keys.contains(&got), "{got} after {last:?}, keys {keys:?}");
                prop_assert!(last.is_none_or(|last| got > last));
                prop_assert!(now - got <= 250);
                last = Some(got);
            }
        }
    }
}
