//! The real streamctl against a scripted daemon: output, messages and exit codes.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use streamd_protocol::printable::is_hidden;

/// What the scripted daemon says to a call.
type Script = fn(method: &str, parameters: &Value) -> Value;

/// A daemon that answers by a script, on a thread that ends with the test process.
struct Daemon {
    folder: tempfile::TempDir,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    fn start(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control")).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                for message in BufReader::new(stream.try_clone().unwrap()).split(0) {
                    let call: Value = serde_json::from_slice(&message.unwrap()).unwrap();
                    let method = call["method"].as_str().unwrap();
                    let method = method.rsplit('.').next().unwrap();
                    if method != "GetInfo" {
                        let line = format!("{method} {}", call["parameters"]);
                        noted.lock().unwrap().push(line);
                    }
                    let mut reply = script(method, &call["parameters"]).to_string();
                    reply.push('\0');
                    // A streamctl that is done does not read the rest.
                    let _ = stream.write_all(reply.as_bytes());
                }
            }
        });
        Self { folder, calls }
    }

    fn command(&self, line: &str) -> Command {
        streamctl(&self.folder.path().join("control"), line)
    }

    fn run(&self, line: &str) -> Ran {
        Ran::of(self.command(line).output().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn streamctl(socket: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_streamctl"));
    command.arg("--socket").arg(socket).args(line.split(' '));
    command
}

/// How a run ended.
#[derive(Debug)]
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it is not killed"),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    fn failed(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "a failure prints nothing on stdout");
        for words in says {
            assert!(self.stderr.contains(words), "{words:?} is not in {self:?}");
        }
    }

    #[track_caller]
    fn printed(&self, text: &str) {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        assert_eq!(self.stdout, text);
    }
}

fn info(version: &str) -> Value {
    json!({"parameters": {"vendor": "streamd", "product": "streamd", "version": version,
           "url": "", "interfaces": []}})
}

fn stats() -> Value {
    serde_json::from_str(include_str!("stats.json")).unwrap()
}

fn error(name: &str, parameters: Value) -> Value {
    json!({"error": format!("io.streamd.Control.{name}"), "parameters": parameters})
}

/// A daemon in good health with cameras `main` and `side` and clients 1, 4 and 12.
fn healthy(method: &str, parameters: &Value) -> Value {
    let reply = match method {
        "GetInfo" => return info(env!("CARGO_PKG_VERSION")),
        "GetStats" => json!({ "stats": stats() }),
        "ListClients" => json!({ "clients": stats()["clients"] }),
        "GetConfiguration" => {
            let toml = "[camera.main]\nsize = \"640x480\"\nquality = 99\n[camera.side]\nsize = \"320x240\"\n\
                        ladder = [\"70\", \"60\", \"50\", \"40\", \"30\", \"80/2\", \"70/2\", \"60/2\", \"50/2\", \"40/2\"]\n";
            json!({ "toml": toml })
        }
        "SetCamera" if parameters["camera"] == "front" => {
            return error(
                "NoSuchCamera",
                json!({"name": "front", "known": ["main", "side"]}),
            );
        }
        "SetCamera" if parameters["quality"] == 700 => {
            let message = "quality 700: 1 to 100 is allowed";
            return error(
                "InvalidValue",
                json!({"parameter": "quality", "message": message}),
            );
        }
        "SetCamera" => json!({"cameras": ["main", "side"]}),
        "SetClient" | "KickClient" if parameters["id"] == 9 => {
            return error("NoSuchClient", json!({"id": 9}));
        }
        "KickClient" => json!({"kicked": 1}),
        "ListDevices" => json!({"devices": [{"path": "/dev/video0", "card": "Webcam",
            "driver": "uvcvideo", "bus": "usb-1", "links": ["/dev/v4l/by-id/webcam"],
            "formats": [
                {"fourcc": "YUYV", "description": "YUYV 4:2:2", "sizes": [
                    {"width": 640, "height": 480, "fps": [30.0, 7.5]}]},
                {"fourcc": "MJPG", "description": "Motion-JPEG", "sizes": []}],
            "camera": "main", "error": ""}]}),
        "ListControls" | "SetControls" => {
            let controls = json!([{"name": "auto-exposure", "label": "Auto Exposure", "kind": "menu",
                "value": "Manual Mode", "default": "Auto Mode", "minimum": 0, "maximum": 3, "step": 1,
                "menu": [{"number": 0, "text": "Auto Mode"}, {"number": 1, "text": "Manual Mode"}],
                "inactive": false, "readOnly": false, "busy": false},
                {"name": "gain", "label": "Gain", "kind": "integer", "value": "3", "default": "1",
                "minimum": 0, "maximum": 255, "step": 5, "menu": [],
                "inactive": true, "readOnly": false, "busy": false}]);
            json!({"camera": "main", "controls": controls})
        }
        "Reload" => json!({"applied": ["camera.main.quality"], "needsRestart": ["http.listen"]}),
        "GetPicture" if parameters["camera"] == "side" => {
            return error("CameraTimeout", json!({"camera": "side", "seconds": 5.0}));
        }
        "GetPicture" => json!({"camera": "main", "jpeg": "/9j/2Q==", "sequence": 42,
            "capturedUs": 1700000000000000_i64, "width": 640, "height": 480, "origin": "camera"}),
        _ => json!({}),
    };
    json!({ "parameters": reply })
}

