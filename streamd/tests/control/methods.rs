//! What each method does, and what it refuses.

use serde_json::{Value, json};
use streamd_protocol::{
    client::Error as ClientError,
    control::{self, *},
};

use crate::daemon::Daemon;

fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> control::Error {
    match result {
        Err(ClientError::Refused(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn changes_reach_the_target() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let set = SetCamera {
        quality: Some(70),
        fps: Some(12.5),
        camera: None,
    };
    assert_eq!(client.call(&set).unwrap().cameras, ["main"]);
    let limits = SetClient {
        id: 7,
        fps: Some(0.0),
        quality: Some(0),
        max_width: Some(320),
    };
    client.call(&limits).unwrap();
    let one = KickClient {
        id: Some(7),
        reason: Some("maintenance".into()),
        all: None,
    };
    assert_eq!(client.call(&one).unwrap().kicked, 1);
    let all = KickClient {
        all: Some(true),
        ..KickClient::default()
    };
    assert_eq!(client.call(&all).unwrap().kicked, 3);
    let filter = "info,streamd::capture=debug".into();
    client.call(&SetLogLevel { filter }).unwrap();
    assert_eq!(
        daemon.target.asked(),
        [
            "camera None Some(70) Some(12.5)",
            "client 7 Some(0.0) Some(0) Some(320)",
            "kick 7 maintenance",
            "kick all by an administrator",
            "log info,streamd::capture=debug",
        ]
    );
}

#[test]
fn what_is_there_is_told() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let stats = client.call(&GetStats::default()).unwrap().stats;
    assert_eq!(stats.version, "1.2.3");
    assert_eq!(client.call(&ListClients {}).unwrap().clients, []);
    let toml = client.call(&GetConfiguration {}).unwrap().toml;
    assert_eq!(toml, "[camera.main]\n");
    let devices = client.call(&ListDevices {}).unwrap().devices;
    assert_eq!(devices[0].path, "/dev/video0");
    let picture = GetPicture {
        camera: Some("main".into()),
    };
    let picture = client.call(&picture).unwrap();
    assert_eq!((picture.jpeg.len(), picture.sequence), (300_000, 42));
    assert_eq!((picture.width, picture.height), (640, 480));
    assert_eq!(picture.origin, Origin::TestPattern);
}

#[test]
fn the_targets_refusals_are_typed_errors() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let set = SetCamera {
        camera: Some("side".into()),
        quality: Some(70),
        fps: None,
    };
    assert_eq!(
        refusal(client.call(&set)),
        control::Error::NoSuchCamera {
            name: "side".into(),
            known: vec!["main".into()]
        }
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
    assert_eq!(
        refusal(client.call(&Reload {})),
        control::Error::ConfigurationInvalid {
            message: "line 3: unknown key".into()
        }
    );
    let filter = "loud".into();
    assert_eq!(
        refusal(client.call(&SetLogLevel { filter })),
        control::Error::InvalidValue {
            parameter: "filter".into(),
            message: "filter \"loud\": no such level".into()
        }
    );
    let camera = Some("stopping".into());
    assert_eq!(
        refusal(client.call(&GetPicture { camera })),
        control::Error::Stopping {}
    );
}

/// The reply to a method of ours, called by hand.
fn by_hand(method: &str, parameters: &Value) -> Value {
    let daemon = Daemon::start();
    let method = format!("io.streamd.Control.{method}");
    let call = json!({ "method": method, "parameters": parameters });
    let reply = daemon.raw().call(&call.to_string());
    assert_eq!(
        daemon.target.asked(),
        [""; 0],
        "{call} has changed something"
    );
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
    assert_eq!(reply, json!({"parameters": {"toml": "[camera.main]\n"}}));
    assert_eq!(daemon.target.asked(), ["camera None Some(9) None"]);
}
