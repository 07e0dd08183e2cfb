//! Opens a connection without blocking, so that a key or a signal can end the attempt.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::socket::{
        self, AddressFamily, MsgFlags, SockFlag, SockType, SockaddrLike, SockaddrStorage, UnixAddr,
        sockopt,
    },
};

use super::{
    loss::Loss,
    steering::{Steering, Woken},
    target::Target,
    tls::{Fingerprint, Tls},
};

/// One address is tried for this long at most: three SYNs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connected, non-blocking stream socket.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl io::Read for &Socket {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        Ok(socket::recv(self.0.as_raw_fd(), space, MsgFlags::empty())?)
    }
}

impl io::Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let flags = MsgFlags::MSG_NOSIGNAL;
        Ok(socket::send(self.0.as_raw_fd(), bytes, flags)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A connection that never blocks, encrypted or not.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    tls: Option<Tls>,
}

impl Stream {
    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; else the connection is broken.
    pub fn receive(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => (&self.socket).read(space),
            Some(tls) => tls.receive(&self.socket, space),
        }
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock` when nothing does; else the connection is broken.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => (&self.socket).write(bytes),
            Some(tls) => tls.send(bytes),
        }
    }

    /// Hands what encryption has made of it to the kernel, as far as that takes it.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => tls.flush(&self.socket),
        }
    }

    /// Whether something waits for the kernel to take it.
    pub fn has_to_write(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::has_to_write)
    }

    /// Whether something has been received that the kernel will not tell of again.
    pub fn has_more(&self) -> bool {
        self.tls.as_ref().is_some_and(Tls::has_more)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Connects to the target; a name with several addresses is tried in the resolver's order. With
/// `pin`, an encrypted one must have this certificate.
/// `None` when the watch is to end. Nothing is waited for longer than up to `limit`.
///
/// # Errors
/// The last address's error.
pub fn connect(
    target: &Target,
    pin: Option<Fingerprint>,
    steering: &Steering,
    limit: Option<Instant>,
) -> Result<Option<Stream>, Loss> {
    let deadline = || {
        let own = Instant::now() + TIMEOUT;
        limit.map_or(own, |limit| limit.min(own))
    };
    let unreachable = |error| Loss::Unreachable(target.clone(), error);
    let (host, port, tls) = match target {
        Target::Unix(path) => {
            let address = UnixAddr::new(path).map_err(|errno| unreachable(errno.into()))?;
            let socket = attempt(&address, steering, deadline()).map_err(unreachable)?;
            return Ok(socket.map(|socket| Stream { socket, tls: None }));
        }
        Target::Tcp(host, port) => (host, *port, false),
        Target::Tls(host, port) => (host, *port, true),
        Target::Web(address) => (&address.host, address.port, address.tls),
    };
    let addresses = (host.as_str(), port).to_socket_addrs();
    let addresses = addresses.map_err(|error| unresolved(target, error))?;
    let mut last = io::Error::other("the name has no address");
    for address in addresses {
        match attempt_tcp(address, steering, deadline()) {
            Ok(None) => return Ok(None),
            Ok(Some(socket)) => {
                let untrusted = |why| Loss::Untrusted(target.clone(), why);
                let tls = tls.then(|| Tls::new(host, pin)).transpose();
                let tls = tls.map_err(untrusted)?;
                return Ok(Some(Stream { socket, tls }));
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// Whether an error is that of a name that could not be looked up.
pub fn is_unresolved(error: &io::Error) -> bool {
    error.to_string().contains("failed to lookup address")
}

/// Why a name has no address: a resolver that can't be reached now may be later. The standard
/// library tells the two apart in words alone (`EAI_AGAIN`).
fn unresolved(target: &Target, error: io::Error) -> Loss {
    match error.to_string().contains("Temporary failure") {
        true => Loss::Unreachable(target.clone(), error),
        false => Loss::NoHost(target.clone(), error),
    }
}

fn attempt_tcp(
    address: SocketAddr,
    steering: &Steering,
    deadline: Instant,
) -> io::Result<Option<Socket>> {
    let stream = attempt(&SockaddrStorage::from(address), steering, deadline)?;
    if let Some(stream) = &stream {
        // A receipt or a pong's question must not wait for an acknowledgement.
        socket::setsockopt(stream, sockopt::TcpNoDelay, &true)?;
    }
    Ok(stream)
}

fn attempt(
    address: &dyn SockaddrLike,
    steering: &Steering,
    deadline: Instant,
) -> io::Result<Option<Socket>> {
    let family = address.family().unwrap_or(AddressFamily::Unspec);
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(family, SockType::Stream, flags, None)?;
    match socket::connect(socket.as_raw_fd(), address) {
        Ok(()) => return Ok(Some(Socket(socket))),
        Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    loop {
        match steering.wait_writable(socket.as_fd(), deadline)? {
            Woken::Ready => break,
            Woken::Deadline => return Err(Errno::ETIMEDOUT.into()),
            Woken::Wakeups if steering.stop() => return Ok(None),
            Woken::Wakeups => {}
        }
    }
    match socket::getsockopt(&socket, sockopt::SocketError)? {
        0 => Ok(Some(Socket(socket))),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}