#[test]
fn changes_are_sent_and_said() {
    let daemon = Daemon::start(healthy);
    daemon
        .run("set quality 70")
        .printed("main, side: quality 70\n");
    daemon
        .run("set fps 12.5 --camera main")
        .printed("main, side: fps 12.5\n");
    daemon
        .run("set max-width 320 --client 4")
        .printed("client 4: max-width at most 320\n");
    daemon
        .run("set fps none --client 4 --json")
        .printed("{\"client\":4}\n");
    daemon
        .run("kick 1 4 --reason bye")
        .printed("2 clients disconnected\n");
    daemon.run("kick --all --json").printed("{\"kicked\":1}\n");
    daemon
        .run("reload")
        .printed("applied: camera.main.quality\nneeds a restart: http.listen\n");
    daemon.run("log-level debug").printed("logging debug\n");
    assert_eq!(
        daemon.calls(),
        [
            r#"SetCamera {"quality":70}"#,
            // To say whose own JPEG pictures are encoded anew.
            "GetStats {}",
            r#"SetCamera {"camera":"main","fps":12.5}"#,
            r#"SetClient {"id":4,"maxWidth":320}"#,
            r#"SetClient {"fps":0.0,"id":4}"#,
            r#"KickClient {"id":1,"reason":"bye"}"#,
            r#"KickClient {"id":4,"reason":"bye"}"#,
            r#"KickClient {"all":true}"#,
            r#"Reload {}"#,
            r#"SetLogLevel {"filter":"debug"}"#,
        ]
    );
}

#[test]
fn json_is_what_the_daemon_said() {
    let daemon = Daemon::start(healthy);
    for (line, expected) in [
        ("stats --json", stats()),
        ("clients --json", stats()["clients"].clone()),
        (
            "set quality 70 --json",
            json!({"cameras": ["main", "side"]}),
        ),
        (
            "reload --json",
            json!({"applied": ["camera.main.quality"], "needsRestart": ["http.listen"]}),
        ),
        ("get quality --json", json!({"main": 80, "side": 80})),
        ("log-level info --json", json!({"filter": "info"})),
    ] {
        let ran = daemon.run(line);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}");
        assert_eq!(ran.stdout.lines().count(), 1, "{line}");
        let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(printed, expected, "{line}");
    }
}

