//! Pictures, statistics and whole daemons for the unit tests.

use std::sync::Arc;

use bytes::Bytes;
use streamd_protocol::stats::{
    CameraState, CameraStats, ClientStats, DroppedStats, FeedStats, LatencyStats, LimitStats,
    NatsStats, RecordingState, RecordingStats, RenditionStats, SoundStats, Stats, Transport,
};

use crate::{
    access::rules::Rules,
    camera::{Camera, Cameras},
    config,
    config::values::CameraName,
    link::readiness::Readiness,
    media::{Codec, Origin, Packet, Rendition, Scale, Timestamp, Track},
    news::News,
    state::State,
    supervise::{heartbeat::Heartbeats, log::LogLevel},
    viewer::viewers::Viewers,
};

/// A picture of 5 bytes whose times are 1, 2 and 3 seconds after the machine's start.
pub fn frame(sequence: u64) -> Packet {
    Packet {
        bytes: Bytes::from_static(&[0xFF, 0xD8, b'.', 0xFF, 0xD9]),
        sequence,
        captured: Timestamp::from_nanos(1_000_000_000),
        encode_begin: Timestamp::from_nanos(2_000_000_000),
        encode_end: Timestamp::from_nanos(3_000_000_000),
        width: 640,
        height: 480,
        track: Track::Jpeg(Rendition {
            quality: 80,
            scale: Scale::Full,
        }),
        key: true,
        droppable: false,
        origin: Origin::Camera,
    }
}

/// Two cameras, the second one lost, and two clients at the first.
pub fn stats() -> Stats {
    Stats {
        version: "1.2.3".into(),
        pid: 7,
        uptime_seconds: 12.5,
        status: String::new(),
        healthy: true,
        stuck: vec![],
        cameras: vec![
            camera("front", CameraState::Streaming),
            camera("side", CameraState::Lost),
        ],
        clients: vec![client(26, Transport::Mjpeg), client(27, Transport::Tcp)],
        nats: Some(NatsStats {
            servers: "nats://127.0.0.1:4222".into(),
            connected: true,
            reason: String::new(),
            foreign: 5,
            stale: 6,
            too_large: 7,
        }),
        refused: 4,
        dropped_clients: 1,
    }
}

fn camera(name: &str, state: CameraState) -> CameraStats {
    CameraStats {
        name: name.into(),
        device: "auto".into(),
        path: "/dev/video0".into(),
        card: "Test".into(),
        state,
        reason: String::new(),
        requested: "640x480 30 fps auto".into(),
        format: "YUYV".into(),
        width: 640,
        height: 480,
        desired_fps: 30.0,
        driver_fps: 30.0,
        fps: 29.6,
        quality: 80,
        captured: 1000,
        driver_lost: 2,
        corrupt: 1,
        losses: 3,
        encoder_faults: 4,
        encoded: 900,
        rotate: 0,
        flip: "none".into(),
        encode_average_ms: 0.8,
        clients: 2,
        renditions: vec![RenditionStats {
            codec: Codec::Jpeg,
            quality: 80,
            bit_rate: 0,
            width: 640,
            height: 480,
            clients: 2,
            encoded: 900,
            average_bytes: 50_000,
            encoder: String::new(),
            encoder_reason: String::new(),
        }],
        recording: Some(RecordingStats {
            mode: "continuous".into(),
            state: RecordingState::Recording,
            reason: String::new(),
            file: "/srv/front/2026-11-26/2026-11-26T20-41-05.123Z_continuous.part".into(),
            since: 1.5e9,
            directory: "/srv/front".into(),
            frames: 800,
            bytes: 4_000_000,
            lost: 3,
            removed: 1,
            free_bytes: 10_000_000_000,
        }),
        sound: (name == "front").then(sound),
    }
}

fn sound() -> SoundStats {
    SoundStats {
        device: "hw:1".into(),
        card: "C920".into(),
        state: CameraState::Streaming,
        reason: String::new(),
        channels: 1,
        bit_rate: 64_000,
        listeners: 2,
        level_db: Some(-23.5),
        peak_db: Some(-12.0),
        packets: 1000,
        dropped: 4,
        overruns: 5,
        losses: 6,
    }
}

fn client(id: i64, transport: Transport) -> ClientStats {
    ClientStats {
        id,
        name: String::new(),
        login: String::new(),
        peer: "127.0.0.1:5000".into(),
        transport,
        connected_since: 0.0,
        connected_seconds: 10.0,
        rtt_ms: 0.1,
        link_rate: 0.0,
        backlog_bytes: 0,
        errors: 0,
        paused: false,
        own: LimitStats::default(),
        set: LimitStats::default(),
        feeds: vec![FeedStats {
            camera: "front".into(),
            frames: 300,
            bytes: 15_000_000,
            average_fps: 30.0,
            fps: 29.7,
            latency: LatencyStats::default(),
            dropped: DroppedStats::default(),
            codec: Codec::Jpeg,
            quality: 80,
            bit_rate: 0,
            width: 640,
            height: 480,
            reason: "top".into(),
            rendition_changes: 0,
        }],
    }
}

/// A daemon of this configuration, as it is when nobody has connected yet. Its cameras have no
/// threads: [`publish`] feeds them. A runtime must be there, since sockets are watched on it.
pub fn state(toml: &str) -> Arc<State> {
    let config = config::parse(toml, "test").expect("a test's own configuration");
    let news = News::default();
    let camera = |(name, settings): (&CameraName, &config::Camera)| {
        let name = name.to_string();
        let camera = Camera::new(name, settings.clone(), Arc::default(), news.clone(), |_| {});
        Arc::new(camera.expect("a descriptor"))
    };
    let cameras = Arc::new(Cameras::new(config.camera.iter().map(camera).collect()));
    let readiness = Readiness::spawn().expect("an epoll instance");
    let rules = Rules::load(&config.access).expect("a file of tokens that is good, or none");
    let viewers = Viewers::new(cameras, readiness, news, &config.clients, rules);
    let viewers = Arc::new(viewers);
    let (heartbeats, log) = (Heartbeats::default(), LogLevel::default());
    Arc::new(State::new(viewers, heartbeats, log, None, config))
}

/// Gives all who wait for a camera's best picture [`frame`], captured now.
pub fn publish(state: &State, camera: &str, sequence: u64) {
    let camera = state
        .cameras
        .find(Some(camera))
        .expect("a camera that is there");
    camera.hub.publish(Arc::new(Packet {
        captured: Timestamp::now(),
        track: Track::Jpeg(camera.settings().ladder[0]),
        ..frame(sequence)
    }));
}
