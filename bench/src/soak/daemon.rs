//! The daemon of a soak: two test patterns, and a third camera that is there only at times.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use streamd_protocol::{client::Client, control::ListClients};
use tempfile::TempDir;

use crate::process::{Server, Stop, beside};

/// How long it may take until it listens, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A loopback address that other programs hardly use.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 83, 75, 1);

/// It runs.
pub struct Daemon {
    server: Server,
    folder: TempDir,
}

impl Daemon {
    /// Starts the daemon at `path`; else the one beside this program.
    pub fn start(path: Option<&Path>, stop: &Stop) -> anyhow::Result<Self> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => beside()?,
        };
        let folder = tempfile::tempdir()?;
        fs::write(
            folder.path().join("streamd.toml"),
            configuration(folder.path(), 30, true),
        )?;
        let log = fs::File::create(folder.path().join("log"))?;
        let mut command = Command::new(path);
        command
            .arg("--config")
            .arg(folder.path().join("streamd.toml"));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let server = Server::start(command).context("the daemon can't be started")?;
        let mut daemon = Self { server, folder };
        let began = Instant::now();
        while TcpStream::connect_timeout(&daemon.tcp(), PATIENCE).is_err() {
            stop.check()?;
            ensure!(
                daemon.lives()? && began.elapsed() < PATIENCE,
                "the daemon does not serve:\n{}",
                daemon.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    /// Its HTTP.
    pub fn http(&self) -> SocketAddr {
        (ADDRESS, 8080).into()
    }

    /// Its first camera.
    pub fn tcp(&self) -> SocketAddr {
        (ADDRESS, 8002).into()
    }

    /// Its control socket.
    pub fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What changes it by a reload.
    pub fn reloads(&self) -> Reloads {
        Reloads {
            folder: self.folder.path().to_owned(),
            pid: self.pid(),
        }
    }

    /// Whether it runs.
    pub fn lives(&mut self) -> anyhow::Result<bool> {
        Ok(self.server.ended()?.is_none())
    }

    /// The end of what it has logged.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Waits until only the watchers are there; the highest of their numbers.
    pub fn await_clients(
        &self,
        count: u32,
        patience: Duration,
        stop: &Stop,
    ) -> anyhow::Result<i64> {
        let began = Instant::now();
        let mut client = Client::connect(&self.control(), PATIENCE)?;
        loop {
            stop.check()?;
            let there = client.call(&ListClients {})?.clients;
            if there.len() == count as usize {
                // What was theirs is given back a moment later.
                thread::sleep(Duration::from_millis(300));
                return Ok(there.iter().map(|client| client.id).max().unwrap_or(0));
            }
            if began.elapsed() > patience {
                bail!(
                    "{} clients are there instead of {count}:\n{}",
                    there.len(),
                    self.log()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Changes of the configuration file.
#[derive(Debug, Clone)]
pub struct Reloads {
    folder: PathBuf,
    pid: u32,
}

impl Reloads {
    /// Writes the file with this rate and with or without the third camera's device, and has the
    /// daemon read it.
    pub fn reload(&self, fps: u32, there: bool) -> anyhow::Result<()> {
        let new = self.folder.join("new");
        fs::write(&new, configuration(&self.folder, fps, there))?;
        fs::rename(&new, self.folder.join("streamd.toml"))?;
        Ok(kill(Pid::from_raw(self.pid as i32), Signal::SIGHUP)?)
    }
}

fn configuration(folder: &Path, fps: u32, there: bool) -> String {
    let socket = folder.join("control").display().to_string();
    let absent = folder.join("no-camera").display().to_string();
    let device = if there { "test" } else { &absent };
    format!(
        "[control]\nsocket = {socket:?}\n[http]\nlisten = \"{ADDRESS}:8080\"\n[log]\nlevel = \"warn\"\n\
         [camera.main]\ndevice = \"test\"\nsize = \"640x480\"\nlisten = \"{ADDRESS}:8002\"\n\
         max-clients = 1000\n\
         [camera.side]\ndevice = \"test\"\nsize = \"320x240\"\nfps = {fps}\nlisten = []\n\
         [camera.loose]\ndevice = {device:?}\nsize = \"320x240\"\nlisten = []\nidle-after = \"200ms\"\n"
    )
}
