//! Feeds systemd's watchdog, but only while every heartbeat moves.
//!
//! A thread of its own, so that it also sees a tokio runtime that is stuck: a task of the runtime has to
//! register a heartbeat and beat. Without a watchdog the thread still looks, and logs what is stuck.

use std::{
    io,
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing::{error, info};

use super::{heartbeat::Heartbeats, notify};
use crate::{events, media::Timestamp};

/// How often the heartbeats are looked at when systemd asks for no watchdog, and the longest time
/// between two looks: an administrator learns soon what is stuck, whatever `WatchdogSec=` says.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// systemd advises half of `WATCHDOG_USEC`; with a third, one late wake-up does no harm.
const SHARE: u32 = 3;

/// The running thread. It ends when this is dropped.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread `watchdog`. `WATCHDOG_USEC` and `WATCHDOG_PID` say whether and how often systemd
/// wants to be told.
///
/// # Errors
/// The thread can't be started.
pub fn spawn(heartbeats: Heartbeats) -> io::Result<Watchdog> {
    let wanted = sd_notify::watchdog_enabled();
    let every = wanted.map_or(LOOK_EVERY, |wanted| LOOK_EVERY.min(wanted / SHARE));
    spawn_with(heartbeats, every, move || {
        if wanted.is_some() {
            notify::alive();
        }
    })
}

fn spawn_with(
    heartbeats: Heartbeats,
    every: Duration,
    feed: impl Fn() + Send + 'static,
) -> io::Result<Watchdog> {
    let (stop, stopped) = sync_channel(0);
    let look = move || {
        let mut watch = Watch::default();
        loop {
            if watch.look(heartbeats.overdue(Timestamp::now())) {
                feed();
            }
            if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("watchdog".into()).spawn(look)?;
    Ok(Watchdog {
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The thread panics only if logging does; there is nothing left to do about it.
            let _ = thread.join();
        }
    }
}

/// What was stuck at the last look, so that a change is logged once.
#[derive(Debug, Default)]
struct Watch {
    stuck: Vec<String>,
}

impl Watch {
    /// Takes the parts that are overdue now; says whether systemd may be told that all is well.
    fn look(&mut self, overdue: Vec<String>) -> bool {
        if overdue != self.stuck {
            match (overdue.join(", "), self.stuck.join(", ")) {
                (now, was) if now.is_empty() => {
                    info!(message_id = events::STUCK, "moving again: {was}");
                }
                (now, _) => error!(
                    message_id = events::STUCK,
                    "stuck: {now}; the watchdog is not fed"
                ),
            }
            self.stuck = overdue;
        }
        self.stuck.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::supervise::log::tests::logged;

    #[test]
    fn what_is_stuck_is_logged_once_and_not_fed() {
        let stuck = || vec!["capture-main".to_owned(), "hub".to_owned()];
        let mut fed = Vec::new();
        let text = logged(|| {
            let mut watch = Watch::default();
            for overdue in [vec![], stuck(), stuck(), vec!["hub".into()], vec![], vec![]] {
                fed.push(watch.look(overdue));
            }
        });
        assert_eq!(fed, [true, false, false, false, true, true]);
        let lines: Vec<_> = text.lines().map(|line| &line[20..]).collect();
        assert_eq!(
            lines,
            [
                "ERROR stuck: capture-main, hub; the watchdog is not fed",
                "ERROR stuck: hub; the watchdog is not fed",
                "INFO  moving again: hub",
            ]
        );
    }

    #[test]
    fn the_thread_feeds_until_it_is_dropped() {
        let (fed, feeds) = sync_channel(0);
        let watchdog = spawn_with(Heartbeats::default(), Duration::from_millis(1), move || {
            let _ = fed.send(());
        })
        .unwrap();
        for _ in 0..3 {
            feeds.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        drop(feeds);
        drop(watchdog);
    }
}
