//! Starts and stops everything, in this order and for these reasons.
//!
//! Start: the log, so that all that follows is heard; the listeners, so that a port in use ends
//! the daemon before a camera is touched; the cameras, each on its own thread, and the encode
//! threads; the clients' runtime; the control plane, once there is something to control; the
//! watchdog; and only then `READY=1`. A camera that is absent is no failure.
//!
//! Stop: no new clients; those there are told and drained; the control plane last of the sockets,
//! so that a stop can be watched; then the cameras are switched off and the threads joined.

use std::{
    net::{IpAddr, SocketAddr},
    os::unix::net::UnixListener,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{runtime::Runtime, sync::watch, task::JoinSet};

use crate::{
    access::{
        exposure::{self, Exposed},
        rules::Rules,
    },
    camera::{
        Camera, Cameras,
        pipeline::{Pipeline, Workers},
    },
    capture,
    capture::Captures,
    config::{Config, values::Listen},
    control,
    control::Control,
    encode, events,
    hook::Hook,
    http::{self, Served, Site, listener},
    hub::WorkList,
    link::{
        bound::Bound,
        listener::Taken,
        readiness::Readiness,
        tls::{Files, Tls},
    },
    meters::NatsMeters,
    metrics,
    news::News,
    report,
    restart::{self, Returning},
    state::State,
    supervise::{
        heartbeat::{Heartbeat, Heartbeats},
        inherited::{CONTROL, HTTP, Inherited, METRICS, RTSP, camera_name},
        limits, log,
        notify::Notify,
        panics,
        signals::{Signal, Signals},
        watchdog,
        watchdog::Watchdog,
    },
    viewer::{tcp, viewers::Viewers},
};

#[cfg(feature = "mdns")]
use crate::announce::Announcement;
#[cfg(feature = "nats")]
use crate::fleet;
#[cfg(feature = "rtsp")]
use crate::rtsp;
#[cfg(feature = "whep")]
use crate::whep::endpoint::Endpoint;

/// How long clients may take to hear that the daemon stops.
const DRAIN: Duration = Duration::from_millis(500);

/// Who may connect to a Unix socket, control or pictures: the daemon's user and group.
const SOCKET_MODE: u32 = 0o660;

/// Between two looks at whether the certificate has changed.
const RENEW: Duration = Duration::from_secs(60);

/// Between two beats of the runtime that serves the clients.
const BEAT: Duration = Duration::from_secs(1);

/// The daemon, started.
pub struct Daemon {
    state: Arc<State>,
    notify: Arc<Notify>,
    /// The tasks that accept clients; they end first.
    listening: JoinSet<()>,
    #[cfg(feature = "mdns")]
    announcement: Option<Announcement>,
    control: Control,
    hook: Hook,
    runtime: Runtime,
    captures: Captures,
    workers: Workers,
    watchdog: Watchdog,
}

impl Daemon {
    /// Starts everything. `path` is where the configuration was read from, for reloads.
    ///
    /// # Errors
    /// When a listener can't be bound or the kernel has no thread or descriptor to spare.
    pub fn start(config: Config, path: Option<PathBuf>) -> anyhow::Result<Self> {
        let log = log::init(&config.log.level).map_err(anyhow::Error::msg)?;
        panics::take_over();
        if !encode::simd() {
            tracing::warn!("the JPEG encoder was built without SIMD: several times slower (nasm)");
        }
        if let Err(error) = limits::raise_open_files() {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
        if let Some(lacking) = config.lacking() {
            anyhow::bail!(lacking);
        }
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        let rules = Rules::load(&config.access)?;
        if !rules.are_there() {
            exposure::check(&config)?;
        }
        let tls = Files::of(&config.tls).map(Tls::load).transpose()?;
        let mut inherited = Inherited::take();
        let returning = Returning::take(inherited.take_left());
        let sockets = Sockets::bind(&config, inherited)?;
        if !rules.are_there() {
            sockets.check_exposure()?;
        }

        let heartbeats = Heartbeats::default();
        let work = Arc::<WorkList>::default();
        let news = News::default();
        let (cameras, watched) = cameras(&config, &work, &news)?;
        for camera in &cameras {
            let before = returning.as_ref().map_or(0, |r| r.sequence(&camera.name));
            camera.captured.sequence.add(before);
        }
        let workers = Workers::spawn(&work, &cameras, &heartbeats)?;
        let captures = Captures::spawn(cameras.iter().map(capture).collect(), &heartbeats)
            .context("the capture threads can't be started")?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("serve")
            .enable_all()
            .build()
            .context("the threads that serve the clients can't be started")?;
        let _entered = runtime.enter();
        runtime.spawn(beat(heartbeats.register("serve")));
        for (camera, watched) in cameras.iter().zip(watched) {
            runtime.spawn(keep_on(Arc::clone(camera), watched));
        }
        let cameras = Arc::new(Cameras::new(cameras));
        let viewers = Arc::new(Viewers::new(
            cameras,
            Readiness::spawn()?,
            news,
            &config.clients,
            rules,
        ));
        let servers = &config.nats.servers;
        let nats = (!servers.is_empty()).then(|| Arc::new(NatsMeters::new(servers)));
        let state = State::new(viewers, heartbeats.clone(), log, path, config)
            .with_tls(tls)
            .with_nats(nats);
        let state = Arc::new(state);
        let recording = state.recorders.spawn();
        recording.context("the threads that record can't be started")?;
        let served = Served::new(Arc::clone(&state));
        if let Some(returning) = returning {
            returning.serve(&state, &served);
        }
        #[cfg(feature = "mdns")]
        let announcement = sockets.announce(&state);
        let (mut listening, control) = sockets.serve(served, &heartbeats)?;
        connect_nats(&runtime, &state, &mut listening)?;
        let hook = Hook::spawn(Arc::clone(&state)).context("the hook can't be started")?;
        let notify = Arc::<Notify>::default();
        runtime.spawn(report::run(Arc::clone(&state), Arc::clone(&notify)));
        runtime.spawn(renew(Arc::clone(&state)));
        let watchdog = watchdog::spawn(heartbeats)?;
        drop(_entered);
        Ok(Self {
            state,
            notify,
            listening,
            #[cfg(feature = "mdns")]
            announcement,
            control,
            hook,
            runtime,
            captures,
            workers,
            watchdog,
        })
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// When the signals can't be taken over.
    pub fn run(mut self) -> anyhow::Result<()> {
        let entered = self.runtime.enter();
        let mut signals = Signals::take().context("the signals can't be taken over")?;
        drop(entered);
        self.notify.ready();
        tracing::info!(
            message_id = events::READY,
            version = env!("CARGO_PKG_VERSION"),
            "ready"
        );
        let runtime = &self.runtime;
        runtime.block_on(async {
            while signals.next().await == Signal::Reload {
                self.notify.reloading();
                // The outcome is in the log; the old configuration stays where it failed.
                let _ = self.state.reload();
                self.notify.ready();
            }
            tracing::info!(message_id = events::STOPPING, "stopping");
            self.notify.stopping();
            #[cfg(feature = "mdns")]
            drop(self.announcement.take());
            self.listening.shutdown().await;
            restart::end_viewers(&self.state.viewers);
            tokio::select! {
                () = drained(&self.state.viewers) => {}
                _ = signals.next() => tracing::warn!("stopping at once"),
            }
        });
        restart::leave(&self.state.viewers);
        self.control.stop();
        drop(self.hook);
        self.state.recorders.stop();
        drop(self.captures);
        drop(self.workers);
        drop(self.watchdog);
        self.runtime.shutdown_timeout(DRAIN);
        Ok(())
    }
}

/// All listeners, bound, and nothing served yet.
struct Sockets {
    control: Vec<UnixListener>,
    http: Vec<Bound>,
    rtsp: Vec<Bound>,
    #[cfg(feature = "whep")]
    webrtc: Option<std::net::UdpSocket>,
    metrics: Vec<Bound>,
    raw: Vec<(String, Vec<Bound>)>,
}

impl Sockets {
    fn bind(config: &Config, mut inherited: Inherited) -> anyhow::Result<Self> {
        let control = match handed_over(&mut inherited, CONTROL)? {
            listeners if listeners.is_empty() => {
                let path = Listen::Unix(config.control_socket());
                vec![Bound::bind(&path, SOCKET_MODE)?]
            }
            listeners => listeners,
        };
        let control = control.into_iter().filter_map(|listener| match listener {
            Bound::Unix(unix) => Some(unix),
            Bound::Tcp(_) => {
                tracing::warn!("{listener}: the control socket is a Unix socket; this is not used");
                None
            }
        });
        let control = control.collect();
        let mut bound = |name: &str, listen: &[Listen]| match handed_over(&mut inherited, name)? {
            listeners if listeners.is_empty() => {
                let all = Bound::bind_all(listen, SOCKET_MODE)?;
                for error in &all.lacking {
                    tracing::warn!("{error}; the other listeners of {name} are served");
                }
                Ok(all.bound)
            }
            listeners => anyhow::Ok(listeners),
        };
        let http = bound(HTTP, &config.http.listen)?;
        let rtsp = bound(RTSP, &config.rtsp.listen)?;
        let metrics = bound(METRICS, &config.metrics.listen)?;
        #[cfg(feature = "whep")]
        let webrtc = bind_datagrams(config)?;
        #[cfg(not(feature = "whep"))]
        anyhow::ensure!(
            config.webrtc.listen.is_none(),
            "webrtc.listen: this streamd was built without WebRTC (the feature `whep`)"
        );
        let mut raw = Vec::new();
        for name in config.camera.keys() {
            let listeners = bound(&camera_name(name), config.camera_listen(name))?;
            raw.push((name.to_string(), listeners));
        }
        inherited.close_rest(config.camera.keys());
        Ok(Self {
            control,
            http,
            rtsp,
            #[cfg(feature = "whep")]
            webrtc,
            metrics,
            raw,
        })
    }

    /// Those that systemd has handed over too.
    fn check_exposure(&self) -> Result<(), Exposed> {
        let named = [
            ("http", &self.http),
            ("rtsp", &self.rtsp),
            ("metrics", &self.metrics),
        ];
        let raw = self.raw.iter().map(|(name, bound)| (&**name, bound));
        for (name, listeners) in named.into_iter().chain(raw) {
            for listener in listeners {
                if let Some(address) = listener.tcp_address() {
                    Exposed::check(format!("{name}: listener"), address)?;
                }
            }
        }
        Ok(())
    }

    /// Announces those of HTTP, where that is wanted.
    #[cfg(feature = "mdns")]
    fn announce(&self, state: &State) -> Option<Announcement> {
        let config = state.general(|config| config.http.clone());
        let addresses: Vec<_> = self.http.iter().filter_map(Bound::tcp_address).collect();
        let announce = || Announcement::start(&addresses, config.tls);
        config.announce.then(announce).flatten()
    }

    fn serve(
        self,
        served: Served,
        heartbeats: &Heartbeats,
    ) -> anyhow::Result<(JoinSet<()>, Control)> {
        let state = &Arc::clone(&served.state);
        let config = state.configuration();
        let tls = |wanted: bool| state.tls.clone().filter(|_| wanted);
        let mut listening = JoinSet::new();
        for (camera, listeners) in self.raw {
            for listener in listeners {
                let of_camera = config
                    .camera
                    .iter()
                    .find(|(name, _)| name.as_str() == camera);
                let tls = tls(of_camera.is_some_and(|(_, camera)| camera.tls));
                let what = encrypted("raw TCP", tls.is_some());
                tracing::info!(
                    message_id = events::LISTENING,
                    camera,
                    "listening at {listener} ({what})"
                );
                let viewers = Arc::clone(&state.viewers);
                let listener = listener.try_into()?;
                let proxied = state.cameras.find(Some(&camera))?.settings();
                let proxied = proxied.config.proxy_protocol;
                let taken = Taken { proxied, tls };
                listening.spawn(tcp::serve(listener, viewers, camera.clone(), taken));
            }
        }
        serve_rtsp(self.rtsp, state, tls(config.rtsp.tls), &mut listening)?;
        #[cfg(feature = "whep")]
        let served = serve_webrtc(self.webrtc, served, &config, &mut listening)?;
        let pages = http::router(served);
        let metrics = metrics::router::router(Arc::clone(state));
        let proxied = config.http.proxy_protocol;
        for (listeners, router, what, proxied, encrypts) in [
            (self.http, pages, "HTTP", proxied, config.http.tls),
            (self.metrics, metrics, "metrics", false, config.metrics.tls),
        ] {
            let site = Site::new(Arc::clone(state), router);
            let tls = tls(encrypts);
            let has_page = what == "HTTP";
            let what = encrypted(what, encrypts);
            for listener in listeners {
                let link = match &listener {
                    Bound::Tcp(_) if has_page => page(&listener.to_string(), encrypts),
                    _ => String::new(),
                };
                tracing::info!(
                    message_id = events::LISTENING,
                    "listening at {listener} ({what}){link}"
                );
                let (listener, site) = (listener.try_into()?, Arc::clone(&site));
                let taken = Taken {
                    proxied,
                    tls: tls.clone(),
                };
                listening.spawn(listener::serve(listener, site, taken));
            }
        }
        let target = Arc::clone(state);
        let control = control::spawn(self.control, target, heartbeats.register("control"))
            .context("the control plane can't be started")?;
        Ok((listening, control))
    }
}

/// Connects to NATS, where it is configured; what lacks it has been refused before.
#[cfg(feature = "nats")]
fn connect_nats(runtime: &Runtime, state: &State, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
    let Some(meters) = state.nats.clone() else {
        return Ok(());
    };
    let config = state.general(|config| config.nats.clone());
    runtime.block_on(fleet::start(&config, &state.viewers, meters, tasks))
}

#[cfg(not(feature = "nats"))]
fn connect_nats(_: &Runtime, _: &State, _: &mut JoinSet<()>) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(feature = "rtsp")]
fn serve_rtsp(
    listeners: Vec<Bound>,
    state: &State,
    tls: Option<Arc<Tls>>,
    listening: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let what = encrypted("RTSP", tls.is_some());
    for listener in listeners {
        tracing::info!(
            message_id = events::LISTENING,
            "listening at {listener} ({what})"
        );
        let taken = Taken {
            proxied: false,
            tls: tls.clone(),
        };
        let viewers = Arc::clone(&state.viewers);
        listening.spawn(rtsp::listener::serve(listener.try_into()?, viewers, taken));
    }
    Ok(())
}

#[cfg(not(feature = "rtsp"))]
fn serve_rtsp(
    listeners: Vec<Bound>,
    _: &State,
    _: Option<Arc<Tls>>,
    _: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        listeners.is_empty(),
        "rtsp.listen: this streamd was built without RTSP (the feature `rtsp`)"
    );
    Ok(())
}

/// The port of WebRTC, if there is to be one.
#[cfg(feature = "whep")]
fn bind_datagrams(config: &Config) -> anyhow::Result<Option<std::net::UdpSocket>> {
    let Some(address) = config.webrtc.listen else {
        return Ok(None);
    };
    let socket = std::net::UdpSocket::bind(address.0);
    Ok(Some(socket.with_context(|| {
        format!("webrtc.listen: {address} (UDP)")
    })?))
}

#[cfg(feature = "whep")]
fn serve_webrtc(
    socket: Option<std::net::UdpSocket>,
    served: Served,
    config: &Config,
    listening: &mut JoinSet<()>,
) -> anyhow::Result<Served> {
    let Some(socket) = socket else {
        return Ok(served);
    };
    let at = socket.local_addr()?;
    let public = config.webrtc.public_address.map(|address| address.0);
    let strays = Arc::clone(&served.state.viewers.strays);
    let endpoint = Endpoint::new(socket, public, strays)?;
    tracing::info!(
        message_id = events::LISTENING,
        "listening at {at} (WebRTC, UDP)"
    );
    listening.spawn(Arc::clone(&endpoint).run());
    Ok(Served {
        webrtc: Some(endpoint),
        ..served
    })
}

/// What a listener serves, in the log.
fn encrypted(what: &str, tls: bool) -> String {
    let tls = if tls { " over TLS" } else { "" };
    format!("{what}{tls}")
}

/// The address of the page as a link that a terminal opens. Where every address of the machine is
/// listened at, its own name is the one that others can use.
fn page(listener: &str, encrypted: bool) -> String {
    let Ok(address) = listener.parse::<SocketAddr>() else {
        return String::new();
    };
    let host = match address.ip() {
        any if any.is_unspecified() => nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "localhost".into()),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let s = if encrypted { "s" } else { "" };
    format!("; the page: http{s}://{host}:{}/", address.port())
}

/// The listeners of this name that systemd hands over.
fn handed_over(inherited: &mut Inherited, name: &str) -> anyhow::Result<Vec<Bound>> {
    let take = |fd| Bound::try_from(fd).with_context(|| format!("socket {name:?} of systemd"));
    inherited.take_named(name).into_iter().map(take).collect()
}

/// All cameras, and of each whether somebody watches it.
fn cameras(
    config: &Config,
    work: &Arc<WorkList>,
    news: &News,
) -> anyhow::Result<(Vec<Arc<Camera>>, Vec<Watched>)> {
    let cameras = config.camera.iter();
    let cameras = cameras.map(|(name, config)| camera(name.as_str(), config, work, news));
    let cameras = cameras.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(cameras.into_iter().unzip())
}

/// Whether somebody watches a camera.
type Watched = watch::Receiver<bool>;

/// A camera, and whether somebody watches it.
fn camera(
    name: &str,
    config: &crate::config::Camera,
    work: &Arc<WorkList>,
    news: &News,
) -> anyhow::Result<(Arc<Camera>, Watched)> {
    let (tell, told) = watch::channel(false);
    let tell = move |watched| {
        tell.send_replace(watched);
    };
    let camera = Camera::new(
        name.into(),
        config.clone(),
        Arc::clone(work),
        news.clone(),
        tell,
    )
    .with_context(|| format!("camera {name}"))?;
    Ok((Arc::new(camera), told))
}

fn capture(camera: &Arc<Camera>) -> capture::Start {
    capture::Start {
        orders: Arc::clone(&camera.orders),
        counters: Arc::clone(&camera.captured),
        sink: Box::new(Pipeline::new(Arc::clone(camera))),
    }
}

/// Switches a camera on as soon as somebody watches, and off when nobody has for `idle-after`.
async fn keep_on(camera: Arc<Camera>, mut watched: Watched) {
    while watched.changed().await.is_ok() {
        let now = *watched.borrow_and_update();
        if !now {
            let idle_after = camera.settings().config.idle_after.get();
            if idle_after.is_zero() {
                continue;
            }
            tokio::select! {
                biased;
                changed = watched.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    watched.mark_changed();
                    continue;
                }
                () = tokio::time::sleep(idle_after) => {}
            }
        }
        camera.orders.set_watched(now);
    }
}

/// Shows that the clients' runtime moves.
async fn beat(heartbeat: Heartbeat) {
    loop {
        heartbeat.beat();
        tokio::time::sleep(BEAT).await;
    }
}

/// Takes certificates that others renew.
async fn renew(state: Arc<State>) {
    while state.tls.is_some() {
        tokio::time::sleep(RENEW).await;
        state.renew_certificate();
    }
}

async fn drained(viewers: &Viewers) {
    let deadline = tokio::time::Instant::now() + DRAIN;
    while viewers.registry.count() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
