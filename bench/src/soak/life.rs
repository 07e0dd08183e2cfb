//! What comes and goes: viewers of every kind that leave in every way, snapshots, the page,
//! control calls, reloads, a camera that is unplugged and back.

use std::{
    fmt,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use streamd_protocol::{
    client::Client,
    control::{GetStats, KickClient, ListClients, SetCamera, SetClient},
};

use super::daemon::{Daemon, Reloads};

/// How long anything of it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that is done, each by a thread of its own.
const DEEDS: [&str; 7] = [
    "raw TCP viewers",
    "MJPEG viewers",
    "WebSocket viewers",
    "requests",
    "control calls",
    "reloads",
    "unplugs",
];

/// It goes on until it is ended.
pub struct Life {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    ends: AtomicBool,
    /// Held to read by each deed while it lasts.
    gate: RwLock<()>,
    counts: [AtomicU64; DEEDS.len()],
    tcp: SocketAddr,
    http: SocketAddr,
    control: PathBuf,
    reloads: Reloads,
    /// The numbers of the viewers that stay go up to this.
    watchers: i64,
}

/// How often each was done.
pub struct Done([u64; DEEDS.len()]);

impl Life {
    /// Begins with a daemon whose watchers have numbers up to `watchers`.
    pub fn begin(daemon: &Daemon, watchers: i64) -> Self {
        let shared = Arc::new(Shared {
            ends: AtomicBool::new(false),
            gate: RwLock::new(()),
            counts: Default::default(),
            tcp: daemon.tcp(),
            http: daemon.http(),
            control: daemon.control(),
            reloads: daemon.reloads(),
            watchers,
        });
        let threads = (0..DEEDS.len()).map(|deed| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.go_on(deed))
        });
        Self {
            threads: threads.collect(),
            shared,
        }
    }

    /// Everything rests for as long as this is held.
    pub fn rest(&self) -> RwLockWriteGuard<'_, ()> {
        self.shared.gate.write()
    }

    /// What was done so far.
    pub fn done(&self) -> Done {
        let counts = self.shared.counts.each_ref();
        Done(counts.map(|count| count.load(Ordering::Relaxed)))
    }

    /// Ends it.
    pub fn end(mut self) -> Done {
        self.shared.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A panic there is a fault of this program, and was shown.
            let _ = thread.join();
        }
        self.done()
    }
}

impl Shared {
    fn go_on(&self, deed: usize) {
        for n in 0.. {
            if self.ends.load(Ordering::Relaxed) {
                return;
            }
            let at_work: RwLockReadGuard<'_, ()> = self.gate.read();
            let done = match deed {
                0 => self.watch(n, self.tcp, ""),
                1 => self.watch(n, self.http, &stream(n)),
                2 => self.watch(n, self.http, &websocket(n)),
                3 => self.ask(n),
                4 => self.call(n),
                5 => self.reload(n, true),
                _ => self.reload(n, n % 2 == 1),
            };
            drop(at_work);
            match done {
                // What is refused while it is full, or cut off by a kick, is part of life.
                Err(_) => thread::sleep(Duration::from_millis(20)),
                Ok(()) => {
                    self.counts[deed].fetch_add(1, Ordering::Relaxed);
                }
            }
            let pause = if deed >= 5 { 500 } else { 5 };
            thread::sleep(Duration::from_millis(pause));
        }
    }

    /// A viewer that reads some bytes and goes: in the middle of a frame, with a reset, or half closed.
    fn watch(&self, n: u64, to: SocketAddr, greeting: &str) -> anyhow::Result<()> {
        let mut socket = connect(to)?;
        socket.write_all(greeting.as_bytes())?;
        let mut left = 1 + n * 7919 % 60_000;
        let mut buffer = [0; 16 * 1024];
        while left > 0 {
            let read = socket.read(&mut buffer[..left.min(16 * 1024) as usize])?;
            anyhow::ensure!(read > 0, "it was ended");
            left -= read as u64;
        }
        match n % 3 {
            0 => setsockopt(&socket, sockopt::Linger, &reset())?,
            1 => socket.shutdown(std::net::Shutdown::Write)?,
            _ => {}
        }
        Ok(())
    }

    /// A request that is answered.
    fn ask(&self, n: u64) -> anyhow::Result<()> {
        const PATHS: [&str; 7] = [
            "/snapshot",
            "/state",
            "/",
            "/snapshot/side",
            "/nothing",
            "/?action=snapshot",
            "/snapshot?max_delay=1000",
        ];
        let path = PATHS[(n % PATHS.len() as u64) as usize];
        let mut socket = connect(self.http)?;
        socket
            .write_all(format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.http).as_bytes())?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        anyhow::ensure!(answer.starts_with(b"HTTP/1."), "no answer");
        Ok(())
    }

    /// A call of an administrator.
    fn call(&self, n: u64) -> anyhow::Result<()> {
        let mut client = Client::connect(&self.control, PATIENCE)?;
        let quality = 40 + (n % 50) as i64;
        client.call(&GetStats::default())?;
        client.call(&SetCamera {
            camera: Some("side".into()),
            quality: Some(quality),
            ..SetCamera::default()
        })?;
        // The watchers came first.
        let clients = client.call(&ListClients {})?.clients;
        let newest = clients.iter().map(|client| client.id).max();
        let newest = newest.filter(|id| *id > self.watchers);
        if let Some(id) = newest {
            let _ = client.call(&SetClient {
                id,
                fps: Some(5.0),
                ..SetClient::default()
            });
            if n.is_multiple_of(5) {
                let _ = client.call(&KickClient {
                    id: Some(id),
                    ..KickClient::default()
                });
            }
        }
        Ok(())
    }

    fn reload(&self, n: u64, there: bool) -> anyhow::Result<()> {
        self.reloads.reload(15 + (n % 2) as u32 * 15, there)?;
        if !there {
            // Somebody watches when it goes and comes.
            self.watch(
                1,
                self.http,
                "GET /stream/loose HTTP/1.0\r\nHost: localhost\r\n\r\n",
            )?;
        }
        Ok(())
    }
}

fn connect(to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&to, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn reset() -> libc::linger {
    libc::linger {
        l_onoff: 1,
        l_linger: 0,
    }
}

fn camera(n: u64) -> &'static str {
    ["main", "side", "loose"][(n % 3) as usize]
}

fn stream(n: u64) -> String {
    format!(
        "GET /stream/{} HTTP/1.0\r\nHost: localhost\r\n\r\n",
        camera(n)
    )
}

fn websocket(n: u64) -> String {
    format!(
        "GET /ws/{} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RyZWFtZC1iZW5jaC0wMQ==\r\n\r\n",
        camera(n)
    )
}

impl Done {
    /// All together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was never done.
    pub fn never(&self) -> impl Iterator<Item = &'static str> {
        DEEDS
            .iter()
            .zip(self.0)
            .filter(|(_, n)| *n == 0)
            .map(|(what, _)| *what)
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = DEEDS
            .iter()
            .zip(self.0)
            .map(|(what, n)| format!("{n} {what}"))
            .collect();
        f.write_str(&all.join(", "))
    }
}
