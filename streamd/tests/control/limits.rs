//! Bad bytes, too many connections, callers that stop talking, and the stop.

use std::{io::Read, time::Duration};

use streamd::{control::MAX_CONNECTIONS, media::Timestamp};
use streamd_protocol::{
    client::Error as ClientError,
    control::{self, GetInfo, GetPicture, GetStats, MAX_CALL_BYTES},
};

use crate::daemon::{Daemon, PATIENCE};

#[test]
fn what_is_no_call_is_answered_and_the_next_call_is_heard() {
    let daemon = Daemon::start();
    let mut raw = daemon.raw();
    for malformed in ["", "{", "null", "[]", "{}", r#"{"method":1}"#, "\u{1}\u{2}"] {
        let reply = raw.call(malformed);
        assert_eq!(
            reply["error"], "io.streamd.Control.MessageMalformed",
            "{malformed:?}"
        );
    }
    let reply = raw.call(r#"{"method":"org.varlink.service.GetInfo"}"#);
    assert_eq!(reply["parameters"]["product"], "streamd");
}

#[test]
fn an_endless_message_is_answered_and_the_connection_closed() {
    let daemon = Daemon::start();
    let mut raw = daemon.raw();
    raw.send(&vec![b'x'; MAX_CALL_BYTES + 1]);
    let reply = raw.message().unwrap();
    assert_eq!(reply["error"], "io.streamd.Control.MessageTooLong");
    assert_eq!(reply["parameters"]["maximumBytes"], MAX_CALL_BYTES as i64);
    assert_eq!(raw.message(), None);
    daemon.client().call(&GetInfo {}).unwrap();
}

#[test]
fn calls_sent_at_once_are_answered_in_order() {
    let daemon = Daemon::start();
    let mut raw = daemon.raw();
    let calls: String = (0..50)
        .map(|i| format!("{{\"method\":\"io.streamd.Control.M{i}\"}}\0"))
        .collect();
    for byte in calls.as_bytes().chunks(7) {
        raw.send(byte);
    }
    for i in 0..50 {
        let reply = raw.message().unwrap();
        let method = format!("io.streamd.Control.M{i}");
        assert_eq!(reply["parameters"]["method"], method);
    }
}

#[test]
fn idle_connections_lock_nobody_out() {
    let daemon = Daemon::start();
    let mut idle: Vec<_> = (0..MAX_CONNECTIONS).map(|_| daemon.client()).collect();
    for client in &mut idle {
        client.call(&GetInfo {}).unwrap();
    }
    daemon.client().call(&GetInfo {}).unwrap();
    let longest_idle = idle[0].call(&GetInfo {});
    assert!(matches!(longest_idle, Err(ClientError::Closed)));
    idle[MAX_CONNECTIONS - 1].call(&GetInfo {}).unwrap();
}

#[test]
fn one_busy_connection_too_many_is_told_so_and_a_place_is_free_again() {
    let daemon = Daemon::start();
    let busy = || {
        let mut raw = daemon.raw();
        raw.call(r#"{"method":"io.streamd.Control.GetStats","more":true}"#);
        raw
    };
    let mut streams: Vec<_> = (0..MAX_CONNECTIONS).map(|_| busy()).collect();
    match daemon.client().call(&GetInfo {}) {
        Err(ClientError::Refused(control::Error::TooManyConnections { maximum })) => {
            assert_eq!(maximum, MAX_CONNECTIONS as i64);
        }
        other => panic!("{other:?}"),
    }
    streams.pop();
    // The place is free once the daemon has seen the end of the connection.
    let deadline = std::time::Instant::now() + PATIENCE;
    while daemon.client().call(&GetInfo {}).is_err() {
        assert!(std::time::Instant::now() < deadline, "no place became free");
        std::thread::yield_now();
    }
}

#[test]
fn a_stream_goes_on_until_it_is_dropped() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let every = GetStats {
        interval_ms: Some(100),
    };
    let replies = client.stream(&every, Duration::from_millis(100)).unwrap();
    for reply in replies.take(3) {
        assert_eq!(reply.unwrap().stats.version, env!("CARGO_PKG_VERSION"));
    }
    assert!(
        matches!(client.call(&GetInfo {}), Err(ClientError::Closed)),
        "a connection with replies under way is not used again"
    );
}

#[test]
fn a_stream_with_a_wrong_interval_is_one_error() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let every = GetStats {
        interval_ms: Some(1),
    };
    let mut replies = client.stream(&every, Duration::ZERO).unwrap();
    assert!(matches!(
        replies.next(),
        Some(Err(ClientError::Refused(
            control::Error::InvalidValue { .. }
        )))
    ));
    assert!(replies.next().is_none());
}

#[test]
fn a_call_within_a_stream_ends_the_connection() {
    let daemon = Daemon::start();
    let mut raw = daemon.raw();
    let reply = raw.call(r#"{"method":"io.streamd.Control.GetStats","more":true}"#);
    assert_eq!(reply["continues"], true);
    raw.send(b"{\"method\":\"org.varlink.service.GetInfo\"}\0");
    while let Some(reply) = raw.message() {
        assert_eq!(reply["continues"], true);
    }
}

#[test]
fn a_camera_that_hangs_delays_nobody_else() {
    let daemon = Daemon::start();
    let mut stuck = daemon.raw();
    stuck.send(
        b"{\"method\":\"io.streamd.Control.GetPicture\",\"parameters\":{\"camera\":\"stuck\"}}\0",
    );
    daemon.client().call(&GetStats::default()).unwrap();
    let camera = Some("stuck".into());
    match daemon.client().call(&GetPicture { camera }) {
        Err(ClientError::Refused(control::Error::CameraTimeout { camera, seconds })) => {
            assert_eq!((camera.as_str(), seconds), ("stuck", 5.0));
        }
        other => panic!("{other:?}"),
    }
    let reply = stuck.message().unwrap();
    assert_eq!(reply["error"], "io.streamd.Control.CameraTimeout");
}

#[test]
fn the_stop_ends_every_connection_and_leaves_no_heartbeat() {
    let daemon = Daemon::start();
    let mut streaming = daemon.raw();
    streaming.call(r#"{"method":"io.streamd.Control.GetStats","more":true}"#);
    let mut waiting = daemon.raw();
    waiting.send(
        b"{\"method\":\"io.streamd.Control.GetPicture\",\"parameters\":{\"camera\":\"stuck\"}}\0",
    );
    let later = Timestamp::now() + Duration::from_secs(3600);
    assert_eq!(
        daemon.heartbeats.overdue(later),
        [""; 0],
        "idle between calls"
    );
    daemon.control.stop();
    let mut rest = Vec::new();
    for raw in [&mut streaming, &mut waiting] {
        // Reset is what the kernel says when a call was not read any more.
        let ended = raw.0.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.is_err_and(|e| e.raw_os_error() == Some(104)));
    }
}
