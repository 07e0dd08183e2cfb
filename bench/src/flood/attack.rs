//! Clients that only take places: requests that never end, and streams that are hardly read.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);

/// Between two bytes of a request, and two reads of a stream.
const DRIP: Duration = Duration::from_secs(1);

/// In so many parts the drips of all are spread over a second.
const PARTS: u32 = 20;

/// Bytes that a slow reader takes at once.
const SIP: usize = 100;

/// The attackers.
pub struct Attack {
    headers: Vec<Attacker>,
    readers: Vec<Attacker>,
    /// Of the slow headers: the daemon says something, or hangs up.
    epoll: Option<Epoll>,
    part: u32,
}

struct Attacker {
    socket: Option<TcpStream>,
    since: Instant,
    lasted: Option<Duration>,
}

/// What came of one kind of them.
#[derive(Debug, Default)]
pub struct Fate {
    /// They had a connection.
    pub connected: usize,
    /// The daemon has ended it.
    pub cut_off: usize,
    /// How long the one lasted that lasted longest, of those that were cut off.
    pub longest: Option<Duration>,
}

/// What came of them.
#[derive(Debug)]
pub struct Done {
    /// Requests that never end.
    pub headers: Fate,
    /// Streams that are hardly read.
    pub readers: Fate,
}

impl Attack {
    /// Connects all of them, as fast as it goes.
    pub fn begin(http: SocketAddr, headers: u32, readers: u32) -> Self {
        let attackers = |count: u32, says: &[u8]| {
            let all = (0..count).filter_map(|_| Attacker::new(http, says).ok());
            all.collect::<Vec<_>>()
        };
        let readers = attackers(readers, b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let headers = attackers(
            headers,
            b"GET /stream HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        );
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok();
        for (n, attacker) in headers.iter().enumerate() {
            let interest = EpollEvent::new(EpollFlags::EPOLLIN, n as u64);
            if let (Some(epoll), Some(socket)) = (&epoll, &attacker.socket) {
                // One that can't be waited for is found out by its next drip.
                let _ = epoll.add(socket.as_fd(), interest);
            }
        }
        Self {
            headers,
            readers,
            epoll,
            part: 0,
        }
    }

    /// A twentieth of a second of it.
    pub fn go_on(&mut self) {
        let end = Instant::now() + DRIP / PARTS;
        let parts = |n: usize| n as u32 % PARTS == self.part;
        for (_, attacker) in (0..).zip(&mut self.headers).filter(|(n, _)| parts(*n)) {
            attacker.drip();
        }
        for (_, attacker) in (0..).zip(&mut self.readers).filter(|(n, _)| parts(*n)) {
            attacker.read(SIP);
        }
        self.part = (self.part + 1) % PARTS;
        let mut events = [EpollEvent::empty(); 256];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let wait = EpollTimeout::try_from(left + Duration::from_micros(999));
            let ready = match (&self.epoll, wait) {
                (Some(epoll), Ok(wait)) => epoll.wait(&mut events, wait).unwrap_or(0),
                _ => {
                    thread::sleep(left);
                    0
                }
            };
            for event in &events[..ready] {
                self.headers[event.data() as usize].read(SIP * SIP);
            }
        }
    }

    /// Ends it.
    pub fn end(self) -> Done {
        Done {
            headers: fate(&self.headers),
            readers: fate(&self.readers),
        }
    }
}

fn fate(attackers: &[Attacker]) -> Fate {
    let lasted = || attackers.iter().filter_map(|attacker| attacker.lasted);
    Fate {
        connected: attackers.len(),
        cut_off: lasted().count(),
        longest: lasted().max(),
    }
}

impl Attacker {
    fn new(http: SocketAddr, says: &[u8]) -> io::Result<Self> {
        let mut socket = TcpStream::connect_timeout(&http, CONNECT)?;
        socket.write_all(says)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Some(socket),
            since: Instant::now(),
            lasted: None,
        })
    }

    fn drip(&mut self) {
        if self.socket.as_mut().is_some_and(|s| s.write(b"x").is_err()) {
            self.ends();
        }
    }

    /// Reads a little. It is over when there is nothing more to come.
    fn read(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        let read = self.socket.as_mut().map(|socket| socket.read(&mut buffer));
        match read {
            Some(Ok(0)) => self.ends(),
            Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => self.ends(),
            _ => {}
        }
    }

    fn ends(&mut self) {
        self.lasted = Some(self.since.elapsed());
        self.socket = None;
    }
}
