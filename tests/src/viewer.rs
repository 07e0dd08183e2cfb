//! A client of raw TCP. A read that gets nothing for [`PATIENCE`] is a failure.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};
use streamd_protocol::stream::{
    FromClient, LENGTH_BYTES, MAX_TO_CLIENT, Payload as Kind, ToClient, Want, announced, header,
};

use crate::{PATIENCE, picture::Picture, unit::Unit};

/// The receive buffer of a client that is to be slow, bytes: what is in it counts as delivered.
const SMALL_BUFFER: usize = 8 * 1024;

/// How often a slow client reads.
const SIP: Duration = Duration::from_millis(20);

/// One thing that the server sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// A picture.
    Picture(Picture),
    /// A picture in H.264.
    Unit(Unit),
    /// A message.
    Message(ToClient),
}

/// A connected client.
#[derive(Debug)]
pub struct Viewer {
    socket: TcpStream,
    address: String,
    /// Bytes a second that it reads at most.
    rate: Option<usize>,
}

impl Viewer {
    /// Connects, and says nothing.
    ///
    /// # Panics
    /// If nobody answers.
    #[track_caller]
    pub fn connect(to: SocketAddr) -> Self {
        Self::over(Socket::new(Domain::IPV4, Type::STREAM, None), to, None)
    }