#[test]
fn what_is_there_is_shown() {
    let daemon = Daemon::start(healthy);
    for line in ["stats", "clients"] {
        let ran = daemon.run(line);
        for words in ["robot", "192.168.1.23:51234", "link 7.8 Mb/s", "paused"] {
            assert!(ran.stdout.contains(words), "{line}: {ran:?}");
        }
        assert!(!ran.stdout.contains('\u{1b}'), "colours in a pipe: {ran:?}");
    }
    let whole = daemon.run("get --camera side").stdout;
    assert!(whole.contains("70, 60, 50, 40, 30, 80/2, 70/2, 60/2, 50/2, 40/2"));
    assert_eq!(
        daemon.run("clients --camera side").stdout.lines().count(),
        2
    );
    daemon.run("clients --camera attic").printed("no clients\n");
    daemon.run("get quality --camera main").printed("80\n");
    daemon
        .run("get size")
        .printed("CAMERA  VALUE\nmain    640x480\nside    320x240\n");
    let all = daemon.run("get --camera main");
    all.printed("camera main\nSETTING  VALUE\nfps      30\nquality  80\nsize     640x480\n");
    let devices = daemon.run("devices").stdout;
    for words in [
        "/dev/video0",
        "YUYV MJPG",
        "/dev/v4l/by-id/webcam",
        "640x480 @30/7.5",
    ] {
        assert!(devices.contains(words), "{devices}");
    }
}

#[test]
fn controls_are_shown_with_what_they_may_be() {
    let daemon = Daemon::start(healthy);
    let shown = daemon.run("controls --camera main").stdout;
    for words in [
        "auto-exposure",
        "1  Manual Mode",
        "0 to 255 by 5",
        "inactive",
    ] {
        assert!(shown.contains(words), "{shown}");
    }
    let set = daemon.run("set control auto_exposure=manual gain=3");
    set.printed("main: auto-exposure = Manual Mode\nmain: gain = 3 (inactive)\n");
    assert_eq!(
        daemon.calls().last().unwrap(),
        r#"SetControls {"controls":[{"name":"auto_exposure","value":"manual"},{"name":"gain","value":"3"}]}"#
    );
    daemon
        .run("set control gain")
        .failed(64, &["NAME=VALUE", "gain"]);
    daemon
        .run("set control gain=3 --client 7")
        .failed(64, &["no controls"]);
    daemon
        .run("set quality 70 80")
        .failed(64, &["one value", "2"]);
    daemon
        .run("set quality 70 --save")
        .failed(64, &["for controls"]);
}

#[test]
fn controls_in_force_are_saved_to_the_file_that_the_daemon_names() {
    let daemon = Daemon::start(|method, parameters| match method {
        "GetConfiguration" => {
            // The scripted daemon has no state: the file's folder is where its socket is.
            let file = std::env::temp_dir().join(format!("streamctl-save-{}", std::process::id()));
            let toml = "[camera.main.controls]\ngain = 3\nauto-exposure = \"Manual Mode\"\n";
            json!({"parameters": {"toml": toml, "file": file}})
        }
        _ => healthy(method, parameters),
    });
    let file = std::env::temp_dir().join(format!("streamctl-save-{}", std::process::id()));
    fs::write(&file, "[camera.main]\n# dark here\nfps = 5\n").unwrap();
    let saved = daemon.run("set control --save");
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(saved.code, 0, "{saved:?}");
    assert_eq!(
        text,
        "[camera.main]\n# dark here\nfps = 5\ncontrols.gain = 3\ncontrols.auto-exposure = \"Manual Mode\"\n"
    );
    let words = ["saved: camera.main.controls.gain = 3", "written to /"];
    for words in words {
        assert!(saved.stdout.contains(words), "{saved:?}");
    }
    let again = daemon.run("set control gain=3 --save").stdout;
    assert!(again.contains("already has"), "{again}");
    fs::remove_file(&file).unwrap();
}

