//! Binds listeners, with errors that say what to do.

use std::{
    fs,
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
};

use nix::{
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, UnixAddr, bind, listen,
            setsockopt, socket, sockopt,
        },
        stat::{Mode, fchmod},
    },
};

/// Connections that wait to be accepted: a crowd that reconnects at once after a restart fits; the
/// kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Why a listener can't be had.
#[derive(Debug, thiserror::Error)]
#[error("can't listen at {address}: {reason}; {advice}")]
pub struct BindError {
    /// As in the configuration: `127.0.0.1:8002`, `unix:/path`.
    pub address: String,
    /// The errno in words.
    pub reason: &'static str,
    /// What to do about it.
    pub advice: String,
    /// The errno.
    pub errno: Errno,
}

impl BindError {
    /// Whether the machine has no addresses of this kind at all: a kernel without IPv6, or one that
    /// has it switched off. An address that an interface may still get is none of these.
    pub fn lacks_family(&self) -> bool {
        let address = self.address.parse::<SocketAddr>();
        let always_there =
            address.is_ok_and(|a| a.is_ipv6() && (a.ip().is_unspecified() || a.ip().is_loopback()));
        match self.errno {
            Errno::EAFNOSUPPORT => true,
            Errno::EADDRNOTAVAIL => always_there,
            _ => false,
        }
    }
}

/// A listener that does not block. `[::]` takes IPv4 connections too, whatever `net.ipv6.bindv6only` says.
///
/// # Errors
/// The kernel refuses the address.
pub fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = || -> nix::Result<OwnedFd> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::Inet,
            SocketAddr::V6(_) => AddressFamily::Inet6,
        };
        let fd = stream_socket(family)?;
        // A restart need not wait for the connections of its predecessor to leave TIME_WAIT.
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
        if address.is_ipv6() {
            setsockopt(&fd, sockopt::Ipv6V6Only, &!address.ip().is_unspecified())?;
        }
        bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        Ok(fd)
    };
    bound().map(TcpListener::from).map_err(|errno| BindError {
        address: address.to_string(),
        reason: errno.desc(),
        advice: tcp_advice(errno, address),
        errno,
    })
}

fn stream_socket(family: AddressFamily) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socket(family, SockType::Stream, flags, None)
}

fn tcp_advice(errno: Errno, address: SocketAddr) -> String {
    match errno {
        Errno::EADDRINUSE => format!(
            "another program, perhaps another streamd, listens there: see `ss -ltnp sport = :{}`, or choose another port",
            address.port()
        ),
        Errno::EADDRNOTAVAIL => {
            "no interface of this machine has the address: see `ip address`, or use 0.0.0.0 for all of them"
                .into()
        }
        Errno::EACCES => {
            "ports below 1024 are for root: use a higher one, or a socket unit of systemd".into()
        }
        Errno::EAFNOSUPPORT => {
            "the kernel or the service's sandbox does not allow this kind of address".into()
        }
        _ => "use another address".into(),
    }
}

/// A listener that does not block, at a path that only `mode` may open from the first moment on. The
/// directory is made if it is missing; a socket that nobody answers on is replaced, nothing else is.
///
/// # Errors
/// The path can't be used, or somebody listens there.
pub fn bind_unix(path: &Path, mode: u32) -> Result<UnixListener, BindError> {
    let bound = || -> Result<OwnedFd, Failed> {
        let address = UnixAddr::new(path)?;
        make_parent(path)?;
        remove_stale(path)?;
        let fd = stream_socket(AddressFamily::Unix)?;
        // The kernel gives the path the socket's own mode, less the umask. Only then is the umask made
        // up for, and only then may anybody connect.
        fchmod(fd.as_fd(), Mode::from_bits_truncate(mode))?;
        bind(fd.as_raw_fd(), &address)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        Ok(fd)
    };
    bound().map(UnixListener::from).map_err(|failed| BindError {
        address: format!("unix:{}", path.display()),
        reason: failed.errno.desc(),
        advice: failed
            .advice
            .unwrap_or_else(|| unix_advice(failed.errno, path)),
        errno: failed.errno,
    })
}

/// An errno, and advice where the errno alone would mislead.
struct Failed {
    errno: Errno,
    advice: Option<String>,
}

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self {
            errno,
            advice: None,
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Errno::from_raw(error.raw_os_error().unwrap_or(nix::libc::EIO)).into()
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.exists() => fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(parent),
        _ => Ok(()),
    }
}

fn remove_stale(path: &Path) -> Result<(), Failed> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(Failed {
                errno: Errno::EEXIST,
                advice: Some("what is there is no socket, so it is not replaced".into()),
            });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Errno::EADDRINUSE.into()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(fs::remove_file(path)?),
        Err(error) => Err(error.into()),
    }
}

fn unix_advice(errno: Errno, path: &Path) -> String {
    match errno {
        Errno::EADDRINUSE => {
            "another program, perhaps another streamd, answers there: stop it, or choose another path"
                .into()
        }
        Errno::EACCES | Errno::EPERM | Errno::EROFS => {
            let parent = path.parent().unwrap_or(path).display();
            format!(
                "streamd must be allowed to write to {parent}; as a service, to use RuntimeDirectory=streamd"
            )
        }
        Errno::ENAMETOOLONG => "the path may have at most 107 bytes".into(),
        _ => "use another path".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, os::unix::net::UnixDatagram};

    use super::*;

    #[test]
    fn a_port_in_use_is_named_with_what_to_do() {
        let first = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind_tcp(address).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "can't listen at {address}: Address already in use; another program, perhaps another streamd, \
                 listens there: see `ss -ltnp sport = :{}`, or choose another port",
                address.port()
            )
        );
        let stranger = bind_tcp("192.0.2.77:0".parse().unwrap()).unwrap_err();
        assert!(
            stranger
                .to_string()
                .contains("no interface of this machine")
        );
    }

    #[test]
    fn the_listener_does_not_block() {
        let listener = bind_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn the_ipv6_wildcard_takes_ipv4_too() {
        // A machine without IPv6 can't bind it.
        if let Ok(both) = bind_tcp("[::]:0".parse().unwrap()) {
            let port = both.local_addr().unwrap().port();
            TcpStream::connect(("127.0.0.1", port)).unwrap();
        }
    }

    #[test]
    fn a_unix_socket_has_its_mode_and_its_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/streamd/control");
        for mode in [0o660, 0o666, 0o600] {
            let _listener = bind_unix(&path, mode).unwrap();
            let found = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
            UnixStream::connect(&path).unwrap();
        }
    }

    #[test]
    fn only_a_dead_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let live = bind_unix(&path, 0o600).unwrap();
        let refused = bind_unix(&path, 0o600).unwrap_err().to_string();
        assert!(refused.contains("perhaps another streamd"), "{refused}");
        drop(live);
        drop(bind_unix(&path, 0o600).unwrap());

        let file = dir.path().join("file");
        fs::write(&file, "precious").unwrap();
        let refused = bind_unix(&file, 0o600).unwrap_err().to_string();
        assert!(refused.contains("no socket"), "{refused}");
        assert_eq!(fs::read(&file).unwrap(), b"precious");

        let other = dir.path().join("datagram");
        let _datagram = UnixDatagram::bind(&other).unwrap();
        assert!(bind_unix(&other, 0o600).is_err());
        assert!(other.exists());
    }

    #[test]
    fn an_overlong_path_is_refused() {
        let path = format!("/tmp/{}", "x".repeat(120));
        let error = bind_unix(Path::new(&path), 0o600).unwrap_err();
        assert!(error.to_string().contains("at most 107 bytes"), "{error}");
    }
}
