//! `streamctl doctor` in real situations: with and without a daemon, as root and as somebody else.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use streamd_tests::{
    binaries,
    daemon::{Daemon, Ran},
    device::{Bus, orders::Model},
    setup::Setup,
};

/// A user who may do nothing.
const NOBODY: u32 = 65534;

/// The doctor, asked for JSON, with the program at `program`.
fn doctor_at(program: &Path, setup: &Setup) -> Command {
    let mut command = Command::new(program);
    command.arg("--json").arg("--socket").arg(setup.control());
    command
        .arg("doctor")
        .arg("--config")
        .arg(setup.config_file());
    command
}

fn doctor(setup: &Setup) -> Command {
    doctor_at(&binaries::find("streamctl"), setup)
}

/// What was found: exit code, and all findings.
#[derive(Debug)]
struct Found {
    code: i32,
    findings: Vec<Value>,
}

impl Found {
    #[track_caller]
    fn by(command: Command) -> Self {
        let ran = Ran::of(command);
        let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        let findings = value["findings"].as_array().unwrap().clone();
        let errors = findings
            .iter()
            .filter(|found| found["status"] == "error")
            .count();
        assert_eq!(value["errors"], errors);
        assert_eq!(ran.code, i32::from(errors > 0), "{ran:?}");
        Self {
            code: ran.code,
            findings,
        }
    }

    /// Checks that there is a finding with all these words in it, and returns what to do.
    #[track_caller]
    fn has(&self, area: &str, status: &str, words: &[&str]) -> &str {
        let fits = |found: &&Value| {
            let message = found["message"].as_str().unwrap();
            found["area"] == area
                && found["status"] == status
                && words.iter().all(|w| message.contains(w))
        };
        let found = self.findings.iter().find(fits);
        let found =
            found.unwrap_or_else(|| panic!("{area} {status} {words:?}: {:#?}", self.findings));
        found["advice"].as_str().unwrap()
    }
}

#[test]
fn a_daemon_that_is_well_is_well() {
    let daemon = Daemon::start();
    let found = Found::by(doctor(&daemon.setup));
    found.has("configuration", "ok", &["streamd.toml"]);
    found.has("control socket", "ok", &["control", "answers"]);
    found.has(
        "ports",
        "ok",
        &[&daemon.setup.http().to_string(), "streamd listens"],
    );
    found.has("cameras", "ok", &["main", "nobody watches"]);
    found.has("devices", "ok", &["test patterns"]);
    found.has("link", "ok", &["nobody watches"]);
    assert_eq!(found.code, 0, "{found:?}");
    let page = daemon.streamctl("doctor");
    assert!(
        page.succeeded().contains("control socket\n  ok "),
        "{page:?}"
    );
}

#[test]
fn a_viewer_that_does_not_read_is_told_from_a_camera_that_is_slow() {
    let daemon = Daemon::start();
    let viewer = daemon.viewer();
    daemon.wait_for_client(&viewer, "frames left out", |client| {
        let feed = &client.feeds[0];
        feed.dropped.slow_reader * 3 > feed.frames
    });
    let found = Found::by(doctor(&daemon.setup));
    found.has("cameras", "ok", &["main streams"]);
    let who = viewer.address();
    found.has("link", "warning", &[&who, "the viewer does not read"]);
    assert_eq!(found.code, 0, "a warning is no error: {found:?}");
}

#[test]
fn without_a_daemon_it_says_what_would_keep_one_from_starting() {
    let setup = Setup::default().camera("device = \"/dev/no-such-camera\"");
    setup.write_config();
    let _held = TcpListener::bind(setup.http()).unwrap();
    let found = Found::by(doctor(&setup));
    found.has("control socket", "error", &["no streamd runs", "control"]);
    let this = format!("(PID {})", std::process::id());
    let advice = found.has(
        "ports",
        "error",
        &[&setup.http().to_string(), "held by", &this],
    );
    assert!(advice.contains("[http]"), "{advice}");
    found.has("ports", "ok", &[&setup.tcp(0).to_string(), "free"]);
    found.has("devices", "error", &["camera main", "/dev/no-such-camera"]);
}

#[test]
fn a_socket_that_is_left_over_is_told_from_one_that_is_not_there() {
    let setup = Setup::default();
    setup.write_config();
    drop(UnixListener::bind(setup.control()).unwrap());
    let found = Found::by(doctor(&setup));
    let advice = found.has("control socket", "error", &["left over"]);
    assert!(advice.contains("start streamd"), "{advice}");
}

#[test]
fn a_file_that_can_not_be_used_is_shown_as_streamd_shows_it() {
    let setup = Setup::default().camera("qualty = 3");
    setup.write_config();
    let found = Found::by(doctor(&setup));
    let advice = found.has("configuration", "error", &["qualty", "did you mean"]);
    assert!(advice.contains("^^^^^^"), "{advice}");
}

#[test]
fn a_device_that_another_program_has_is_named_with_the_program() {
    let bus = Bus::default();
    let camera = bus.plug(0, Model::yuyv());
    let setup = Setup::default().bus(&bus).device(&camera, "");
    setup.write_config();
    let with_cameras = |setup: &Setup| {
        let mut command = doctor(setup);
        command.env("LD_PRELOAD", binaries::cameras());
        command.env("STREAMD_TESTS_DEVICES", bus.path());
        command
    };
    Found::by(with_cameras(&setup)).has("devices", "ok", &["/dev/video0", "can be opened"]);
    let _taken = camera.take().unwrap();
    let path = camera.path().display().to_string();
    let this = format!("(PID {})", std::process::id());
    let advice = Found::by(with_cameras(&setup))
        .has("devices", "warning", &[&path, "in use", &this])
        .to_owned();
    assert!(
        advice.contains(&format!("kill {}", std::process::id())),
        "{advice}"
    );
    let daemon = setup.start();
    daemon.wait_for_stats("no camera", |stats| !stats.healthy);
    let found = Found::by(with_cameras(&daemon.setup));
    found.has("cameras", "error", &["main has no signal"]);
}

#[test]
fn who_may_not_connect_is_told_whose_socket_it_is() {
    let daemon = Daemon::start();
    let folder = daemon.setup.file("");
    // Nobody can enter the folders where programs are built.
    let program: PathBuf = daemon.setup.file("streamctl");
    fs::copy(binaries::find("streamctl"), &program).unwrap();
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    allow(&folder, 0o755).unwrap();
    allow(&daemon.setup.control(), 0o000).unwrap();
    let mut command = doctor_at(&program, &daemon.setup);
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    let found = Found::by(command);
    let advice = found.has("control socket", "error", &["mode 0", "may not connect"]);
    assert!(!advice.is_empty());
}
