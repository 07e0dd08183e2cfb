//! The .varlink file and the Rust types say the same: every field, its type, every method and error.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use streamd_protocol::{control::*, recording::Kind, stats::*, stream::Codec};
use zlink::idl::{Field, Interface, Type};

fn interface() -> Interface<'static> {
    DESCRIPTION.try_into().unwrap()
}

/// Checks `value` against the type `ty`; `at` is where, for the message.
fn conforms(value: &Value, ty: &Type<'_>, interface: &Interface<'_>, at: &str) {
    match ty {
        Type::Bool => assert!(value.is_boolean(), "{at}: {value}"),
        Type::Int => assert!(value.is_i64(), "{at}: {value}"),
        Type::Float => assert!(value.is_f64(), "{at}: {value}"),
        Type::String => assert!(value.is_string(), "{at}: {value}"),
        Type::Optional(inner) => conforms(value, inner, interface, at),
        Type::Array(inner) => {
            let items = value.as_array().unwrap_or_else(|| panic!("{at}: {value}"));
            assert!(!items.is_empty(), "{at}: the sample must have an item");
            for item in items {
                conforms(item, inner, interface, at);
            }
        }
        Type::Custom(name) => {
            let custom = interface
                .custom_types()
                .find(|t| t.name() == name)
                .unwrap_or_else(|| panic!("{at}: type {name} is not described"));
            if let Some(object) = custom.as_object() {
                object_conforms(value, object.fields(), interface, &format!("{at}.{name}"));
            } else {
                let symbol = value.as_str().unwrap_or_else(|| panic!("{at}: {value}"));
                let all = custom.as_enum().unwrap();
                assert!(
                    all.variants().any(|v| v.name().as_str() == symbol),
                    "{at}: {name} has no {symbol}"
                );
            }
        }
        other => panic!("{at}: {other:?} is not used in this interface"),
    }
}

/// Checks that `value` has exactly `fields`.
fn object_conforms<'a>(
    value: &Value,
    fields: impl Iterator<Item = &'a Field<'a>>,
    interface: &Interface<'_>,
    at: &str,
) {
    let object = value.as_object().unwrap_or_else(|| panic!("{at}: {value}"));
    let mut left: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    for field in fields {
        let name = field.name().as_str();
        assert!(left.remove(name), "{at}: the Rust type has no {name}");
        conforms(
            &object[name],
            field.ty(),
            interface,
            &format!("{at}.{name}"),
        );
    }
    assert!(left.is_empty(), "{at}: {left:?} is not described");
}

/// Checks a method's parameters and reply, from samples in which everything is filled in.
fn method_conforms<M: Method>(call: M, reply: &M::Reply)
where
    M::Reply: Serialize,
{
    let interface = interface();
    let name = M::NAME.strip_prefix("io.streamd.Control.").unwrap();
    let method = interface
        .methods()
        .find(|m| m.name().as_str() == name)
        .unwrap_or_else(|| panic!("{name} is not described"));
    let call = serde_json::to_value(call).unwrap();
    object_conforms(&call, method.inputs(), &interface, name);
    let reply = serde_json::to_value(reply).unwrap();
    object_conforms(&reply, method.outputs(), &interface, name);
}

fn client() -> ClientStats {
    ClientStats {
        id: 7,
        name: "robot".into(),
        login: "anna".into(),
        peer: "10.0.0.9:41000".into(),
        transport: Transport::Tcp,
        connected_since: 1.5,
        connected_seconds: 2.5,
        rtt_ms: 0.1,
        link_rate: 7.8e6,
        backlog_bytes: 5,
        errors: 0,
        paused: false,
        own: LimitStats::default(),
        set: LimitStats::default(),
        feeds: vec![FeedStats {
            camera: "main".into(),
            frames: 3,
            bytes: 4,
            average_fps: 30.0,
            fps: 29.5,
            latency: LatencyStats::default(),
            dropped: DroppedStats::default(),
            codec: Codec::H264,
            quality: 80,
            bit_rate: 0,
            width: 640,
            height: 480,
            reason: "top".into(),
            rendition_changes: 0,
        }],
    }
}

