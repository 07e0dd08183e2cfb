//! Watches the capture threads for calls of a driver that do not return: shows "no signal" in
//! their place, and gives up the thread where the call lasts too long.
//!
//! The thread that takes a frame from the driver also encodes it, so that nothing is handed over on
//! the way. It is also the one that a driver can hold. So another thread looks on: one for all
//! cameras, asleep while none has anything to do.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use super::{driver::Alarm, post::Post};
use crate::{
    events,
    media::Timestamp,
    supervise::heartbeat::{Heartbeat, Heartbeats},
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A look that comes so late says nothing: the whole process was stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(1);

/// A thread that has spent so long in calls of its driver, without looking whether there is anything
/// else to do, is covered: with a look's delay, viewers know within 2 s.
const COVER_AFTER: Duration = Duration::from_millis(1500);

/// A call that lasts so long is given up. A control transfer of USB has 5 s, and a driver may make
/// two of them in a call.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);

/// So many threads may be stuck at a time, of all cameras. One dead camera gets there in some hours;
/// then only a new process may help, since the kernel frees what a process held when it ends.
const MOST_STUCK: usize = 12;

/// The thread `capture-watch`. It ends when this is dropped.
pub(super) struct Watch {
    alarm: Arc<Alarm>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the threads of these posts.
    pub fn spawn(
        posts: Vec<Arc<Post>>,
        alarm: Arc<Alarm>,
        heartbeats: Heartbeats,
    ) -> io::Result<Self> {
        let heartbeat = heartbeats.register("capture-watch");
        let rings = Arc::clone(&alarm);
        let watch = move || run(&posts, &rings, &heartbeat, &heartbeats);
        let thread = thread::Builder::new()
            .name("capture-watch".into())
            .spawn(watch)?;
        Ok(Self {
            alarm,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.alarm.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches the capture threads panicked");
        }
    }
}

fn run(posts: &[Arc<Post>], alarm: &Alarm, heartbeat: &Heartbeat, heartbeats: &Heartbeats) {
    let mut beyond_help = None;
    loop {
        heartbeat.idle();
        if alarm.wait() {
            return;
        }
        let mut looked = Timestamp::now();
        loop {
            heartbeat.beat();
            let before = std::mem::replace(&mut looked, Timestamp::now());
            // Whoever comes late to this was stopped, and so were the others.
            if looked.since(before) < STOPPED_AFTER {
                posts.iter().for_each(look);
            }
            raise(posts, heartbeats, &mut beyond_help);
            if alarm.rest(LOOK_EVERY) {
                return;
            }
            if posts.iter().all(|post| post.is_idle()) {
                break;
            }
        }
    }
}

/// Looks at one camera.
fn look(post: &Arc<Post>) {
    let now = Timestamp::now();
    let Some(late) = post.late(now) else {
        return;
    };
    if late.keeps >= COVER_AFTER {
        post.cover(&late, now);
    }
    if late.lasts >= GIVE_UP_AFTER
        && let Err(error) = post.relieve(&late, now)
    {
        tracing::debug!(%error, "no other capture thread can be started");
    }
}

/// With too many stuck threads, a part that does not move is registered: the watchdog ends the daemon.
fn raise(posts: &[Arc<Post>], heartbeats: &Heartbeats, beyond_help: &mut Option<Heartbeat>) {
    let stuck: usize = posts.iter().map(|post| post.stuck()).sum();
    if stuck <= MOST_STUCK {
        *beyond_help = None;
    } else if beyond_help.is_none() {
        tracing::error!(
            message_id = events::THREAD_GIVEN_UP,
            stuck,
            "{stuck} capture threads wait for drivers that do not answer: the watchdog is not fed \
             any more, so that systemd starts streamd anew"
        );
        let part = heartbeats.register("drivers that do not answer");
        part.beat();
        *beyond_help = Some(part);
    }
}
