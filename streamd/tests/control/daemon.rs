//! A daemon without video: the control plane over a target that remembers what it was asked.

use std::{
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use streamd::{
    config::values::{Fps, Quality},
    control::{
        Control,
        command::{NextPicture, Refusal, Reloaded, Target},
        spawn,
    },
    media::{JpegFrame, Origin, Rendition, Scale, Timestamp},
    supervise::heartbeat::Heartbeats,
};
use streamd_protocol::{client::Client, control::Device, stats::*, stream::Want};

/// Above anything these tests do; a test that hangs fails by it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Remembers what it was asked; has a camera `main` and a client 7.
#[derive(Default)]
pub struct Recorder {
    asked: Mutex<Vec<String>>,
}

impl Recorder {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    /// What it was asked to change, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Target for Recorder {
    fn stats(&self) -> Stats {
        Stats {
            version: "1.2.3".into(),
            pid: 1,
            uptime_seconds: 1.0,
            status: "1 camera".into(),
            healthy: true,
            stuck: vec![],
            cameras: vec![],
            clients: vec![],
            refused: 0,
            dropped_clients: 0,
        }
    }

    fn configuration(&self) -> String {
        "[camera.main]\n".into()
    }

    fn set_camera(
        &self,
        camera: Option<&str>,
        quality: Option<Quality>,
        fps: Option<Fps>,
    ) -> Result<Vec<String>, Refusal> {
        if let Some(name) = camera.filter(|name| *name != "main") {
            return Err(Refusal::NoCamera {
                name: name.into(),
                known: vec!["main".into()],
            });
        }
        let (quality, fps) = (quality.map(Quality::get), fps.map(Fps::get));
        self.note(format!("camera {camera:?} {quality:?} {fps:?}"));
        Ok(vec!["main".into()])
    }

    fn set_client(&self, id: u64, want: Want) -> Result<(), Refusal> {
        if id != 7 {
            return Err(Refusal::NoClient(id));
        }
        let (fps, quality, width) = (want.fps, want.quality, want.max_width);
        self.note(format!("client {id} {fps:?} {quality:?} {width:?}"));
        Ok(())
    }

    fn kick(&self, id: u64, reason: &str) -> Result<(), Refusal> {
        if id != 7 {
            return Err(Refusal::NoClient(id));
        }
        self.note(format!("kick {id} {reason}"));
        Ok(())
    }

    fn kick_all(&self, reason: &str) -> usize {
        self.note(format!("kick all {reason}"));
        3
    }

    fn reload(&self) -> Result<Reloaded, Refusal> {
        Err(Refusal::BadConfiguration("line 3: unknown key".into()))
    }

    fn set_log_level(&self, filter: &str) -> Result<(), Refusal> {
        if filter == "loud" {
            return Err(Refusal::BadValue("filter \"loud\": no such level".into()));
        }
        self.note(format!("log {filter}"));
        Ok(())
    }

    fn devices(&self) -> std::io::Result<Vec<Device>> {
        Ok(vec![Device {
            path: "/dev/video0".into(),
            ..Device::default()
        }])
    }

    fn next_picture(&self, camera: Option<&str>) -> Result<NextPicture, Refusal> {
        if camera == Some("stopping") {
            return Ok(Box::pin(std::future::ready(None)));
        }
        if camera == Some("stuck") {
            return Ok(Box::pin(std::future::pending()));
        }
        let now = Timestamp::now();
        let frame = JpegFrame {
            bytes: Bytes::from(vec![0xFF; 300_000]),
            sequence: 42,
            captured: now,
            encode_begin: now,
            encode_end: now,
            width: 640,
            height: 480,
            rendition: Rendition {
                quality: 80,
                scale: Scale::Full,
            },
            origin: Origin::TestPattern,
        };
        Ok(Box::pin(std::future::ready(Some(Arc::new(frame)))))
    }
}

/// The control plane, listening in a folder of its own.
pub struct Daemon {
    pub target: Arc<Recorder>,
    pub socket: PathBuf,
    pub control: Control,
    pub heartbeats: Heartbeats,
    _folder: tempfile::TempDir,
}

impl Daemon {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("control");
        let listener = UnixListener::bind(&socket).unwrap();
        let target = Arc::new(Recorder::default());
        let heartbeats = Heartbeats::default();
        let heartbeat = heartbeats.register("control");
        let control = spawn(vec![listener], Arc::clone(&target) as _, heartbeat).unwrap();
        Self {
            target,
            socket,
            control,
            heartbeats,
            _folder: folder,
        }
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
