//! A server of raw streams that behaves as it is told.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use streamd_protocol::stream::{AppSegment, Event, FromClient, ToClient};

/// What it does on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As streamd does.
    Talks,
    /// As the original's server does: frames without a segment, and never a word.
    Silent,
    /// Sends frames and then nothing.
    StallsAfter(u64),
    /// Sends frames, nothing for a second, and frames again.
    GapAfter(u64),
    /// Sends frames and then closes.
    DiesAfter(u64),
    /// Sends frames, says that the client is kicked, and closes.
    KicksAfter(u64),
    /// Sends half a frame and closes.
    HalfAFrame,
    /// Sends this and then nothing.
    Sends(&'static [u8]),
}

/// A running server; it ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    manner: Mutex<Manner>,
    stop: AtomicBool,
    connections: AtomicUsize,
    heard: Mutex<Vec<FromClient>>,
    streams: Mutex<Vec<TcpStream>>,
}

impl Server {
    pub fn start(manner: Manner) -> Self {
        Self::start_at(0, manner)
    }

    pub fn start_at(port: u16, manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let state = Arc::new(State {
            manner: Mutex::new(manner),
            stop: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            heard: Mutex::default(),
            streams: Mutex::default(),
        });
        let theirs = Arc::clone(&state);
        thread::spawn(move || accept(&listener, &theirs));
        Self { port, state }
    }

    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// From the next connection on.
    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub fn heard(&self) -> Vec<FromClient> {
        self.state.heard.lock().unwrap().clone()
    }

    /// Waits until it has heard what it should: a client may be gone before it is heard.
    pub fn hears(&self, what: &str, enough: impl Fn(&[FromClient]) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !enough(&self.heard()) {
            assert!(
                Instant::now() < deadline,
                "never {what}: {:?}",
                self.heard()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The port is free again only when the accepting thread has seen it.
        while Arc::strong_count(&self.state) > 1 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    while !state.stop.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok((stream, _)) => {
                state.connections.fetch_add(1, Ordering::SeqCst);
                stream.set_nonblocking(false).unwrap();
                stream.set_nodelay(true).unwrap();
                let kept = stream.try_clone().unwrap();
                state.streams.lock().unwrap().push(kept);
                let state = Arc::clone(state);
                thread::spawn(move || serve(stream, &state));
            }
            Err(_) => thread::sleep(Duration::from_millis(2)),
        }
    }
}

fn serve(stream: TcpStream, state: &Arc<State>) {
    let manner = *state.manner.lock().unwrap();
    let writer = Arc::new(Mutex::new(stream.try_clone().unwrap()));
    if manner != Manner::Silent {
        let (state, writer) = (Arc::clone(state), Arc::clone(&writer));
        let stream = stream.try_clone().unwrap();
        thread::spawn(move || listen(stream, &state, &writer));
    }
    let frames = match manner {
        Manner::Sends(bytes) => {
            let _ = writer.lock().unwrap().write_all(bytes);
            return wait(state);
        }
        Manner::HalfAFrame => {
            let half = [&1000_u64.to_le_bytes()[..], &[0xFF, 0xD8, 1, 2, 3]].concat();
            let _ = writer.lock().unwrap().write_all(&half);
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        Manner::Talks | Manner::Silent | Manner::GapAfter(_) => u64::MAX,
        Manner::StallsAfter(frames) | Manner::DiesAfter(frames) | Manner::KicksAfter(frames) => {
            frames
        }
    };
    if stream_frames(frames, manner, &writer, state).is_err() {
        return;
    }
    match manner {
        Manner::StallsAfter(_) => return wait(state),
        Manner::KicksAfter(_) => say(
            &writer,
            &ToClient::Notice {
                camera: None,
                since: None,
                event: Event::Kicked,
                message: "maintenance".into(),
            },
        ),
        _ => {}
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Fifty frames a second, until the client or the server ends.
fn stream_frames(
    frames: u64,
    manner: Manner,
    writer: &Mutex<TcpStream>,
    state: &State,
) -> std::io::Result<()> {
    let picture = jpeg();
    for sequence in 0..frames {
        let frame = match manner {
            Manner::Silent => picture.clone(),
            _ => with_segment(&picture, sequence),
        };
        if state.stop.load(Ordering::SeqCst) {
            break;
        }
        if manner == Manner::GapAfter(sequence) {
            thread::sleep(Duration::from_secs(1));
        }
        send(writer, &frame)?;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn wait(state: &State) {
    while !state.stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Hears the client, and answers hello and ping.
fn listen(mut stream: TcpStream, state: &State, writer: &Mutex<TcpStream>) {
    let mut length = [0; 8];
    while stream.read_exact(&mut length).is_ok() {
        let mut body = vec![0; u64::from_le_bytes(length) as usize];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let message: FromClient = serde_json::from_slice(&body).unwrap();
        match &message {
            FromClient::Hello { .. } => say(writer, &welcome()),
            FromClient::Ping { t } => say(
                writer,
                &ToClient::Pong {
                    t: *t,
                    server_time: now_us(),
                },
            ),
            _ => {}
        }
        state.heard.lock().unwrap().push(message);
    }
}

fn welcome() -> ToClient {
    ToClient::Welcome {
        client_id: 7,
        camera: "main".into(),
        width: 640,
        height: 480,
        fps: 50.0,
        quality: 80,
        server_time: now_us(),
        cameras: vec!["main".into()],
        codecs: vec![],
    }
}

fn say(writer: &Mutex<TcpStream>, message: &ToClient) {
    let _ = send(writer, &serde_json::to_vec(message).unwrap());
}

fn send(writer: &Mutex<TcpStream>, payload: &[u8]) -> std::io::Result<()> {
    let length = (payload.len() as u64).to_le_bytes();
    writer
        .lock()
        .unwrap()
        .write_all(&[&length, payload].concat())
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_micros() as u64
}

fn with_segment(jpeg: &[u8], sequence: u64) -> Vec<u8> {
    let segment = AppSegment {
        sequence,
        captured_us: now_us(),
        camera: "main".into(),
    };
    [&jpeg[..2], &segment.head(), &jpeg[2..]].concat()
}

/// A picture of 640x480: left half red, right half blue.
pub fn jpeg() -> Vec<u8> {
    let row: Vec<u8> = (0..640)
        .flat_map(|x| {
            if x < 320 {
                [250, 10, 10]
            } else {
                [10, 10, 250]
            }
        })
        .collect();
    let mut compress = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    compress.set_size(640, 480);
    compress.set_fastest_defaults();
    let mut started = compress.start_compress(Vec::new()).unwrap();
    started.write_scanlines(&row.repeat(480)).unwrap();
    started.finish().unwrap()
}
