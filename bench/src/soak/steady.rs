//! The watchers: viewers that stay from the beginning to the end, and must notice nothing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use parking_lot::Mutex;
use streamd_protocol::stream::Want;

use crate::{
    args::Protocol,
    client::{Client, SKIP, Target},
    figures::{Arrival, Spread},
};

/// So long a watcher may get nothing.
const LONGEST_GAP: Duration = Duration::from_secs(3);

/// They watch until they are ended.
pub struct Steady {
    ends: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<f64>>>,
    threads: Vec<JoinHandle<Option<String>>>,
}

impl Steady {
    /// So many watchers, one transport after another.
    pub fn connect(http: SocketAddr, tcp: SocketAddr, count: u32) -> anyhow::Result<Self> {
        let mut steady = Self {
            ends: Arc::default(),
            seen: Arc::default(),
            threads: Vec::new(),
        };
        for n in 0..count {
            let (address, protocol, path) = match n % 3 {
                0 => (tcp, Protocol::Tcp, String::new()),
                1 => (http, Protocol::Http, format!("/stream/main?key=watcher{n}")),
                _ => (http, Protocol::Ws, "/ws/main".into()),
            };
            let target = Target {
                address,
                protocol,
                path,
                hello: Some(Want::default()),
                keep: false,
            };
            let client = Client::connect(&target, None)?;
            let (ends, seen) = (Arc::clone(&steady.ends), Arc::clone(&steady.seen));
            steady
                .threads
                .push(thread::spawn(move || watch(client, &ends, &seen)));
        }
        Ok(steady)
    }

    /// From capture to arrival, in ms, of all frames since the last call.
    pub fn latency(&self) -> Spread {
        Spread::new(std::mem::take(&mut *self.seen.lock()))
    }

    /// Ends them; why some ended before, if any did.
    pub fn end(self) -> Vec<String> {
        self.ends.store(true, Ordering::Relaxed);
        let threads = self.threads.into_iter();
        threads
            .filter_map(|thread| {
                thread
                    .join()
                    .unwrap_or(Some("a fault of this program".into()))
            })
            .collect()
    }
}

fn watch(mut client: Client, ends: &AtomicBool, seen: &Mutex<Vec<f64>>) -> Option<String> {
    let mut scratch = vec![0; SKIP];
    let longest = PollTimeout::try_from(LONGEST_GAP).expect("some seconds are a time-out");
    while !ends.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(client.socket(), PollFlags::POLLIN)];
        match poll(&mut ready, longest) {
            Ok(0) => return Some(format!("nothing came for {LONGEST_GAP:?}")),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Some(errno.to_string()),
        }
        client.read(&mut scratch);
        seen.lock().extend(
            client
                .arrivals
                .drain(..)
                .filter_map(|a: Arrival| a.latency_ms()),
        );
        if let Some(ended) = &client.ended {
            return Some(ended.to_string());
        }
    }
    None
}
