//! SIGHUP applies the file to the running daemon; clients notice nothing but what was changed.

use nix::sys::signal::Signal;
use streamd_protocol::{
    control::{GetConfiguration, SetLogLevel},
    stream::{ToClient, Want},
};
use streamd_tests::{daemon::Daemon, setup::Setup};

/// Writes the file anew and sends SIGHUP; returns when the reload is over.
fn reload(daemon: &mut Daemon, keys: &str) {
    daemon.setup.set_camera(keys);
    daemon.setup.write_config();
    hang_up(daemon);
}

fn hang_up(daemon: &Daemon) {
    let before = daemon.notified.count();
    daemon.signal(Signal::SIGHUP);
    let (next, _) = daemon
        .notified
        .wait_after(before, &["RELOADING=1", "MONOTONIC_USEC="]);
    daemon.notified.wait_after(next, &["READY=1"]);
}

#[test]
fn a_reload_keeps_the_client_and_applies_what_it_can() {
    let mut daemon = Setup::default().camera("quality = 80").start();
    let mut viewer = daemon.viewer();
    viewer.hello("stays", Want::default());
    let before = viewer.picture();
    reload(&mut daemon, "quality = 20\nmax-clients = 7");
    viewer.message(|m| matches!(m, ToClient::Rendition { quality: 20, .. }));
    let after = viewer.picture();
    assert!(after.bytes.len() * 3 < before.bytes.len() * 2);
    let line = daemon.log.wait_for(&["configuration reloaded"]);
    for key in ["camera.main.quality", "camera.main.max-clients"] {
        assert!(line.contains(key), "{line}");
    }
    let figures = daemon.wait_for_client(&viewer, "the client", |_| true);
    assert_eq!(figures.name, "stays");
    let toml = daemon.call(&GetConfiguration {}).unwrap().toml;
    assert!(
        toml.contains("quality = 20") && toml.contains("max-clients = 7"),
        "{toml}"
    );
}

#[test]
fn a_size_changes_under_a_clients_eyes() {
    let mut daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    assert_eq!(viewer.picture().size, (320, 240));
    reload(&mut daemon, "size = \"400x300\"");
    viewer.picture_that("the new size", |p| p.size == (400, 300));
}

#[test]
fn a_broken_file_changes_nothing() {
    let mut daemon = Setup::default().camera("quality = 60").start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    reload(&mut daemon, "quality = 600");
    let line = daemon.log.wait_for(&["configuration not reloaded"]);
    assert!(line.contains("quality") && line.contains('^'), "{line}");
    assert_eq!(daemon.stats().cameras[0].quality, 60);
    viewer.picture();
    reload(&mut daemon, "quality = 61");
    assert_eq!(daemon.stats().cameras[0].quality, 61);
}

#[test]
fn what_needs_a_restart_is_named() {
    let mut daemon = Daemon::start();
    daemon.setup = daemon.setup.clone().another("late", "");
    daemon.setup.write_config();
    hang_up(&daemon);
    let line = daemon.log.wait_for(&["configuration reloaded"]);
    let (_, restart) = line.split_once("; ").unwrap();
    assert!(
        restart.contains("camera.late") && restart.contains("needs a restart"),
        "{line}"
    );
    assert_eq!(daemon.stats().cameras.len(), 1);
}

#[test]
fn the_file_is_the_truth_again_after_changes_by_hand() {
    let mut daemon = Setup::default().camera("quality = 60").start();
    let set = streamd_protocol::control::SetCamera {
        quality: Some(30),
        ..Default::default()
    };
    daemon.call(&set).unwrap();
    assert_eq!(daemon.stats().cameras[0].quality, 30);
    reload(&mut daemon, "quality = 60");
    assert_eq!(daemon.stats().cameras[0].quality, 60);
}

#[test]
fn the_log_level_changes_live() {
    let daemon = Setup::default().tables("[log]\nlevel = \"warn\"").start();
    drop(daemon.viewer().picture());
    let quiet = SetLogLevel {
        filter: "info".into(),
    };
    daemon.call(&quiet).unwrap();
    let viewer = daemon.viewer();
    daemon
        .log
        .wait_for(&["client connected", &viewer.address()]);
    let log = daemon.log.all();
    let connected = log.iter().filter(|line| line.contains("client connected"));
    assert_eq!(connected.count(), 1, "{log:?}");
    let wrong = SetLogLevel {
        filter: "loud".into(),
    };
    let refused = daemon.call(&wrong).unwrap_err().to_string();
    assert!(
        refused.contains(r#""error", "warn", "info", "debug", "trace" or "off""#),
        "{refused}"
    );
}
