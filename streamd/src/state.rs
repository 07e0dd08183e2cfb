//! The running daemon as control, HTTP, metrics and the log see it: its figures, and what it can
//! be told. Nothing here waits for the video path.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use streamd_protocol::{
    control::{Device, DeviceFormat, DeviceSize},
    stats::{CameraState, CameraStats, RenditionStats, Stats},
    stream::Want,
};

use crate::{
    camera::{Camera, Place},
    capture, config,
    config::{
        Config,
        values::{Fps, Quality},
    },
    control::command::{NextPicture, Refusal, Reloaded, Target},
    events,
    http::connection,
    media::{JpegFrame, PixelFormat, Timestamp},
    metrics,
    supervise::{heartbeat::Heartbeats, log::LogLevel},
    viewer::{framing::Goodbye, stage::Stage, tcp},
};

/// The running daemon.
pub struct Running {
    /// The cameras and the clients.
    pub stage: Arc<Stage>,
    heartbeats: Heartbeats,
    log: LogLevel,
    path: Option<PathBuf>,
    config: Mutex<Config>,
    started: Timestamp,
}

impl Running {
    /// What runs by this configuration, which was read from `path`.
    pub fn new(
        stage: Arc<Stage>,
        heartbeats: Heartbeats,
        log: LogLevel,
        path: Option<PathBuf>,
        config: Config,
    ) -> Self {
        let started = Timestamp::now();
        Self {
            stage,
            heartbeats,
            log,
            path,
            config: Mutex::new(config),
            started,
        }
    }

    /// The configuration in force.
    pub fn config(&self) -> Config {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cameras of this name, or all.
    fn cameras(&self, name: Option<&str>) -> Result<Vec<&Arc<Camera>>, Refusal> {
        match name {
            None => Ok(self.stage.cameras.iter().collect()),
            Some(name) => match self.stage.camera(name) {
                Some(camera) => Ok(vec![camera]),
                None => Err(Refusal::NoCamera {
                    name: name.into(),
                    known: self.stage.names(),
                }),
            },
        }
    }

    /// What is counted of each camera, of all together.
    fn sum(&self, counted: impl Fn(&Camera) -> u64) -> i64 {
        self.stage.cameras.iter().map(|c| counted(c)).sum::<u64>() as i64
    }

    /// Applies what can be applied of a new configuration.
    fn apply(&self, new: Config) -> Result<Reloaded, Refusal> {
        let mut config = self.lock();
        let changes = config::changes(&config, &new);
        if config.log.level != new.log.level {
            self.log
                .set(&new.log.level)
                .map_err(Refusal::BadConfiguration)?;
        }
        self.stage
            .set_client_timeout(new.clients.client_timeout.get());
        for camera in &self.stage.cameras {
            let Some(settings) = new.camera.iter().find(|(n, _)| n.as_str() == camera.name) else {
                continue;
            };
            if camera.live().config != *settings.1 {
                camera.change(|old| {
                    let listen = old.listen.take();
                    *old = config::Camera {
                        listen,
                        ..settings.1.clone()
                    };
                });
            }
        }
        // What needs a restart stays as it is, so that it is named again by the next reload.
        let (http, metrics, control) = (
            config.http.clone(),
            config.metrics.clone(),
            config.control.clone(),
        );
        let mut cameras = config.camera.clone();
        for (name, camera) in &mut cameras {
            if let Some(new) = new.camera.get(name) {
                *camera = config::Camera {
                    listen: camera.listen.clone(),
                    ..new.clone()
                };
            }
        }
        let http = config::Http {
            listen: http.listen,
            ..new.http
        };
        *config = Config {
            http,
            metrics,
            control,
            camera: cameras,
            ..new
        };
        Ok(Reloaded {
            applied: changes.live.iter().map(ToString::to_string).collect(),
            needs_restart: changes.needs_restart,
        })
    }

    /// The line that systemd shows: `2 cameras, 5 clients, 30.0 fps`.
    fn status(&self, now: Timestamp, stuck: &[String]) -> String {
        let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let cameras = &self.stage.cameras;
        let fps: Vec<_> = cameras
            .iter()
            .map(|c| format!("{:.1}", c.fps(now)))
            .collect();
        let mut line = format!(
            "{}, {}, {} fps",
            plural(cameras.len(), "camera"),
            plural(self.stage.registry.count(), "client"),
            fps.join(" + ")
        );
        for camera in cameras {
            let status = camera.status();
            if status.state == CameraState::Lost {
                line += &format!("; {}: {}", camera.name, status.reason);
            }
        }
        if !stuck.is_empty() {
            line += &format!("; STUCK: {}", stuck.join(", "));
        }
        line
    }
}

impl Target for Running {
    fn stats(&self) -> Stats {
        let now = Timestamp::now();
        let stuck = self.heartbeats.overdue(now);
        Stats {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id().into(),
            uptime_seconds: now.since(self.started).as_secs_f64(),
            status: self.status(now, &stuck),
            healthy: stuck.is_empty(),
            stuck,
            cameras: self
                .stage
                .cameras
                .iter()
                .map(|c| camera_stats(c, now))
                .collect(),
            clients: self
                .stage
                .registry
                .all()
                .iter()
                .map(|c| c.stats(now))
                .collect(),
            refused: self.sum(|camera| camera.refused.get()),
            dropped_clients: self.sum(|camera| camera.dropped_clients.get()),
        }
    }

