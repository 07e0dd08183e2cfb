//! What each method does, and what it refuses.

use std::task::Waker;

use serde_json::{Value, json};
use streamd::{capture, viewer::framing::Goodbye};
use streamd_protocol::{
    client::Error as ClientError,
    control::{self, *},
    limits::Limits,
};

use crate::daemon::Daemon;

fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> control::Error {
    match result {
        Err(ClientError::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn changes_are_in_force() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let set = SetCamera {
        quality: Some(70),
        fps: Some(12.5),
        camera: None,
        ..SetCamera::default()
    };
    assert_eq!(client.call(&set).unwrap().cameras, ["main", "stuck"]);
    for camera in daemon.state.cameras.iter() {
        let config = &camera.settings().config;
        assert_eq!((config.quality.get(), config.fps.get()), (70, 12.5));
    }
    let limits = SetClient {
        id: 7,
        fps: Some(0.0),
        quality: Some(0),
        max_width: Some(320),
    };
    client.call(&limits).unwrap();
    let in_force = daemon.viewer.limits();
    assert_eq!((in_force.fps, in_force.max_width), (None, Some(320)));
    let one = KickClient {
        id: Some(7),
        reason: Some("maintenance".into()),
        all: None,
    };
    assert_eq!(client.call(&one).unwrap().kicked, 1);
    let told = || daemon.viewer.take_orders(Waker::noop()).unwrap().end;
    assert_eq!(told(), Some(Goodbye::Kicked("maintenance".into())));
    let all = KickClient {
        all: Some(true),
        ..KickClient::default()
    };
    assert_eq!(client.call(&all).unwrap().kicked, 1);
    assert_eq!(told(), Some(Goodbye::Kicked("by an administrator".into())));
    let filter: String = "info,streamd::capture=debug".into();
    client
        .call(&SetLogLevel {
            filter: filter.clone(),
        })
        .unwrap();
    assert_eq!(daemon.state.configuration().log.level, filter);
}

#[test]
fn what_is_there_is_told() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let stats = client.call(&GetStats::default()).unwrap().stats;
    assert_eq!(stats.version, env!("CARGO_PKG_VERSION"));
    let clients = client.call(&ListClients {}).unwrap().clients;
    assert_eq!((clients.len(), clients[0].id), (1, 7));
    let toml = client.call(&GetConfiguration {}).unwrap().toml;
    assert!(toml.contains("[camera.stuck]"), "{toml}");
    client.call(&ListDevices {}).unwrap();
    let asking = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let camera = Some("main".into());
            client.call(&GetPicture { camera })
        });
        let mut sequence = 0;
        while !asking.is_finished() {
            sequence += 1;
            daemon.publish(sequence, 300_000);
            std::thread::yield_now();
        }
        asking.join().unwrap()
    });
    let picture = asking.unwrap();
    assert_eq!(
        (picture.jpeg.len(), picture.camera.as_str()),
        (300_000, "main")
    );
    assert_eq!((picture.width, picture.height), (640, 480));
    assert_eq!(picture.origin, Origin::TestPattern);
}

#[test]
fn refusals_are_typed_errors() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let set = SetCamera {
        camera: Some("side".into()),
        quality: Some(70),
        fps: None,
        ..SetCamera::default()
    };
    assert_eq!(
        refusal(client.call(&set)),
        control::Error::NoSuchCamera(NoSuchCamera {
            name: "side".into(),
            known: vec!["main".into(), "stuck".into()]
        })
    );
    for id in [8, -1] {
        let kick = KickClient {
            id: Some(id),
            ..KickClient::default()
        };
        assert_eq!(
            refusal(client.call(&kick)),
            control::Error::NoSuchClient { id }
        );
    }
    std::fs::write(&daemon.file, "[camera.main]\nqualitty = 3\n").unwrap();
    let control::Error::ConfigurationInvalid { message } = refusal(client.call(&Reload {})) else {
        panic!("the file is wrong");
    };
    assert!(message.contains("qualitty"), "{message}");
    let filter = "loud=".into();
    assert!(matches!(
        refusal(client.call(&SetLogLevel { filter })),
        control::Error::InvalidValue { parameter, .. } if parameter == "filter"
    ));
}

#[test]
fn a_camera_without_a_device_says_why_it_has_no_controls() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let mut list = |camera: &str| {
        refusal(client.call(&ListControls {
            camera: Some(camera.into()),
        }))
    };
    assert!(matches!(
        list("side"),
        control::Error::NoSuchCamera(NoSuchCamera { name, .. }) if name == "side"
    ));
    let mut why = |status: capture::Status| {
        daemon
            .state
            .cameras
            .iter()
            .next()
            .unwrap()
            .set_status(status);
        let control::Error::ControlsUnavailable { camera, message } = list("main") else {
            panic!("there are no controls");
        };
        assert_eq!(camera, "main");
        message
    };
    assert!(why(capture::Status::default()).contains("not open yet"));
    let at = |path: &str, reason: &str| capture::Status {
        path: path.into(),
        reason: reason.into(),
        ..capture::Status::default()
    };
    assert!(why(at("", "/dev/video7: unplugged")).contains("unplugged"));
    assert!(why(at("test", "")).contains("test pattern"));
    assert!(why(at("/dev/null", "")).contains("lists no controls"));
    assert!(why(at("/nowhere/video0", "")).contains("no such device"));
}

