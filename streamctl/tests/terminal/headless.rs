//! `streamctl watch` without a terminal: lines, files and exit codes.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use streamd_protocol::stream::FromClient;

use super::server::{Manner, Server};

/// A test that hangs has to fail.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn streamctl(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamctl"));
    command.arg("watch").args(args).stdin(Stdio::null());
    command
}

/// Runs to the end, which must come.
pub fn run(args: &[&str]) -> Output {
    let mut command = streamctl(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    output(command.spawn().unwrap())
}

pub fn output(child: Child) -> Output {
    let pid = Pid::from_raw(child.id() as i32);
    let ended = std::sync::mpsc::sync_channel::<()>(1);
    let watchdog = thread::spawn(move || {
        if ended.1.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended.0);
    watchdog.join().unwrap();
    output
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("killed: it hung")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    let lines = text(&output.stdout);
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_healthy_stream() {
    let server = Server::start(Manner::Talks);
    let target = server.target();
    let args = [target.as_str(), "--json", "--frames", "25"];
    let output = run(&[&args[..], &["--expect-fps", "1", "--expect-latency", "10s"]].concat());
    assert_eq!(code(&output), 0, "{output:?}");
    let lines = lines(&output);
    let states: Vec<_> = lines
        .iter()
        .filter_map(|line| line["state"].as_str())
        .collect();
    assert_eq!(&states[..3], ["connecting", "connected", "live"]);
    let summary = lines.last().unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["healthy"], true);
    assert_eq!(summary["frames"], 25);
    assert_eq!(summary["dropped"], 0);
    assert_eq!(summary["reconnections"], 0);
    assert!(summary["averageFps"].as_f64().unwrap() > 1.0);
    assert!(summary["averageLatencyMs"].as_f64().is_some());
    server.hears("anything", |heard| !heard.is_empty());
    server.hears("a hello with a name", |heard| {
        let FromClient::Hello { name, .. } = &heard[0] else {
            return false;
        };
        name.as_ref()
            .is_some_and(|name| name.starts_with("streamctl"))
    });
    server.hears("a question for its clock", |heard| {
        heard
            .iter()
            .any(|said| matches!(said, FromClient::Ping { .. }))
    });
    server.hears("receipts", |heard| {
        let receipts = heard
            .iter()
            .filter(|said| matches!(said, FromClient::Receipt { .. }));
        receipts.count() >= 20
    });
}

#[test]
fn lines_for_people_and_a_stream_that_is_not_as_expected() {
    let server = Server::start(Manner::Talks);
    let output = run(&[
        &server.target(),
        "--duration",
        "1500ms",
        "--stats-interval",
        "200ms",
        "--expect-fps",
        "1000",
    ]);
    assert_eq!(code(&output), 1, "{output:?}");
    let out = text(&output.stdout);
    assert!(
        out.lines().next().unwrap().starts_with("Streaming: "),
        "{out}"
    );
    assert!(out.contains(" fps, "), "{out}");
    assert!(out.contains("average latency"), "{out}");
    let err = text(&output.stderr);
    assert!(err.contains("expected are 1000 at least"), "{err}");
}

#[test]
fn the_originals_server_never_talks() {
    let server = Server::start(Manner::Silent);
    let args = ["--json", "--frames", "10", "--expect-latency", "10s"];
    let output = run(&[&[server.target().as_str()][..], &args].concat());
    assert_eq!(code(&output), 1, "{output:?}");
    let summary = lines(&output).pop().unwrap();
    assert_eq!(summary["frames"], 10);
    assert_eq!(summary["averageLatencyMs"], Value::Null);
    assert!(
        summary["reasons"][0]
            .as_str()
            .unwrap()
            .contains("does not talk")
    );
}

#[test]
fn silence_is_kept_when_asked_for() {
    let server = Server::start(Manner::Talks);
    let output = run(&[&server.target(), "--silent", "--frames", "10"]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert_eq!(server.heard(), []);
}

#[test]
fn limits_are_in_the_hello() {
    let server = Server::start(Manner::Talks);
    let limits = [
        "--name",
        "robot",
        "--fps",
        "12.5",
        "--quality",
        "40",
        "--max-width",
        "320",
    ];
    let output = run(&[&[server.target().as_str(), "--frames", "5"][..], &limits].concat());
    assert_eq!(code(&output), 0, "{output:?}");
    server.hears("a hello", |heard| !heard.is_empty());
    let FromClient::Hello { name, want, .. } = server.heard().remove(0) else {
        panic!("no hello");
    };
    assert_eq!(name.as_deref(), Some("robot"));
    assert_eq!(
        (want.fps, want.quality, want.max_width),
        (Some(12.5), Some(40), Some(320))
    );
}

#[test]
fn nobody_listens() {
    let server = Server::start(Manner::Talks);
    let target = server.target();
    drop(server);
    let retry = ["--reconnect-attempts", "2", "--reconnect-delay", "20ms"];
    let output = run(&[&[target.as_str(), "--json"][..], &retry].concat());
    assert_eq!(code(&output), 69, "{output:?}");
    let lines = lines(&output);
    let waits = lines.iter().filter(|line| line["state"] == "waiting");
    assert_eq!(waits.count(), 2);
    let reason = lines.last().unwrap()["reasons"][0].as_str().unwrap();
    assert!(
        reason.contains(&format!("cannot connect to {target}")),
        "{reason}"
    );
    let output = run(&[&target, "--duration", "300ms", "--reconnect-delay", "20ms"]);
    assert_eq!(code(&output), 69, "{output:?}");
}

#[test]
fn what_is_no_stream() {
    let huge = b"\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xd8";
    for (bytes, word) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "HTTP is spoken here: try http://",
        ),
        (huge, "was announced"),
        (b"\x05\0\0\0\0\0\0\0hello", "68 65"),
    ] {
        let server = Server::start(Manner::Sends(bytes));
        let retry = ["--reconnect-attempts", "1", "--reconnect-delay", "20ms"];
        let output = run(&[&[server.target().as_str()][..], &retry].concat());
        assert_eq!(code(&output), 76, "{output:?}");
        // It would be none the next time either.
        assert_eq!(server.connections(), 1);
        let err = text(&output.stderr);
        assert!(err.contains("no stream") && err.contains(word), "{err}");
    }
}

#[test]
fn half_a_frame() {
    let server = Server::start(Manner::HalfAFrame);
    let retry = ["--reconnect-attempts", "1", "--reconnect-delay", "20ms"];
    let output = run(&[&[server.target().as_str()][..], &retry].concat());
    assert_eq!(code(&output), 69, "{output:?}");
    assert!(text(&output.stderr).contains("after 5 of the 1000 bytes of a frame"));
}

#[test]
fn a_server_that_stalls_is_left_and_taken_up_again() {
    let server = Server::start(Manner::StallsAfter(5));
    let target = server.target();
    let args = [
        "--json",
        "--stall-timeout",
        "500ms",
        "--reconnect-delay",
        "20ms",
    ];
    // The client's questions are still answered: only a server without a word stalls.
    let args = [&[target.as_str(), "--silent", "--frames", "12"][..], &args].concat();
    let output = run(&args);
    assert_eq!(code(&output), 0, "{output:?}");
    let lines = lines(&output);
    assert!(lines.last().unwrap()["reconnections"].as_u64() >= Some(2));
    let causes = lines.iter().filter_map(|line| line["cause"].as_str());
    for cause in causes {
        assert_eq!(cause, "nothing has come for 0.5 s");
    }
}

#[test]
fn a_gap_of_a_second_is_waited_out() {
    let server = Server::start(Manner::GapAfter(5));
    let output = run(&[&server.target(), "--json", "--silent", "--frames", "10"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let summary = lines(&output).pop().unwrap();
    assert_eq!(summary["frames"], 10);
    assert!(summary["seconds"].as_f64().unwrap() >= 1.0);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_that_dies_and_comes_back() {
    let server = Server::start(Manner::DiesAfter(5));
    let (port, target) = (server.port, server.target());
    let args = ["--json", "--frames", "15", "--reconnect-delay", "50ms"];
    let always = ["--reconnect-attempts", "0"];
    let mut command = streamctl(&[&[target.as_str()][..], &args, &always].concat());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    out.find(|line| line.as_ref().unwrap().contains("waiting"))
        .unwrap()
        .unwrap();
    drop(server);
    out.find(|line| line.as_ref().unwrap().contains("refused"))
        .unwrap()
        .unwrap();
    let _server = Server::start_at(port, Manner::Talks);
    let summary: Value = serde_json::from_str(&out.last().unwrap().unwrap()).unwrap();
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["frames"], 15);
    assert!(summary["reconnections"].as_u64().unwrap() >= 1);
    assert_eq!(summary["dropped"], 0);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_kick_is_obeyed() {
    let server = Server::start(Manner::KicksAfter(3));
    let output = run(&[&server.target(), "--reconnect-delay", "10ms"]);
    assert_eq!(code(&output), 77, "{output:?}");
    assert!(text(&output.stderr).contains("disconnected by the server: maintenance"));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_signal_ends_it_with_the_summary() {
    let server = Server::start(Manner::Talks);
    let mut command = streamctl(&[&server.target(), "--stats-interval", "100ms"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("frames received"), "{rest}");
    assert_eq!(code(&output(child)), 0);
}

#[test]
fn wrong_command_lines_say_what_is_right() {
    for (args, word) in [
        (&["robot:0"][..], "65535"),
        (&["--duration", "1d"], "ms, s, m, h"),
        (&["--quality", "101"], "1..=100"),
        (&["--silent", "--fps", "5"], "cannot be used with"),
    ] {
        let output = run(args);
        assert_eq!(code(&output), 64, "{output:?}");
        let err = text(&output.stderr);
        assert!(err.contains(word), "{err}");
    }
}

#[test]
fn a_unix_socket_works_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cam");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let frames = thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        let jpeg = super::server::jpeg();
        for _ in 0..3 {
            stream
                .write_all(&(jpeg.len() as u64).to_le_bytes())
                .unwrap();
            stream.write_all(&jpeg).unwrap();
        }
        // Held open until the client has had enough.
        let deadline = Instant::now() + PATIENCE;
        let _ = stream.set_read_timeout(Some(PATIENCE));
        while Instant::now() < deadline && !matches!(stream.read(&mut [0; 1024]), Ok(0) | Err(_)) {}
    });
    let output = run(&[&format!("unix:{}", path.display()), "--frames", "3"]);
    assert_eq!(code(&output), 0, "{output:?}");
    frames.join().unwrap();
}
