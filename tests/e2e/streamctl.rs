//! The real streamctl against the real daemon: what it prints, and how it ends.

use std::{fs, process::Command};

use serde_json::Value;
use streamd_protocol::stream::Want;
use streamd_tests::{
    binaries,
    daemon::{Daemon, Ran, streamctl},
    picture::Picture,
    setup::Setup,
};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn figures_for_people_and_for_programs() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    let table = daemon.streamctl("stats");
    for word in ["main", "streaming", &viewer.address()] {
        assert!(
            table.succeeded().contains(word),
            "{word} is not in {table:?}"
        );
    }
    let stats = json(daemon.streamctl("--json stats").succeeded());
    assert_eq!(stats["cameras"][0]["name"], "main");
    assert_eq!(stats["clients"][0]["peer"], viewer.address());
    let clients = daemon.streamctl("clients");
    assert!(
        clients.succeeded().contains(&viewer.address()),
        "{clients:?}"
    );
    let quality = daemon.streamctl("get quality");
    assert_eq!(quality.succeeded().trim(), "80");
    daemon.streamctl("devices").succeeded();
}

#[test]
fn changes_and_their_effects() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    let before = viewer.picture().bytes.len();
    daemon.streamctl("set quality 20").succeeded();
    viewer.picture_that("two thirds of the bytes", |p| {
        p.bytes.len() * 3 < before * 2
    });
    let id = daemon.wait_for_client(&viewer, "its number", |_| true).id;
    daemon.streamctl("set fps 12.5 --camera main").succeeded();
    daemon.wait_for_stats("the rate", |s| s.cameras[0].desired_fps == 12.5);
    daemon
        .streamctl(&format!("set fps 5 --client {id}"))
        .succeeded();
    daemon.wait_for_client(&viewer, "its limit", |c| c.set.fps == 5.0);
    daemon
        .streamctl(&format!("set max-width 160 --client {id}"))
        .succeeded();
    viewer.picture_that("its limit", |p| p.size == (160, 120));
    daemon.streamctl("log-level debug").succeeded();
    daemon
        .streamctl(&format!("kick {id} --reason enough"))
        .succeeded();
    viewer.until_closed();
    daemon.log.wait_for(&["client disconnected", "enough"]);
    let kicked = json(daemon.streamctl("--json kick --all").succeeded());
    assert_eq!(kicked["kicked"], 0);
}

#[test]
fn a_snapshot_is_a_picture_of_now() {
    let daemon = Daemon::start();
    let file = daemon.setup.file("now.jpg");
    let line = format!("snapshot {}", file.display());
    daemon.streamctl(&line).succeeded();
    let picture = Picture::new(fs::read(&file).unwrap());
    assert_eq!(
        (picture.size, picture.app.camera.as_str()),
        ((320, 240), "main")
    );
    assert!(picture.colour() > 100);
    // A file is never replaced unasked.
    daemon.streamctl(&line).failed(73, &["now.jpg", "--force"]);
    daemon.streamctl(&format!("{line} --force")).succeeded();
    let again = Picture::new(fs::read(&file).unwrap());
    assert!(again.app.sequence > picture.app.sequence);
    daemon
        .streamctl(&format!(
            "snapshot {} --camera attic",
            daemon.setup.file("x").display()
        ))
        .failed(66, &["attic", "main"]);
}

#[test]
fn a_camera_without_signal_has_no_snapshot() {
    let setup = Setup::default();
    let daemon = setup.camera("device = \"/dev/no-such-camera\"").start();
    let file = daemon.setup.file("now.jpg");
    let line = format!("snapshot {}", file.display());
    let why = ["main has no signal", "/dev/no-such-camera: no such device"];
    daemon.streamctl(&line).failed(1, &why);
    assert!(!file.exists());
    let stats = daemon.streamctl("stats");
    assert!(
        stats
            .succeeded()
            .contains("NO SIGNAL: main: /dev/no-such-camera")
    );
    let answer = daemon.get("/snapshot");
    assert_eq!(answer.status, 503);
    let text = String::from_utf8(answer.body()).unwrap();
    assert!(why.iter().all(|part| text.contains(part)), "{text}");
    // A stream goes on, with a picture that says so.
    assert_eq!(daemon.get("/stream").status, 200);
}

