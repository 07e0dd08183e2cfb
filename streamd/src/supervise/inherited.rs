//! Socket activation: the listeners that systemd has bound, told apart by `FileDescriptorName=`.

use std::{
    io,
    os::fd::{AsFd, FromRawFd, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    sys::socket::{SockType, getsockopt, sockopt},
};
use tracing::warn;

use crate::config::values::CameraName;

/// The name of the control socket.
pub const CONTROL: &str = "control";
/// The name of RTSP listeners.
pub const RTSP: &str = "rtsp";
/// The name of HTTP listeners.
pub const HTTP: &str = "http";
/// The name of Prometheus listeners.
pub const METRICS: &str = "metrics";

/// The name of a camera's raw TCP listeners: `camera-main`. The prefix keeps a camera that is called
/// `http` apart from the HTTP listeners.
pub fn camera_name(camera: &CameraName) -> String {
    format!("camera-{camera}")
}

/// The sockets that were handed over and not yet taken. A socket that is handed over is used instead
/// of the addresses that the configuration names for the same listener.
#[derive(Debug, Default)]
pub struct Inherited {
    listeners: Vec<(String, OwnedFd)>,
    left: Vec<(String, OwnedFd)>,
}

/// What the names of descriptors begin with that a process leaves to the next one.
pub const LEFT: &str = "viewer";

impl Inherited {
    /// Takes what systemd hands over: `LISTEN_FDS`, `LISTEN_FDNAMES`, if `LISTEN_PID` is this process.
    /// What is no listening stream socket is closed with a warning. The second call returns nothing.
    pub fn take() -> Self {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Self::default();
        }
        let fds = match sd_notify::listen_fds_with_names() {
            Ok(fds) => fds,
            Err(error) => {
                warn!(%error, "the sockets of systemd can't be used");
                return Self::default();
            }
        };
        // SAFETY: systemd opened these descriptors for this process alone, and they are taken once.
        let owned = fds.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) }));
        Self::check(owned)
    }

    fn check(sockets: impl Iterator<Item = (String, OwnedFd)>) -> Self {
        let (left, sockets) = sockets.partition::<Vec<_>, _>(|(name, _)| name.starts_with(LEFT));
        let usable = sockets
            .into_iter()
            .filter_map(|(name, fd)| match prepare(&fd) {
                Ok(()) => Some((name, fd)),
                Err(error) => {
                    warn!("socket {name:?} of systemd is closed: {error}");
                    None
                }
            });
        Self {
            listeners: usable.collect(),
            left,
        }
    }

    /// Takes what the process before this one has left, with its names ([`LEFT`]).
    pub fn take_left(&mut self) -> Vec<(String, OwnedFd)> {
        std::mem::take(&mut self.left)
    }

    /// Takes all sockets of this name, in systemd's order. They neither block nor outlive an exec.
    pub fn take_named(&mut self, name: &str) -> Vec<OwnedFd> {
        let (taken, left) = std::mem::take(&mut self.listeners)
            .into_iter()
            .partition(|(found, _)| found == name);
        self.listeners = left;
        taken
            .into_iter()
            .map(|(_, fd): (String, OwnedFd)| fd)
            .collect()
    }

    /// Closes what nobody has taken, with a warning that lists the names there are.
    pub fn close_rest<'c>(self, cameras: impl IntoIterator<Item = &'c CameraName>) {
        if self.listeners.is_empty() {
            return;
        }
        let mut valid = vec![CONTROL.to_owned(), HTTP.into(), RTSP.into(), METRICS.into()];
        valid.extend(cameras.into_iter().map(camera_name));
        for (name, _) in &self.listeners {
            warn!(
                "socket {name:?} of systemd is not used: FileDescriptorName= may be {}",
                valid.join(", ")
            );
        }
    }
}

fn prepare(fd: &OwnedFd) -> io::Result<()> {
    let is_stream = getsockopt(fd, sockopt::SockType)? == SockType::Stream;
    if !is_stream || !getsockopt(fd, sockopt::AcceptConn)? {
        return Err(io::Error::other(
            "it does not listen for streams; ListenStream= with Accept=no is needed",
        ));
    }
    let flags = OFlag::from_bits_retain(fcntl(fd.as_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    fcntl(fd.as_fd(), FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        os::unix::net::{UnixDatagram, UnixListener},
        process::{Command, Stdio},
    };

    use super::*;
    use crate::{link::bound::Bound, supervise::log::tests::logged};

    fn some(names: &[&str]) -> Inherited {
        let bound = |name: &&str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            ((*name).to_owned(), OwnedFd::from(listener))
        };
        Inherited::check(names.iter().map(bound))
    }

    #[test]
    fn sockets_are_taken_by_name() {
        let mut all = some(&["http", "camera-main", "http"]);
        let http = all.take_named(HTTP);
        assert_eq!(http.len(), 2);
        let flags = fcntl(&http[0], FcntlArg::F_GETFL).unwrap();
        assert!(OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK));
        assert!(all.take_named(HTTP).is_empty());
        assert_eq!(all.take_named(&camera_name(&CameraName::main())).len(), 1);
        assert_eq!(logged(|| all.close_rest([])), "");
    }

    #[test]
    fn what_is_left_over_is_named_with_what_is_valid() {
        let all = some(&["streamd-http.socket"]);
        let text = logged(|| all.close_rest([&CameraName::main()]));
        assert_eq!(
            &text[20..],
            "WARN  socket \"streamd-http.socket\" of systemd is not used: \
             FileDescriptorName= may be control, http, rtsp, metrics, camera-main\n"
        );
    }

    #[test]
    fn what_does_not_listen_is_closed() {
        let datagram = OwnedFd::from(UnixDatagram::unbound().unwrap());
        let text = logged(|| {
            let all = Inherited::check([("http".to_owned(), datagram)].into_iter());
            assert!(all.listeners.is_empty());
        });
        assert!(text.contains("ListenStream="), "{text}");
    }

    /// Not a test: a process that was started as systemd starts one.
    #[test]
    #[ignore = "started by another test"]
    fn activated_process() {
        let mut all = Inherited::take();
        let tcp = all.take_named(&camera_name(&CameraName::main()));
        let unix = all.take_named(CONTROL);
        let shown: Vec<_> = tcp
            .into_iter()
            .chain(unix)
            .map(|fd| Bound::try_from(fd).unwrap().to_string())
            .collect();
        assert!(Inherited::take().listeners.is_empty());
        println!("<{}>", shown.join(" "));
    }

    #[test]
    fn a_process_finds_the_sockets_of_systemd() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let unix = UnixListener::bind(&path).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        // The shell moves the sockets to where systemd puts them, and its process becomes the test's.
        let script = "exec 3<&0 4<&2 </dev/null 2>&1; LISTEN_PID=$$ exec \"$0\" --exact --ignored --nocapture \
                      supervise::inherited::tests::activated_process";
        let output = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "camera-main:control")
            .stdin(OwnedFd::from(tcp))
            .stderr(OwnedFd::from(unix))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let expected = format!("<{address} unix:{}>", path.display());
        assert!(text.contains(&expected), "{text}");
    }
}
