//! `streamctl top` on a terminal.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::{
    daemon::Daemon,
    pty::{Pty, Seen},
};

fn top(socket: &Path) -> Pty {
    let socket = socket.to_str().unwrap();
    let args = ["top", "--socket", socket, "--interval", "100"];
    Pty::start(&args, 80, 24, Path::new("/"))
}

fn assert_restored(pty: Pty) {
    let (code, seen) = pty.end();
    assert_eq!(code, 0);
    for _ in 0..200 {
        let seen = seen.lock().unwrap();
        let screen = seen.terminal.screen();
        if !screen.alternate_screen() && !screen.hide_cursor() {
            return;
        }
        drop(seen);
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not restored");
}

/// The clients in the order they are shown.
fn order(seen: &Seen) -> Vec<String> {
    let text = seen.text();
    let names = text
        .split_whitespace()
        .filter(|word| word.starts_with("robot-"));
    names.map(str::to_owned).collect()
}

#[test]
fn clients_and_cameras_are_shown_and_sorted() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control");
    let _daemon = Daemon::start(&socket, &[1, 2, 3]);
    let mut pty = top(&socket);
    pty.wait_text("streamd 0.1.0  pid 4711");
    pty.wait_text("29.9/30");
    pty.wait_for("order", |seen| {
        order(seen) == ["robot-1", "robot-2", "robot-3"]
    });
    pty.press("r");
    pty.wait_for("reverse", |seen| {
        order(seen) == ["robot-3", "robot-2", "robot-1"]
    });
    pty.press("rsss");
    pty.wait_text("LATENCY▾");
    pty.wait_for("slowest first", |seen| {
        order(seen) == ["robot-3", "robot-2", "robot-1"]
    });
    pty.press("?");
    pty.wait_text("kick the client (asks first)");
    pty.press("x");
    pty.resize(200, 24);
    pty.wait_text("ADDRESS");
    pty.press("q");
    assert_restored(pty);
}

#[test]
fn keys_call_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control");
    let daemon = Daemon::start(&socket, &[4, 5]);
    let mut pty = top(&socket);
    pty.wait_text("robot-5");
    pty.press("\x1b[Bk");
    pty.wait_text("Kick client 5 (robot-5)? y/n");
    pty.press("y");
    pty.wait_text("1 client disconnected");
    pty.wait_for("its end", |seen| order(seen) == ["robot-4"]);
    pty.press("f12.5\r");
    pty.wait_text("client 4: fps 12.5");
    pty.press("\t-");
    pty.wait_text("main: quality 75");
    let calls = daemon.calls();
    let expected = [
        ("KickClient".to_owned(), json!({ "id": 5 })),
        ("SetClient".to_owned(), json!({ "id": 4, "fps": 12.5 })),
        (
            "SetCamera".to_owned(),
            json!({ "camera": "main", "quality": 75 }),
        ),
    ];
    assert_eq!(calls, expected);
    pty.press("q");
    assert_restored(pty);
}

#[test]
fn a_daemon_that_goes_away_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control");
    let daemon = Daemon::start(&socket, &[1]);
    let pty = top(&socket);
    pty.wait_text("robot-1");
    drop(daemon);
    pty.wait_text("NO DATA for");
    pty.wait_text("trying again");
    let _daemon = Daemon::start(&socket, &[1, 2]);
    pty.wait_text("robot-2");
    pty.wait_for("no trouble", |seen| !seen.text().contains("NO DATA"));
    kill(Pid::from_raw(pty.pid()), Signal::SIGTERM).unwrap();
    assert_restored(pty);
}

#[test]
fn without_a_terminal_or_a_daemon_it_says_so() {
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamctl"));
        command.args(args).stdin(Stdio::null()).output().unwrap()
    };
    let output = run(&["top"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("stats --follow"));
    let output = run(&["top", "--json", "--socket", "/nonexistent/control"]);
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

#[test]
fn programs_get_json() {
    use std::io::{BufRead, BufReader};
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control");
    let _daemon = Daemon::start(&socket, &[1]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamctl"));
    command
        .args(["top", "--json", "--interval", "100", "--socket"])
        .arg(&socket);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..3 {
        let line = lines.next().unwrap().unwrap();
        let stats: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(stats["clients"][0]["name"], "robot-1");
    }
    drop(lines);
    // It notices that nobody reads any more.
    let mut ended = false;
    for _ in 0..500 {
        ended = child.try_wait().unwrap().is_some();
        if ended {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(ended);
}
