//! What a daemon is started with: a folder and an address of its own, configuration, environment.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use command_fds::{CommandFdExt, FdMapping};

use crate::{
    binaries,
    daemon::Daemon,
    device::{Bus, Device},
    said::{Said, Store},
};

/// The port of HTTP.
const HTTP_PORT: u16 = 8080;

/// The port of RTSP.
const RTSP_PORT: u16 = 8554;

/// The port of WebRTC.
const WEBRTC_PORT: u16 = 8189;

/// The port of the first camera; the next one has the next.
const CAMERA_PORT: u16 = 8002;

/// The first descriptor that a service manager hands over.
const FIRST_LISTENER: i32 = 3;

/// What a daemon is started with.
#[derive(Debug, Clone)]
pub struct Setup {
    folder: Arc<tempfile::TempDir>,
    address: IpAddr,
    cameras: Vec<(String, String)>,
    sections: String,
    environment: Vec<(&'static str, String)>,
    bus: Option<Bus>,
    listeners: Vec<(&'static str, Arc<TcpListener>)>,
    open_files: Option<u32>,
    store: Arc<Store>,
}

impl Default for Setup {
    /// One camera `main`, the test pattern at 320x240.
    fn default() -> Self {
        Self {
            folder: Arc::new(tempfile::tempdir().expect("a temporary folder")),
            address: own_address(),
            cameras: vec![("main".into(), String::new())],
            sections: String::new(),
            environment: Vec::new(),
            bus: None,
            listeners: Vec::new(),
            open_files: None,
            store: Arc::default(),
        }
    }
}

impl Setup {
    /// Sets keys of camera `main`: lines of TOML.
    pub fn camera(mut self, keys: &str) -> Self {
        self.set_camera(keys);
        self
    }

    /// The same, in place.
    pub fn set_camera(&mut self, keys: &str) {
        keys.clone_into(&mut self.cameras[0].1);
    }

    /// One more camera.
    pub fn another(mut self, name: &str, keys: &str) -> Self {
        self.cameras.push((name.into(), keys.into()));
        self
    }

    /// Sets whole tables other than `[control]`, `[http]` and cameras.
    pub fn tables(mut self, tables: &str) -> Self {
        tables.clone_into(&mut self.sections);
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Lets the daemon have so many descriptors.
    pub fn open_files(mut self, most: u32) -> Self {
        self.open_files = Some(most);
        self
    }

    /// The daemon has these cameras in its `/dev`, and no others.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = Some(bus.clone());
        let library = binaries::cameras().display().to_string();
        self.variable("LD_PRELOAD", &library)
            .variable("STREAMD_TESTS_DEVICES", &bus.path().display().to_string())
    }

    /// Camera `main` is this device, with these keys besides.
    pub fn device(self, device: &Device, keys: &str) -> Self {
        self.camera(&format!(
            "device = {:?}\nsize = \"160x120\"\n{keys}",
            device.path()
        ))
    }

    /// Hands over a listening socket by this name, as a service manager does.
    pub fn hand_over(mut self, name: &'static str, listener: TcpListener) -> Self {
        self.listeners.push((name, Arc::new(listener)));
        self
    }

    /// The service manager stores so many descriptors, and hands them over at the next start.
    pub fn storing(self, room: usize) -> Self {
        self.variable("FDSTORE", &room.to_string())
    }

    /// What the service manager has stored.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A file in the daemon's own folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.file("streamd.toml")
    }

    /// The control socket.
    pub fn control(&self) -> PathBuf {
        self.file("control")
    }

    /// Where HTTP listens.
    pub fn http(&self) -> SocketAddr {
        (self.address, HTTP_PORT).into()
    }

    /// Where RTSP may listen.
    pub fn rtsp(&self) -> SocketAddr {
        (self.address, RTSP_PORT).into()
    }

    /// Where WebRTC may listen.
    pub fn webrtc(&self) -> SocketAddr {
        (self.address, WEBRTC_PORT).into()
    }

    /// Where a camera's raw TCP listens, counted from 0.
    pub fn tcp(&self, camera: u16) -> SocketAddr {
        (self.address, CAMERA_PORT + camera).into()
    }

    /// Writes the configuration file.
    pub fn write_config(&self) {
        fs::write(self.config_file(), self.config()).expect("the folder can be written to");
    }

    fn config(&self) -> String {
        let mut text = format!(
            "[control]\nsocket = {:?}\n[http]\nlisten = \"{}\"\n{}\n",
            self.control(),
            self.http(),
            self.sections
        );
        for (n, (name, keys)) in (0..).zip(&self.cameras) {
            text += &format!("[camera.{name}]\nlisten = \"{}\"\n{keys}\n", self.tcp(n));
            for (key, value) in [("device", "test"), ("size", "320x240")] {
                if !keys.lines().any(|line| line.starts_with(key)) {
                    text += &format!("{key} = \"{value}\"\n");
                }
            }
        }
        text
    }

    /// The daemon's command, with nothing of this process's environment that would change what it does.
    pub fn command(&self) -> Command {
        let mut command = Command::new("sh");
        // A process id is known only to the process itself.
        let mut script = "export LISTEN_PID=$$ WATCHDOG_PID=$$; exec \"$@\"".to_owned();
        if let Some(most) = self.open_files {
            script = format!("ulimit -n {most}; {script}");
        }
        command.args(["-c", &script, "sh"]);
        command.arg(binaries::find("streamd"));
        command.arg("--config").arg(self.config_file());
        for name in ["JOURNAL_STREAM", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET"] {
            command.env_remove(name);
        }
        for name in ["LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_USEC"] {
            command.env_remove(name);
        }
        let variables = self.environment.iter();
        command.envs(variables.map(|(name, value)| (*name, value.as_str())));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts the daemon and waits until it says that it is ready.
    ///
    /// # Panics
    /// If it does not get ready.
    #[track_caller]
    pub fn start(mut self) -> Daemon {
        self.write_config();
        let path = self.file("notify");
        // Of the daemon before this one, if it is started again.
        let _ = fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("a socket in a fresh folder");
        let notified = Said::messages(socket, Arc::clone(&self.store));
        let mut command = self.command();
        command.env("NOTIFY_SOCKET", &path).stderr(Stdio::piped());
        let listeners = std::mem::take(&mut self.listeners).into_iter();
        let listeners = listeners.map(|(name, listener)| {
            let only = Arc::into_inner(listener);
            let only = only.expect("a setup with sockets is started once");
            (name.to_owned(), OwnedFd::from(only))
        });
        hand_over(&mut command, listeners.chain(self.store.all()).collect());
        let child = command.spawn().expect("a program that was just found");
        // Dropped with it are this process's ends of the sockets that were handed over.
        drop(command);
        let mut daemon = Daemon::new(self, child, notified);
        daemon.wait_until_ready();
        daemon
    }
}

/// Has the command find these descriptors where a service manager puts them.
fn hand_over(command: &mut Command, descriptors: Vec<(String, OwnedFd)>) {
    if descriptors.is_empty() {
        return;
    }
    let (names, fds): (Vec<_>, Vec<_>) = descriptors.into_iter().unzip();
    command.env("LISTEN_FDS", names.len().to_string());
    command.env("LISTEN_FDNAMES", names.join(":"));
    let mappings = (FIRST_LISTENER..).zip(fds);
    let mappings = mappings.map(|(child_fd, parent_fd)| FdMapping {
        parent_fd,
        child_fd,
    });
    let mapped = command.fd_mappings(mappings.collect());
    mapped.expect("each has a number of its own");
}

/// A loopback address that no other test has, by process and count: no port is ever taken already.
pub(crate) fn own_address() -> IpAddr {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // 127.0 has the address that everything else uses, 127.255 the broadcast address. Who takes
    // more of them than that goes on in the range of a process that is long gone.
    let (round, n) = ((count / 254) as u8, (count % 254) as u8);
    Ipv4Addr::new(127, 1 + n, high.wrapping_sub(round), low).into()
}