fn camera() -> CameraStats {
    CameraStats {
        name: "main".into(),
        device: "auto".into(),
        path: "/dev/video0".into(),
        card: "Webcam".into(),
        state: CameraState::Streaming,
        reason: String::new(),
        requested: "640x480 30 fps auto".into(),
        format: "YUYV".into(),
        width: 640,
        height: 480,
        desired_fps: 30.0,
        driver_fps: 30.0,
        fps: 29.9,
        quality: 80,
        captured: 1,
        driver_lost: 0,
        corrupt: 0,
        losses: 0,
        encoder_faults: 2,
        encoded: 1,
        rotate: 0,
        flip: "none".into(),
        encode_average_ms: 0.8,
        clients: 1,
        renditions: vec![RenditionStats {
            codec: Codec::H264,
            quality: 80,
            bit_rate: 0,
            width: 640,
            height: 480,
            clients: 1,
            encoded: 1,
            average_bytes: 52_000,
            encoder: "m2m:/dev/video11".into(),
            encoder_reason: String::new(),
        }],
        recording: Some(recording()),
        sound: Some(SoundStats {
            device: "hw:1".into(),
            card: "C920".into(),
            state: CameraState::Streaming,
            reason: String::new(),
            channels: 1,
            bit_rate: 64_000,
            listeners: 2,
            level_db: Some(-23.5),
            peak_db: Some(-12.0),
            packets: 1000,
            dropped: 4,
            overruns: 5,
            losses: 6,
        }),
    }
}

fn recording() -> RecordingStats {
    RecordingStats {
        mode: "event".into(),
        state: RecordingState::Armed,
        reason: String::new(),
        file: String::new(),
        since: 1.5,
        directory: "/srv/recordings/main".into(),
        frames: 1,
        bytes: 2,
        lost: 3,
        removed: 4,
        free_bytes: -1,
    }
}

#[test]
fn the_methods_for_recordings() {
    let camera = || "main".to_owned();
    let set = SetRecording {
        camera: Some(camera()),
        record: true,
        seconds: Some(60.0),
    };
    let reply = SetRecordingReply {
        camera: camera(),
        recording: recording(),
    };
    method_conforms(set, &reply);
    let list = ListRecordings {
        camera: Some(camera()),
        from: Some(1.5),
        to: Some(2.5),
    };
    for kind in Kind::ALL {
        let reply = ListRecordingsReply {
            camera: camera(),
            days: vec!["2026-11-26".into()],
            recordings: vec![Recording {
                id: "2026-11-26T20-41-05.123Z_60.012s_event".into(),
                kind,
                from: 1.5,
                to: 2.5,
                bytes: 3,
                file: "/srv/recordings/main/x.mp4".into(),
            }],
        };
        method_conforms(list.clone(), &reply);
    }
}

fn control() -> Control {
    Control {
        name: "auto-exposure".into(),
        label: "Auto Exposure".into(),
        kind: ControlKind::Menu,
        value: "Manual Mode".into(),
        default: "Auto Mode".into(),
        minimum: 0,
        maximum: 3,
        step: 1,
        menu: vec![ControlEntry {
            number: 1,
            text: "Manual Mode".into(),
        }],
        inactive: false,
        read_only: false,
        busy: false,
    }
}

#[test]
fn the_methods_for_controls() {
    let camera = || "main".to_owned();
    let list = ListControls {
        camera: Some(camera()),
    };
    let reply = ListControlsReply {
        camera: camera(),
        controls: vec![control()],
    };
    method_conforms(list, &reply);
    let set = SetControls {
        camera: Some(camera()),
        controls: vec![ControlSetting {
            name: "gain".into(),
            value: "3".into(),
        }],
    };
    let reply = SetControlsReply {
        camera: camera(),
        controls: vec![control()],
    };
    method_conforms(set, &reply);
}

#[test]
fn the_method_that_tells_what_happens() {
    let text = || "text".to_owned();
    let event = Event {
        kind: EventKind::Changed,
        time: 1.5,
        text: text(),
        cameras: vec![text()],
        client: 7,
        name: text(),
        peer: text(),
        reason: text(),
        method: text(),
        parameters: text(),
        uid: -1,
        applied: vec![text()],
        needs_restart: vec![text()],
    };
    let reply = WatchEventsReply {
        event: Some(event),
        lost: 0,
    };
    method_conforms(WatchEvents {}, &reply);
    let silence = json!({"lost": 3});
    let read: WatchEventsReply = serde_json::from_value(silence.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), silence);
}

