//! A listening socket, bound here or handed over, that is not served yet.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixListener},
};

pub use super::bind::BindError;
use super::bind::{bind_tcp, bind_unix};
use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname},
};

use crate::config::values::Listen;

/// A listening socket of either kind, not blocking.
#[derive(Debug)]
pub enum Bound {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

impl Bound {
    /// Binds what the configuration names; `mode` is for a Unix socket.
    ///
    /// # Errors
    /// The kernel refuses it; see [`bind_tcp`] and [`bind_unix`].
    pub fn bind(listen: &Listen, mode: u32) -> Result<Self, BindError> {
        match listen {
            Listen::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Listen::Unix(path) => bind_unix(path, mode).map(Self::Unix),
        }
    }
}

impl Bound {
    /// Its address, if it has one that others could reach.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

impl TryFrom<OwnedFd> for Bound {
    type Error = io::Error;

    /// Sorts a socket by its family.
    ///
    /// # Errors
    /// It is no socket, or of a family that is not served (`EAFNOSUPPORT`).
    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let address: SockaddrStorage = getsockname(fd.as_raw_fd())?;
        match address.family() {
            Some(AddressFamily::Inet | AddressFamily::Inet6) => Ok(Self::Tcp(fd.into())),
            Some(AddressFamily::Unix) => Ok(Self::Unix(fd.into())),
            _ => Err(Errno::EAFNOSUPPORT.into()),
        }
    }
}

impl fmt::Display for Bound {
    /// The address, written as in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => match tcp.local_addr() {
                Ok(address) => address.fmt(f),
                Err(error) => error.fmt(f),
            },
            Self::Unix(unix) => match unix.local_addr() {
                Ok(address) => match address.as_pathname() {
                    Some(path) => write!(f, "unix:{}", path.display()),
                    None => write!(f, "unix:{address:?}"),
                },
                Err(error) => error.fmt(f),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_shown_as_it_is_configured() {
        let dir = tempfile::tempdir().unwrap();
        let unix = Listen::Unix(dir.path().join("http"));
        let bound = Bound::bind(&unix, 0o600).unwrap();
        assert_eq!(bound.to_string(), unix.to_string());
        let Bound::Tcp(tcp) = Bound::bind(&Listen::loopback(0), 0).unwrap() else {
            panic!("an address is bound as TCP");
        };
        let fd = OwnedFd::from(tcp);
        let again = Bound::try_from(fd).unwrap();
        assert!(again.to_string().starts_with("127.0.0.1:"), "{again}");
    }
}
