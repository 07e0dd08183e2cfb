//! A blocking client of the control socket: one call at a time, every wait bounded.

use std::{
    io::{self, Read, Write},
    marker::PhantomData,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::control::{self, Call, MAX_REPLY_BYTES, Method, Reply};

/// How long to wait for the daemon, unless told otherwise: above what it may take for a picture.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(8);

/// Why a call gave no reply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens at the socket, or it does not exist.
    #[error("no streamd at {}: {source}", path.display())]
    Unavailable {
        /// The socket.
        path: PathBuf,
        /// What the kernel says.
        source: io::Error,
    },
    /// The socket's mode does not let us connect.
    #[error("no permission to connect to {}", path.display())]
    PermissionDenied {
        /// The socket.
        path: PathBuf,
    },
    /// No reply in time.
    #[error("streamd did not answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The connection ended before the reply.
    #[error("streamd closed the connection without an answer")]
    Closed,
    /// The socket failed.
    #[error("the control socket failed: {0}")]
    Io(#[from] io::Error),
    /// The reply is not what the interface says.
    #[error("streamd's answer can't be understood: {0}")]
    Protocol(String),
    /// The daemon refused the call.
    #[error(transparent)]
    Refused(#[from] control::Error),
    /// The daemon refused the call for a reason that this version does not know.
    #[error("streamd refused: {name} {parameters}")]
    Unknown {
        /// The error's full name.
        name: String,
        /// Its parameters.
        parameters: Value,
    },
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    received: Vec<u8>,
    /// Bytes of `received` that are known to hold no NUL.
    scanned: usize,
    timeout: Duration,
    usable: bool,
}

impl Client {
    /// Connects to the socket at `path`. `timeout` bounds the connecting, and later each reply.
    pub fn connect(path: &Path, timeout: Duration) -> Result<Self, Error> {
        let unavailable = |source| Error::Unavailable {
            path: path.into(),
            source,
        };
        let address = SockAddr::unix(path).map_err(unavailable)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // For a Unix socket, the send time-out bounds connect() too (a full backlog waits).
        socket.set_write_timeout(Some(timeout))?;
        socket.connect(&address).map_err(|e| match e.kind() {
            io::ErrorKind::PermissionDenied => Error::PermissionDenied { path: path.into() },
            io::ErrorKind::WouldBlock => Error::Timeout(timeout),
            _ => unavailable(e),
        })?;
        Ok(Self {
            socket: std::os::fd::OwnedFd::from(socket).into(),
            received: Vec::new(),
            scanned: 0,
            timeout,
            usable: true,
        })
    }

    /// Calls a method and waits for its reply.
    pub fn call<M: Method>(&mut self, method: &M) -> Result<M::Reply, Error> {
        self.send(method, false)?;
        let reply = self.reply(self.timeout)?;
        if reply.continues {
            return Err(self.broken("more than one reply to a single call"));
        }
        self.decode(reply.parameters)
    }

    /// Calls a method as a stream: an iterator over its replies, which ends with the first error.
    /// `interval` is the longest expected time between two replies, on top of the time-out.
    pub fn stream<M: Method>(
        &mut self,
        method: &M,
        interval: Duration,
    ) -> Result<Replies<'_, M>, Error> {
        self.send(method, true)?;
        Ok(Replies {
            timeout: self.timeout + interval,
            client: self,
            ended: false,
            method: PhantomData,
        })
    }

    fn send<M: Method>(&mut self, method: &M, more: bool) -> Result<(), Error> {
        if !self.usable {
            return Err(Error::Closed);
        }
        let call = Call {
            method: M::NAME.into(),
            parameters: to_value(method)?,
            oneway: false,
            more,
            upgrade: false,
        };
        let mut bytes = serde_json::to_vec(&call).map_err(|e| Error::Protocol(e.to_string()))?;
        bytes.push(0);
        match self.socket.write_all(&bytes) {
            // The daemon may have said why before it closed: the reply is still to be read.
            Err(e) if !gone(&e) => {
                self.usable = false;
                Err(self.io_error(e, self.timeout))
            }
            _ => Ok(()),
        }
    }

    /// The next reply; an error reply is an error.
    fn reply(&mut self, timeout: Duration) -> Result<Reply, Error> {
        let message = self.message(timeout).inspect_err(|_| self.usable = false)?;
        let reply: Reply = serde_json::from_slice(&message).map_err(|e| self.broken(e))?;
        let Some(name) = reply.error else {
            return Ok(reply);
        };
        Err(
            match control::Error::from_reply(&name, reply.parameters.clone()) {
                Some(error) => Error::Refused(error),
                None => Error::Unknown {
                    name,
                    parameters: reply.parameters,
                },
            },
        )
    }

    /// Reads up to the next NUL.
    fn message(&mut self, timeout: Duration) -> Result<Vec<u8>, Error> {
        let deadline = Instant::now() + timeout;
        let mut chunk = [0; 64 * 1024];
        loop {
            let fresh = &self.received[self.scanned..];
            if let Some(at) = fresh.iter().position(|b| *b == 0) {
                let mut message = self.received.split_off(self.scanned + at + 1);
                std::mem::swap(&mut message, &mut self.received);
                message.pop();
                self.scanned = 0;
                return Ok(message);
            }
            self.scanned = self.received.len();
            if self.scanned > MAX_REPLY_BYTES {
                return Err(Error::Protocol(format!("over {MAX_REPLY_BYTES} bytes")));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(timeout));
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(Error::Closed),
                Ok(n) => self.received.extend_from_slice(&chunk[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io_error(e, timeout)),
            }
        }
    }

    fn io_error(&self, error: io::Error, timeout: Duration) -> Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout),
            _ if gone(&error) => Error::Closed,
            _ => Error::Io(error),
        }
    }

    fn decode<T: DeserializeOwned>(&mut self, parameters: Value) -> Result<T, Error> {
        let parameters = match parameters {
            Value::Null => Value::Object(serde_json::Map::new()),
            parameters => parameters,
        };
        serde_json::from_value(parameters).map_err(|e| self.broken(e))
    }

    /// After a reply that makes no sense nothing more can be trusted.
    fn broken(&mut self, why: impl ToString) -> Error {
        self.usable = false;
        Error::Protocol(why.to_string())
    }
}

fn to_value<M: Method>(method: &M) -> Result<Value, Error> {
    serde_json::to_value(method).map_err(|e| Error::Protocol(e.to_string()))
}

/// The replies of a stream. Dropped early, it makes the connection useless: connect anew.
#[derive(Debug)]
pub struct Replies<'a, M> {
    client: &'a mut Client,
    timeout: Duration,
    ended: bool,
    method: PhantomData<M>,
}

impl<M: Method> Iterator for Replies<'_, M> {
    type Item = Result<M::Reply, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let reply = self.client.reply(self.timeout).and_then(|reply| {
            self.ended = !reply.continues;
            self.client.decode(reply.parameters)
        });
        self.ended |= reply.is_err();
        Some(reply)
    }
}

impl<M> Drop for Replies<'_, M> {
    fn drop(&mut self) {
        if !self.ended {
            self.client.usable = false;
        }
    }
}

/// Whether the daemon has closed its end.
fn gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
