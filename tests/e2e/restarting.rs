//! A restart of the service: who watches goes on watching.

use std::io::Write as _;

use nix::sys::signal::Signal;
use streamd_protocol::stream::Want;
use streamd_tests::{
    daemon::Daemon,
    picture::Picture,
    setup::Setup,
    viewer::Viewer,
    web::{self, Response},
};

/// A first daemon that hands its clients over, and what comes after it.
fn restarted(mut daemon: Daemon) -> Daemon {
    daemon.signal(Signal::SIGTERM);
    let status = daemon.wait_for_end();
    assert_eq!(status.code(), Some(0), "{status}");
    daemon.restart()
}

fn mjpeg(daemon: &Daemon) -> Response {
    web::get(daemon.setup.http(), "/stream?key=kept", &[])
}

fn part(stream: &mut Response) -> Picture {
    Picture::new(stream.part("boundarydonotcross"))
}

fn websocket(daemon: &Daemon) -> Response {
    let headers = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let socket = web::get(daemon.setup.http(), "/ws", &headers);
    assert_eq!(socket.status, 101);
    socket
}

/// The next picture of a WebSocket, RFC 6455 section 5.2.
fn message(socket: &mut Response) -> Picture {
    loop {
        let head = socket.take(2);
        let length = match head[1] {
            126 => usize::from(u16::from_be_bytes(socket.take(2).try_into().unwrap())),
            127 => u64::from_be_bytes(socket.take(8).try_into().unwrap()) as usize,
            short => short.into(),
        };
        let payload = socket.take(length);
        if head[0] == 0x82 {
            return Picture::new(payload);
        }
    }
}

#[test]
fn clients_of_every_transport_stay_connected() {
    let daemon = Setup::default().storing(64).start();
    let mut silent = daemon.viewer();
    let mut talks = daemon.viewer();
    talks.hello("talks", Want::default());
    let (mut stream, mut socket) = (mjpeg(&daemon), websocket(&daemon));
    let last = silent.picture().app.sequence;
    talks.picture();
    part(&mut stream);
    message(&mut socket);
    let before = daemon.wait_for_clients(4);

    let daemon = restarted(daemon);
    // Numbers of frames go on, so no client takes the new daemon's for old ones.
    silent.picture_that("after the restart", |p| p.app.sequence > last);
    for _ in 0..3 {
        talks.picture();
        part(&mut stream);
        message(&mut socket);
    }
    let after = daemon.wait_for_clients(4);
    for (before, after) in before.clients.iter().zip(&after.clients) {
        assert_eq!(
            (before.id, &before.name, &before.peer, before.transport),
            (after.id, &after.name, &after.peer, after.transport)
        );
        assert!(before.feeds[0].frames <= after.feeds[0].frames, "{after:?}");
        assert!(
            (before.connected_since - after.connected_since).abs() < 1.0,
            "{before:?} {after:?}"
        );
    }
    // The MJPEG viewer finds itself in the state by its key.
    let state = String::from_utf8(daemon.get("/state").body()).unwrap();
    assert!(state.contains("\"kept\""), "{state}");
    // Nothing is left in the store, where it would keep connections open for ever.
    assert_eq!(daemon.setup.store().names(), [""; 0]);
    let mut another = daemon.viewer();
    assert!(another.picture().app.sequence > last);
    let newest = daemon.wait_for_clients(5).clients;
    assert!(newest.iter().all(|c| c.id <= 5), "{newest:?}");
}

#[test]
fn what_was_said_and_what_was_set_holds_on() {
    let daemon = Setup::default().storing(64).start();
    let mut viewer = daemon.viewer();
    let want = Want {
        quality: Some(40),
        ..Want::default()
    };
    viewer.hello("limited", want);
    daemon.streamctl("set fps 5 --client 1").succeeded();
    // Half a message: the other half is for the next daemon.
    let message = br#"{"type":"want","maxWidth":160}"#;
    let mut framed = (message.len() as u64).to_le_bytes().to_vec();
    framed.extend_from_slice(message);
    viewer.write(&framed[..20]);
    viewer.picture();

    let daemon = restarted(daemon);
    viewer.write(&framed[20..]);
    let what = "both its own limits and the one that was set";
    daemon.wait_for_client(&viewer, what, |c| {
        (c.own.quality, c.own.width, c.set.fps) == (40, 160, 5.0) && c.feeds[0].width == 160
    });
    viewer.picture_that("of the size asked for", |p| p.size.0 == 160);
}

#[test]
fn a_frame_that_is_half_sent_is_sent_to_its_end() {
    let daemon = Setup::default()
        .camera("size = \"1280x720\"\nquality = 95")
        .storing(64)
        .start();
    let mut slow = Viewer::connect_slow(daemon.setup.tcp(0), 200_000);
    slow.picture();
    let daemon = restarted(daemon);
    for _ in 0..3 {
        // Each is looked at: its ends, its segment, its decoding.
        slow.picture().pixels();
    }
    drop(slow);
    daemon.wait_for_clients(0);
}

#[test]
fn who_finds_no_room_in_the_store_is_told_goodbye() {
    // One for what is known of them, one for a connection.
    let daemon = Setup::default().storing(2).start();
    let mut first = daemon.viewer();
    first.picture();
    let mut second = daemon.viewer();
    second.picture();
    let daemon = restarted(daemon);
    second.until_closed();
    first.picture();
    daemon.wait_for_clients(1);
}

#[test]
fn what_is_not_understood_is_let_go() {
    let daemon = Setup::default().storing(64).start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    let setup = daemon.setup.clone();
    let mut daemon = daemon;
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end();
    let mut other = tempfile::tempfile().unwrap();
    other.write_all(b"{\"version\":99,\"more\":[]}").unwrap();
    setup.store().put("viewers", other.into());
    let daemon = daemon.restart();
    daemon.log.wait_for(&["no client", "version 99"]);
    viewer.until_closed();
    assert_eq!(daemon.setup.store().names(), [""; 0]);
    daemon.viewer().picture();
}
