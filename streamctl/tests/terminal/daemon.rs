//! A control socket that answers as the daemon does, to what `top` asks.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use streamd_protocol::stats::DroppedStats;

/// A running control socket; it ends when it is dropped.
pub struct Daemon {
    path: PathBuf,
    state: Arc<State>,
}

struct State {
    clients: Mutex<Vec<i64>>,
    calls: Mutex<Vec<(String, Value)>>,
    stop: AtomicBool,
}

impl Daemon {
    pub fn start(path: &Path, clients: &[i64]) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let state = Arc::new(State {
            clients: Mutex::new(clients.to_vec()),
            calls: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if theirs.stop.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&theirs);
                thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Self {
            path: path.to_owned(),
            state,
        }
    }

    /// What was called besides the stats: method and parameters.
    pub fn calls(&self) -> Vec<(String, Value)> {
        self.state.calls.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(mut stream: UnixStream, state: &State) {
    let mut calls = BufReader::new(stream.try_clone().unwrap());
    let mut message = Vec::new();
    while matches!(calls.read_until(0, &mut message), Ok(1..)) {
        message.pop();
        let call: Value = serde_json::from_slice(&message).unwrap();
        message.clear();
        let method = call["method"].as_str().unwrap().rsplit('.').next().unwrap();
        let parameters = &call["parameters"];
        let reply = match method {
            "GetInfo" => json!({
                "vendor": "streamd", "product": "streamd", "version": env!("CARGO_PKG_VERSION"),
                "url": "", "interfaces": [],
            }),
            "GetStats" => return stream_stats(&mut stream, state),
            "KickClient" => {
                let mut clients = state.clients.lock().unwrap();
                clients.retain(|id| json!(id) != parameters["id"]);
                json!({ "kicked": 1 })
            }
            "SetCamera" => json!({ "cameras": ["main"] }),
            _ => json!({}),
        };
        if method != "GetInfo" {
            let mut calls = state.calls.lock().unwrap();
            calls.push((method.to_owned(), parameters.clone()));
        }
        send(&mut stream, &json!({ "parameters": reply })).unwrap();
    }
}

fn stream_stats(stream: &mut UnixStream, state: &State) {
    while !state.stop.load(Ordering::SeqCst) {
        let stats = stats(&state.clients.lock().unwrap());
        let reply = json!({ "parameters": { "stats": stats }, "continues": true });
        if send(stream, &reply).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn send(stream: &mut UnixStream, reply: &Value) -> std::io::Result<()> {
    let mut bytes = serde_json::to_vec(reply).unwrap();
    bytes.push(0);
    stream.write_all(&bytes)
}

fn stats(clients: &[i64]) -> Value {
    let clients: Vec<_> = clients.iter().map(|id| client(*id)).collect();
    json!({
        "version": "0.1.0", "pid": 4711, "uptimeSeconds": 12.0,
        "status": format!("1 camera, {} clients, 30.0 fps", clients.len()),
        "healthy": true, "stuck": [], "refused": 0, "droppedClients": 0, "clients": clients,
        "cameras": [{
            "name": "main", "device": "test", "path": "test", "card": "test pattern",
            "state": "streaming", "reason": "", "requested": "640x480 30 fps auto",
            "format": "YUYV", "width": 640, "height": 480, "desiredFps": 30.0, "driverFps": 30.0,
            "fps": 29.9, "quality": 80, "rotate": 0, "flip": "none", "captured": 900, "driverLost": 0, "corrupt": 0,
            "losses": 0, "encoded": 900, "encodeAverageMs": 0.8, "clients": clients.len(),
            "renditions": [],
        }],
    })
}

fn client(id: i64) -> Value {
    let no_limits = json!({ "fps": 0.0, "quality": 0, "width": 0 });
    json!({
        "id": id, "name": format!("robot-{id}"), "login": "", "peer": format!("10.0.0.{id}:5000"),
        "transport": "tcp", "connectedSince": 1.7e9, "connectedSeconds": 10.0,
        "rttMs": 1.0, "linkRate": 9e7, "backlogBytes": 0, "errors": 0, "paused": false,
        "own": no_limits, "set": no_limits,
        "feeds": [{
            "camera": "main", "frames": 300, "bytes": 15_000_000, "averageFps": 30.0, "fps": 30.0,
            "latency": { "averageMs": f64::from(id as i32), "p50Ms": 4.0, "p95Ms": 7.0, "measured": 300 },
            "dropped": DroppedStats::default(), "quality": 80, "width": 640, "height": 480,
            "reason": "top", "renditionChanges": 0,
        }],
    })
}
