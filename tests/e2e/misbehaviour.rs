//! Clients that break the protocol, or just sit there: each hurts itself alone.

use streamd_protocol::stream::{MAX_FROM_CLIENT, Want};
use streamd_tests::{daemon::Daemon, setup::Setup, viewer::Viewer};

/// Checks that a client still gets frames that are captured from now on.
#[track_caller]
fn unaffected(witness: &mut Viewer) {
    let target = witness.picture().app.sequence + 5;
    witness.picture_that("frames go on", |p| p.app.sequence >= target);
}

#[test]
fn a_length_beyond_all_reason_ends_that_client() {
    let daemon = Daemon::start();
    let mut witness = daemon.viewer();
    witness.picture();
    let mut garbage = daemon.viewer();
    garbage.picture();
    garbage.write(b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n");
    garbage.until_closed();
    daemon.log.wait_for(&[
        "client disconnected",
        &garbage.address(),
        &format!("up to {MAX_FROM_CLIENT} are allowed"),
    ]);
    let mut oversized = daemon.viewer();
    oversized.write(&(MAX_FROM_CLIENT as u64 + 1).to_le_bytes());
    oversized.until_closed();
    daemon
        .log
        .wait_for(&[&oversized.address(), "a payload of 16385 bytes"]);
    unaffected(&mut witness);
    let stats = daemon.wait_for_clients(1);
    assert_eq!((stats.clients[0].errors, stats.dropped_clients), (0, 2));
}

#[test]
fn messages_that_make_no_sense_are_counted_and_the_client_stays() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    for nonsense in [
        &b"{"[..],
        b"",
        b"\xFF\xD8\xFF",
        br#"{"type":"dance"}"#,
        br#"{"type":"ping"}"#,
        br#"{"type":"want","fps":"many"}"#,
        &[b'['; MAX_FROM_CLIENT],
    ] {
        viewer.say_bytes(nonsense);
    }
    daemon.wait_for_client(&viewer, "seven errors", |c| c.errors == 7);
    unaffected(&mut viewer);
}

#[test]
fn half_a_message_holds_up_nothing() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    let json = br#"{"type":"hello","name":"in two halves"}"#;
    let whole = [&(json.len() as u64).to_le_bytes()[..], json].concat();
    let (first, second) = whole.split_at(20);
    viewer.write(first);
    unaffected(&mut viewer);
    viewer.write(second);
    daemon.wait_for_client(&viewer, "its name", |c| c.name == "in two halves");
    viewer.write(&[1, 0, 0]);
    let address = viewer.address();
    drop(viewer);
    daemon
        .log
        .wait_for(&["client disconnected", &address, "closed by the client"]);
    assert_eq!(daemon.wait_for_clients(0).dropped_clients, 0);
}

#[test]
fn a_client_that_talks_too_much_without_reading_is_dropped() {
    let daemon = Daemon::start();
    let mut witness = daemon.viewer();
    let mut viewer = Viewer::connect_slow(daemon.setup.tcp(0), 500_000);
    viewer.hello("talks", Want::default());
    let ping = br#"{"type":"ping","t":1}"#;
    let message = [&(ping.len() as u64).to_le_bytes()[..], ping].concat();
    // The answers fill every buffer on the way.
    let closed = (0..200).any(|_| viewer.try_write(&message.repeat(1000)).is_err());
    assert!(closed, "200,000 unread answers");
    daemon.log.wait_for(&[
        "client disconnected",
        &viewer.address(),
        "does not read its messages",
    ]);
    unaffected(&mut witness);
}

#[test]
fn a_client_that_never_reads_is_dropped_after_the_time_out() {
    let daemon = Setup::default()
        .tables("[clients]\nclient-timeout = \"1s\"")
        .start();
    let mut witness = daemon.viewer();
    // Its buffer is small, so that it is soon full.
    let stalled = Viewer::connect_slow(daemon.setup.tcp(0), 1);
    daemon.wait_for_clients(2);
    let address = stalled.address();
    let watch = std::thread::spawn(move || {
        let first = witness.picture().app.sequence;
        let last = witness.picture_that("60 frames", |p| p.app.sequence >= first + 60);
        (last.app.sequence - first, witness)
    });
    daemon
        .log
        .wait_for(&["client disconnected", &address, "took nothing for 1s"]);
    let (_, witness) = watch.join().unwrap();
    let figures = daemon.wait_for_client(&witness, "the witness is there", |_| true);
    let dropped = &figures.feeds[0].dropped;
    assert_eq!(dropped.slow_link + dropped.slow_reader, 0);
    assert_eq!(daemon.wait_for_clients(1).dropped_clients, 1);
}

#[test]
fn one_client_too_many_is_refused_at_once() {
    let daemon = Setup::default().camera("max-clients = 2").start();
    let mut first = daemon.viewer();
    let second = daemon.viewer();
    daemon.wait_for_clients(2);
    let mut third = daemon.viewer();
    assert_eq!(third.until_closed(), []);
    daemon.log.wait_for(&[
        "client refused",
        &third.address(),
        "camera main has its 2 clients (max-clients)",
    ]);
    assert_eq!(daemon.stats().refused, 1);
    unaffected(&mut first);
    // A place that is given back can be had again.
    drop(second);
    daemon.wait_for_clients(1);
    daemon.viewer().picture();
}
