//! The servers that are measured: streamd with a configuration of its own, and a peer.

use std::{
    fs,
    io::Write,
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{
    args,
    client::Target,
    process::{Server, Stop, beside},
};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// Port of streamd in its namespace.
const PORT: u16 = 8002;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The daemon.
    Streamd,
    /// The command of `--peer`.
    Peer,
}

impl Kind {
    /// What it says in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streamd => "streamd",
            Self::Peer => "peer",
        }
    }
}

/// A server that listens.
#[derive(Debug)]
pub struct Running {
    server: Server,
    target: Target,
    /// Its control socket and what it logs; goes after it.
    _folder: TempDir,
}

impl Running {
    /// Starts one in the network namespace of this thread, and waits until it listens.
    pub fn start(kind: Kind, arguments: &args::Link, stop: &Stop) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let output = fs::File::create(&log)?;
        let mut command = match kind {
            Kind::Streamd => streamd(arguments)?,
            Kind::Peer => peer(arguments)?,
        };
        command.stdout(output.try_clone()?).stderr(output);
        let mut server =
            Server::start(command).with_context(|| format!("cannot start {}", kind.name()))?;
        if let Some(mut stdin) = server.child().stdin.take() {
            stdin.write_all(configuration(arguments, folder.path()).as_bytes())?;
        }
        let target = target(kind, arguments);
        if let Err(error) = await_listening(&mut server, target.address, stop) {
            let said = fs::read_to_string(&log).unwrap_or_default();
            bail!(
                "{} does not serve: {error}\n{}",
                kind.name(),
                said.trim_end()
            );
        }
        Ok(Self {
            server,
            target,
            _folder: folder,
        })
    }

    /// Where its stream is, seen from its own namespace.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

fn target(kind: Kind, arguments: &args::Link) -> Target {
    let (port, protocol, path) = match kind {
        Kind::Streamd => (PORT, args::Protocol::Tcp, String::new()),
        Kind::Peer => (
            arguments.peer_port,
            args::Protocol::Http,
            arguments.peer_path.clone(),
        ),
    };
    Target {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        protocol,
        path,
        hello: (kind == Kind::Streamd).then(|| args::wants(arguments.codec)),
    }
}

fn streamd(arguments: &args::Link) -> anyhow::Result<Command> {
    let path = match &arguments.streamd {
        Some(path) => path.clone(),
        None => beside()?,
    };
    let mut command = Command::new(path);
    // The configuration comes by a pipe: there is no file to clean up.
    command
        .args(["--config", "/dev/stdin"])
        .stdin(Stdio::piped());
    Ok(command)
}

/// Every client gets in, and a stalled one stays for the whole measurement.
fn configuration(arguments: &args::Link, folder: &std::path::Path) -> String {
    let device = match &arguments.device {
        Some(path) => path.display().to_string(),
        None => "test".into(),
    };
    let socket = folder.join("control").display().to_string();
    format!(
        "[control]\nsocket = {socket:?}\n[access]\nanonymous = \"viewer\"\n[clients]\nclient-timeout = \"1h\"\n[http]\nlisten = []\n\
         [camera.main]\ndevice = {device:?}\nsize = {:?}\nquality = {}\n\
         listen = \"0.0.0.0:{PORT}\"\nmax-clients = 2000\n",
        arguments.size, arguments.quality
    )
}

/// The command of `--peer`; an error if it can't be complete.
pub fn peer(arguments: &args::Link) -> anyhow::Result<Command> {
    let text = arguments.peer.as_deref().context("no peer is given")?;
    let device = match &arguments.device {
        Some(path) => path.display().to_string(),
        None if text.contains("{device}") => {
            bail!("--peer has {{device}}, but there is no --device")
        }
        None => String::new(),
    };
    let mut command = Command::new("sh");
    // `exec`, so that the process is the server and not the shell.
    command.args(["-c", &format!("exec {}", text.replace("{device}", &device))]);
    command.stdin(Stdio::null());
    Ok(command)
}

fn await_listening(server: &mut Server, address: SocketAddr, stop: &Stop) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        stop.check()?;
        if let Some(status) = server.ended()? {
            bail!("it ended, {status}");
        }
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > PATIENCE => bail!("{address}: {error}"),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}