/// The reply to a method of ours, called by hand.
fn by_hand(method: &str, parameters: &Value) -> Value {
    let daemon = Daemon::start();
    let method = format!("io.streamd.Control.{method}");
    let call = json!({ "method": method, "parameters": parameters });
    let before = daemon.state.configuration();
    let reply = daemon.raw().call(&call.to_string());
    assert_eq!(daemon.state.configuration(), before, "{call}");
    assert_eq!(daemon.viewer.limits(), Limits::default(), "{call}");
    reply
}

#[test]
fn a_wrong_parameter_is_named() {
    for (method, parameters, named) in [
        ("GetStats", json!({"intervalMs": "1"}), "intervalMs"),
        ("GetStats", json!({"interval": 1000}), "interval"),
        ("ListClients", json!([]), "parameters"),
        ("SetCamera", json!({"quality": 70.5}), "quality"),
        ("SetCamera", json!({"quality": 70, "fsp": 3}), "fsp"),
        ("SetClient", json!({"fps": 3}), "id"),
        ("SetLogLevel", json!({}), "filter"),
        ("Reload", json!({"now": true}), "now"),
        ("KickClient", json!({"id": "7"}), "id"),
        ("SetControls", json!({"camera": "main"}), "controls"),
        (
            "SetControls",
            json!({"controls": [{"name": "gain", "value": 3}]}),
            "controls[0].value",
        ),
    ] {
        let reply = by_hand(method, &parameters);
        assert_eq!(
            reply,
            json!({
                "error": "org.varlink.service.InvalidParameter",
                "parameters": {"parameter": named}
            }),
            "{method} {parameters}"
        );
    }
}

#[test]
fn a_value_out_of_range_is_named_with_what_is_allowed() {
    let long = "x".repeat(MAX_REASON + 1);
    for (method, parameters, named, allowed) in [
        (
            "GetStats",
            json!({"intervalMs": 99}),
            "intervalMs",
            "100 to 60000",
        ),
        ("SetCamera", json!({"quality": 0}), "quality", "1 to 100"),
        ("SetCamera", json!({"quality": 101}), "quality", "1 to 100"),
        ("SetCamera", json!({"fps": 0}), "fps", "0.1 to 1000"),
        (
            "SetCamera",
            json!({"rotate": 45}),
            "rotate",
            "0, 90, 180 or 270",
        ),
        ("SetCamera", json!({"flip": "up"}), "flip", "horizontal"),
        ("SetCamera", json!({"camera": "main"}), "quality", "needed"),
        (
            "SetClient",
            json!({"id": 7, "quality": -1}),
            "quality",
            "0 for no limit",
        ),
        (
            "SetClient",
            json!({"id": 7, "fps": 1e9}),
            "fps",
            "0.1 to 1000",
        ),
        (
            "SetClient",
            json!({"id": 7, "maxWidth": 15}),
            "maxWidth",
            "16 to 16384",
        ),
        ("SetClient", json!({"id": 7}), "fps", "needed"),
        ("KickClient", json!({}), "id", "needed"),
        (
            "KickClient",
            json!({"id": 7, "all": true}),
            "id",
            "not both",
        ),
        (
            "KickClient",
            json!({"id": 7, "reason": long}),
            "reason",
            "200",
        ),
        (
            "KickClient",
            json!({"id": 7, "reason": "a\nb"}),
            "reason",
            "one line",
        ),
        ("SetLogLevel", json!({"filter": " "}), "filter", "1024"),
        (
            "SetControls",
            json!({"controls": []}),
            "controls",
            "1 to 100",
        ),
    ] {
        let reply = by_hand(method, &parameters);
        let case = format!("{method} {parameters}: {reply}");
        assert_eq!(reply["error"], "io.streamd.Control.InvalidValue", "{case}");
        assert_eq!(reply["parameters"]["parameter"], named, "{case}");
        let message = reply["parameters"]["message"].as_str().unwrap();
        assert!(message.contains(allowed), "{case}");
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let daemon = Daemon::start();
    let mut raw = daemon.raw();
    for (method, error, parameter) in [
        ("io.streamd.Control.Fly", "MethodNotFound", "method"),
        ("org.varlink.service.Fly", "MethodNotFound", "method"),
        ("io.streamd.GetStats", "InterfaceNotFound", "interface"),
        ("GetStats", "InterfaceNotFound", "interface"),
        ("", "InterfaceNotFound", "interface"),
    ] {
        let reply = raw.call(&json!({ "method": method }).to_string());
        assert_eq!(reply["error"], format!("org.varlink.service.{error}"));
        let named = reply["parameters"][parameter].as_str().unwrap();
        assert!(method.starts_with(named), "{method}: {reply}");
    }
}

#[test]
fn upgrade_is_refused_and_oneway_is_silent() {
    let daemon = Daemon::start();
    let mut raw = daemon.raw();
    let reply = raw.call(r#"{"method":"io.streamd.Control.GetStats","upgrade":true}"#);
    assert_eq!(reply["error"], "org.varlink.service.MethodNotImplemented");
    raw.send(b"{\"method\":\"io.streamd.Control.SetCamera\",\"parameters\":{\"quality\":9},\"oneway\":true}\0");
    raw.send(b"{\"method\":\"io.streamd.Control.Fly\",\"oneway\":true}\0");
    let reply = raw.call(r#"{"method":"io.streamd.Control.GetConfiguration"}"#);
    let toml = reply["parameters"]["toml"].as_str().unwrap();
    assert!(toml.contains("quality = 9\n"), "{toml}");
}
