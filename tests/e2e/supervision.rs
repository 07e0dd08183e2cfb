//! What the service manager sees: ready, alive, stopping; sockets it hands over.

use std::net::TcpListener;

use nix::sys::signal::Signal;
use streamd_protocol::stream::{Event, ToClient, Want};
use streamd_tests::{daemon::Daemon, setup::Setup, viewer::Viewer, web};

#[test]
fn ready_means_that_clients_are_served() {
    let daemon = Daemon::start();
    // No retries here: what does not answer now was not ready.
    daemon.viewer().picture();
    daemon.stats();
    assert_eq!(daemon.get("/state").status, 200);
    let before_ready = daemon.log.all();
    for listener in [daemon.setup.tcp(0), daemon.setup.http()] {
        let line = format!("listening at {listener}");
        assert!(
            before_ready.iter().any(|l| l.contains(&line)),
            "{before_ready:?}"
        );
    }
}

#[test]
fn the_status_line_tells_of_cameras_clients_and_rate() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    daemon
        .notified
        .wait_for(&["STATUS=1 camera, 1 client, ", " fps"]);
    drop(viewer);
    daemon.notified.wait_for(&["STATUS=1 camera, 0 clients, "]);
}

#[test]
fn the_watchdog_is_fed_when_it_is_wanted() {
    let daemon = Setup::default().variable("WATCHDOG_USEC", "600000").start();
    let (next, _) = daemon.notified.wait_after(0, &["WATCHDOG=1"]);
    // With a client, without one: it goes on.
    let mut viewer = daemon.viewer();
    viewer.picture();
    let (next, _) = daemon.notified.wait_after(next, &["WATCHDOG=1"]);
    drop(viewer);
    daemon.wait_for_clients(0);
    daemon.notified.wait_after(next, &["WATCHDOG=1"]);
    assert!(daemon.stats().healthy);
}

#[test]
fn sigterm_tells_the_clients_and_ends_well() {
    let mut daemon = Daemon::start();
    let mut silent = daemon.viewer();
    silent.picture();
    let mut talks = daemon.viewer();
    talks.hello("talks", Want::default());
    daemon.signal(Signal::SIGTERM);
    let messages = talks.until_closed();
    let stopping = |m: &ToClient| {
        matches!(
            m,
            ToClient::Notice {
                event: Event::Stopping,
                ..
            }
        )
    };
    assert!(messages.iter().any(stopping), "{messages:?}");
    assert_eq!(silent.until_closed(), []);
    daemon.notified.wait_for(&["STOPPING=1"]);
    let status = daemon.wait_for_end();
    assert_eq!(status.code(), Some(0), "{status}");
    daemon.streamctl("stats").failed(69, &["no streamd at"]);
}

#[test]
fn a_second_sigterm_is_no_harm() {
    let mut daemon = Daemon::start();
    let mut stalled = Viewer::connect_slow(daemon.setup.tcp(0), 1_000_000);
    stalled.picture();
    daemon.signal(Signal::SIGTERM);
    daemon.notified.wait_for(&["STOPPING=1"]);
    daemon.signal(Signal::SIGTERM);
    let status = daemon.wait_for_end();
    assert_eq!(status.code(), Some(0), "{status}");
}

#[test]
fn sigint_is_for_the_terminal_what_sigterm_is_for_the_manager() {
    let mut daemon = Daemon::start();
    daemon.signal(Signal::SIGINT);
    assert_eq!(daemon.wait_for_end().code(), Some(0));
}

#[test]
fn a_restart_can_follow_at_once() {
    let mut daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end();
    // The same ports, of which one has just closed a connection; the same control socket.
    let again = daemon.restart();
    again.viewer().picture();
}

#[test]
fn a_control_socket_that_was_left_behind_is_replaced() {
    let mut daemon = Daemon::start();
    daemon.signal(Signal::SIGKILL);
    daemon.wait_for_end();
    assert!(daemon.setup.control().exists());
    let again = daemon.restart();
    assert_eq!(again.stats().cameras.len(), 1);
}

#[test]
fn sockets_that_are_handed_over_are_used_by_their_names() {
    let camera = TcpListener::bind("127.0.0.1:0").unwrap();
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at_camera, at_http) = (camera.local_addr().unwrap(), http.local_addr().unwrap());
    let daemon = Setup::default()
        .hand_over("http", http)
        .hand_over("camera-main", camera)
        .start();
    Viewer::connect(at_camera).picture();
    assert_eq!(web::get(at_http, "/state", &[]).status, 200);
    // They stand in for the configured ones.
    let configured = std::net::TcpStream::connect(daemon.setup.tcp(0));
    assert!(configured.is_err(), "{configured:?}");
}

#[test]
fn a_socket_with_an_unknown_name_is_closed_with_a_warning() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = stranger.local_addr().unwrap();
    let daemon = Setup::default().hand_over("camera-attic", stranger).start();
    daemon
        .log
        .wait_for(&["\"camera-attic\"", "is not used", "camera-main"]);
    assert!(std::net::TcpStream::connect(at).is_err());
    daemon.viewer().picture();
}
