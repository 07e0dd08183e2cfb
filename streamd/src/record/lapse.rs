//! The time lapse: a picture now and then, into a file a day.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};

use super::{Recorder, names::Kind, queue::Item};
use crate::media::{Origin, Timestamp, Track};

/// For a camera that has to be switched on first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes a picture each time it is due, for as long as the daemon lives.
pub async fn run(recorder: Arc<Recorder>) {
    let mut changed = recorder.changed.subscribe();
    let mut due = Instant::now();
    loop {
        let every = recorder.settings().timelapse.get();
        if every.is_zero() {
            recorder.queue.say(Item::EndLapse);
            if changed.changed().await.is_err() {
                return;
            }
            due = Instant::now();
            continue;
        }
        tokio::select! {
            _ = changed.changed() => continue,
            () = sleep_until(due) => {}
        }
        // What could not be had in time is left out, not caught up with.
        due = (due + every).max(Instant::now());
        let mut subscription = recorder.camera.hub.subscribe();
        let best = Track::Jpeg(recorder.camera.settings().ladder[0]);
        let picture = subscription.next(best, Timestamp::now());
        if let Ok(picture) = timeout(PATIENCE, picture).await
            && picture.origin != Origin::Blank
            && !recorder.queue.put(Kind::Timelapse, picture)
        {
            recorder.figures.lost.add(1);
        }
    }
}
