//! HTTP, as far as one request each shows; the details are tested next to the code.

use streamd_tests::{daemon::Daemon, picture::Picture, web};

#[test]
fn a_snapshot_is_one_picture() {
    let daemon = Daemon::start();
    let response = daemon.get("/snapshot");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Content-Type"), Some("image/jpeg"));
    assert_eq!(Picture::new(response.body()).size, (320, 240));
    let drop_in = daemon.get("/?action=snapshot");
    assert!(Picture::new(drop_in.body()).colour() > 100);
}

#[test]
fn a_stream_is_one_part_after_another() {
    let daemon = Daemon::start();
    for path in ["/stream", "/?action=stream"] {
        let mut response = daemon.get(path);
        assert_eq!(response.status, 200);
        let kind = response.header("Content-Type").unwrap();
        let boundary = kind.split_once("boundary=").unwrap().1.to_owned();
        let first = Picture::new(response.part(&boundary));
        let second = Picture::new(response.part(&boundary));
        assert!(first.app.sequence < second.app.sequence);
    }
}

#[test]
fn the_state_tells_of_the_stream() {
    let daemon = Daemon::start();
    let mut watching = daemon.get("/stream?key=me");
    watching.take(1);
    let state: serde_json::Value = serde_json::from_slice(&daemon.get("/state").body()).unwrap();
    assert_eq!(state["ok"], true);
    let resolution = &state["result"]["source"]["resolution"];
    assert_eq!(
        resolution,
        &serde_json::json!({"width": 320, "height": 240})
    );
    assert_eq!(state["result"]["stream"]["clients"], 1);
    let stats = daemon.wait_for_clients(1);
    assert_eq!(stats.clients[0].name, "me");
}

#[test]
fn a_websocket_carries_pictures() {
    let daemon = Daemon::start();
    let handshake = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        // The example of RFC 6455 section 1.3, and its answer.
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut socket = web::get(daemon.setup.http(), "/ws", &handshake);
    assert_eq!(socket.status, 101);
    assert_eq!(
        socket.header("Sec-WebSocket-Accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    loop {
        let head = socket.take(2);
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(socket.take(2).try_into().unwrap())),
            127 => u64::from_be_bytes(socket.take(8).try_into().unwrap()),
            short => u64::from(short),
        };
        let payload = socket.take(length as usize);
        match head[0] {
            // Text: a message. Binary: a picture.
            0x81 => assert!(payload.starts_with(b"{")),
            0x82 => {
                assert_eq!(Picture::new(payload).size, (320, 240));
                return;
            }
            other => panic!("a frame of kind {other:02X}"),
        }
    }
}

#[test]
fn the_page_is_served_and_nothing_else_is_found() {
    let daemon = Daemon::start();
    let page = daemon.get("/");
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.body()).unwrap();
    assert!(text.contains("<!doctype html>") || text.contains("<!DOCTYPE html>"));
    assert_eq!(daemon.get("/nowhere").status, 404);
    let unknown = daemon.get("/snapshot?camera=attic");
    assert_eq!(unknown.status, 404);
    let text = String::from_utf8(unknown.body()).unwrap();
    assert!(text.contains("main"), "{text}");
}
