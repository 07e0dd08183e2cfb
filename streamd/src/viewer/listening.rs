//! The sound that goes to a viewer beside its pictures: between them, and never so much that it waits.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{framing::Framing, talk::Talk};
use crate::{
    camera::Camera,
    media::Timestamp,
    sound::{Sound, Subscription},
};

/// Bytes that may wait for a picture that is on its way: half a second of sound. More is left out.
const MOST: usize = 8 * 1024;

/// What a viewer hears.
pub(super) struct Listening {
    sound: Option<Arc<Sound>>,
    /// While it is not paused.
    subscription: Option<Subscription>,
    /// Bytes of sound since they were last asked for.
    bytes: usize,
}

impl Listening {
    /// The sound of a camera, where the transport carries it.
    pub fn new(framing: &dyn Framing, camera: &Camera) -> Self {
        let sound = camera.sound().filter(|_| framing.has_sound());
        Self {
            sound: sound.cloned(),
            subscription: None,
            bytes: 0,
        }
    }

    /// Puts what has been heard into the outbox.
    pub fn hear(&mut self, talk: &mut Talk, is_paused: bool, cx: &Context<'_>) {
        let Some(sound) = &self.sound else {
            return;
        };
        if is_paused {
            self.subscription = None;
            return;
        }
        let subscription = self.subscription.get_or_insert_with(|| sound.subscribe());
        while let Poll::Ready(packet) = subscription.poll_next(cx) {
            let before = talk.outbox.len();
            if before > MOST {
                sound.dropped.add(1);
                continue;
            }
            talk.framing
                .sound(&packet, Timestamp::now(), &mut talk.outbox);
            self.bytes += talk.outbox.len() - before;
        }
    }

    /// Bytes of sound since this was last asked.
    pub fn take_bytes(&mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }
}