#[test]
fn what_does_not_exist_is_answered_with_what_does() {
    let daemon = Daemon::start(healthy);
    daemon
        .run("set quality 70 --camera front")
        .failed(66, &["no camera \"front\"", "main and side"]);
    daemon
        .run("set fps 10 --client 9")
        .failed(66, &["no client 9", "1, 4, 12"]);
    daemon
        .run("get --camera front")
        .failed(66, &["no camera \"front\"", "main and side"]);
    daemon
        .run("get colour")
        .failed(66, &["no setting \"colour\"", "fps, quality, size"]);
    daemon
        .run("kick 9")
        .failed(66, &["no client 9", "1, 4, 12"]);
    let kicked = daemon.run("kick 9 4");
    assert_eq!(kicked.code, 66, "{kicked:?}");
    assert_eq!(kicked.stdout, "1 client disconnected\n");
    assert!(
        kicked
            .stderr
            .contains("no client 9: connected are 1, 4, 12")
    );
}

#[test]
fn a_wrong_value_is_answered_with_what_is_allowed() {
    let daemon = Daemon::start(healthy);
    daemon.run("set quality 700").failed(65, &["1 to 100"]);
    daemon
        .run("set quality high")
        .failed(65, &["a whole number"]);
    daemon.run("set fps NaN").failed(65, &["a number"]);
    daemon.run("set max-width 9").failed(64, &["--client"]);
    daemon.run("fly").failed(64, &["unrecognized subcommand"]);
}

#[test]
fn a_daemon_that_is_not_there_is_told_from_one_that_may_not_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let absent = || Ran::of(streamctl(&socket, "stats").output().unwrap());
    absent().failed(69, &["no streamd at", "systemctl status streamd"]);
    drop(UnixListener::bind(&socket).unwrap());
    absent().failed(69, &["Connection refused"]);
    let refuses: Script = |_, _| json!({"error": "org.varlink.service.PermissionDenied"});
    Daemon::start(refuses)
        .run("stats")
        .failed(77, &["group streamd"]);
    let full: Script = |_, _| error("TooManyConnections", json!({"maximum": 16}));
    Daemon::start(full).run("stats").failed(75, &["16"]);
}

#[test]
fn an_answer_that_makes_no_sense_is_a_protocol_error() {
    for script in [
        (|_, _| json!({"parameters": {"version": 1}})) as Script,
        |_, _| json!([]),
        |_, _| json!({"error": "a.b.Unheard", "parameters": {"why": 1}}),
        |_, _| json!({"error": "org.varlink.service.MethodNotFound", "parameters": {"method": "x"}}),
    ] {
        let ran = Daemon::start(script).run("stats");
        assert_eq!((ran.code, ran.stdout.as_str()), (76, ""), "{ran:?}");
    }
}

/// Whoever listens at the socket writes to the terminal of whoever asks.
#[test]
fn nothing_that_a_socket_says_plays_with_the_terminal() {
    for script in [
        (|_, _| {
            let why = "\u{9b}2J\u{202E}x\u{2028}";
            json!({"error": "a.b.\u{1b}]0;x\u{7}", "parameters": {why: why}})
        }) as Script,
        |_, _| {
            error(
                "ConfigurationInvalid",
                json!({"message": "a\u{1b}[2J\u{202E}b\nc\r"}),
            )
        },
        |_, _| {
            error(
                "NoSuchCamera",
                json!({"name": "\u{1b}c", "known": ["\u{200B}\u{9b}1m"]}),
            )
        },
    ] {
        for verb in ["stats", "reload", "kick 1"] {
            let ran = Daemon::start(script).run(verb);
            assert!(ran.stderr.starts_with("streamctl: "), "{ran:?}");
            let plays = |c: char| c != '\n' && is_hidden(c);
            assert!(!ran.stderr.contains(plays), "{ran:?}");
        }
    }
}

