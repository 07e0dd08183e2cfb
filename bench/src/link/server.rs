//! The servers that are measured: streamd with a configuration of its own, and a peer.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use streamd_protocol::stream::Codec;
use tempfile::TempDir;

use super::film::Camera;
use crate::{
    args::{self, Protocol},
    client::Target,
    process::{Server, Stop, serve, streamd},
};

/// Ports of streamd in its namespace: raw TCP, HTTP, WebRTC.
const PORT: u16 = 8002;
const HTTP_PORT: u16 = 8003;
const WEBRTC_PORT: u16 = 8189;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The daemon.
    Streamd,
    /// The command of `--peer`.
    Peer,
    /// None: the best that could be had.
    Oracle,
}

impl Kind {
    /// What it says in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Streamd => "streamd",
            Self::Peer => "peer",
            Self::Oracle => "oracle",
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
    /// It has the camera, if there is one.
    pub fn start(
        kind: Kind,
        arguments: &args::Link,
        camera: Option<&Camera>,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let device = match (camera, &arguments.device) {
            (Some(camera), _) => camera.device(),
            (None, Some(path)) => path.clone(),
            (None, None) => "test".into(),
        };
        let device = device.display().to_string();
        let folder = tempfile::tempdir()?;
        let mut command = match kind {
            Kind::Streamd => streamd(arguments.streamd.as_deref())?,
            _ => peer(arguments, &device),
        };
        if let Some(camera) = camera {
            camera.give_to(&mut command);
        }
        let configuration = configuration(arguments, &device, folder.path());
        let mut target = target(kind, arguments);
        target.keep = camera.is_some();
        let server = serve(
            kind.name(),
            command,
            &configuration,
            folder.path(),
            target.address,
            stop,
        )?;
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
        Kind::Streamd => {
            let protocol = arguments.protocol;
            let port = match protocol {
                Protocol::Tcp => PORT,
                _ => HTTP_PORT,
            };
            (port, protocol, path(protocol, arguments.codec))
        }
        _ => (
            arguments.peer_port,
            Protocol::Http,
            arguments.peer_path.clone(),
        ),
    };
    Target {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        protocol,
        path,
        hello: (kind == Kind::Streamd && protocol == Protocol::Tcp)
            .then(|| args::wants(arguments.codec)),
        keep: false,
    }
}

/// Where streamd has this.
fn path(protocol: Protocol, codec: Codec) -> String {
    match (protocol, codec) {
        (Protocol::Ws, codec) => format!("/ws?codec={}", codec.name()),
        (protocol, _) => protocol.default_path().into(),
    }
}

/// Every client gets in, and a stalled one stays for the whole measurement.
fn configuration(arguments: &args::Link, device: &str, folder: &std::path::Path) -> String {
    let (width, height) = arguments.size;
    // Only what is measured: a daemon may have been built without the rest.
    let http = match arguments.protocol {
        Protocol::Tcp => String::new(),
        _ => format!("\"0.0.0.0:{HTTP_PORT}\""),
    };
    let webrtc = match arguments.protocol {
        Protocol::Whep => format!("[webrtc]\nlisten = \"0.0.0.0:{WEBRTC_PORT}\"\n"),
        _ => String::new(),
    };
    let socket = folder.join("control").display().to_string();
    format!(
        "[control]\nsocket = {socket:?}\n[access]\nanonymous = \"viewer\"\n[clients]\nclient-timeout = \"1h\"\n[http]\nlisten = [{http}]\n{webrtc}\
         [camera.main]\ndevice = {device:?}\nsize = \"{width}x{height}\"\nquality = {}\n\
         listen = \"0.0.0.0:{PORT}\"\nmax-clients = 2000\n",
        arguments.quality
    )
}

/// The program of `--peer`; `None` if there is to be none.
pub fn peer_program(arguments: &args::Link) -> Option<&str> {
    let program = arguments.peer.split_whitespace().next()?;
    (program != "none").then_some(program)
}

/// Whether a program can be started by this name.
pub fn is_installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

fn peer(arguments: &args::Link, device: &str) -> Command {
    let (width, height) = arguments.size;
    let words = [
        ("{device}", device),
        ("{size}", &format!("{width}x{height}")),
        ("{quality}", &arguments.quality.to_string()),
    ];
    let text = words
        .iter()
        .fold(arguments.peer.clone(), |text, (name, value)| {
            text.replace(name, value)
        });
    let mut command = Command::new("sh");
    // `exec`, so that the process is the server and not the shell.
    command.args(["-c", &format!("exec {text}")]);
    command.stdin(Stdio::null());
    command
}
