//! What systemd is told: ready, reloading, stopping, status. Nothing where `NOTIFY_SOCKET` is not set.

use parking_lot::Mutex;

use sd_notify::NotifyState;
use tracing::debug;

/// The way to the service manager.
#[derive(Debug, Default)]
pub struct Notify {
    status: Mutex<String>,
}

impl Notify {
    /// The daemon is up, or a reload is done.
    pub fn ready(&self) {
        send(&[NotifyState::Ready]);
    }

    /// A reload begins; [`Self::ready`] ends it. systemd asks for the time, to tell reloads apart.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => send(&[NotifyState::Reloading, now]),
            Err(error) => debug!(%error, "systemd was not told of the reload"),
        }
    }

    /// The daemon drains.
    pub fn stopping(&self) {
        send(&[NotifyState::Stopping]);
    }

    /// The line that `systemctl status` shows. Sent only when it differs from the last one.
    pub fn status(&self, status: &str) {
        let mut last = self.status.lock();
        if *last != status {
            status.clone_into(&mut last);
            // A line feed would begin another assignment.
            send(&[NotifyState::Status(&status.replace('\n', " "))]);
        }
    }
}

/// Tells systemd that all parts move.
pub(super) fn alive() {
    send(&[NotifyState::Watchdog]);
}

fn send(state: &[NotifyState<'_>]) {
    // Not above debug: a service manager that does not listen is no fault of the video.
    if let Err(error) = sd_notify::notify(state) {
        debug!(%error, "systemd was not told {state:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixDatagram, process::Command, time::Duration};

    use super::*;

    /// Not a test: says everything once, in a process whose environment names a socket.
    #[test]
    #[ignore = "started by another test"]
    fn say_everything() {
        let notify = Notify::default();
        notify.ready();
        notify.status("1 camera\n2 clients");
        notify.status("1 camera\n2 clients");
        notify.status("stopping");
        notify.reloading();
        alive();
        notify.stopping();
    }

    #[test]
    fn systemd_hears_every_word_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "supervise::notify::tests::say_everything",
                "--ignored",
            ])
            .env("NOTIFY_SOCKET", &path)
            .output()
            .unwrap();
        assert!(status.status.success());
        let mut buffer = [0; 1024];
        let mut heard = || {
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(heard().trim(), "READY=1");
        assert_eq!(heard().trim(), "STATUS=1 camera 2 clients");
        assert_eq!(heard().trim(), "STATUS=stopping");
        let reloading = heard();
        let (word, micros) = reloading.trim().split_once("\nMONOTONIC_USEC=").unwrap();
        assert_eq!(word, "RELOADING=1");
        assert!(micros.parse::<u64>().unwrap() > 0);
        assert_eq!(heard().trim(), "WATCHDOG=1");
        assert_eq!(heard().trim(), "STOPPING=1");
    }

    #[test]
    fn without_systemd_nothing_happens() {
        Notify::default().status("nobody hears this");
    }
}
