//! The daemon's state: cameras, viewers, settings in force. Control, HTTP, metrics and the log
//! hold this one thing, and change the daemon by its methods. Nothing here waits for the video
//! path but [`State::picture`], [`State::devices`] and [`State::controls`], which say so.

mod controls;
mod devices;
mod figures;
mod hosts;
mod reload;
mod tokens;

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use streamd_protocol::{control::NoSuchCamera, limits::BadLimit, stream::Want};

pub use self::reload::Reloaded;
use crate::{
    camera::Cameras,
    config::{
        Config, DEFAULT_PATH,
        values::{Flip, Fps, Quality, Rotate},
    },
    link::tls::Tls,
    media::{Packet, Timestamp, Track},
    meters::NatsMeters,
    record::Recorders,
    supervise::{heartbeat::Heartbeats, log::LogLevel},
    viewer::{framing::Goodbye, viewers::Viewers},
};

/// The running daemon.
pub struct State {
    /// What can be watched.
    pub cameras: Arc<Cameras>,
    /// Who watches.
    pub viewers: Arc<Viewers>,
    /// What is recorded.
    pub recorders: Recorders,
    heartbeats: Heartbeats,
    /// What is logged.
    pub log: LogLevel,
    /// Where the configuration was read from.
    path: Option<PathBuf>,
    /// The settings in force that belong to no camera: its `camera` is empty, since each camera
    /// owns its own.
    general: Mutex<Config>,
    /// The connection to NATS, where one is configured.
    pub nats: Option<Arc<NatsMeters>>,
    /// What encrypted listeners show.
    pub tls: Option<Arc<Tls>>,
    started: Timestamp,
}

/// What of a camera is changed at run time; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CameraChange {
    /// JPEG quality of the top rendition.
    pub quality: Option<Quality>,
    /// Frames a second.
    pub fps: Option<Fps>,
    /// By how much pictures are turned.
    pub rotate: Option<Rotate>,
    /// How they are mirrored.
    pub flip: Option<Flip>,
}

