//! A listening socket, bound here or handed over, that is not served yet.

use std::{
    fmt, io,
    net::TcpListener,
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

    /// Binds all listeners of one service. Those of a kind of address that the machine lacks may
    /// fail, as long as one of the others is there.
    ///
    /// # Errors
    /// None can be had, or the kernel refuses one for another reason.
    pub fn bind_all(listen: &[Listen], mode: u32) -> Result<All, BindError> {
        all(listen, |listen| Self::bind(listen, mode))
    }
}

/// The listeners of one service.
#[derive(Debug)]
pub struct All<B = Bound> {
    /// Those that could be had.
    pub bound: Vec<B>,
    /// Why the others could not.
    pub lacking: Vec<BindError>,
}

fn all<B>(
    listen: &[Listen],
    bind: impl Fn(&Listen) -> Result<B, BindError>,
) -> Result<All<B>, BindError> {
    let (mut bound, mut lacking) = (Vec::new(), Vec::new());
    for listen in listen {
        match bind(listen) {
            Ok(one) => bound.push(one),
            Err(error) if error.lacks_family() => lacking.push(error),
            Err(error) => return Err(error),
        }
    }
    match lacking.pop() {
        Some(error) if bound.is_empty() => Err(error),
        last => {
            lacking.extend(last);
            Ok(All { bound, lacking })
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

    /// Binds on a machine without IPv6, where port 1 is in use.
    fn without_ipv6(listen: &Listen) -> Result<String, BindError> {
        let errno = match listen {
            Listen::Tcp(address) if address.is_ipv6() => Errno::EAFNOSUPPORT,
            Listen::Tcp(address) if address.port() == 1 => Errno::EADDRINUSE,
            _ => return Ok(listen.to_string()),
        };
        Err(error(&listen.to_string(), errno))
    }

    fn error(address: &str, errno: Errno) -> BindError {
        BindError {
            address: address.into(),
            reason: errno.desc(),
            advice: String::new(),
            errno,
        }
    }

    #[test]
    fn a_machine_without_ipv6_has_the_other_listeners() {
        let bind = |listen: &[&str]| {
            let listen: Vec<Listen> = listen.iter().map(|l| l.parse().unwrap()).collect();
            all(&listen, without_ipv6)
        };
        let both = bind(&["[::]:8080", "127.0.0.1:8080"]).unwrap();
        assert_eq!(both.bound, ["127.0.0.1:8080"]);
        assert_eq!(both.lacking[0].address, "[::]:8080");
        let unix = bind(&["unix:/run/x", "[::1]:8080"]).unwrap();
        assert_eq!((unix.bound.len(), unix.lacking.len()), (1, 1));
        let none = bind(&["[::]:8080", "[::1]:8081"]).unwrap_err();
        assert_eq!(none.errno, Errno::EAFNOSUPPORT);
        let used = bind(&["127.0.0.1:8080", "127.0.0.1:1"]).unwrap_err();
        assert_eq!(used.errno, Errno::EADDRINUSE);
        assert!(bind(&[]).unwrap().bound.is_empty());
    }

    #[test]
    fn an_address_that_may_still_come_is_not_given_up() {
        let lacks = |address, errno| error(address, errno).lacks_family();
        assert!(lacks("[::]:80", Errno::EADDRNOTAVAIL));
        assert!(lacks("[::1]:80", Errno::EADDRNOTAVAIL));
        assert!(!lacks("[2001:db8::1]:80", Errno::EADDRNOTAVAIL));
        assert!(!lacks("192.0.2.1:80", Errno::EADDRNOTAVAIL));
        assert!(!lacks("[::]:80", Errno::EADDRINUSE));
    }

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
