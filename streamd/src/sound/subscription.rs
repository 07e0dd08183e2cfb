//! Who listens: a short queue each, which never makes the sound wait.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

use super::{Packet, Sound};

/// Packets that wait for a listener at most: what is older is not sent any more.
const MOST: usize = 10;

/// What waits for one listener.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    packets: VecDeque<Arc<Packet>>,
    waker: Option<Waker>,
}

impl Queue {
    /// Appends a packet; true if an older one had to go for it.
    pub fn push(&self, packet: Arc<Packet>) -> bool {
        let mut waiting = self.0.lock();
        let is_full = waiting.packets.len() >= MOST;
        if is_full {
            waiting.packets.pop_front();
        }
        waiting.packets.push_back(packet);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        is_full
    }

    fn poll(&self, waker: &Waker) -> Poll<Arc<Packet>> {
        let mut waiting = self.0.lock();
        match waiting.packets.pop_front() {
            Some(packet) => Poll::Ready(packet),
            None => {
                waiting.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

/// One listener of a camera's sound. The device is open while there is one.
#[derive(Debug)]
pub struct Subscription {
    sound: Arc<Sound>,
    queue: Arc<Queue>,
}

impl Subscription {
    pub(super) fn new(sound: Arc<Sound>, queue: Arc<Queue>) -> Self {
        Self { sound, queue }
    }

    /// The next packet.
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Arc<Packet>> {
        self.queue.poll(cx.waker())
    }

    /// The next packet. Nothing is lost when this is not waited for to its end.
    pub async fn next(&mut self) -> Arc<Packet> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.sound.leave(&self.queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Timestamp;

    fn packet(n: u64) -> Arc<Packet> {
        Arc::new(Packet {
            captured: Timestamp::from_nanos(n),
            samples: 960,
            data: bytes::Bytes::new(),
        })
    }

    #[test]
    fn who_does_not_listen_in_time_gets_the_newest() {
        let queue = Queue::default();
        let dropped = (0..15).filter(|n| queue.push(packet(*n))).count();
        assert_eq!(dropped, 5);
        let mut got = Vec::new();
        while let Poll::Ready(packet) = queue.poll(Waker::noop()) {
            got.push(packet.captured.as_nanos());
        }
        assert_eq!(got, (5..15).collect::<Vec<_>>());
    }
}
