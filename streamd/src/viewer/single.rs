//! What viewers of a single camera have in common that do not write into a stream of bytes: RTSP in
//! datagrams, WebRTC, and NATS.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{feed::Feed, registry::Guard};
use crate::{
    link::{budget::Budget, estimate::Forecast},
    media::{Origin, Packet, Timestamp},
};

/// The next picture, in the rendition that the feed decides on; one has `room` bytes at most.
pub fn next_picture(
    feed: &mut Feed,
    entry: &Guard,
    forecast: Option<Forecast>,
    room: Option<u32>,
    cx: &Context<'_>,
) -> Poll<Arc<Packet>> {
    if !feed.waits()
        && let Some(change) = feed.decide(Timestamp::now(), forecast, room)
        && let Some(figures) = entry.figures().feed(feed.id)
        && figures.gets.replace(change).is_some()
    {
        figures.changes += 1;
    }
    feed.next(cx.waker()).map_or(Poll::Pending, Poll::Ready)
}

/// Counts a picture that has gone out in so many bytes, or was left out: then they are 0. `most` is
/// the bytes a second that may be sent.
pub fn count(
    feed: &mut Feed,
    entry: &Guard,
    packet: &Packet,
    bytes: usize,
    (budget, most): (&mut Budget, f64),
) {
    let now = Timestamp::now();
    feed.afford(budget.spend(bytes, most, now));
    let left_out = feed.sent(packet);
    let is_frame = bytes > 0 && packet.origin != Origin::Blank;
    let camera = feed.camera();
    camera.sent.add(is_frame.into());
    camera.bytes.add(bytes as u64);
    if let Some(figures) = entry.figures().feed(feed.id) {
        figures.sent(bytes, is_frame, &left_out, now);
    }
}
