//! What a daemon is started with: a folder and an address of its own, configuration, environment.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use crate::{
    binaries,
    daemon::Daemon,
    device::{Bus, Device},
    said::Said,
};

/// The port of HTTP.
const HTTP_PORT: u16 = 8080;

/// The port of the first camera; the next one has the next.
const CAMERA_PORT: u16 = 8002;

/// The first descriptor that a service manager hands over.
const FIRST_LISTENER: usize = 3;

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

    /// Hands over a listening socket by this name, as a service manager does. Two at most.
    pub fn hand_over(mut self, name: &'static str, listener: TcpListener) -> Self {
        self.listeners.push((name, Arc::new(listener)));
        self
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
        command.args(["-c", &self.script(), "sh"]);
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

    /// Sockets come as standard input and output, and are put where a service manager puts them; a
    /// process id is known only to the process itself.
    fn script(&self) -> String {
        let mut script = String::new();
        let count = self.listeners.len();
        if count > 0 {
            let names: Vec<_> = self.listeners.iter().map(|(name, _)| *name).collect();
            for from in 0..count {
                script += &format!("exec {}<&{from}\n", FIRST_LISTENER + from);
            }
            script += "exec </dev/null >/dev/null\n";
            script += &format!(
                "export LISTEN_FDS={count} LISTEN_FDNAMES={}\n",
                names.join(":")
            );
            script += "export LISTEN_PID=$$\n";
        }
        script + "export WATCHDOG_PID=$$\nexec \"$@\""
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
        let notified = Said::messages(socket);
        let mut command = self.command();
        command.env("NOTIFY_SOCKET", &path).stderr(Stdio::piped());
        let listeners = std::mem::take(&mut self.listeners);
        let mut listeners = listeners.into_iter().map(|(_, listener)| {
            let only = Arc::into_inner(listener);
            OwnedFd::from(only.expect("a setup with sockets is started once"))
        });
        if let Some(first) = listeners.next() {
            command.stdin(first);
        }
        if let Some(second) = listeners.next() {
            command.stdout(second);
        }
        let child = command.spawn().expect("a program that was just found");
        // Dropped with it are this process's ends of the sockets that were handed over.
        drop(command);
        let mut daemon = Daemon::new(self, child, notified);
        daemon.wait_until_ready();
        daemon
    }
}

/// A loopback address that no other test has, by process and count: no port is ever taken already.
fn own_address() -> IpAddr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // 127.0 has the address that everything else uses, 127.255 the broadcast address.
    Ipv4Addr::new(127, 1 + count % 254, high, low).into()
}
