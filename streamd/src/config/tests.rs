//! What is read, what is refused and how that is shown, and that the shipped file says the truth.

use proptest::prelude::*;

use super::{
    values::{ControlValue, Device, Duration, Flip, Format, Fps, GrayRange, Rung, Size},
    *,
};

const SHIPPED: &str = include_str!("../../../etc/streamd/streamd.toml");

fn refused(text: &str) -> String {
    parse(text, "streamd.toml").unwrap_err().to_string()
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(parse("", "f").unwrap(), Config::default());
    assert_eq!(parse("[camera.main]\n", "f").unwrap(), Config::default());
}

#[test]
fn an_unknown_key_is_shown_with_its_nearest_known_one() {
    assert_eq!(
        refused("[camera.main]\nqualty = 70\n"),
        "\
streamd.toml:2:1: unknown key \"qualty\" in [camera.main]; did you mean \"quality\"?
  2 | qualty = 70
    | ^^^^^^
    = allowed: device, size, format, gray-range, input, standard, edid, fps, frame-timeout, quality, passthrough, chroma, bit-rate, encoder, crop, rotate, flip, text, listen, tls, proxy-protocol, max-clients, idle-after, adapt, prefer, ladder, congestion, controls, audio, record"
    );
}

#[test]
fn a_control_has_one_value_and_any_name() {
    let config = parse(
        "[camera.main.controls]\nbrightness = 128\nexposure-auto = \"manual\"\n\"no such\" = true",
        "f",
    );
    let camera = &config.unwrap().camera[0];
    assert_eq!(camera.controls.iter().count(), 3);
    let allowed = "allowed: a table of names, each with true, false, a whole number or a text";
    for bad in ["controls.gain = 1.5", "controls.gain = [1]", "controls = 3"] {
        let said = refused(&format!("[camera.main]\n{bad}"));
        assert!(
            said.contains("camera.main.controls: ") && said.contains(allowed),
            "{said}"
        );
    }
}

#[test]
fn an_input_is_a_number_or_a_name() {
    let config = parse(
        "[camera.a]\ninput = 3\n[camera.b]\ninput = \"HDMI 0\"\nstandard = \"PAL\"\nedid = \"/etc/edid\"",
        "f",
    )
    .unwrap();
    assert_eq!(config.camera[0].input, Some(Input::Number(3)));
    assert_eq!(config.camera[1].edid.as_ref().unwrap().path(), "/etc/edid");
    for (bad, allowed) in [
        ("input = -1", "the number or the name of an input"),
        ("input = \"\"", "the number or the name of an input"),
        ("standard = \" \"", "a name that the driver has"),
        ("edid = \"edid\"", "the absolute path of a file"),
    ] {
        let said = refused(&format!("[camera.main]\n{bad}"));
        assert!(said.contains(allowed), "{said}");
    }
}

#[test]
fn a_device_has_a_path_or_a_name_that_stays() {
    for bad in [
        "usb:",
        "usb:port",
        "serial:",
        "by-id:a/b",
        "by-id:..",
        "id:x",
        "video0",
        "USB:1-1",
    ] {
        let said = refused(&format!("[camera.main]\ndevice = {bad:?}"));
        assert!(said.contains("\"usb:PORT\", \"serial:NUMBER\""), "{said}");
    }
}

#[test]
fn an_unknown_table_says_where_the_key_belongs() {
    let tables = "= allowed: log, control, access, tls, clients, http, rtsp, webrtc, metrics, nats, hook, camera";
    assert_eq!(
        refused("quality = 70"),
        format!(
            "\
streamd.toml:1:1: unknown table \"quality\": it is a key of a camera, as in [camera.main]
  1 | quality = 70
    | ^^^^^^^
    {tables}"
        )
    );
    assert_eq!(
        refused("\n[cameras.main]"),
        format!(
            "\
streamd.toml:2:2: unknown table \"cameras\"; did you mean \"camera\"?
  2 | [cameras.main]
    |  ^^^^^^^
    {tables}"
        )
    );
}

