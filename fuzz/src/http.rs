//! Any bytes as what a client of HTTP sends: the real connection, routing and answers, on a daemon
//! whose cameras deliver nothing.

use std::sync::Arc;

use streamd::{
    access::rules::Rules,
    camera::{Camera, Cameras},
    config,
    http::{self, Site},
    link::readiness::Readiness,
    news::News,
    state::State,
    supervise::{heartbeat::Heartbeats, log::LogLevel},
    viewer::viewers::Viewers,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CONFIGURATION: &str = r#"
[http]
allowed-origins = ["https://panel.example"]
allowed-hosts = ["cam"]
[camera.front]
[camera.side]
"#;

/// What is answered is HTTP; a stream's answer is its head.
pub fn run(bytes: &[u8]) {
    // Time passes at once when all wait: no time-out is waited for.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (answer, became_viewer) = runtime.block_on(exchange(bytes));
    let answered = answer.starts_with(b"HTTP/1.1 ") || answer.starts_with(b"HTTP/1.0 ");
    assert!(answered || answer.is_empty());
    assert!(!became_viewer || answer.ends_with(b"\r\n\r\n"));
}

/// What is answered until the connection ends, and whether it has become a viewer's.
async fn exchange(bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut socket, mut ours) = tokio::io::duplex(1 << 20);
    let site = site();
    let serving = tokio::spawn(async move {
        let peer = "1.2.3.4:5";
        let seat = http::connection::enter(&site, peer).expect("nobody else is there");
        let became = http::connection::serve(&site, peer.into(), seat, false, &mut ours).await;
        became.is_some()
    });
    // It may have been closed before all of it was sent.
    let _ = socket.write_all(bytes).await;
    let mut answer = Vec::new();
    // A stream of events has no end.
    let _ = (&mut socket).take(1 << 20).read_to_end(&mut answer).await;
    drop(socket);
    (answer, serving.await.expect("no panic"))
}

fn site() -> Arc<Site> {
    let config = config::parse(CONFIGURATION, "fuzz").expect("a configuration");
    let news = News::default();
    let camera = |(name, settings): (&config::values::CameraName, &config::Camera)| {
        let name = name.to_string();
        let camera = Camera::new(name, settings.clone(), Arc::default(), news.clone(), |_| {});
        Arc::new(camera.expect("a descriptor"))
    };
    let cameras = Arc::new(Cameras::new(config.camera.iter().map(camera).collect()));
    let readiness = Readiness::spawn().expect("an epoll instance");
    let rules = Rules::load(&config.access).expect("a file of tokens that is good, or none");
    let viewers = Arc::new(Viewers::new(
        cameras,
        readiness,
        news,
        &config.clients,
        rules,
    ));
    let (heartbeats, log) = (Heartbeats::default(), LogLevel::default());
    let state = Arc::new(State::new(viewers, heartbeats, log, None, config));
    Site::new(Arc::clone(&state), http::router(http::Served::new(state)))
}
