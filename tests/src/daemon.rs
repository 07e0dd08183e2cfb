//! A daemon that runs, until it is dropped.

use std::{
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command, ExitStatus, Output},
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use streamd_protocol::{
    client::Client,
    control::{GetStats, Method},
    stats::{ClientStats, Stats},
};

use crate::{
    PATIENCE, binaries, eventually,
    said::Said,
    setup::Setup,
    viewer::Viewer,
    web::{self, Response},
};

/// A running daemon. It is killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    /// What it was started with.
    pub setup: Setup,
    /// Its standard error.
    pub log: Arc<Said>,
    /// What it told the service manager.
    pub notified: Arc<Said>,
    child: Child,
}

impl Daemon {
    pub(crate) fn new(setup: Setup, mut child: Child, notified: Arc<Said>) -> Self {
        let stderr = child.stderr.take().expect("standard error is a pipe");
        Self {
            setup,
            log: Said::lines(stderr),
            notified,
            child,
        }
    }

    /// The usual daemon.
    #[track_caller]
    pub fn start() -> Self {
        Setup::default().start()
    }

    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        eventually("READY=1", || {
            if self.notified.all().iter().any(|said| said == "READY=1") {
                return Ok(());
            }
            let log = self.log.all().join("\n");
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("it ended with {status}:\n{log}");
            }
            Err(log)
        });
    }

    /// A client of the first camera.
    #[track_caller]
    pub fn viewer(&self) -> Viewer {
        Viewer::connect(self.setup.tcp(0))
    }

    /// Calls a method over the control socket.
    ///
    /// # Errors
    /// What the daemon refuses.
    pub fn call<M: Method>(&self, method: &M) -> Result<M::Reply, streamd_protocol::client::Error> {
        Client::connect(&self.setup.control(), PATIENCE)?.call(method)
    }

    /// Everything that is counted.
    #[track_caller]
    pub fn stats(&self) -> Stats {
        let reply = self.call(&GetStats::default());
        reply.expect("a running daemon tells its figures").stats
    }

    /// Waits until the figures fit.
    ///
    /// # Panics
    /// If they never do.
    #[track_caller]
    pub fn wait_for_stats(&self, what: &str, fit: impl Fn(&Stats) -> bool) -> Stats {
        eventually(what, || {
            let stats = self.stats();
            if fit(&stats) {
                Ok(stats)
            } else {
                Err(format!("{stats:#?}"))
            }
        })
    }

    /// Waits until the figures of the client at the other end fit.
    ///
    /// # Panics
    /// If they never do.
    #[track_caller]
    pub fn wait_for_client(
        &self,
        viewer: &Viewer,
        what: &str,
        fit: impl Fn(&ClientStats) -> bool,
    ) -> ClientStats {
        let peer = viewer.address();
        let own = |stats: &Stats| stats.clients.iter().find(|c| c.peer == peer).cloned();
        let stats = self.wait_for_stats(what, |stats| own(stats).is_some_and(|c| fit(&c)));
        own(&stats).expect("it was there a moment ago")
    }

    /// Waits until there are so many clients.
    ///
    /// # Panics
    /// If there never are.
    #[track_caller]
    pub fn wait_for_clients(&self, count: usize) -> Stats {
        let what = format!("{count} clients");
        self.wait_for_stats(&what, |stats| stats.clients.len() == count)
    }

    /// A request of HTTP.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        web::get(self.setup.http(), path, &[])
    }

    /// Runs `streamctl` with these words, separated by single spaces, against this daemon.
    #[track_caller]
    pub fn streamctl(&self, line: &str) -> Ran {
        streamctl(&self.setup.control(), line)
    }

    /// Starts another one with the same setup, after this one has ended.
    ///
    /// # Panics
    /// If it does not get ready.
    #[track_caller]
    pub fn restart(self) -> Self {
        let setup = self.setup.clone();
        drop(self);
        setup.start()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, signal).expect("the daemon is our child, and not reaped yet");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let (child, log) = (&mut self.child, &self.log);
        eventually("its end", || {
            let ended = child.try_wait().expect("the daemon is our child");
            ended.ok_or_else(|| log.all().join("\n"))
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; there is nothing else that could fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Ends the thread that reads the socket.
        if let Ok(socket) = UnixDatagram::unbound() {
            let _ = socket.send_to(&[], self.setup.file("notify"));
        }
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log.all().join("\n"));
        }
    }
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs `streamctl` with these words, separated by single spaces, against a control socket.
///
/// # Panics
/// If it does not end.
#[track_caller]
pub fn streamctl(socket: &Path, line: &str) -> Ran {
    let mut command = Command::new(binaries::find("streamctl"));
    command.arg("--socket").arg(socket).args(line.split(' '));
    Ran::of(command)
}

impl Ran {
    /// Runs a command, which must end by itself.
    ///
    /// # Panics
    /// If it does not end, or is killed.
    #[track_caller]
    pub fn of(mut command: Command) -> Self {
        use std::process::Stdio;
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("a program that is there");
        let pid = Pid::from_raw(child.id() as i32);
        let (ended, guard) = std::sync::mpsc::sync_channel::<()>(1);
        let killer = std::thread::spawn(move || {
            let waited: Result<(), _> = guard.recv_timeout(PATIENCE);
            if waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                // Not reaped before this thread is joined: the id is still the child's.
                let _ = kill(pid, Signal::SIGKILL);
            }
        });
        let output = child.wait_with_output();
        drop(ended);
        killer.join().expect("it only waits and kills");
        Self::ended(output.expect("the pipes can be read"), PATIENCE)
    }

    #[track_caller]
    fn ended(output: Output, patience: Duration) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code().unwrap_or_else(|| {
            panic!("{} (no end within {patience:?}?):\n{stderr}", output.status)
        });
        Self {
            code,
            stdout,
            stderr,
        }
    }

    /// Checks that it succeeded, and returns what it printed.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn succeeded(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// Checks that it failed with this code and said all of `parts`.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn failed(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {self:?}");
        }
    }
}