#[test]
fn every_bad_value_is_shown_at_once_and_in_order() {
    assert_eq!(
        refused("[log]\nreport-interval = \"ten\"\n[camera.a]\nquality = 101\nfps = \"fast\"\nlisten = [\"127.0.0.1:1\", \"nowhere\"]"),
        "\
streamd.toml:2:19: log.report-interval: \"ten\" is not allowed
  2 | report-interval = \"ten\"
    |                   ^^^^^
    = allowed: a whole number with ms, s, min or h, up to 24h, as in \"10s\"
streamd.toml:4:11: camera.a.quality: 101 is not allowed
  4 | quality = 101
    |           ^^^
    = allowed: a whole number from 1 to 100
streamd.toml:5:7: camera.a.fps: \"fast\" is not allowed
  5 | fps = \"fast\"
    |       ^^^^^^
    = allowed: a number from 0.1 to 1000
streamd.toml:6:26: camera.a.listen: \"nowhere\" is not allowed
  6 | listen = [\"127.0.0.1:1\", \"nowhere\"]
    |                          ^^^^^^^^^
    = allowed: \"ADDRESS:PORT\" as in \"127.0.0.1:8002\" or \"[::]:8002\", \"unix:/path\", or a list of these"
    );
}

#[test]
fn cameras_need_a_name_and_a_table() {
    assert_eq!(
        refused("[camera.\"front door\"]"),
        "\
streamd.toml:1:9: camera name \"front door\" is not allowed
  1 | [camera.\"front door\"]
    |         ^^^^^^^^^^^^
    = 1 to 32 letters, digits, `-` or `_` are allowed"
    );
    assert_eq!(
        refused("[camera]\nquality = 3"),
        "\
streamd.toml:2:1: camera.quality is not a camera
  2 | quality = 3
    | ^^^^^^^
    = allowed: one table per camera, as in [camera.main]"
    );
    assert!(refused("[camera]").contains("no camera"));
    assert!(refused("log = 3").contains("log is not a table"));
}

#[test]
fn two_cameras_on_one_device_are_shown() {
    let two = |a: &str, b: &str| format!("[camera.a]\ndevice = {a:?}\n[camera.b]\ndevice = {b:?}");
    assert_eq!(
        refused(&two("/dev/video0", "/dev/video0")),
        "\
streamd.toml:4:10: camera.b.device: camera a has /dev/video0 already
  4 | device = \"/dev/video0\"
    |          ^^^^^^^^^^^^^
    = allowed: a device of its own for each camera; many may watch one camera, in sizes and rates of their own"
    );
    for (a, b) in [
        ("by-id:usb-C920", "/dev/v4l/by-id/usb-C920-video-index0"),
        ("usb:1-1.2", "usb:1-1.2"),
        ("serial:A1", "serial:A1"),
    ] {
        assert!(refused(&two(a, b)).contains("camera a has"), "{a} {b}");
    }
    for (a, b) in [
        ("auto", "auto"),
        ("test", "test"),
        ("/dev/video0", "/dev/video2"),
        ("usb:1-1.2:1.0", "usb:1-1.2:1.2"),
    ] {
        assert!(parse(&two(a, b), "streamd.toml").is_ok(), "{a} {b}");
    }
}

#[test]
fn two_listeners_on_one_port_are_shown() {
    assert_eq!(
        refused("[camera.a]\nlisten = \"127.0.0.1:9000\"\n[camera.b]\nlisten = \"0.0.0.0:9000\""),
        "\
streamd.toml:4:10: camera.b.listen: 0.0.0.0:9000 clashes with 127.0.0.1:9000 (camera.a.listen)
  4 | listen = \"0.0.0.0:9000\"
    |          ^^^^^^^^^^^^^^
    = allowed: an address and port of its own for each listener; 0.0.0.0 and [::] take the port on every address"
    );
    assert_eq!(
        refused("[metrics]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:8002\"]")
            .lines()
            .next(),
        Some(
            "streamd.toml:2:26: metrics.listen: 127.0.0.1:8002 clashes with 127.0.0.1:8002 (camera.main.listen, a default)"
        )
    );
    assert!(refused("[camera.a]\nlisten = \"[::]:8080\"").contains("(http.listen, a default)"));
    assert!(
        refused("[control]\nsocket = \"/run/s\"\n[http]\nlisten = \"unix:/run/s\"")
            .contains("(control.socket)")
    );
}

#[test]
fn what_is_not_toml_is_shown_where_it_ends_to_be() {
    assert!(refused("[log\nlevel = 1").starts_with("streamd.toml:1:5: "));
    assert!(refused("[log]\nlevel = \"info\"\nlevel = \"warn\"").starts_with("streamd.toml:3:1: "));
}

#[test]
fn the_first_camera_of_the_file_gets_the_default_listener() {
    let config = parse(
        "[camera.zoo]\n[camera.attic]\n[camera.barn]\nlisten = \"[::]:9\"",
        "f",
    )
    .unwrap();
    let listen = |name: &str| config.camera_listen(&name.parse().unwrap()).to_vec();
    assert_eq!(listen("zoo"), [Listen::loopback(8002)]);
    assert_eq!(listen("attic"), []);
    assert_eq!(listen("barn"), ["[::]:9".parse().unwrap()]);
    assert_eq!(listen("none"), []);
    let none = parse("[camera.main]\nlisten = []", "f").unwrap();
    assert_eq!(none.camera_listen(&CameraName::main()), []);
}

#[test]
fn a_named_file_must_exist_and_hold_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("streamd.toml");
    let missing = load(Some(&path)).unwrap_err();
    assert_eq!(
        missing.to_string(),
        format!(
            "{}: No such file or directory (os error 2); it must be a file that streamd may read",
            path.display()
        )
    );
    std::fs::write(&path, b"[log]\nlevel = \"\xff\"").unwrap();
    let latin = load(Some(&path)).unwrap_err().to_string();
    assert!(latin.contains("streamd.toml:2:10: not UTF-8"), "{latin}");
    std::fs::write(&path, "[camera.main]\nquality = 3\n").unwrap();
    let config = load(Some(&path)).unwrap();
    assert_eq!(config.camera[&CameraName::main()].quality.get(), 3);
}

#[test]
fn the_control_socket_follows_the_environment() {
    let by = |runtime: Option<&str>, xdg: Option<&str>| {
        default_control_socket(runtime.map(Into::into), xdg.map(Into::into))
    };
    assert_eq!(
        by(Some("/run/streamd:/run/b"), Some("/x")),
        PathBuf::from("/run/streamd/control")
    );
    assert_eq!(
        by(None, Some("/run/user/7")),
        PathBuf::from("/run/user/7/streamd/control")
    );
    assert_eq!(by(None, None), PathBuf::from("/run/streamd/control"));
}

/// A commented-out key, without its `#`: unlike prose, it follows the `#` at once.
fn uncommented(line: &str) -> Option<&str> {
    line.strip_prefix('#')
        .filter(|key| key.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// The keys of the shipped file, each with its table's header, as they are commented out.
fn commented_keys() -> Vec<(&'static str, &'static str)> {
    let mut header = "";
    let mut keys = Vec::new();
    for line in SHIPPED.lines() {
        if line.starts_with('[') {
            header = line;
        }
        keys.extend(uncommented(line).map(|key| (header, key)));
    }
    keys
}

/// Whether a key has no default that could be shown: without it, the device stays as it is.
fn is_example(key: &str) -> bool {
    let name = key.split(" =").next().unwrap();
    ["input", "standard", "edid", "directory"].contains(&name)
}

#[test]
fn the_shipped_file_shows_every_key_at_its_default() {
    let mut defaults = Config::default();
    assert_eq!(parse(SHIPPED, "etc").unwrap(), defaults);
    let keys = commented_keys();
    let names: Vec<_> = keys
        .iter()
        .map(|(header, key)| {
            (
                header.trim_matches(['[', ']']),
                key.split_once(" =").unwrap().0,
            )
        })
        .map(|(table, name)| (table.replacen(".main", "", 1), name))
        .collect();
    let schema: Vec<_> = schema::KEYS
        .iter()
        .map(|key| (key.table.to_owned(), key.name))
        .collect();
    assert_eq!(names, schema);
    let all: Vec<_> = SHIPPED
        .lines()
        .map(|line| {
            uncommented(line)
                .filter(|key| !is_example(key))
                .unwrap_or(line)
        })
        .collect();
    // These have no default of their own.
    let mut filled = defaults.clone();
    let without = |config: &mut Config, key: &str| {
        let is = |name: &str| key.is_empty() || key.starts_with(name);
        config.control.socket = is("socket").then(|| "/run/streamd/control".into());
        config.control.read_only_group = is("read-only-group").then(|| "adm".into());
        config.access.anonymous = is("anonymous").then(|| vec![values::Anonymous::Viewer]);
        let file = || "/var/lib/streamd/tokens.json".into();
        config.access.token_file = is("token-file").then(file);
        config.access.user_header = is("user-header").then(|| "X-Remote-User".into());
        let secret = || "/etc/streamd/proxy-secret".into();
        config.access.user_secret = is("user-secret").then(secret);
        let pem = |name: &str| is(name).then(|| format!("/etc/streamd/tls/{name}.pem").into());
        config.tls.certificate = pem("certificate");
        config.tls.key = pem("key");
        config.tls.client_ca = pem("client-ca");
        let port = || "0.0.0.0:8189".parse().unwrap();
        config.webrtc.listen = (key.is_empty() || key.contains("8189")).then(port);
        let public = || "198.51.100.7".parse().unwrap();
        config.webrtc.public_address = is("public-address").then(public);
        config.nats.credentials = is("credentials").then(|| "/etc/streamd/nats.creds".into());
        config.nats.ca_file = is("ca-file").then(|| "/etc/streamd/nats-ca.pem".into());
        config.nats.host = is("host").then(|| "robot7".parse().unwrap());
        config.camera[0].audio = is("audio").then(Audio::default);
    };
    without(&mut filled, "");
    assert_eq!(parse(&all.join("\n"), "etc").unwrap(), filled);
    for (header, key) in keys {
        without(&mut defaults, key);
        let read = parse(&format!("{header}\n{key}\n"), "etc").unwrap();
        assert_eq!(read == defaults, !is_example(key), "{header} {key}");
    }
}

#[test]
fn changes_are_named_and_sorted_by_what_they_need() {
    let old = parse("[camera.a]\n[camera.gone]", "f").unwrap();
    let new = parse(
        "[log]\nlevel = \"debug\"\n[http]\nlisten = []\n[camera.a]\nquality = 3\nlisten = []\n[camera.come]",
        "f",
    )
    .unwrap();
    let changes = reloaded(&old, &new).1;
    let live: Vec<_> = changes.live.iter().map(Change::to_string).collect();
    assert_eq!(live, ["log.level", "camera.a.quality"]);
    assert_eq!(changes.live[1].camera, Some("a".parse().unwrap()));
    assert_eq!(
        (changes.live[1].table, changes.live[1].name),
        ("camera", "quality")
    );
    assert_eq!(
        changes.needs_restart,
        [
            "http.listen",
            "camera.a.listen",
            "camera.gone",
            "camera.come"
        ]
    );
    assert_eq!(reloaded(&new, &new).1, Changes::default());
}

fn controls() -> impl Strategy<Value = Controls> {
    let value = prop_oneof![
        any::<bool>().prop_map(ControlValue::Truth),
        any::<i64>().prop_map(ControlValue::Number),
        "\\PC{0,8}".prop_map(ControlValue::Text),
    ];
    let all = prop::collection::btree_map("\\PC{0,12}", value, 0..3);
    all.prop_map(|controls| controls.into_iter().collect())
}

fn camera() -> impl Strategy<Value = Camera> {
    let listen = prop::collection::vec("127\\.0\\.0\\.[1-9]:0|unix:/[a-z]{30}", 0..3);
    let ladder = prop::collection::vec(
        (1u8..=100, prop::sample::select(vec!["", "/2", "/4"])),
        0..5,
    );
    (
        prop::sample::select(vec![
            "auto",
            "test",
            "/dev/video0",
            "/dev/é \"x\"",
            "usb:1-1.2:1.0",
            "serial:a b",
            "by-id:x",
            "by-path:y:1.0",
        ]),
        (16u32..=16384, 16u32..=16384),
        prop::sample::select(vec!["auto", "YUYV", "RGB24", "MJPG"]),
        0.1f64..=1000.0,
        (1i64..=100, 1i64..=100_000, any::<bool>()),
        (0u64..86_400_000).prop_map(|ms| format!("{ms}ms")),
        listen,
        (ladder, controls()),
    )
        .prop_map(
            |(
                device,
                (w, h),
                format,
                fps,
                (quality, clients, adapt),
                idle,
                listen,
                (ladder, controls),
            )| {
                Camera {
                    device: device.parse::<Device>().unwrap(),
                    size: Size::new(w, h),
                    format: format.parse::<Format>().unwrap(),
                    gray_range: match adapt {
                        true => GrayRange::Auto,
                        false => GrayRange::Between(h as u16, h as u16 + w as u16),
                    },
                    input: adapt.then(|| Input::Name(format!("HDMI {w}").try_into().unwrap())),
                    standard: adapt.then(|| device.to_owned().try_into().unwrap()),
                    edid: adapt.then(|| File::try_from(PathBuf::from("/x")).unwrap()),
                    fps: Fps::try_from(fps).unwrap(),
                    frame_timeout: if adapt { "auto" } else { &idle }.parse().unwrap(),
                    quality: Quality::try_from(quality).unwrap(),
                    chroma: if adapt {
                        Chroma::Yuv420
                    } else {
                        Chroma::Yuv422
                    },
                    bit_rate: if adapt { "auto" } else { "1.5M" }.parse().unwrap(),
                    encoder: if adapt {
                        "openh264"
                    } else {
                        "m2m:/dev/video11"
                    }
                    .parse()
                    .unwrap(),
                    crop: if adapt { "320x240+16+8" } else { "none" }.parse().unwrap(),
                    rotate: if adapt { Rotate::Left } else { Rotate::None },
                    flip: if adapt { Flip::None } else { Flip::Both },
                    text: if adapt { "%H:%M {camera} \"x\"" } else { "" }
                        .parse()
                        .unwrap(),
                    tls: adapt,
                    listen: Some(listen.iter().map(|l| l.parse().unwrap()).collect()),
                    proxy_protocol: adapt,
                    max_clients: MaxClients::try_from(clients).unwrap(),
                    idle_after: idle.parse::<Duration>().unwrap(),
                    adapt,
                    record: match adapt {
                        true => Record::default(),
                        false => Record {
                            mode: "event".parse().unwrap(),
                            directory: Some(PathBuf::from("/srv/é").try_into().unwrap()),
                            codec: "jpeg".parse().unwrap(),
                            keep: values::Keep::Forever,
                            keep_bytes: values::Space::Bytes(u64::from(w) * 1_000_000),
                            min_free: values::Space::None,
                            ..Record::default()
                        },
                    },
                    prefer: if adapt {
                        Prefer::Detail
                    } else {
                        Prefer::Motion
                    },
                    passthrough: adapt,
                    ladder: ladder
                        .iter()
                        .map(|(q, d)| format!("{q}{d}").parse::<Rung>().unwrap())
                        .collect(),
                    congestion: if adapt {
                        Congestion::Bbr
                    } else {
                        Congestion::Cubic
                    },
                    controls,
                    audio: adapt.then(|| Audio {
                        device: device.parse().unwrap(),
                        channels: 2.try_into().unwrap(),
                        bit_rate: "12345".parse().unwrap(),
                    }),
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(cameras in prop::collection::btree_map("[a-zA-Z0-9_-]{1,8}", camera(), 1..4)) {
        let mut config = Config {
            camera: cameras.into_iter().map(|(name, camera)| (name.parse().unwrap(), camera)).collect(),
            ..Config::default()
        };
        config.control.socket = Some("/run/x".into());
        config.tls.certificate = Some("/etc/x.pem".into());
        config.tls.key = Some("credential:key".into());
        // A device can be that of one camera only.
        let mut taken = std::collections::HashSet::new();
        for camera in config.camera.values_mut() {
            let of_one = !matches!(camera.device, Device::Auto | Device::Test);
            if of_one && !taken.insert(camera.device.to_string()) {
                camera.device = Device::Auto;
            }
        }
        let read = parse(&config.to_toml(), "printed");
        prop_assert_eq!(read.map_err(|error| error.to_string()), Ok(config));
    }

    #[test]
    fn no_text_makes_the_check_panic(text in "(\\[|\\]|camera|\\.|main|log|=|\"|fps|listen|[0-9]|\\{|\\}|\n|,|é| ){0,40}") {
        if let Err(error) = parse(&text, "f") {
            prop_assert!(error.to_string().starts_with("f:"));
        }
    }
}

#[test]
fn encryption_needs_certificate_and_key() {
    let faults = |text: &str| parse(text, "f").unwrap_err().to_string();
    for (text, fault) in [
        (
            "[http]\ntls = true",
            "f:2:7: http.tls: [tls] has no certificate and key",
        ),
        (
            "[tls]\nkey = \"/k\"\n[camera.a]\ntls = true",
            "camera.a.tls: [tls] has no certificate",
        ),
        (
            "[tls]\ncertificate = \"/c\"\n[metrics]\ntls = true",
            "metrics.tls: [tls] has no key",
        ),
        ("[tls]\nkey = \"k\"", "tls.key: \"k\" is not allowed"),
        (
            "[tls]\nkey = \"credential:\"",
            "tls.key: \"credential:\" is not allowed",
        ),
    ] {
        let said = faults(text);
        assert!(said.contains(fault), "{said}");
    }
    let both = "[tls]\ncertificate = \"/c\"\nkey = \"credential:k\"\n[http]\ntls = true";
    assert!(parse(both, "f").unwrap().http.tls);
}

#[test]
fn a_size_that_takes_much_memory_is_allowed_and_warned_of() {
    let warnings = |size: &str| {
        parse(&format!("[camera.a]\nsize = {size:?}"), "f")
            .unwrap()
            .warnings()
    };
    assert_eq!(warnings("7680x4320"), [""; 0]);
    let [warning] = &warnings("16384x16384")[..] else {
        panic!("one warning");
    };
    assert!(
        warning.contains("camera.a.size: 16384x16384 may take 1536 MB"),
        "{warning}"
    );
}

#[test]
fn a_path_with_a_nul_in_it_is_none() {
    for text in [
        "[camera.a]\ndevice = \"/dev/vi\\u0000deo0\"",
        "[http]\nlisten = \"unix:/run/\\u0000x\"",
        "[control]\nsocket = \"/run/\\u0000x\"",
    ] {
        let refused = parse(text, "f").unwrap_err().to_string();
        assert!(refused.contains("is not allowed"), "{refused}");
    }
}

#[test]
fn what_is_asked_of_nats_and_lacks_something_is_named() {
    let servers = "[nats]\nservers = [\"nats://a\"]\n";
    for (text, part) in [
        (
            "[camera.main]\ndevice = \"nats:robot7/main\"\n".to_owned(),
            "camera.main.device: nats:robot7/main: there is no server",
        ),
        (
            "[nats]\nhost = \"a\"\npublish = [\"main\"]\n[camera.main]\n".into(),
            "nats.publish: there is no server to publish to",
        ),
        (
            format!("{servers}publish = [\"main\"]\n[camera.main]\n"),
            "nats.publish: this machine has no name for others",
        ),
        (
            format!("{servers}host = \"a\"\npublish = [\"rear\"]\n[camera.main]\n"),
            "nats.publish: there is no camera rear",
        ),
        (
            format!(
                "{servers}host = \"a\"\npublish = [\"main\"]\n[camera.main]\ndevice = \"nats:b/main\"\n"
            ),
            "nats.publish: main is the camera of another machine",
        ),
        (
            format!("{servers}host = \"a\"\n[camera.main]\ndevice = \"nats:a/main\"\n"),
            "nats:a/main is a camera of this machine",
        ),
        (
            format!("{servers}host = \"a.b\"\n"),
            "nats.host: \"a.b\" is not allowed",
        ),
        (
            "[nats]\nservers = [\"nats://user:word@a\"]\n".into(),
            "without a user (that is in `credentials`)",
        ),
        (
            "[camera.main]\ndevice = \"nats:a.b/main\"\n".into(),
            "camera.main.device: \"nats:a.b/main\" is not allowed",
        ),
    ] {
        let said = refused(&text);
        assert!(said.contains(part), "{part}:\n{said}");
    }
    let whole = format!(
        "{servers}host = \"a\"\npublish = [\"main\"]\n[camera.main]\n[camera.b]\ndevice = \"nats:b/main\"\n"
    );
    let config = parse(&whole, "f").unwrap();
    assert_eq!(config.camera[1].device.to_string(), "nats:b/main");
    let open = config.warnings();
    assert!(open.iter().any(|w| w.contains("nats://a:4222")), "{open:?}");
}
