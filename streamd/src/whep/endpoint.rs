//! The port that all sessions share: each datagram goes to the session that it belongs to.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use tokio::{net::UdpSocket, sync::mpsc};
use tokio_util::sync::CancellationToken;

use super::facing;
use crate::meters::Counter;

/// The longest datagram that is read.
const LONGEST: usize = 2048;

/// Datagrams that wait for a session at most; the next ones are dropped, as a network would.
const WAITING: usize = 64;

/// Addresses that a session may be heard from at most.
const ADDRESSES: usize = 16;

/// The magic cookie of STUN, and the attribute with the name of the one that is asked for (RFC 8489).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0, 1];
const USERNAME: u16 = 6;

/// A datagram, and where it comes from.
pub type Datagram = (Vec<u8>, SocketAddr);

/// The port, and who is served there.
pub struct Endpoint {
    socket: UdpSocket,
    local: SocketAddr,
    public: Option<IpAddr>,
    sessions: Mutex<Sessions>,
    /// Datagrams that belong to no session.
    strays: Arc<Counter>,
}

#[derive(Default)]
struct Sessions {
    /// By the name in its address.
    by_id: HashMap<String, Session>,
    /// By what STUN calls it.
    by_name: HashMap<String, String>,
    by_address: HashMap<SocketAddr, String>,
}

struct Session {
    camera: String,
    name: String,
    datagrams: mpsc::Sender<Datagram>,
    end: CancellationToken,
    addresses: usize,
}

/// A session's place at the port, given back when dropped.
pub struct Seat {
    /// What is unguessable of its address.
    pub id: String,
    /// What comes for it.
    pub datagrams: mpsc::Receiver<Datagram>,
    /// Its client has ended it.
    pub end: CancellationToken,
    endpoint: Weak<Endpoint>,
}

impl Endpoint {
    /// Takes a bound socket. `public` is where others find it behind a router.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn new(
        socket: std::net::UdpSocket,
        public: Option<IpAddr>,
        strays: Arc<Counter>,
    ) -> io::Result<Arc<Self>> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        Ok(Arc::new(Self {
            socket: UdpSocket::from_std(socket)?,
            local,
            public,
            sessions: Mutex::default(),
            strays,
        }))
    }

    /// Hands on what comes, for ever.
    pub async fn run(self: Arc<Self>) {
        let mut bytes = vec![0; LONGEST];
        loop {
            match self.socket.recv_from(&mut bytes).await {
                Ok((length, from)) => self.hand_on(&bytes[..length], canonical(from)),
                Err(error) => tracing::debug!(%error, "WebRTC: a datagram could not be read"),
            }
        }
    }

    fn hand_on(&self, bytes: &[u8], from: SocketAddr) {
        let mut sessions = self.sessions.lock();
        let id = match asked_for(bytes) {
            Some(name) => sessions.introduce(name, from),
            None => sessions.by_address.get(&from).cloned(),
        };
        let session = id.and_then(|id| sessions.by_id.get(&id));
        match session {
            // One that does not keep up loses some, as on the network.
            Some(session) => drop(session.datagrams.try_send((bytes.to_vec(), from))),
            None => self.strays.add(1),
        }
    }

    /// Sends a datagram; what the kernel has no room for is lost, as on the network.
    pub fn send(&self, bytes: &[u8], to: SocketAddr) {
        let to = match (self.local.ip(), to.ip()) {
            (IpAddr::V6(_), IpAddr::V4(ip)) => {
                SocketAddr::new(ip.to_ipv6_mapped().into(), to.port())
            }
            _ => to,
        };
        if let Err(error) = self.socket.try_send_to(bytes, to) {
            tracing::trace!(%error, %to, "WebRTC: a datagram was not sent");
        }
    }

    /// Where a client at this address can reach the port, the nearest first; empty if it can't.
    pub fn addresses(&self, peer: Option<IpAddr>) -> Vec<SocketAddr> {
        let here = match self.local.ip() {
            any if any.is_unspecified() => peer.and_then(facing),
            ip => Some(ip),
        };
        let all = here.into_iter().chain(self.public);
        all.map(|ip| SocketAddr::new(ip, self.local.port()))
            .collect()
    }

    /// A seat for a new session, which STUN calls by this name.
    ///
    /// # Errors
    /// The kernel has no random bytes.
    pub fn seat(self: &Arc<Self>, camera: &str, name: &str) -> io::Result<Seat> {
        let mut random = [0; 18];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(random);
        let (sender, datagrams) = mpsc::channel(WAITING);
        let end = CancellationToken::new();
        let mut sessions = self.sessions.lock();
        sessions.by_name.insert(name.to_owned(), id.clone());
        sessions.by_id.insert(
            id.clone(),
            Session {
                camera: camera.to_owned(),
                name: name.to_owned(),
                datagrams: sender,
                end: end.clone(),
                addresses: 0,
            },
        );
        Ok(Seat {
            id,
            datagrams,
            end,
            endpoint: Arc::downgrade(self),
        })
    }

    /// Whether there is such a session of this camera.
    pub fn has(&self, camera: &str, id: &str) -> bool {
        let sessions = self.sessions.lock();
        sessions
            .by_id
            .get(id)
            .is_some_and(|session| session.camera == camera)
    }

    /// Ends a session of this camera; false if there is none.
    pub fn end(&self, camera: &str, id: &str) -> bool {
        let sessions = self.sessions.lock();
        let session = sessions
            .by_id
            .get(id)
            .filter(|session| session.camera == camera);
        session.inspect(|session| session.end.cancel()).is_some()
    }
}

