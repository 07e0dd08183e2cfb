//! Reads the streaming GetStats on a thread of its own; connects again when the daemon goes away.

use std::{io, path::PathBuf, sync::Arc, thread, time::Duration};

use parking_lot::Mutex;

use streamd_protocol::{
    client::{Client, Error},
    control::GetStats,
    stats::Stats,
};

use super::model::Model;
use crate::{table::line, terminal::wake::Waker};

/// Between two attempts to reach the daemon.
const RETRY: Duration = Duration::from_secs(1);

/// The newest stats, or why there are none.
#[derive(Debug)]
pub struct Feed {
    newest: Mutex<Newest>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Newest {
    stats: Option<Stats>,
    trouble: Option<String>,
}

impl Feed {
    /// Starts the thread, which ends with the process; `way` is the socket and how long to wait.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start(
        way: (PathBuf, Duration),
        interval_ms: i64,
        waker: Waker,
    ) -> io::Result<Arc<Self>> {
        let feed = Arc::new(Self {
            newest: Mutex::default(),
            waker,
        });
        let theirs = Arc::clone(&feed);
        thread::Builder::new()
            .name("stats".into())
            .spawn(move || theirs.run(&way, interval_ms))?;
        Ok(feed)
    }

    /// Hands what is new to the model.
    pub fn update(&self, model: &mut Model) {
        let mut newest = self.newest.lock();
        model.trouble.clone_from(&newest.trouble);
        if let Some(stats) = newest.stats.take() {
            model.update(stats);
        }
    }

    fn run(&self, way: &(PathBuf, Duration), interval_ms: i64) {
        loop {
            let error = match self.read(way, interval_ms) {
                Ok(()) => "the stream of figures ended".to_owned(),
                Err(error) => line(&error.to_string()),
            };
            self.newest.lock().trouble = Some(error);
            self.waker.wake();
            thread::sleep(RETRY);
        }
    }

    fn read(&self, way: &(PathBuf, Duration), interval_ms: i64) -> Result<(), Error> {
        let mut client = Client::connect(&way.0, way.1)?;
        let call = GetStats {
            interval_ms: Some(interval_ms),
        };
        let interval = Duration::from_millis(interval_ms.unsigned_abs());
        for reply in client.stream(&call, interval)? {
            let stats = reply?.stats;
            *self.newest.lock() = Newest {
                stats: Some(stats),
                trouble: None,
            };
            self.waker.wake();
        }
        Ok(())
    }
}
