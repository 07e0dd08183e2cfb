//! A daemon whose cameras have no threads, and its control plane.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use streamd::{
    access::rules::Rules,
    camera::{Camera, Cameras},
    config,
    control::{Control, spawn},
    link::readiness::Readiness,
    media::{Origin, Packet, Timestamp, Track},
    news::News,
    state::State,
    supervise::{heartbeat::Heartbeats, log::LogLevel},
    viewer::{registry::Guard, viewers::Viewers},
};
use streamd_protocol::{client::Client, limits::Limits, stats::Transport};

/// Above anything these tests do; a test that hangs fails by it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The cameras; nothing ever comes from `stuck`.
const CONFIG: &str = "[camera.main]\n[camera.stuck]\nlisten = []\n";

/// The control plane of such a daemon, listening in a folder of its own. A viewer with the number
/// 7 is entered.
pub struct Daemon {
    pub state: Arc<State>,
    pub viewer: Guard,
    pub socket: PathBuf,
    pub control: Control,
    pub heartbeats: Heartbeats,
    /// The configuration file.
    pub file: PathBuf,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
}

impl Daemon {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (socket, file) = (folder.path().join("control"), folder.path().join("config"));
        std::fs::write(&file, CONFIG).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let heartbeats = Heartbeats::default();
        let state = state(&file, &heartbeats);
        drop(entered);
        let registry = &state.viewers.registry;
        let viewer = registry.enter(7, "10.0.0.7:1".into(), Transport::Tcp, Limits::default());
        let listener = UnixListener::bind(&socket).unwrap();
        let heartbeat = heartbeats.register("control");
        let control = spawn(vec![listener], Arc::clone(&state), heartbeat).unwrap();
        Self {
            state,
            viewer,
            socket,
            control,
            heartbeats,
            file,
            _runtime: runtime,
            _folder: folder,
        }
    }

    /// A picture of so many bytes for all who wait for one of `main`.
    pub fn publish(&self, sequence: u64, bytes: usize) {
        let camera = self.state.cameras.find(None).unwrap();
        let now = Timestamp::now();
        camera.hub.publish(Arc::new(Packet {
            track: Track::Jpeg(camera.settings().ladder[0]),
            sequence,
            captured: now,
            key: true,
            droppable: false,
            bytes: Bytes::from(vec![0xFF; bytes]),
            width: 640,
            height: 480,
            origin: Origin::TestPattern,
            encode_begin: now,
            encode_end: now,
        }));
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.socket, PATIENCE).unwrap()
    }

    /// A connection to speak on by hand.
    pub fn raw(&self) -> Raw {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Raw(stream)
    }
}

fn state(file: &std::path::Path, heartbeats: &Heartbeats) -> Arc<State> {
    let config = config::load(Some(file)).unwrap();
    let news = News::default();
    let camera = |(name, settings): (&config::values::CameraName, &config::Camera)| {
        let camera = Camera::new(
            name.to_string(),
            settings.clone(),
            Arc::default(),
            news.clone(),
            |_| {},
        );
        Arc::new(camera.unwrap())
    };
    let cameras = Cameras::new(config.camera.iter().map(camera).collect());
    let readiness = Readiness::spawn().unwrap();
    let rules = Rules::load(&config.access).expect("a file of tokens that is good, or none");
    let viewers = Viewers::new(Arc::new(cameras), readiness, news, &config.clients, rules);
    Arc::new(State::new(
        Arc::new(viewers),
        heartbeats.clone(),
        LogLevel::default(),
        Some(file.into()),
        config,
    ))
}

/// A connection without a client's manners.
pub struct Raw(pub UnixStream);

impl Raw {
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next message, without its NUL; `None` at the end of the connection.
    pub fn message(&mut self) -> Option<serde_json::Value> {
        let mut message = Vec::new();
        let mut byte = [0];
        loop {
            match self.0.read(&mut byte) {
                Ok(0) => {
                    assert!(message.is_empty(), "ended within a message");
                    return None;
                }
                Ok(_) if byte == [0] => return Some(serde_json::from_slice(&message).unwrap()),
                Ok(_) => message.push(byte[0]),
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(e) => panic!("{e}"),
            }
        }
    }

    pub fn call(&mut self, json: &str) -> serde_json::Value {
        self.send(json.as_bytes());
        self.send(&[0]);
        self.message().unwrap()
    }
}