fn stats() -> Stats {
    Stats {
        version: "1.0.0".into(),
        pid: 1,
        uptime_seconds: 2.0,
        status: "1 camera".into(),
        healthy: false,
        stuck: vec!["capture-main".into()],
        cameras: vec![camera()],
        clients: vec![client()],
        nats: Some(NatsStats {
            servers: "nats://127.0.0.1:4222".into(),
            connected: true,
            reason: "reason".into(),
            foreign: 1,
            stale: 2,
            too_large: 3,
        }),
        refused: 0,
        dropped_clients: 0,
    }
}

#[test]
fn the_methods_that_look() {
    let interval_ms = Some(1000);
    method_conforms(GetStats { interval_ms }, &GetStatsReply { stats: stats() });
    let clients = vec![client()];
    method_conforms(ListClients {}, &ListClientsReply { clients });
    let toml = "a = 1".into();
    let file = "/etc/streamd/streamd.toml".into();
    method_conforms(GetConfiguration {}, &GetConfigurationReply { toml, file });
    let device = Device {
        links: vec!["/dev/v4l/by-id/webcam".into()],
        formats: vec![DeviceFormat {
            fourcc: "YUYV".into(),
            description: "YUYV 4:2:2".into(),
            sizes: vec![DeviceSize {
                width: 640,
                height: 480,
                fps: vec![30.0],
            }],
        }],
        ..Device::default()
    };
    let devices = vec![device];
    method_conforms(ListDevices {}, &ListDevicesReply { devices });
    method_conforms(
        GetPicture {
            camera: Some("main".into()),
        },
        &GetPictureReply {
            camera: "main".into(),
            jpeg: vec![0xFF, 0xD8],
            sequence: 1,
            captured_us: 2,
            width: 640,
            height: 480,
            origin: Origin::TestPattern,
        },
    );
}

#[test]
fn the_methods_that_change() {
    method_conforms(
        KickClient {
            id: Some(7),
            all: Some(false),
            reason: Some("maintenance".into()),
        },
        &KickClientReply { kicked: 1 },
    );
    method_conforms(
        SetCamera {
            camera: Some("main".into()),
            quality: Some(70),
            fps: Some(15.0),
            rotate: Some(90),
            flip: Some("vertical".into()),
        },
        &SetCameraReply {
            cameras: vec!["main".into()],
        },
    );
    method_conforms(
        SetClient {
            id: 7,
            fps: Some(15.0),
            quality: Some(60),
            max_width: Some(320),
        },
        &Empty {},
    );
    let keys = || vec!["camera.main.fps".to_owned()];
    method_conforms(
        Reload {},
        &ReloadReply {
            applied: keys(),
            needs_restart: keys(),
        },
    );
    let filter = "info".into();
    method_conforms(SetLogLevel { filter }, &Empty {});
}

#[test]
fn the_methods_for_tokens() {
    let name = || "phone".to_owned();
    let token = || TokenReply {
        token: "secret".into(),
    };
    let add = AddToken {
        name: name(),
        role: Some("viewer".into()),
        camera: Some("main".into()),
        expires_seconds: Some(60),
    };
    method_conforms(add, &token());
    method_conforms(RotateToken { name: name() }, &token());
    let reply = RevokeTokenReply { disconnected: 1 };
    method_conforms(RevokeToken { name: name() }, &reply);
    let listed = TokenInfo {
        name: name(),
        role: "viewer".into(),
        camera: String::new(),
        created: 1,
        expires: 0,
    };
    let tokens = vec![listed];
    method_conforms(ListTokens {}, &ListTokensReply { tokens });
    let entries = vec![AuditEntry::default()];
    method_conforms(ListAudit { count: Some(5) }, &ListAuditReply { entries });
}

#[test]
fn the_method_for_hosts() {
    let cameras = vec![HostCamera {
        name: "main".into(),
        state: Some(CameraState::Idle),
        taken_as: String::new(),
    }];
    let hosts = vec![Host {
        name: "robot7".into(),
        heard: true,
        seconds: 7.5,
        cameras,
    }];
    method_conforms(ListHosts {}, &ListHostsReply { hosts });
}