/// Why something that was asked of the daemon is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refused {
    /// No camera of this name.
    #[error(transparent)]
    NoCamera(#[from] NoSuchCamera),
    /// No viewer of this number.
    #[error("no client {0}")]
    NoClient(u64),
    /// A limit out of its range.
    #[error(transparent)]
    BadLimit(#[from] BadLimit),
    /// A value out of its range.
    #[error("{0}")]
    BadValue(String),
    /// A camera has no control of this name.
    #[error("camera {camera} has no control {name:?}; the nearest are {}", nearest.join(", "))]
    NoControl {
        /// The camera.
        camera: String,
        /// The name.
        name: String,
        /// Names that are like it.
        nearest: Vec<String>,
    },
    /// A camera's controls can't be asked for.
    #[error("camera {camera}: {reason}")]
    NoControls {
        /// The camera.
        camera: String,
        /// Why.
        reason: String,
    },
    /// The configuration file can't be used; the old one stays.
    #[error("{0}")]
    BadConfiguration(String),
}

impl State {
    /// What runs by this configuration, which was read from `path`.
    pub fn new(
        viewers: Arc<Viewers>,
        heartbeats: Heartbeats,
        log: LogLevel,
        path: Option<PathBuf>,
        config: Config,
    ) -> Self {
        Self {
            cameras: Arc::clone(&viewers.cameras),
            recorders: Recorders::new(&viewers.cameras, &viewers.news),
            viewers,
            heartbeats,
            log,
            path,
            general: Mutex::new(without_cameras(config)),
            nats: None,
            tls: None,
            started: Timestamp::now(),
        }
    }

    /// The same with encrypted listeners.
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        let tls = tls.map(Arc::new);
        Self { tls, ..self }
    }

    /// The same with a connection to NATS.
    pub fn with_nats(self, nats: Option<Arc<NatsMeters>>) -> Self {
        Self { nats, ..self }
    }

    /// The configuration in force.
    pub fn configuration(&self) -> Config {
        let mut config = self.general.lock().clone();
        config.camera = self
            .cameras
            .iter()
            .map(|camera| {
                let name = camera.name.parse().expect("it was read as a name");
                (name, camera.settings().config.clone())
            })
            .collect();
        config
    }

    /// Where the configuration is read from.
    pub fn file(&self) -> PathBuf {
        let path = self.path.as_deref().unwrap_or(DEFAULT_PATH.as_ref());
        std::path::absolute(path).unwrap_or_else(|_| path.into())
    }

    /// What is in force of the settings that belong to no camera.
    pub fn general<T>(&self, read: impl FnOnce(&Config) -> T) -> T {
        read(&self.general.lock())
    }

    /// Changes a camera from the next frame on; all cameras where `name` is `None`. Returns the
    /// names of the cameras changed.
    ///
    /// # Errors
    /// When there is no such camera.
    pub fn set_camera(
        &self,
        name: Option<&str>,
        change: &CameraChange,
    ) -> Result<Vec<String>, Refused> {
        let cameras = self.cameras.select(name)?;
        for camera in cameras {
            camera.change(|config| {
                if let Some(quality) = change.quality {
                    config.quality = quality;
                    // Who asks for a quality does not want the camera's own pictures.
                    config.passthrough = false;
                }
                config.fps = change.fps.unwrap_or(config.fps);
                config.rotate = change.rotate.unwrap_or(config.rotate);
                config.flip = change.flip.unwrap_or(config.flip);
            });
        }
        Ok(cameras.iter().map(|camera| camera.name.clone()).collect())
    }

    /// Changes the limits that are set for a viewer.
    ///
    /// # Errors
    /// When there is no such viewer, or a limit is out of its range.
    pub fn set_client(&self, id: u64, want: &Want) -> Result<(), Refused> {
        let viewer = self.viewers.registry.get(id).ok_or(Refused::NoClient(id))?;
        Ok(viewer.set_limits(want)?)
    }

    /// Disconnects a viewer, with the reason it is told.
    ///
    /// # Errors
    /// When there is no such viewer.
    pub fn kick(&self, id: u64, reason: &str) -> Result<(), Refused> {
        let viewer = self.viewers.registry.get(id).ok_or(Refused::NoClient(id))?;
        viewer.end(Goodbye::Kicked(reason.into()));
        Ok(())
    }

    /// Disconnects all viewers; returns how many.
    pub fn kick_all(&self, reason: &str) -> usize {
        self.viewers.end_all(&Goodbye::Kicked(reason.into()))
    }

    /// Changes what is logged: a level, or a filter such as `info,streamd::capture=debug`.
    ///
    /// # Errors
    /// What is allowed, if `filter` is not.
    pub fn set_log_level(&self, filter: &str) -> Result<(), Refused> {
        self.log.set(filter).map_err(Refused::BadValue)?;
        self.general.lock().log.level = filter.into();
        Ok(())
    }

    /// The next picture of a camera (the first one where `name` is `None`) in its best rendition
    /// that was captured at `due` or later, and the camera's name. The future switches the camera
    /// on if need be, and waits for as long as the camera takes. However many wait, the picture is
    /// encoded once.
    ///
    /// # Errors
    /// When there is no such camera.
    pub fn picture(
        &self,
        name: Option<&str>,
        due: Timestamp,
    ) -> Result<(String, impl Future<Output = Arc<Packet>> + Send + use<>), NoSuchCamera> {
        let camera = self.cameras.find(name)?;
        let mut subscription = camera.hub.subscribe();
        let best = Track::Jpeg(camera.settings().ladder[0]);
        let picture = async move { subscription.next(best, due).await };
        Ok((camera.name.clone(), picture))
    }
}

fn without_cameras(mut config: Config) -> Config {
    config.camera.clear();
    config
}