    /// Connects from another address of this machine, `127.0.0.2` or the like.
    ///
    /// # Panics
    /// If nobody answers.
    #[track_caller]
    pub fn connect_from(from: [u8; 4], to: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None);
        if let Ok(socket) = &socket {
            let bound = socket.bind(&SocketAddr::from((from, 0)).into());
            bound.expect("all of 127.0.0.0/8 is this machine");
        }
        Self::over(socket, to, None)
    }

    /// Connects as a client that can only take so many bytes a second.
    ///
    /// # Panics
    /// If nobody answers.
    #[track_caller]
    pub fn connect_slow(to: SocketAddr, bytes_per_second: usize) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None);
        if let Ok(socket) = &socket {
            let set = socket.set_recv_buffer_size(SMALL_BUFFER);
            set.expect("any size is rounded to one that is allowed");
        }
        Self::over(socket, to, Some(bytes_per_second))
    }

    #[track_caller]
    fn over(socket: std::io::Result<Socket>, to: SocketAddr, rate: Option<usize>) -> Self {
        let socket = socket.expect("a socket");
        let connected = socket.connect_timeout(&to.into(), PATIENCE);
        connected.unwrap_or_else(|error| panic!("{to}: {error}"));
        let socket = TcpStream::from(socket);
        let timeout = socket.set_write_timeout(Some(PATIENCE));
        timeout.expect("a time-out that is not zero");
        let address = socket.local_addr().expect("a connected socket has one");
        Self {
            socket,
            address: address.to_string(),
            rate,
        }
    }

    /// Its address, as the daemon shows it.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Sends a message.
    pub fn say(&mut self, message: &FromClient) {
        let json = serde_json::to_vec(message).expect("our messages are plain JSON");
        self.say_bytes(&json);
    }

    /// Sends a message that need not be one.
    pub fn say_bytes(&mut self, payload: &[u8]) {
        let length = header(payload.len());
        self.write(&[&length, payload].concat());
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// If the connection takes none.
    pub fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("an open connection");
    }

    /// The same, where the server may have closed the connection.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Says hello with these limits, and returns the welcome.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn hello(&mut self, name: &str, want: Want) -> ToClient {
        self.say(&FromClient::Hello {
            name: Some(name.into()),
            token: None,
            want,
        });
        self.message(|message| matches!(message, ToClient::Welcome { .. }))
    }

    /// The next picture or message; `None` once the server has closed the connection.
    ///
    /// # Panics
    /// If nothing comes, or nonsense.
    #[track_caller]
    pub fn payload(&mut self) -> Option<Payload> {
        let mut length = [0; LENGTH_BYTES];
        if !self.fill(&mut length) {
            return None;
        }
        let length = announced(&length, MAX_TO_CLIENT).unwrap_or_else(|error| panic!("{error}"));
        let mut payload = vec![0; length.expect("the length is whole")];
        if !self.fill(&mut payload) {
            return None;
        }
        Some(match Kind::of(&payload) {
            Some(Kind::Message) => {
                let message = serde_json::from_slice(&payload);
                let text = || String::from_utf8_lossy(&payload).into_owned();
                Payload::Message(message.unwrap_or_else(|error| panic!("{error}: {}", text())))
            }
            Some(Kind::Unit) => Payload::Unit(Unit::new(payload)),
            _ => Payload::Picture(Picture::new(payload)),
        })
    }

    /// The next picture in H.264; all else before it is passed over.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn unit(&mut self) -> Unit {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.payload() {
                Some(Payload::Unit(unit)) => return unit,
                Some(_) => {}
                None => panic!("the connection was closed before a unit came"),
            }
        }
        panic!("no unit within {PATIENCE:?}");
    }

    /// The next picture; messages before it are passed over.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn picture(&mut self) -> Picture {
        loop {
            match self.payload() {
                Some(Payload::Picture(picture)) => return picture,
                Some(Payload::Message(_) | Payload::Unit(_)) => {}
                None => panic!("the connection was closed before a picture came"),
            }
        }
    }

    /// Reads until a picture fits, and returns it.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn picture_that(&mut self, what: &str, fits: impl Fn(&Picture) -> bool) -> Picture {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let picture = self.picture();
            if fits(&picture) {
                return picture;
            }
            assert!(
                Instant::now() < deadline,
                "no picture within {PATIENCE:?}: {what}; the last one: {picture:?}"
            );
        }
    }

    /// Reads until a message fits, and returns it; pictures are passed over.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn message(&mut self, fits: impl Fn(&ToClient) -> bool) -> ToClient {
        let deadline = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        while Instant::now() < deadline {
            match self.payload() {
                Some(Payload::Message(message)) if fits(&message) => return message,
                Some(Payload::Message(message)) => others.push(message),
                Some(Payload::Picture(_) | Payload::Unit(_)) => {}
                None => panic!("the connection was closed after {others:?}"),
            }
        }
        panic!("not within {PATIENCE:?}; instead: {others:?}");
    }

    /// Reads until the server closes the connection, and returns the messages.
    ///
    /// # Panics
    /// If it does not close it.
    #[track_caller]
    pub fn until_closed(&mut self) -> Vec<ToClient> {
        let deadline = Instant::now() + PATIENCE;
        let mut messages = Vec::new();
        while let Some(payload) = self.payload() {
            if let Payload::Message(message) = payload {
                messages.push(message);
            }
            assert!(
                Instant::now() < deadline,
                "the connection is still open after {PATIENCE:?}"
            );
        }
        messages
    }

    /// Fills the whole buffer; false at the end of the connection.
    #[track_caller]
    fn fill(&mut self, buffer: &mut [u8]) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let mut filled = 0;
        while filled < buffer.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{filled} of {} bytes within {PATIENCE:?}",
                buffer.len()
            );
            let timeout = self.socket.set_read_timeout(Some(left));
            timeout.expect("a time-out that is not zero");
            let end = self
                .sip()
                .map_or(buffer.len(), |sip| buffer.len().min(filled + sip));
            match self.socket.read(&mut buffer[filled..end]) {
                Ok(0) => return false,
                Ok(read) => filled += read,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset => return false,
                    _ => panic!("reading failed: {error}"),
                },
            }
        }
        true
    }

    /// How much a slow client reads now; this is where it is slow.
    fn sip(&self) -> Option<usize> {
        let rate = self.rate?;
        std::thread::sleep(SIP);
        Some((rate as f64 * SIP.as_secs_f64()) as usize)
    }
}
