//! What happens is told as it happens: over the control socket, and to the program of the hook.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use streamd_protocol::control::AddToken;
use streamd_tests::{
    binaries,
    daemon::Daemon,
    device::{Bus, orders::Model},
    eventually,
    said::Said,
    setup::Setup,
    web,
};

/// `streamctl events --json`, running.
struct Events {
    child: Child,
    said: Arc<Said>,
}

impl Events {
    /// It listens once an event has come through, which is waited for.
    #[track_caller]
    fn of(daemon: &Daemon, more: &[&str]) -> Self {
        let mut child = Command::new(binaries::find("streamctl"))
            .arg("--socket")
            .arg(daemon.setup.control())
            .args(["--json", "events"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Said::lines(child.stdout.take().unwrap());
        let events = Self { child, said };
        eventually("that it listens", || {
            daemon.streamctl("log-level info").succeeded();
            match events.said.all().is_empty() {
                true => Err("nothing".into()),
                false => Ok(()),
            }
        });
        events
    }

    fn all(&self) -> Vec<Value> {
        let lines = self.said.all();
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits for an event of this kind that fits.
    #[track_caller]
    fn wait(&self, kind: &str, fit: impl Fn(&Value) -> bool) -> Value {
        eventually(kind, || {
            let all = self.all();
            let found = all.iter().find(|event| event["kind"] == kind && fit(event));
            found.cloned().ok_or_else(|| format!("{all:#?}"))
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_happens_is_told_in_its_order() {
    let bus = Bus::default();
    let camera = bus.plug(0, Model::yuyv());
    let mut daemon = Setup::default().bus(&bus).device(&camera, "").start();
    let events = Events::of(&daemon, &[]);
    let mut viewer = daemon.viewer();
    viewer.picture();
    let come = events.wait("clientConnected", |_| true);
    assert_eq!(come["peer"], viewer.address());
    assert_eq!(come["cameras"][0], "main");
    camera.unplug();
    let lost = events.wait("cameraLost", |_| true);
    assert!(
        lost["reason"].as_str().unwrap().contains("unplugged"),
        "{lost}"
    );
    camera.replug();
    events.wait("cameraBack", |event| event["cameras"][0] == "main");
    daemon.streamctl("set quality 33 --camera main").succeeded();
    let changed = events.wait("changed", |event| event["method"] == "SetCamera");
    assert!(
        changed["parameters"].as_str().unwrap().contains("33"),
        "{changed}"
    );
    assert_eq!(changed["uid"], nix::unistd::geteuid().as_raw());
    daemon.setup.set_camera("quality = 0");
    daemon.setup.write_config();
    daemon.signal(Signal::SIGHUP);
    events.wait("reloadFailed", |event| {
        event["reason"].as_str().unwrap().contains("quality")
    });
    let id = come["client"].as_i64().unwrap();
    daemon
        .streamctl(&format!("kick {id} --reason enough"))
        .succeeded();
    let kicked = events.wait("clientKicked", |event| event["client"] == id);
    assert!(
        kicked["reason"].as_str().unwrap().contains("enough"),
        "{kicked}"
    );
    let kinds: Vec<_> = events
        .all()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    let at = |kind: &str| kinds.iter().position(|other| other == kind);
    assert!(
        at("clientConnected") < at("cameraLost") && at("cameraLost") < at("cameraBack"),
        "{kinds:?}"
    );
}

#[test]
fn over_http_the_same_is_told_to_operators_until_their_token_is_revoked() {
    let setup = Setup::default();
    let file = setup.file("tokens.json");
    let daemon = setup
        .tables(&format!("[access]\ntoken-file = {file:?}"))
        .start();
    let add = |name: &str, role| {
        let call = AddToken {
            name: name.into(),
            role,
            ..AddToken::default()
        };
        format!(
            "Authorization: Bearer {}",
            daemon.call(&call).unwrap().token
        )
    };
    let operator = add("operator", Some("operator".into()));
    let viewer = add("viewer", None);
    let ask = |header: &str| web::get(daemon.setup.http(), "/api/v1/events", &[header]);
    assert_eq!(ask("X-Nothing: 1").status, 401);
    assert_eq!(ask(&viewer).status, 403);
    let mut events = ask(&operator);
    assert_eq!(events.header("Content-Type"), Some("text/event-stream"));
    let mut next = || loop {
        // Between the events are sizes of chunks, blanks and comments.
        let line = events.line()?;
        if let Some(data) = line.strip_prefix("data: ") {
            return Some(serde_json::from_str::<Value>(data).unwrap());
        }
    };
    assert_eq!(next().unwrap(), serde_json::json!({ "lost": 0 }));
    daemon.streamctl("set quality 44 --camera main").succeeded();
    let told = next().unwrap();
    assert_eq!(
        (&told["event"]["method"], &told["event"]["cameras"][0]),
        (&"SetCamera".into(), &"main".into())
    );
    daemon.streamctl("token revoke operator").succeeded();
    assert_eq!(next(), None);
    assert_eq!(ask(&operator).status, 401);
}

#[test]
fn kinds_are_picked_and_wrong_ones_refused() {
    let daemon = Daemon::start();
    daemon
        .streamctl("events --only camera-lots")
        .failed(64, &["camera-lots", "camera-lost"]);
    let events = Events::of(&daemon, &["--only", "changed"]);
    let viewer = daemon.viewer();
    daemon.wait_for_client(&viewer, "that it is there", |_| true);
    daemon.streamctl("set quality 44").succeeded();
    events.wait("changed", |event| event["method"] == "SetCamera");
    assert!(events.all().iter().all(|event| event["kind"] == "changed"));
}

#[test]
fn who_does_not_read_loses_events_and_holds_up_nobody() {
    let daemon = Daemon::start();
    let events = Events::of(&daemon, &["--only", "changed"]);
    let pid = Pid::from_raw(events.child.id() as i32);
    kill(pid, Signal::SIGSTOP).unwrap();
    let mut client =
        streamd_protocol::client::Client::connect(&daemon.setup.control(), streamd_tests::PATIENCE)
            .unwrap();
    // More than the daemon keeps and the sockets hold.
    for n in 0..2000 {
        let quality = Some(1 + n % 100);
        let call = streamd_protocol::control::SetCamera {
            quality,
            ..Default::default()
        };
        client.call(&call).unwrap();
    }
    kill(pid, Signal::SIGCONT).unwrap();
    eventually("what was lost", || {
        daemon.streamctl("log-level info").succeeded();
        let lost: i64 = events
            .all()
            .iter()
            .map(|event| event["lost"].as_i64().unwrap())
            .sum();
        (lost > 0).then_some(()).ok_or_else(|| lost.to_string())
    });
}

#[test]
fn the_end_of_the_daemon_is_told() {
    let mut daemon = Daemon::start();
    let mut events = Events::of(&daemon, &[]);
    daemon.signal(Signal::SIGTERM);
    daemon.wait_for_end();
    let status = eventually("its end", || {
        let ended = events.child.try_wait().unwrap();
        ended.ok_or_else(|| "it runs".into())
    });
    assert_eq!(status.code(), Some(69));
}

/// A program of the hook, and where it writes.
fn program(setup: &Setup, script: &str) -> std::path::PathBuf {
    let path = setup.file("hook.sh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_hooks_program_is_run_with_the_event() {
    let setup = Setup::default();
    let out = setup.file("out");
    let script = format!(
        "read json; echo \"$STREAMD_EVENT $1 $STREAMD_PEER $json\" >> {}",
        out.display()
    );
    let path = program(&setup, &script);
    let table =
        format!("[hook]\ncommand = [{path:?}, \"--word\"]\nevents = [\"client-connected\"]\n");
    let daemon = setup.tables(&table).start();
    let viewer = daemon.viewer();
    let line = eventually("its line", || {
        let written = lines(&out);
        written.into_iter().next().ok_or_else(|| "nothing".into())
    });
    let start = format!("client-connected --word {} {{", viewer.address());
    assert!(line.starts_with(&start), "{line}");
    let json = line.split_once(" {").unwrap().1;
    let event: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    assert_eq!(event["kind"], "clientConnected");
    drop(viewer);
    daemon.wait_for_clients(0);
    daemon.log.wait_for(&["client disconnected"]);
    assert_eq!(lines(&out).len(), 1, "the other kinds are not asked for");
}

#[test]
fn a_hook_that_fails_or_hangs_is_a_line_in_the_log_and_no_more() {
    let setup = Setup::default();
    let path = program(
        &setup,
        "case $STREAMD_EVENT in changed) echo no mail >&2; exit 3;; esac; sleep 1000",
    );
    let table = format!(
        "[hook]\ncommand = [{path:?}]\ntimeout = \"1s\"\nevents = [\"changed\", \"client-connected\"]\n"
    );
    let daemon = setup.tables(&table).start();
    daemon.streamctl("set quality 50").succeeded();
    daemon.log.wait_for(&["hook:", "exit status: 3", "no mail"]);
    let mut viewer = daemon.viewer();
    viewer.picture();
    daemon.log.wait_for(&["hook:", "took longer than 1 s"]);
    viewer.picture();
}