#[test]
fn a_file_of_another_format_is_refused_before_it_is_made() {
    let daemon = Daemon::start();
    let file = daemon.setup.file("now.PNG");
    let line = format!("snapshot {}", file.display());
    daemon.streamctl(&line).failed(64, &["now.PNG", ".jpg"]);
    assert!(!file.exists());
}

#[test]
fn watch_takes_any_camera_and_says_what_is_none() {
    let daemon = Setup::default()
        .another("back", "size = \"160x120\"")
        .start();
    let port = daemon.setup.tcp(0);
    let watch = |more: &str| daemon.streamctl(&format!("watch --headless {more}"));
    let frames = daemon.setup.file("frames");
    let saving = format!(
        "{port} --camera back --frames 3 --save {}",
        frames.display()
    );
    watch(&saving).succeeded();
    for saved in fs::read_dir(&frames).unwrap() {
        let picture = Picture::new(fs::read(saved.unwrap().path()).unwrap());
        assert_eq!(
            (picture.app.camera.as_str(), picture.size),
            ("back", (160, 120))
        );
    }
    // What another attempt would not change is tried once.
    let attic = watch(&format!("{port} --camera attic"));
    attic.failed(66, &["attic", "main and back"]);
    let http = watch(&daemon.setup.http().to_string());
    let try_instead = format!("try http://{}", daemon.setup.http());
    http.failed(76, &["HTTP/1.1", &try_instead]);
}

#[test]
fn watch_takes_addresses_of_the_web() {
    let daemon = Setup::default()
        .another("back", "size = \"160x120\"")
        .start();
    let (web, raw) = (daemon.setup.http(), daemon.setup.tcp(0));
    let watch = |more: &str| daemon.streamctl(&format!("--json watch --headless {more}"));
    for address in [
        format!("http://{web} --camera back"),
        format!("http://{web}/#back"),
        format!("ws://{web} --camera back"),
        format!("ws://{web}/ws?camera=back"),
    ] {
        let watched = watch(&format!("{address} --frames 5"));
        let lines: Vec<_> = watched.succeeded().lines().map(json).collect();
        let camera = |line: &Value| line["camera"] == "back";
        assert!(lines.iter().any(camera), "{address}: {lines:#?}");
        let summary = lines.last().unwrap();
        assert_eq!(summary["frames"], 5, "{address}");
        let talks = address.starts_with("ws");
        assert_eq!(
            summary["averageLatencyMs"].is_f64(),
            talks,
            "{address}: {summary}"
        );
    }
    assert_eq!(watch(&format!("http://{web}/#attic")).code, 66);
    let wrong = daemon.streamctl(&format!("watch --headless http://{raw}"));
    wrong.failed(76, &[&format!("try {raw}")]);
}

#[test]
fn a_stand_in_is_no_frame_of_the_camera_for_watch_either() {
    let daemon = Setup::default()
        .camera("device = \"/dev/no-such-camera\"")
        .start();
    for address in [
        daemon.setup.tcp(0).to_string(),
        format!("http://{}", daemon.setup.http()),
    ] {
        let line = format!("watch --headless --duration 1500ms {address}");
        let watched = daemon.streamctl(&line);
        watched.failed(1, &["no signal", "the camera gives no picture"]);
        assert_eq!(watched.stdout, "", "there is nothing to count");
    }
}

#[test]
fn a_reload_says_what_changed() {
    let mut daemon = Daemon::start();
    assert_eq!(
        daemon.streamctl("reload").succeeded(),
        "nothing has changed\n"
    );
    daemon.setup.set_camera("quality = 33");
    daemon.setup.write_config();
    let reloaded = daemon.streamctl("reload");
    assert_eq!(reloaded.succeeded(), "applied: camera.main.quality\n");
    daemon.setup.set_camera("quality = 0");
    daemon.setup.write_config();
    daemon
        .streamctl("reload")
        .failed(78, &["quality", "^", "1 to 100"]);
}

