//! What is measured: a host with cameras, a server of NATS, a relay, and perhaps a link between them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use streamd_protocol::{client::Client, control::GetStats, stats::CameraState};
use tempfile::TempDir;

use crate::{
    args,
    client::Target,
    link::{self, namespace::Namespace, rows, wire::Wire},
    load::Plan,
    process::{Server, Stop, serve, streamd},
};

/// Ports: of the server, and of the first camera of each streamd. They may share a namespace.
const ENGINE: u16 = 4222;
const HOST: u16 = 8002;
const RELAY: u16 = 8502;

const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// How long an answer of a control socket may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the link is.
#[derive(Debug, Clone, Copy)]
pub enum Layout<'l> {
    /// Nowhere: all is on loopback.
    Together,
    /// Between the host and the server, where the relay is.
    Up(&'l rows::Path),
    /// Between the server, where the host is, and the relay.
    Down(&'l rows::Path),
}

/// It runs. All of it ends when this is dropped.
#[derive(Debug)]
pub struct Site {
    pub relay: Daemon,
    pub host: Daemon,
    pub engine: Engine,
    pub wire: Option<Wire>,
}

impl Site {
    /// Starts a host with so many cameras of which each has these keys, a server, and a relay. The
    /// thread that calls this must live as long as they are to live.
    pub fn start(
        arguments: &args::Fleet,
        layout: Layout<'_>,
        (cameras, keys): (usize, &str),
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let near = Arc::new(Namespace::new()?);
        let far = match layout {
            Layout::Together => Arc::clone(&near),
            Layout::Up(_) | Layout::Down(_) => Arc::new(Namespace::new()?),
        };
        let wire = match layout {
            Layout::Together => None,
            Layout::Up(path) | Layout::Down(path) => Some(link::connect(path, &near, &far)?),
        };
        let (at, seen_by_host, seen_by_relay) = match layout {
            Layout::Together => (&near, LOOPBACK, LOOPBACK),
            Layout::Up(_) => (&far, link::FAR, LOOPBACK),
            Layout::Down(_) => (&near, LOOPBACK, link::NEAR),
        };
        let engine = Engine::start(&arguments.nats_server, Arc::clone(at), stop)?;
        let program = arguments.streamd.as_deref();
        let host = (host(seen_by_host, cameras, keys), HOST);
        let relay = (relay(seen_by_relay, cameras), RELAY);
        Ok(Self {
            host: Daemon::start(program, "the host", host, near, stop)?,
            relay: Daemon::start(program, "the relay", relay, far, stop)?,
            engine,
            wire,
        })
    }
}

/// A streamd.
#[derive(Debug)]
pub struct Daemon {
    server: Server,
    folder: TempDir,
    side: Arc<Namespace>,
    /// Of its first camera.
    port: u16,
}

impl Daemon {
    fn start(
        program: Option<&Path>,
        name: &str,
        (tables, port): (String, u16),
        side: Arc<Namespace>,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let tables = common(folder.path()) + &tables;
        side.enter()?;
        let address = (LOOPBACK, port).into();
        let command = streamd(program)?;
        Ok(Self {
            server: serve(name, command, &tables, folder.path(), address, stop)?,
            folder,
            side,
            port,
        })
    }

    /// So many viewers of a camera of it, beside it.
    pub fn viewers(&self, camera: usize, clients: u32, secs: Duration) -> Watcher {
        let target = Target {
            address: (LOOPBACK, self.port + camera as u16).into(),
            protocol: args::Protocol::Tcp,
            path: String::new(),
            hello: None,
            keep: false,
        };
        Watcher {
            side: Arc::clone(&self.side),
            plan: Plan {
                target,
                clients,
                slow: 0,
                rate: 0,
                warm: WARM,
                secs,
                pid: Some(self.server.pid()),
            },
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// What its first camera is doing.
    pub fn state(&self) -> anyhow::Result<CameraState> {
        let mut client = Client::connect(&self.folder.path().join("control"), PATIENCE)?;
        let stats = client.call(&GetStats { interval_ms: None })?.stats;
        let camera = stats.cameras.first();
        camera
            .map(|camera| camera.state)
            .ok_or_else(|| anyhow::anyhow!("a streamd without its camera"))
    }
}

/// How long viewers watch before it is measured: until the link is known.
const WARM: Duration = Duration::from_secs(6);

/// Viewers at one place.
pub struct Watcher {
    pub side: Arc<Namespace>,
    pub plan: Plan,
}

impl Watcher {
    /// Keeps the pictures.
    pub fn keeping(mut self) -> Self {
        self.plan.target.keep = true;
        self
    }
}

/// The server of NATS.
#[derive(Debug)]
pub struct Engine {
    server: Server,
    program: PathBuf,
    folder: TempDir,
    side: Arc<Namespace>,
}

impl Engine {
    fn start(program: &Path, side: Arc<Namespace>, stop: &Stop) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("store").display().to_string();
        let text = format!(
            "listen: \"0.0.0.0:{ENGINE}\"\njetstream {{ store_dir: {store:?}, max_mem: 64M }}\n"
        );
        std::fs::write(folder.path().join("nats.conf"), text)?;
        Ok(Self {
            server: nats_server(program, folder.path(), &side, stop)?,
            program: program.to_owned(),
            folder,
            side,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Kills it.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGKILL)?;
        self.server.child().wait()?;
        Ok(())
    }

    /// Starts it again, empty, after it was killed.
    pub fn restart(&mut self, stop: &Stop) -> anyhow::Result<()> {
        self.server = nats_server(&self.program, self.folder.path(), &self.side, stop)?;
        Ok(())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(kill(Pid::from_raw(self.server.pid() as i32), signal)?)
    }
}

fn nats_server(
    program: &Path,
    folder: &Path,
    side: &Namespace,
    stop: &Stop,
) -> anyhow::Result<Server> {
    side.enter()?;
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("nats.conf"));
    command.stdin(Stdio::null());
    let name = "nats-server (apt-get install nats-server, or --nats-server PATH)";
    let address: SocketAddr = (LOOPBACK, ENGINE).into();
    serve(name, command, "", folder, address, stop)
}

/// What each streamd has.
fn common(folder: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!(
        "[control]\nsocket = {:?}\n[access]\nanonymous = \"viewer\"\ntoken-file = {:?}\n[http]\nlisten = []\n",
        file("control"),
        file("tokens.json")
    )
}

fn host(engine: Ipv4Addr, cameras: usize, keys: &str) -> String {
    let names: Vec<String> = (0..cameras).map(|n| format!("cam{n}")).collect();
    let nats = format!(
        "[nats]\nservers = [\"nats://{engine}:{ENGINE}\"]\nhost = \"bench\"\npublish = {names:?}\n"
    );
    nats + &tables(cameras, HOST, |_| "test".into(), keys)
}

fn relay(engine: Ipv4Addr, cameras: usize) -> String {
    let nats = format!("[nats]\nservers = [\"nats://{engine}:{ENGINE}\"]\n");
    nats + &tables(cameras, RELAY, |n| format!("nats:bench/cam{n}"), "")
}

fn tables(cameras: usize, port: u16, device: impl Fn(usize) -> String, keys: &str) -> String {
    let table = |n: usize| {
        format!(
            "[camera.cam{n}]\ndevice = {:?}\nsize = \"640x480\"\nfps = 30\nidle-after = \"1s\"\n\
             listen = \"127.0.0.1:{}\"\nmax-clients = 200\n{keys}\n",
            device(n),
            port + n as u16
        )
    };
    (0..cameras).map(table).collect()
}