impl Sessions {
    /// Somebody asks from this address for the session of this name.
    fn introduce(&mut self, name: &str, from: SocketAddr) -> Option<String> {
        let id = self.by_name.get(name)?;
        let known = self.by_address.get(&from);
        if known != Some(id) {
            let session = self.by_id.get_mut(id)?;
            if session.addresses == ADDRESSES {
                return None;
            }
            session.addresses += 1;
            self.by_address.insert(from, id.clone());
        }
        Some(id.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(endpoint) = self.endpoint.upgrade() else {
            return;
        };
        let mut sessions = endpoint.sessions.lock();
        if let Some(session) = sessions.by_id.remove(&self.id) {
            sessions.by_name.remove(&session.name);
        }
        sessions.by_address.retain(|_, id| *id != self.id);
    }
}

/// An IPv4 address as one, also where it came in by IPv6.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Of a STUN request, the name of the session that it asks for: `ours:theirs`.
fn asked_for(bytes: &[u8]) -> Option<&str> {
    let (head, mut rest) = bytes.split_at_checked(20)?;
    if head[..2] != BINDING_REQUEST || head[4..8] != COOKIE {
        return None;
    }
    while let Some((head, after)) = rest.split_at_checked(4) {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = after.get(..length)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok()?.split(':').next();
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str) -> Vec<u8> {
        let mut bytes = [&BINDING_REQUEST[..], &[0, 0], &COOKIE, &[7; 12]].concat();
        // Another attribute stands before it.
        bytes.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        bytes.extend(USERNAME.to_be_bytes());
        bytes.extend((name.len() as u16).to_be_bytes());
        bytes.extend(name.bytes());
        bytes
    }

    fn endpoint() -> Arc<Endpoint> {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        Endpoint::new(socket, None, Arc::default()).unwrap()
    }

    #[test]
    fn a_request_names_its_session_and_nothing_else_does() {
        assert_eq!(asked_for(&request("ours:theirs")), Some("ours"));
        for end in 0..request("ours:theirs").len() {
            assert_eq!(asked_for(&request("ours:theirs")[..end]), None, "{end}");
        }
        assert_eq!(asked_for(&[0x80; 200]), None);
        assert_eq!(asked_for(&[0xFF; 40]), None);
    }

    #[tokio::test]
    async fn datagrams_go_to_the_session_that_the_address_has_asked_for() {
        let endpoint = endpoint();
        let [mut one, mut other] =
            ["one", "other"].map(|name| endpoint.seat("main", name).unwrap());
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        endpoint.hand_on(b"\x80early", address(1));
        endpoint.hand_on(&request("one:x"), address(1));
        endpoint.hand_on(&request("other:x"), address(2));
        endpoint.hand_on(b"\x80media", address(1));
        endpoint.hand_on(&request("nobody:x"), address(3));
        assert_eq!(endpoint.strays.get(), 2);
        assert_eq!(one.datagrams.try_recv().unwrap().1, address(1));
        assert_eq!(one.datagrams.try_recv().unwrap().0, b"\x80media");
        assert_eq!(other.datagrams.try_recv().unwrap().1, address(2));
        // A client that begins a new session from the same port.
        endpoint.hand_on(&request("other:x"), address(1));
        endpoint.hand_on(b"\x80media", address(1));
        assert_eq!(other.datagrams.len(), 2);
        assert!(endpoint.has("main", &one.id) && !endpoint.has("side", &one.id));
        assert!(!endpoint.end("side", &one.id) && endpoint.end("main", &one.id));
        assert!(one.end.is_cancelled() && !other.end.is_cancelled());
        let id = one.id.clone();
        drop(one);
        assert!(!endpoint.has("main", &id));
        drop(other);
        let sessions = endpoint.sessions.lock();
        assert!(sessions.by_name.is_empty() && sessions.by_address.is_empty());
    }

    #[tokio::test]
    async fn a_flood_of_addresses_and_datagrams_has_an_end() {
        let endpoint = endpoint();
        let one = endpoint.seat("main", "one").unwrap();
        for port in 1..=1000 {
            endpoint.hand_on(&request("one:x"), SocketAddr::from(([192, 0, 2, 1], port)));
        }
        assert_eq!(endpoint.sessions.lock().by_address.len(), ADDRESSES);
        for _ in 0..1000 {
            endpoint.hand_on(b"\x80media", SocketAddr::from(([192, 0, 2, 1], 1)));
        }
        assert_eq!(one.datagrams.len(), WAITING);
    }
}