#[test]
fn each_kind_of_failure_has_its_code() {
    let daemon = Daemon::start();
    for (line, code, parts) in [
        ("fly", 64, &["fly"][..]),
        ("set quality 101", 65, &["1 to 100"]),
        ("set quality high", 65, &["high"]),
        ("set fps 0", 65, &["0.1 to 1000"]),
        ("set quality 50 --camera attic", 66, &["attic", "main"]),
        ("kick 4711", 66, &["4711"]),
        ("set fps 5 --client 4711", 66, &["4711"]),
        ("get colour", 66, &["colour"]),
        ("log-level loud", 65, &["loud", "debug"]),
        ("snapshot /nowhere/at/all.jpg", 73, &["/nowhere/at/all.jpg"]),
    ] {
        daemon.streamctl(line).failed(code, parts);
    }
    let nobody = Setup::default();
    streamctl(&nobody.control(), "stats").failed(69, &["no streamd at", "systemctl status"]);
}

#[test]
fn a_stopped_daemon_is_a_time_out() {
    let daemon = Daemon::start();
    daemon.signal(nix::sys::signal::Signal::SIGSTOP);
    daemon
        .streamctl("--timeout 1 stats")
        .failed(75, &["did not answer within 1 s"]);
    daemon.signal(nix::sys::signal::Signal::SIGCONT);
    daemon.streamctl("stats").succeeded();
}

#[test]
fn watching_measures_the_stream() {
    let daemon = Daemon::start();
    let line = format!(
        "--json watch {} --headless --frames 20",
        daemon.setup.tcp(0)
    );
    let watched = daemon.streamctl(&line);
    let last = watched.succeeded().lines().last().unwrap().to_owned();
    assert!(json(&last).is_object(), "{last}");
}

/// What a shell is offered for the last of these words.
fn offered(daemon: &Daemon, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(binaries::find("streamctl"));
    command
        .env("STREAMCTL_COMPLETE", "fish")
        .args(["--", "streamctl", "--socket"]);
    command.arg(daemon.setup.control()).args(words);
    let ran = Ran::of(command);
    let names = ran.succeeded().lines();
    let names = names.map(|line| line.split('\t').next().unwrap_or_default().to_owned());
    names.filter(|name| !name.starts_with("--")).collect()
}

#[test]
fn completions_know_cameras_clients_and_settings() {
    let daemon = Setup::default()
        .another("back", "size = \"160x120\"")
        .start();
    let viewer = daemon.viewer();
    let id = daemon.wait_for_client(&viewer, "its number", |_| true).id;
    for (words, names) in [
        (
            &["clients", "--camera", ""][..],
            vec!["main".to_owned(), "back".into()],
        ),
        (&["snapshot", "x.jpg", "--camera", "b"], vec!["back".into()]),
        (&["kick", ""], vec![id.to_string()]),
        (&["set", "fps", "5", "--client", ""], vec![id.to_string()]),
        (&["get", "max"], vec!["max-clients".into()]),
        (&["set", "rotate", "2"], vec!["270".into()]),
        (
            &["events", "--only", "camera-b"],
            vec!["camera-back".into()],
        ),
    ] {
        assert_eq!(offered(&daemon, words), names, "{words:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = daemon.streamctl(&format!("completions {shell}"));
        assert!(script.succeeded().contains("STREAMCTL_COMPLETE"), "{shell}");
    }
}

#[test]
fn a_terminal_without_utf8_gets_ascii_and_programs_what_is_meant() {
    let daemon = Daemon::start();
    let mut viewer = daemon.viewer();
    viewer.hello("K\u{fc}che", Want::default());
    daemon.wait_for_client(&viewer, "its name", |client| !client.name.is_empty());
    let run = |locale: &str, words: &[&str]| {
        let mut command = Command::new(binaries::find("streamctl"));
        command.env("LC_ALL", locale).arg("--socket");
        command.arg(daemon.setup.control()).args(words);
        Ran::of(command).succeeded().to_owned()
    };
    let table = run("C", &["clients"]);
    assert!(table.is_ascii() && table.contains("K?che"), "{table}");
    assert!(run("C.UTF-8", &["clients"]).contains("K\u{fc}che"));
    assert!(run("C", &["clients", "--json"]).contains("K\u{fc}che"));
}
