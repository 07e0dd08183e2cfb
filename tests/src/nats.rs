//! A real server of NATS, on an address of its own, and somebody there who says what nobody should.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use base64::Engine as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{PATIENCE, eventually, setup::own_address};

/// The port of NATS.
const PORT: u16 = 4222;

/// A server that runs. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    config: PathBuf,
    /// What it needs, where that is ours.
    _folder: Option<tempfile::TempDir>,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Server {
    /// The usual server.
    #[track_caller]
    pub fn start() -> Self {
        Self::with("")
    }

    /// One with these lines in its configuration.
    ///
    /// # Panics
    /// If `nats-server` is not installed, or does not start.
    #[track_caller]
    pub fn with(lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = fresh_address();
        let config = format!(
            "listen: \"{address}\"\njetstream {{ store_dir: {:?}, max_mem: 64M }}\n{lines}\n",
            folder.path().join("store")
        );
        let file = folder.path().join("nats.conf");
        fs::write(&file, config).expect("a fresh folder");
        Self::by(file, Some(folder), address)
    }

    /// One by a configuration that is there, which has it listen at this address.
    #[track_caller]
    pub fn by(config: PathBuf, folder: Option<tempfile::TempDir>, address: SocketAddr) -> Self {
        let child = spawn(&config);
        let server = Self {
            config,
            _folder: folder,
            address,
            child,
        };
        server.wait_until_there();
        server
    }

    /// Kills it; it is there again after [`Self::restart`].
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, empty.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.config);
        self.wait_until_there();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32);
        kill(pid, signal).expect("the server is our child, and not reaped yet");
    }

    #[track_caller]
    fn wait_until_there(&self) {
        eventually("a server of NATS", || {
            let connected = TcpStream::connect(self.address);
            connected.map(drop).map_err(|error| error.to_string())
        });
    }

    /// Says all of this, each a subject and what is sent there, as anybody can who may connect.
    ///
    /// # Panics
    /// If the server does not take it.
    #[track_caller]
    pub fn say(&self, messages: &[(&str, &[u8])]) {
        let mut stream = TcpStream::connect(self.address).expect("the server is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let mut bytes = b"CONNECT {\"verbose\":false}\r\n".to_vec();
        for (subject, payload) in messages {
            bytes.extend(format!("PUB {subject} {}\r\n", payload.len()).bytes());
            bytes.extend_from_slice(payload);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"PING\r\n");
        stream.write_all(&bytes).expect("the server reads");
        let mut said = BufReader::new(stream).lines();
        let answer = said.find_map(|line| {
            let line = line.expect("the server answers");
            (line.starts_with("PONG") || line.starts_with("-ERR")).then_some(line)
        });
        assert_eq!(answer.as_deref(), Some("PONG"));
    }

    /// Sends these lines of the protocol as the user with this seed; what the server says against them.
    ///
    /// # Panics
    /// If the user may not even connect.
    #[track_caller]
    pub fn refusals(&self, seed: &str, lines: &[String]) -> Vec<String> {
        let mut link = Link::connect(self.address, seed);
        link.send(&(lines.join("\r\n") + "\r\nPING\r\n"));
        let mut refused = Vec::new();
        loop {
            match link.next() {
                line if line == "PONG" => return refused,
                line if line.starts_with("-ERR") => refused.push(line),
                _ => {}
            }
        }
    }

    /// Asks something as the user with this seed, and gives the first answer, which is one line.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn ask(&self, seed: &str, subject: &str, inbox: &str) -> String {
        let mut link = Link::connect(self.address, seed);
        link.send(&format!("SUB {inbox} 1\r\nPUB {subject} {inbox} 0\r\n\r\n"));
        let head = link.next();
        assert!(head.starts_with(&format!("MSG {inbox} ")), "{head}");
        link.next()
    }

    /// The table of a daemon that connects to it.
    pub fn table(&self, keys: &str) -> String {
        format!("[nats]\nservers = [\"nats://{}\"]\n{keys}\n", self.address)
    }
}

/// Somebody who is connected.
struct Link {
    stream: TcpStream,
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Link {
    /// Connects as the user with this seed.
    #[track_caller]
    fn connect(address: SocketAddr, seed: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        let lines = BufReader::new(stream.try_clone().expect("a descriptor is left")).lines();
        let mut link = Self { stream, lines };
        let info: serde_json::Value = link
            .next()
            .strip_prefix("INFO ")
            .and_then(|info| serde_json::from_str(info).ok())
            .expect("a server says what it is");
        let nonce = info["nonce"].as_str().expect("it asks for a key");
        let pair = nkeys::KeyPair::from_seed(seed).expect("a seed");
        let signed = pair.sign(nonce.as_bytes()).expect("a seed can sign");
        let signed = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signed);
        let key = pair.public_key();
        link.send(&format!(
            "CONNECT {{\"verbose\":false,\"nkey\":{key:?},\"sig\":{signed:?}}}\r\nPING\r\n"
        ));
        assert_eq!(link.next(), "PONG", "the user may connect");
        link
    }

    #[track_caller]
    fn send(&mut self, text: &str) {
        self.stream
            .write_all(text.as_bytes())
            .expect("the server reads");
    }

    #[track_caller]
    fn next(&mut self) -> String {
        let line = self.lines.next().expect("the server goes on");
        line.expect("the server answers")
    }
}

/// An address that no other server has.
pub fn fresh_address() -> SocketAddr {
    (own_address(), PORT).into()
}

fn spawn(config: &Path) -> Child {
    let program = [
        "/usr/sbin/nats-server",
        "/usr/bin/nats-server",
        "/usr/local/bin/nats-server",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|path| path.exists())
    .expect("nats-server is not installed (apt-get install nats-server)");
    let mut command = Command::new(program);
    command.arg("-c").arg(config);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("a program that was just found")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
