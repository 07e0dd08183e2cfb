//! What is known before anything is looked at: the daemon's own words, or what stands in their place.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::{Uid, User, geteuid};
use streamd_protocol::{
    client::{Client, Error},
    control::{Device, GetConfiguration, GetInfo, GetStats, ListDevices},
    stats::Stats,
};

use super::{cameras, program};
use crate::session::Session;

/// The rate of a camera is that of the last two seconds.
const SETTLED: Duration = Duration::from_millis(2500);

/// Where the service's configuration is.
const DEFAULT_CONFIG: &str = "/etc/streamd/streamd.toml";

/// All that the areas look at.
#[derive(Debug)]
pub struct Scene {
    /// Where the control socket may be, and what came of connecting.
    pub sockets: Vec<(PathBuf, Result<String, Error>)>,
    /// What the daemon says, if one answers.
    pub daemon: Option<Daemon>,
    /// The configuration file.
    pub file: PathBuf,
    /// What the file says wrong; `None` where it can be used, or can't be checked.
    pub fault: Option<String>,
    /// The configuration in force, or the one that would be; `None` where it is not known.
    pub config: Option<toml::Table>,
    /// Who looks.
    pub user: String,
    /// Whether that is root.
    pub root: bool,
    /// Whether systemd runs here.
    pub systemd: bool,
}

/// What a daemon says of itself.
#[derive(Debug)]
pub struct Daemon {
    /// Its figures.
    pub stats: Stats,
    /// The machine's devices, or why they are not known.
    pub devices: Result<Vec<Device>, String>,
}

impl Scene {
    /// Asks the daemon and its programs.
    pub fn of(config: Option<PathBuf>, session: &Session) -> Self {
        let mut scene = Self {
            sockets: Vec::new(),
            daemon: None,
            file: config.clone().unwrap_or_else(|| DEFAULT_CONFIG.into()),
            fault: None,
            config: None,
            user: name_of(geteuid()),
            root: geteuid().is_root(),
            systemd: Path::new("/run/systemd/system").exists(),
        };
        for socket in session.sockets() {
            let client = Client::connect(socket, session.timeout());
            let answer = match client {
                Ok(client) => scene.ask(client),
                Err(error) => Err(error),
            };
            scene.sockets.push((socket.clone(), answer));
            if scene.daemon.is_some() {
                break;
            }
        }
        scene.read_file(config.is_some());
        scene
    }

    /// What one daemon says; its version.
    fn ask(&mut self, mut client: Client) -> Result<String, Error> {
        let version = client.call(&GetInfo {})?.version;
        let mut stats = client.call(&GetStats::default())?.stats;
        if stats.cameras.iter().any(cameras::slow) {
            // A camera that was switched on a moment ago is not slow.
            std::thread::sleep(SETTLED);
            stats = client.call(&GetStats::default())?.stats;
        }
        let configuration = client.call(&GetConfiguration {})?;
        let devices = client.call(&ListDevices {});
        if !configuration.file.is_empty() {
            self.file = configuration.file.into();
        }
        self.config = configuration.toml.parse().ok();
        self.daemon = Some(Daemon {
            stats,
            devices: devices
                .map(|reply| reply.devices)
                .map_err(|e| e.to_string()),
        });
        Ok(version)
    }

    /// Has streamd itself read the file: it alone knows what is allowed, and its defaults.
    fn read_file(&mut self, named: bool) {
        let mut args = vec!["--print-config".as_ref()];
        if named || self.file.exists() {
            args.extend(["--config".as_ref(), self.file.as_os_str()]);
        }
        let Some(said) = program::ask(streamd(), &args) else {
            return;
        };
        match said.succeeded {
            true if self.config.is_none() => self.config = said.output.parse().ok(),
            true => {}
            false => self.fault = Some(said.errors.trim().to_owned()),
        }
    }

    /// Whether a process is the daemon that answered.
    pub fn is_daemon(&self, pid: u32) -> bool {
        let daemon = self.daemon.as_ref();
        daemon.is_some_and(|daemon| daemon.stats.pid == i64::from(pid))
    }

    /// How streamd is told to do something: `start` or `restart`.
    pub fn told_to(&self, verb: &str) -> String {
        match self.systemd {
            true => format!("sudo systemctl {verb} streamd"),
            false => format!("{verb} streamd"),
        }
    }

    /// The cameras' tables in the configuration, by name.
    pub fn cameras(&self) -> impl Iterator<Item = (&String, &toml::Value)> {
        let cameras = self
            .config
            .as_ref()
            .and_then(|config| config.get("camera")?.as_table());
        cameras.into_iter().flatten()
    }
}

/// The daemon's program: the one beside this one, else that of the search path.
pub fn streamd() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .map(|own| own.with_file_name("streamd"));
    let beside = beside.filter(|program| Path::exists(program));
    beside.unwrap_or_else(|| "streamd".into())
}

/// A user's name, or number.
pub fn name_of(uid: Uid) -> String {
    let user = User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("user {uid}"), |user| user.name)
}