    fn configuration(&self) -> String {
        self.lock().to_toml()
    }

    fn set_camera(
        &self,
        camera: Option<&str>,
        quality: Option<Quality>,
        fps: Option<Fps>,
    ) -> Result<Vec<String>, Refusal> {
        let cameras = self.cameras(camera)?;
        let change = |config: &mut config::Camera| {
            if let Some(quality) = quality {
                config.quality = quality;
                // Who asks for a quality does not want the camera's own pictures.
                config.passthrough = false;
            }
            config.fps = fps.unwrap_or(config.fps);
        };
        let mut config = self.lock();
        for camera in &cameras {
            camera.change(change);
            let known = config
                .camera
                .iter_mut()
                .find(|(n, _)| n.as_str() == camera.name);
            known.into_iter().for_each(|(_, settings)| change(settings));
        }
        Ok(cameras.iter().map(|c| c.name.clone()).collect())
    }

    fn set_client(&self, id: u64, want: Want) -> Result<(), Refusal> {
        let client = self.stage.registry.get(id).ok_or(Refusal::NoClient(id))?;
        let mut limits = client.figures().limits;
        limits.apply(&want).map_err(Refusal::BadValue)?;
        client.order(|orders| orders.want = Some(want));
        Ok(())
    }

    fn kick(&self, id: u64, reason: &str) -> Result<(), Refusal> {
        let client = self.stage.registry.get(id).ok_or(Refusal::NoClient(id))?;
        client.order(|orders| orders.end = Some(Goodbye::Kicked(reason.into())));
        Ok(())
    }

    fn kick_all(&self, reason: &str) -> usize {
        self.stage.end_all(&Goodbye::Kicked(reason.into()))
    }

    fn reload(&self) -> Result<Reloaded, Refusal> {
        let result = config::load(self.path.as_deref())
            .map_err(|error| Refusal::BadConfiguration(error.to_string()))
            .and_then(|new| self.apply(new));
        match &result {
            Ok(reloaded) => {
                let list = |keys: &[String]| match keys {
                    [] => "nothing".to_owned(),
                    keys => keys.join(", "),
                };
                tracing::info!(
                    message_id = events::RELOADED,
                    "configuration reloaded: {} changed; {} needs a restart",
                    list(&reloaded.applied),
                    list(&reloaded.needs_restart)
                );
            }
            Err(error) => tracing::error!(
                message_id = events::RELOAD_FAILED,
                "configuration not reloaded, the old one stays: {error}"
            ),
        }
        result
    }

    fn set_log_level(&self, filter: &str) -> Result<(), Refusal> {
        self.log.set(filter).map_err(Refusal::BadValue)?;
        self.lock().log.level = filter.into();
        Ok(())
    }

    fn devices(&self) -> std::io::Result<Vec<Device>> {
        let opened: Vec<_> = self
            .stage
            .cameras
            .iter()
            .map(|c| (c.status().path, c.name.clone()))
            .collect();
        let camera = |path: &str| {
            let opened = opened.iter().find(|(opened, _)| same_node(opened, path));
            opened.map_or_else(String::new, |(_, name)| name.clone())
        };
        let device = |found: capture::devices::DeviceInfo| {
            let path = found.path.display().to_string();
            Device {
                camera: camera(&path),
                path,
                card: found.card,
                driver: found.driver,
                bus: found.bus,
                links: found
                    .links
                    .iter()
                    .map(|l| l.display().to_string())
                    .collect(),
                formats: found
                    .formats
                    .into_iter()
                    .filter(usable)
                    .map(device_format)
                    .collect(),
                error: found.error.unwrap_or_default(),
            }
        };
        Ok(capture::devices::list().into_iter().map(device).collect())
    }