#[test]
fn a_daemon_that_does_not_answer_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control");
    let _silent = UnixListener::bind(&socket).unwrap();
    let output = streamctl(&socket, "stats --timeout 1").output().unwrap();
    Ran::of(output).failed(75, &["did not answer within 1 s", "stuck"]);
}

#[test]
fn another_version_is_one_line_on_stderr() {
    let other: Script = |method, parameters| match method {
        "GetInfo" => info("9.9.9"),
        _ => healthy(method, parameters),
    };
    let ran = Daemon::start(other).run("get quality --camera main");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "80\n"));
    assert_eq!(ran.stderr.lines().count(), 1);
    assert!(ran.stderr.contains("9.9.9"), "{ran:?}");
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let daemon = Daemon::start(healthy);
    for line in ["stats", "stats --json", "completions bash", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = daemon
            .command(line)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output();
        let ran = Ran::of(output.unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}");
    }
}

#[test]
fn a_snapshot_is_a_whole_file_and_replaces_none() {
    let daemon = Daemon::start(healthy);
    let file = daemon.file("picture.jpg");
    let name = file.display();
    daemon
        .run(&format!("snapshot {name}"))
        .printed(&format!("{name}: 640x480, 4 B\n"));
    assert_eq!(fs::read(&file).unwrap(), [0xFF, 0xD8, 0xFF, 0xD9]);
    fs::write(&file, "old").unwrap();
    daemon
        .run(&format!("snapshot {name}"))
        .failed(73, &["--force"]);
    assert_eq!(fs::read(&file).unwrap(), b"old");
    assert_eq!(
        daemon.run(&format!("snapshot {name} --force --json")).code,
        0
    );
    assert_eq!(fs::read(&file).unwrap().len(), 4);
    let ran = daemon.command("snapshot -").output().unwrap();
    assert_eq!(ran.stdout, [0xFF, 0xD8, 0xFF, 0xD9]);
    daemon
        .run(&format!("snapshot {name}/no/folder"))
        .failed(73, &["picture.jpg/no/folder"]);
    let timeout = format!(
        "snapshot {} --camera side",
        daemon.file("side.jpg").display()
    );
    daemon.run(&timeout).failed(75, &["gave no frame for 5 s"]);
    let mut left: Vec<_> = fs::read_dir(daemon.folder.path()).unwrap().collect();
    left.retain(|entry| entry.as_ref().unwrap().file_name() != "control");
    assert_eq!(left.len(), 1, "only the picture: {left:?}");
}

#[test]
fn every_verb_has_a_man_page_and_is_completed() {
    let daemon = Daemon::start(healthy);
    let folder = daemon.folder.path().display();
    daemon.run(&format!("man {folder}")).printed("");
    let verbs = [
        "stats",
        "clients",
        "get",
        "set",
        "kick",
        "devices",
        "hosts",
        "controls",
        "snapshot",
        "reload",
        "log-level",
        "token",
        "audit",
        "certificate",
        "nats",
        "top",
        "watch",
        "events",
        "doctor",
    ];
    for verb in verbs {
        let page = daemon.file(&format!("streamctl-{verb}.1"));
        assert!(fs::read_to_string(page).unwrap().contains(".SH"), "{verb}");
    }
    assert!(daemon.file("streamctl.1").exists());
    for shell in ["bash", "zsh", "fish"] {
        let script = daemon.run(&format!("completions {shell}")).stdout;
        assert!(script.contains("streamctl"), "{shell}");
    }
    // What they ask streamctl.
    let mut asked = Command::new(env!("CARGO_BIN_EXE_streamctl"));
    asked.env("STREAMCTL_COMPLETE", "fish");
    let offered = Ran::of(asked.args(["--", "streamctl", ""]).output().unwrap());
    for verb in verbs {
        let is_it = |line: &str| line.split('\t').next() == Some(verb);
        assert!(offered.stdout.lines().any(is_it), "{verb}: {offered:?}");
    }
}