#[test]
fn no_method_is_described_that_does_not_exist() {
    let interface = interface();
    let described = interface.methods().map(|m| m.name().as_str());
    let described: BTreeSet<String> = described.map(|m| format!("{INTERFACE}.{m}")).collect();
    let known: BTreeSet<String> = METHODS.iter().map(|m| (*m).to_owned()).collect();
    assert_eq!(described, known);
}

/// One of each, with everything filled in.
fn errors() -> Vec<Error> {
    let message = || "why".to_owned();
    vec![
        Error::NoSuchCamera(NoSuchCamera {
            name: "x".into(),
            known: vec!["main".into()],
        }),
        Error::NoSuchClient { id: 9 },
        Error::InvalidValue {
            parameter: "quality".into(),
            message: message(),
        },
        Error::ConfigurationInvalid { message: message() },
        Error::CameraTimeout {
            camera: "main".into(),
            seconds: 5.0,
        },
        Error::NoSuchControl {
            camera: "main".into(),
            name: "gian".into(),
            nearest: vec!["gain".into()],
        },
        Error::ControlsUnavailable {
            camera: "main".into(),
            message: message(),
        },
        Error::DevicesUnavailable { message: message() },
        Error::HostsUnavailable { message: message() },
        Error::RecordingUnavailable {
            camera: "main".into(),
            message: message(),
        },
        Error::TokensUnavailable { message: message() },
        Error::NoSuchToken { name: "x".into() },
        Error::TooManyConnections { maximum: 16 },
        Error::MessageTooLong {
            maximum_bytes: 65_536,
        },
        Error::MessageMalformed { message: message() },
        Error::InterfaceNotFound {
            interface: "a.b".into(),
        },
        Error::MethodNotFound {
            method: "a.b.C".into(),
        },
        Error::MethodNotImplemented {
            method: "a.b.C".into(),
        },
        Error::InvalidParameter {
            parameter: "x".into(),
        },
        Error::PermissionDenied {},
        Error::ExpectedMore {},
    ]
}

#[test]
fn the_errors() {
    let ours = interface();
    let service: Interface<'_> = SERVICE_DESCRIPTION.try_into().unwrap();
    let mut left: BTreeSet<&str> = ours.errors().map(|e| e.name().as_str()).collect();
    for error in errors() {
        let reply = error.clone().into_reply();
        let full = reply.error.clone().unwrap();
        let (interface, name) = full.rsplit_once('.').unwrap();
        let interface = match interface {
            INTERFACE => &ours,
            SERVICE_INTERFACE => &service,
            other => panic!("{other}"),
        };
        let described = interface.errors().find(|e| e.name().as_str() == name);
        let described = described.unwrap_or_else(|| panic!("{full} is not described"));
        object_conforms(&reply.parameters, described.fields(), interface, &full);
        assert_eq!(Error::from_reply(&full, reply.parameters), Some(error));
        left.remove(name);
    }
    assert!(left.is_empty(), "{left:?} is described, but does not exist");
    assert_eq!(
        Error::from_reply("org.varlink.service.PermissionDenied", Value::Null),
        Some(Error::PermissionDenied {}),
        "parameters may be left out"
    );
    assert_eq!(Error::from_reply("a.b.C", json!({})), None);
}

#[test]
fn the_enums() {
    fn same<T: Serialize>(name: &str, variants: &[T]) {
        let interface = interface();
        let custom = interface.custom_types().find(|t| t.name().as_str() == name);
        let symbols = custom.unwrap().as_enum().unwrap().variants();
        let symbols: Vec<_> = symbols.map(|v| json!(v.name().as_str())).collect();
        assert_eq!(json!(variants), json!(symbols), "{name}");
    }
    same("EventKind", &EventKind::ALL);
    {
        use CameraState::*;
        same("CameraState", &[Starting, Streaming, Idle, Lost]);
    }
    {
        use Transport::*;
        same(
            "Transport",
            &[Tcp, Websocket, Mjpeg, H264, Rtsp, Webrtc, Nats],
        );
    }
    {
        same("Codec", &Codec::ALL);
    }
    {
        use Origin::*;
        same("Origin", &[Camera, TestPattern, Blank]);
    }
    {
        use ControlKind::*;
        same(
            "ControlKind",
            &[Integer, Boolean, Menu, IntegerMenu, Button, Bitmask, Text],
        );
    }
}
