//! What a process has said so far, on its standard error or to its service manager.

use std::{
    io::{BufRead, Read},
    os::unix::net::UnixDatagram,
    sync::Arc,
    time::Instant,
};

use parking_lot::{Condvar, Mutex};

use crate::PATIENCE;

/// Lines or messages in the order in which they came.
#[derive(Debug)]
pub struct Said {
    place: &'static str,
    words: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    fn nothing_yet(place: &'static str) -> Arc<Self> {
        Arc::new(Self {
            place,
            words: Mutex::default(),
            more: Condvar::new(),
        })
    }

    /// Collects the lines of a pipe until it is closed.
    pub fn lines(pipe: impl Read + Send + 'static) -> Arc<Self> {
        let said = Self::nothing_yet("the log");
        let to = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(pipe).split(b'\n') {
                let Ok(line) = line else { return };
                to.add(String::from_utf8_lossy(&line).into_owned());
            }
        });
        said
    }

    /// Collects the messages that come to a socket until an empty one comes.
    pub fn messages(socket: UnixDatagram) -> Arc<Self> {
        let said = Self::nothing_yet("what the service manager heard");
        let to = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = socket.recv(&mut buffer) {
                let message = String::from_utf8_lossy(&buffer[..length]);
                to.add(message.trim_end().to_owned());
            }
        });
        said
    }

    fn add(&self, words: String) {
        self.words.lock().push(words);
        self.more.notify_all();
    }

    /// All of it.
    pub fn all(&self) -> Vec<String> {
        self.words.lock().clone()
    }

    /// How much there is: what comes after is new.
    pub fn count(&self) -> usize {
        self.words.lock().len()
    }

    /// Waits for something that contains all of `parts`, and returns it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn wait_for(&self, parts: &[&str]) -> String {
        self.wait_after(0, parts).1
    }

    /// The same, but what came before the first `from` does not count. Also returns the count just
    /// behind it.
    ///
    /// # Panics
    /// If it does not come.
    #[track_caller]
    pub fn wait_after(&self, from: usize, parts: &[&str]) -> (usize, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut words = self.words.lock();
        loop {
            let fits = |said: &&String| parts.iter().all(|part| said.contains(part));
            if let Some(at) = words.iter().skip(from).position(|said| fits(&said)) {
                return (from + at + 1, words[from + at].clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{parts:?} is not in {} within {PATIENCE:?}:\n{}",
                self.place,
                words[from.min(words.len())..].join("\n")
            );
            self.more.wait_for(&mut words, left);
        }
    }
}