    fn next_picture(&self, camera: Option<&str>) -> Result<NextPicture, Refusal> {
        let cameras = self.cameras(camera)?;
        let hub = Arc::clone(&cameras[0].hub);
        let top = cameras[0].live().ladder[0];
        Ok(Box::pin(async move {
            Some(hub.subscribe().next(top, Timestamp::now()).await)
        }))
    }
}

impl connection::Source for Arc<Running> {
    type Place = Place;

    fn cameras(&self) -> Vec<String> {
        self.stage.names()
    }

    fn stats(&self) -> Stats {
        Target::stats(&**self)
    }

    async fn picture(&self, camera: &str, due: Timestamp) -> Option<Arc<JpegFrame>> {
        let camera = self.stage.camera(camera)?;
        let top = camera.live().ladder[0];
        Some(camera.hub.subscribe().next(top, due).await)
    }

    fn admit(&self, camera: &str, peer: &str) -> Result<Place, String> {
        self.stage.admit(Some(camera)).map_err(|refused| {
            tcp::log_refused(&refused, peer, camera);
            refused.to_string()
        })
    }

    fn allowed_origins(&self) -> Vec<String> {
        self.lock().http.allowed_origins.clone()
    }
}

impl metrics::Source for Running {
    fn stats(&self) -> Stats {
        Target::stats(self)
    }

    fn cameras(&self) -> Vec<Arc<Camera>> {
        self.stage.cameras.clone()
    }
}

/// Whether two paths lead to the same node, through links such as those of `/dev/v4l/by-id`.
fn same_node(a: &str, b: &str) -> bool {
    a == b
        || matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether pictures can be made of a format: drivers list many that can't.
fn usable(format: &capture::devices::FormatInfo) -> bool {
    let code = <[u8; 4]>::try_from(format.fourcc.as_bytes());
    code.is_ok_and(|code| PixelFormat::from_fourcc(code).is_some())
}

fn device_format(format: capture::devices::FormatInfo) -> DeviceFormat {
    let size = |size: capture::devices::SizeInfo| DeviceSize {
        width: size.width.into(),
        height: size.height.into(),
        fps: size.fps,
    };
    DeviceFormat {
        fourcc: format.fourcc,
        description: format.description,
        sizes: format.sizes.into_iter().map(size).collect(),
    }
}

fn camera_stats(camera: &Camera, now: Timestamp) -> CameraStats {
    let status = camera.status();
    let live = camera.live();
    let (width, height) = camera.size();
    let settings = &live.config;
    CameraStats {
        name: camera.name.clone(),
        device: settings.device.to_string(),
        path: status.path,
        card: status.card,
        state: status.state,
        reason: status.reason,
        requested: format!(
            "{} {} fps {}",
            settings.size,
            settings.fps.get(),
            settings.format
        ),
        format: status
            .layout
            .map_or_else(String::new, |l| l.format.to_string()),
        width: width.into(),
        height: height.into(),
        desired_fps: settings.fps.get(),
        driver_fps: status.driver_fps,
        fps: camera.fps(now),
        quality: settings.quality.get().into(),
        captured: camera.captured.captured.get() as i64,
        driver_lost: camera.captured.driver_lost.get() as i64,
        corrupt: camera.captured.corrupt.get() as i64,
        losses: camera.captured.losses.get() as i64,
        encoded: camera.encode_time.count() as i64,
        encode_average_ms: camera.top_encode_time.mean().as_secs_f64() * 1e3,
        clients: camera.clients() as i64,
        renditions: camera
            .hub
            .renditions()
            .iter()
            .map(|used| RenditionStats {
                quality: used.rendition.quality.into(),
                width: width.div_ceil(used.rendition.scale.divisor()).into(),
                height: height.div_ceil(used.rendition.scale.divisor()).into(),
                clients: used.users as i64,
                encoded: used.encoded as i64,
                average_bytes: used.average_bytes as i64,
            })
            .collect(),
    }
}
