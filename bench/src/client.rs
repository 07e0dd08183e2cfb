//! One client: a connection, what it has received, and how fast it wants to read.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use streamd_protocol::stream::{FromClient, ToClient, Want, header};

use crate::{
    args::Protocol,
    clock,
    figures::Arrival,
    framing::{Broken, Event, Framing, Picture},
    whep::{self, Session},
};

/// Bytes read at once where they are looked at: a head and the beginning of a picture.
const LOOK: usize = 1024;

/// Bytes thrown away at once.
pub const SKIP: usize = 256 * 1024;

/// Reads in one turn, so that one client does not keep the others waiting.
const TURN: usize = 32;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Whom to connect to, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Path of the stream, of HTTP and WebSocket.
    pub path: String,
    /// Say hello, so that the server tells about renditions, with these wishes; raw TCP only.
    pub hello: Option<Want>,
    /// Keep all pictures.
    pub keep: bool,
}

/// A rendition that the server announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// When, in µs since the epoch.
    pub at_us: u64,
    /// JPEG quality.
    pub quality: u8,
    /// Pixels.
    pub width: u32,
}

/// Why a client ended before the measurement did.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The server closed the connection, or it broke.
    #[error("the connection ended: {0}")]
    Io(#[from] io::Error),
    /// What came can't be read.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A session of WebRTC is no more.
    #[error("the session ended: {0}")]
    Session(#[from] whep::Ended),
}

/// A client.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    keeps: bool,
    /// The frames that it had whole.
    pub arrivals: Vec<Arrival>,
    /// The same frames as JPEG, each with the moment of its arrival, where they are kept.
    pub pictures: Vec<(u64, Vec<u8>)>,
    /// The renditions that were announced.
    pub rungs: Vec<Rung>,
    /// Why it ended, if it did.
    pub ended: Option<Ended>,
}

/// How pictures come to a client.
#[derive(Debug)]
enum Connection {
    Stream(Stream),
    Session(Box<Session>),
}

/// A connection that is a stream of bytes.
#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    framing: Framing,
    keeps: bool,
    pace: Option<Pace>,
}

impl Client {
    /// Connects, and asks for the stream. With `rate`, it reads so many bytes a second.
    pub fn connect(target: &Target, rate: Option<u32>) -> io::Result<Self> {
        let connection = match (target.protocol, rate) {
            (Protocol::Whep, None) => {
                let session = Session::connect(target.address, &target.path, target.keep)?;
                Connection::Session(Box::new(session))
            }
            (Protocol::Whep, Some(_)) => {
                let why = "datagrams don't wait for who reads slowly: --slow is for streams";
                return Err(io::Error::other(why));
            }
            _ => Connection::Stream(Stream::connect(target, rate)?),
        };
        Ok(Self {
            connection,
            keeps: target.keep,
            arrivals: Vec::new(),
            pictures: Vec::new(),
            rungs: Vec::new(),
            ended: None,
        })
    }

    /// The connection, to wait for.
    pub fn socket(&self) -> BorrowedFd<'_> {
        match &self.connection {
            Connection::Stream(stream) => stream.socket.as_fd(),
            Connection::Session(session) => session.socket().as_fd(),
        }
    }

    /// Whether it reads slowly on purpose.
    pub fn is_slow(&self) -> bool {
        matches!(&self.connection, Connection::Stream(stream) if stream.pace.is_some())
    }

    /// When it is to be read though nothing has come.
    pub fn wake(&self) -> Option<Instant> {
        match &self.connection {
            Connection::Session(session) if self.ended.is_none() => Some(session.wake()),
            _ => None,
        }
    }

    /// Reads what has come. `scratch` has [`SKIP`] bytes, which mean nothing.
    pub fn read(&mut self, scratch: &mut [u8]) {
        if let Err(ended) = self.try_read(scratch) {
            self.ended = Some(ended);
        }
    }

    fn try_read(&mut self, scratch: &mut [u8]) -> Result<(), Ended> {
        let mut found = Vec::new();
        let read = match &mut self.connection {
            Connection::Stream(stream) => stream.read(scratch, &mut found),
            Connection::Session(session) => {
                let pictures = session.read();
                let pictures = pictures.map_err(Ended::from);
                pictures.map(|pictures| found.extend(pictures.into_iter().map(Event::Picture)))
            }
        };
        for event in found {
            self.take(event);
        }
        read
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Picture(picture) => {
                let arrival = arrival(&picture);
                if self.keeps {
                    self.pictures.push((arrival.at_us, picture.data));
                }
                self.arrivals.push(arrival);
            }
            Event::Message(json) => {
                if let Ok(ToClient::Rendition { quality, width, .. }) =
                    serde_json::from_slice(&json)
                {
                    self.rungs.push(Rung {
                        at_us: clock::real_us(),
                        quality,
                        width,
                    });
                }
            }
            // Answered by who has read it.
            Event::Ping(_) => {}
        }
    }
}

