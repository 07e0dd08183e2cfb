//! Frames flow, and each is a valid file that says what it is.

use streamd_tests::{
    daemon::Daemon,
    setup::Setup,
    viewer::{Payload, Viewer},
};

#[test]
fn a_client_that_says_nothing_gets_pictures_and_nothing_else() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    let mut last: Option<(u64, u64)> = None;
    for _ in 0..20 {
        let Some(Payload::Picture(picture)) = viewer.payload() else {
            panic!("a client that says nothing gets only pictures");
        };
        assert_eq!(picture.app.camera, "main");
        assert_eq!(picture.size, (320, 240));
        let now = (picture.app.sequence, picture.app.captured_us);
        assert!(last.is_none_or(|last| last.0 < now.0 && last.1 <= now.1));
        last = Some(now);
    }
    let figures = daemon.wait_for_client(&viewer, "20 frames", |c| c.frames() >= 20);
    let feed = &figures.feeds[0];
    assert_eq!((feed.camera.as_str(), figures.name.as_str()), ("main", ""));
    assert_eq!((feed.quality, feed.width, feed.height), (80, 320, 240));
    assert_eq!(feed.reason, "top");
    daemon
        .log
        .wait_for(&["client connected", &viewer.address()]);
    let address = viewer.address();
    drop(viewer);
    daemon.wait_for_clients(0);
    daemon
        .log
        .wait_for(&["client disconnected", &address, "closed by the client"]);
}

#[test]
fn pictures_decode_and_move() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    let first = viewer.picture();
    let second = viewer.picture();
    assert!(first.colour() > 100, "the test pattern has colour bars");
    assert!(first.pixels() != second.pixels(), "the test pattern moves");
}

#[test]
fn many_clients_get_the_same_bytes_and_each_picture_is_encoded_once() {
    let daemon = Daemon::start();
    let mut viewers: Vec<_> = (0..8).map(|_| daemon.viewer()).collect();
    let mut seen = std::collections::HashMap::new();
    for _ in 0..15 {
        for picture in viewers.iter_mut().map(Viewer::picture) {
            let same = seen
                .entry(picture.app.sequence)
                .or_insert_with(|| picture.clone());
            assert_eq!(*same, picture);
        }
    }
    let camera = daemon.stats().cameras.remove(0);
    assert_eq!(camera.clients, 8);
    assert!(
        camera.encoded <= camera.captured,
        "{} encoded of {} captured",
        camera.encoded,
        camera.captured
    );
}

#[test]
fn each_camera_has_a_port_of_its_own() {
    let daemon = Setup::default()
        .another("back", "size = \"160x120\"\nquality = 40")
        .start();
    let mut back = Viewer::connect(daemon.setup.tcp(1));
    let mut main = daemon.viewer();
    let (main, back) = (main.picture(), back.picture());
    assert_eq!((main.app.camera.as_str(), main.size), ("main", (320, 240)));
    assert_eq!((back.app.camera.as_str(), back.size), ("back", (160, 120)));
    let stats = daemon.stats();
    let names: Vec<_> = stats.cameras.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["main", "back"], "the order of the file");
    assert!(stats.status.starts_with("2 cameras, "), "{}", stats.status);
}

#[test]
fn odd_sizes_are_exact() {
    let daemon = Setup::default().camera("size = \"322x182\"").start();
    let picture = daemon.viewer().picture();
    assert_eq!(picture.size, (322, 182));
    assert_eq!(picture.pixels().len(), 322 * 182);
}
