//! The page as people see it.

use ratatui::{Terminal, backend::TestBackend};
use streamd_protocol::stats::{
    ClientStats, DroppedStats, FeedStats, LatencyStats, LimitStats, SoundStats, Stats, Transport,
};

use super::{super::columns::Sort, *};
use crate::terminal::input::Key;

pub fn client(id: i64) -> ClientStats {
    ClientStats {
        id,
        name: String::new(),
        login: String::new(),
        peer: format!("10.0.0.{id}:5234{id}"),
        transport: Transport::Tcp,
        connected_since: 1.76e9,
        connected_seconds: 185.0,
        rtt_ms: 1.2,
        link_rate: 92.4e6,
        backlog_bytes: 0,
        errors: 0,
        paused: false,
        own: LimitStats::default(),
        set: LimitStats::default(),
        feeds: vec![feed("main")],
    }
}

fn feed(camera: &str) -> FeedStats {
    FeedStats {
        camera: camera.into(),
        frames: 5_400,
        bytes: 280_800_000,
        average_fps: 29.2,
        fps: 30.0,
        latency: LatencyStats {
            average_ms: 4.2,
            p50_ms: 4.0,
            p95_ms: 7.9,
            measured: 5_400,
        },
        dropped: DroppedStats::default(),
        codec: streamd_protocol::stream::Codec::Jpeg,
        quality: 80,
        bit_rate: 0,
        width: 640,
        height: 480,
        reason: "top".into(),
        rendition_changes: 0,
    }
}

pub fn stats() -> Stats {
    let camera = CameraStats {
        name: "main".into(),
        device: "auto".into(),
        path: "/dev/video0".into(),
        card: "vivid".into(),
        state: CameraState::Streaming,
        reason: String::new(),
        requested: "640x480 30 fps auto".into(),
        format: "YUYV".into(),
        width: 640,
        height: 480,
        desired_fps: 30.0,
        driver_fps: 30.0,
        fps: 29.97,
        quality: 80,
        captured: 5_500,
        driver_lost: 1,
        corrupt: 0,
        losses: 0,
        encoder_faults: 0,
        encoded: 5_500,
        rotate: 0,
        flip: "none".into(),
        encode_average_ms: 0.75,
        clients: 3,
        renditions: Vec::new(),
        recording: None,
        sound: None,
    };
    let mut clients = [1, 2, 7].map(client);
    clients[1].feeds[0].latency.average_ms = 1.1;
    clients[2].name = "robot\u{1b}[31m".into();
    clients[2].feeds[0].latency.average_ms = 92.0;
    clients[2].feeds[0].dropped.total = 12;
    clients[2].set.quality = 40;
    Stats {
        version: "0.1.0".into(),
        pid: 4711,
        uptime_seconds: 7_380.0,
        status: "1 camera, 3 clients, 30.0 fps".into(),
        healthy: true,
        stuck: Vec::new(),
        cameras: vec![camera],
        clients: clients.to_vec(),
        nats: None,
        refused: 0,
        dropped_clients: 0,
    }
}

fn page(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model, false)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn eighty_by_twenty_four() {
    let mut model = Model::new(Sort::Latency);
    model.update(stats());
    insta::assert_snapshot!(page(&mut model, 80, 24));
}

/// A second later: a camera is lost, and the clients have been sent something.
fn later() -> Model {
    let mut model = Model::new(Sort::Id);
    model.update(stats());
    let mut later = stats();
    later.uptime_seconds += 1.0;
    later.healthy = false;
    for client in &mut later.clients {
        client.feeds[0].bytes += 1_550_000;
    }
    let mut lost = later.cameras[0].clone();
    lost.name = "workbench-left".into();
    lost.state = CameraState::Lost;
    lost.reason = "/dev/video2: busy: another program uses it: cheese (PID 1234)".into();
    (lost.fps, lost.clients, lost.card) = (0.0, 0, String::new());
    later.cameras.push(lost);
    later.status = "2 cameras, 3 clients, 30.0 + 0.0 fps; workbench-left: /dev/video2: busy: another program uses it".into();
    model.update(later);
    model
}

#[test]
fn a_lost_camera_at_eighty_columns() {
    insta::assert_snapshot!(page(&mut later(), 80, 16));
}

#[test]
fn a_lost_camera_at_a_hundred_and_twenty_columns() {
    insta::assert_snapshot!(page(&mut later(), 120, 16));
}

#[test]
fn a_lost_camera_at_two_hundred_columns() {
    insta::assert_snapshot!(page(&mut later(), 200, 16));
}

#[test]
fn a_wide_terminal_shows_every_column() {
    let mut model = Model::new(Sort::Id);
    model.update(stats());
    let page = page(&mut model, 220, 24);
    for word in [
        "ADDRESS",
        "10.0.0.1:52341",
        "RTT",
        "LIMITS",
        "q40",
        "WHY",
        "VIA",
    ] {
        assert!(page.contains(word), "{word}\n{page}");
    }
}

#[test]
fn a_client_of_two_cameras_has_a_row_for_each() {
    let mut model = Model::new(Sort::Id);
    let mut both = stats();
    both.clients[0].feeds.push(feed("side"));
    model.update(both);
    assert_eq!(model.clients().len(), 4);
    model.key(Key::Down);
    assert_eq!(model.client_row(), Some(1));
    assert_eq!(model.clients()[1].feed.camera, "side");
    assert!(page(&mut model, 220, 24).contains("side"));
}

#[test]
fn what_is_wrong_is_said() {
    let mut model = Model::new(Sort::Id);
    let mut stuck = stats();
    stuck.healthy = false;
    stuck.stuck = vec!["capture-main".into()];
    model.update(stuck);
    assert!(page(&mut model, 80, 24).contains("STUCK: capture-main does not move"));
    model.trouble = Some("no streamd at /run/streamd/control".into());
    assert!(page(&mut model, 80, 24).contains("NO DATA for 0s: no streamd at"));
}

#[test]
fn sound_that_is_lost_is_said() {
    let mut model = Model::new(Sort::Id);
    let mut silent = stats();
    silent.cameras[0].sound = Some(SoundStats {
        device: "hw:1".into(),
        card: String::new(),
        state: CameraState::Lost,
        reason: "no such device".into(),
        channels: 1,
        bit_rate: 64_000,
        listeners: 1,
        level_db: None,
        peak_db: None,
        packets: 0,
        dropped: 0,
        overruns: 0,
        losses: 1,
    });
    model.update(silent);
    let name = &stats().cameras[0].name;
    let said = page(&mut model, 80, 24);
    assert!(
        said.contains(&format!("NO SOUND: {name}: no such device")),
        "{said}"
    );
}

#[test]
fn questions_and_help_are_shown() {
    let mut model = Model::new(Sort::Id);
    model.update(stats());
    model.key(Key::Char('k'));
    assert!(page(&mut model, 80, 24).contains("Kick client 1 (10.0.0.1:52341)? y/n"));
    model.key(Key::Char('n'));
    model.key(Key::Char('f'));
    model.key(Key::Char('5'));
    assert!(page(&mut model, 80, 24).contains("fps at most (0.1-1000, none for no limit): 5_"));
    model.key(Key::Escape);
    model.key(Key::Char('?'));
    assert!(page(&mut model, 80, 24).contains("kick the client"));
}

#[test]
fn any_size_is_no_panic() {
    let mut model = Model::new(Sort::Id);
    model.update(stats());
    model.key(Key::Char('?'));
    for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 1), (1, 24), (300, 100)] {
        page(&mut model, width, height);
    }
}