impl Stream {
    fn connect(target: &Target, rate: Option<u32>) -> io::Result<Self> {
        let mut socket = TcpStream::connect_timeout(&target.address, CONNECT)?;
        socket.write_all(&greeting(target))?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            framing: match target.keep {
                true => Framing::keeping(target.protocol),
                false => Framing::new(target.protocol),
            },
            keeps: target.keep,
            pace: rate.map(Pace::new),
        })
    }

    fn read(&mut self, scratch: &mut [u8], found: &mut Vec<Event>) -> Result<(), Ended> {
        for _ in 0..TURN {
            let (wanted, flags) = self.appetite();
            if wanted == 0 {
                return Ok(());
            }
            let count = match recv(self.socket.as_raw_fd(), &mut scratch[..wanted], flags) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => count,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
                Err(errno) => return Err(io::Error::from(errno).into()),
            };
            if let Some(pace) = &mut self.pace {
                pace.took(count);
            }
            let before = found.len();
            if flags.contains(MsgFlags::MSG_TRUNC) {
                self.framing.skip(count, found)?;
            } else {
                self.framing.feed(&scratch[..count], found)?;
            }
            for event in &found[before..] {
                if let Event::Ping(payload) = event {
                    self.socket.write_all(&masked(0x8A, payload))?;
                }
            }
            let whole = found.len() > before;
            // Most likely there is no more: epoll says so cheaper than another read.
            if self.pace.is_none() && (whole || count < wanted) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many bytes are to be read next, and how.
    fn appetite(&mut self) -> (usize, MsgFlags) {
        // With MSG_TRUNC the kernel throws bytes of a TCP stream away without copying them.
        let (wanted, flags) = match self.framing.skippable() {
            0 if self.keeps => (SKIP, MsgFlags::empty()),
            0 => (LOOK, MsgFlags::empty()),
            skippable => (skippable.min(SKIP), MsgFlags::MSG_TRUNC),
        };
        let allowed = self.pace.as_mut().map(|pace| pace.allowed(Instant::now()));
        (allowed.map_or(wanted, |allowed| allowed.min(wanted)), flags)
    }
}

fn arrival(picture: &Picture) -> Arrival {
    let at_us = clock::real_us();
    let by_header = || clock::real_of(picture.grabbed?, at_us);
    let segment = picture.segment.as_ref();
    Arrival {
        at_us,
        captured_us: segment.map(|s| s.captured_us).or_else(by_header),
        sequence: segment.map(|s| s.sequence),
        bytes: picture.bytes,
    }
}

fn hello(want: &Want) -> Vec<u8> {
    let hello = FromClient::Hello {
        name: Some("bench".into()),
        token: None,
        want: want.clone(),
    };
    let json = serde_json::to_vec(&hello).expect("a hello is plain data");
    [&header(json.len())[..], &json].concat()
}

/// What a client says first.
fn greeting(target: &Target) -> Vec<u8> {
    let Target { address, path, .. } = target;
    match target.protocol {
        Protocol::Tcp => match &target.hello {
            Some(want) => hello(want),
            None => Vec::new(),
        },
        // It has no greeting but its offer.
        Protocol::Whep => Vec::new(),
        // Of version 1.0, so that no server answers in chunks.
        Protocol::Http => format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").into_bytes(),
        Protocol::Ws => format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: c3RyZWFtZC1iZW5jaC0wMQ==\r\n\r\n"
        )
        .into_bytes(),
    }
}

/// A control frame of a client: it must be masked (RFC 6455, section 5.3); a mask of zeros is one.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    // A control frame has 125 bytes at most.
    let payload = &payload[..payload.len().min(125)];
    [&[first, 0x80 | payload.len() as u8, 0, 0, 0, 0], payload].concat()
}

/// Lets through so many bytes a second, and none in advance.
#[derive(Debug)]
struct Pace {
    rate: f64,
    began: Instant,
    taken: f64,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self {
            rate: f64::from(rate),
            began: Instant::now(),
            taken: 0.0,
        }
    }

    fn allowed(&mut self, now: Instant) -> usize {
        let due = self.rate * now.duration_since(self.began).as_secs_f64();
        // What was not taken in time, because nothing was there, is not made good later.
        self.taken = self.taken.max(due - self.rate / 10.0);
        (due - self.taken) as usize
    }

    fn took(&mut self, bytes: usize) {
        self.taken += bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_gets_its_rate_and_saves_nothing_up() {
        let mut pace = Pace::new(1000);
        let at = |pace: &Pace, ms| pace.began + Duration::from_millis(ms);
        let now = at(&pace, 50);
        assert_eq!(pace.allowed(now), 50);
        pace.took(50);
        assert_eq!(pace.allowed(now), 0);
        let later = at(&pace, 5000);
        assert_eq!(pace.allowed(later), 100);
        let mut stalled = Pace::new(0);
        let later = at(&stalled, 5000);
        assert_eq!(stalled.allowed(later), 0);
    }

    #[test]
    fn a_pong_is_masked() {
        assert_eq!(masked(0x8A, b"hi"), [0x8A, 0x82, 0, 0, 0, 0, b'h', b'i']);
    }
}
