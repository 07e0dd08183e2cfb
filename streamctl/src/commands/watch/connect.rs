//! Opens a connection without blocking, so that a key or a signal can end the attempt.

use std::{
    io,
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
};

/// One address is tried for this long at most: three SYNs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connected, non-blocking stream socket.
#[derive(Debug)]
pub struct Stream(OwnedFd);

impl Stream {
    /// Reads what is there.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is; else the connection is broken.
    pub fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        Ok(socket::recv(self.0.as_raw_fd(), space, MsgFlags::empty())?)
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock` when nothing does; else the connection is broken.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(socket::send(
            self.0.as_raw_fd(),
            bytes,
            MsgFlags::MSG_NOSIGNAL,
        )?)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Connects to the target; a name with several addresses is tried in the resolver's order.
/// `None` when the watch is to end. Nothing is waited for longer than up to `limit`.
///
/// # Errors
/// The last address's error.
pub fn connect(
    target: &Target,
    steering: &Steering,
    limit: Option<Instant>,
) -> Result<Option<Stream>, Loss> {
    let deadline = || {
        let own = Instant::now() + TIMEOUT;
        limit.map_or(own, |limit| limit.min(own))
    };
    let unreachable = |error| Loss::Unreachable(target.clone(), error);
    match target {
        Target::Unix(path) => {
            let address = UnixAddr::new(path).map_err(|errno| unreachable(errno.into()))?;
            attempt(&address, steering, deadline()).map_err(unreachable)
        }
        Target::Tcp(host, port) => {
            let addresses = (host.as_str(), *port).to_socket_addrs();
            let addresses = addresses.map_err(|error| unresolved(target, error))?;
            let mut last = io::Error::other("the name has no address");
            for address in addresses {
                match attempt_tcp(address, steering, deadline()) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(unreachable(last))
        }
    }
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
) -> io::Result<Option<Stream>> {
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
) -> io::Result<Option<Stream>> {
    let family = address.family().unwrap_or(AddressFamily::Unspec);
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket::socket(family, SockType::Stream, flags, None)?;
    match socket::connect(socket.as_raw_fd(), address) {
        Ok(()) => return Ok(Some(Stream(socket))),
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
        0 => Ok(Some(Stream(socket))),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}
