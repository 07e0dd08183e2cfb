//! RTSP: what a player is told and sent, by blocks of its connection and by datagrams.

use std::net::UdpSocket;

use base64::{Engine, prelude::BASE64_STANDARD};
use nix::sys::signal::Signal;
use streamd_protocol::{
    control::{AddToken, KickClient, RevokeToken},
    stats::Transport,
};
use streamd_tests::{
    daemon::Daemon,
    rtsp::{Ports, Rtsp, units},
    setup::Setup,
    unit::{Screen, Unit},
};

/// What a daemon needs to speak it.
fn speaking(setup: Setup, more: &str) -> Setup {
    let listen = setup.rtsp();
    setup.tables(&format!("[rtsp]\nlisten = \"{listen}\"\n{more}"))
}

fn start() -> Daemon {
    speaking(Setup::default(), "").start()
}

fn connect(daemon: &Daemon) -> Rtsp {
    Rtsp::connect(daemon.setup.rtsp())
}

/// Begins to watch JPEG by datagrams.
#[track_caller]
fn play_by_datagrams(player: &mut Rtsp, ports: &Ports) -> (u16, u16) {
    play_by_datagrams_of(player, ports, "/main/jpeg")
}

/// Begins to watch by datagrams what is at this path; returns the server's ports.
#[track_caller]
fn play_by_datagrams_of(player: &mut Rtsp, ports: &Ports, path: &str) -> (u16, u16) {
    let track = format!("{path}/trackID=0");
    let answer = player.ask("SETUP", &track, &[&ports.transport()]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let transport = answer.header("Transport").unwrap();
    let (_, server) = transport.split_once("server_port=").unwrap();
    let server = server.split(';').next().unwrap();
    let (rtp, rtcp) = server.split_once('-').unwrap();
    assert_eq!(player.ask("PLAY", "/main", &[]).status, 200);
    (rtp.parse().unwrap(), rtcp.parse().unwrap())
}

#[test]
fn a_player_is_told_what_there_is_and_gets_it_in_its_connection() {
    let daemon = start();
    let mut player = connect(&daemon);
    let options = player.ask("OPTIONS", "/main", &[]);
    let methods = options.header("Public").unwrap();
    for method in ["DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN"] {
        assert!(methods.contains(method), "{methods}");
    }
    let described = player.ask("DESCRIBE", "/main/jpeg", &["Accept: application/sdp"]);
    assert_eq!(described.header("Content-Type"), Some("application/sdp"));
    let base = format!("rtsp://{}/main/jpeg/", daemon.setup.rtsp());
    assert_eq!(described.header("Content-Base"), Some(&*base));
    for line in [
        "m=video 0 RTP/AVP 26",
        "a=rtpmap:26 JPEG/90000",
        "a=control:trackID=0",
    ] {
        assert!(
            described.body.contains(&format!("{line}\r\n")),
            "{}",
            described.body
        );
    }
    player.play("/main/jpeg");
    let (first, reports) = player.picture();
    assert_eq!(reports.len(), 1, "a report comes with the first picture");
    assert_eq!(reports[0][..2], [0x80, 200]);
    let (width, height, _) = first.decode();
    assert_eq!((width, height), (320, 240));
    let (second, _) = player.picture();
    let gone = second.clock.wrapping_sub(first.clock);
    assert!((1..90_000 * 5).contains(&gone), "{gone}");
    let stats = daemon.wait_for_clients(1);
    let client = &stats.clients[0];
    assert_eq!(
        (client.transport, &*client.name),
        (Transport::Rtsp, "test/1")
    );
    assert_eq!(client.peer, player.address());

    assert_eq!(player.ask("GET_PARAMETER", "/main", &[]).status, 200);
    assert_eq!(player.ask("PAUSE", "/main", &[]).status, 200);
    daemon.wait_for_stats("it is paused", |stats| stats.clients[0].paused);
    assert_eq!(player.ask("PLAY", "/main", &[]).status, 200);
    player.picture().0.decode();
    assert_eq!(player.ask("TEARDOWN", "/main", &[]).status, 200);
    assert!(player.is_closed());
    daemon.wait_for_clients(0);
}

#[test]
fn h264_comes_where_nothing_else_is_asked_for_with_its_parameters_and_a_key_now_and_again() {
    let daemon = speaking(Setup::default().camera("fps = 15"), "").start();
    let mut player = connect(&daemon);
    let described = player.ask("DESCRIBE", "/main", &[]).body;
    for words in [
        "RTP/AVP 96\r\n",
        "a=rtpmap:96 H264/90000\r\n",
        "packetization-mode=1;",
    ] {
        assert!(described.contains(words), "{described}");
    }
    let (_, sets) = described.split_once("sprop-parameter-sets=").unwrap();
    let (sequence, _) = sets.split_once(',').unwrap();
    let sequence = BASE64_STANDARD.decode(sequence).unwrap();
    player.play("/main");
    let mut screen = Screen::new();
    let mut keys = Vec::new();
    for n in 0..50 {
        let (packets, _) = player.packets();
        let unit = Unit::new(units(&packets));
        assert_eq!(unit.app.camera, "main");
        let (width, height, _) = screen.show(&unit);
        assert_eq!((width, height), (320, 240));
        if unit.key {
            let mut windows = unit.bytes.windows(sequence.len());
            assert!(
                windows.any(|at| at == sequence),
                "the set that was described"
            );
            keys.push((n, packets[0].clock));
        }
    }
    assert_eq!(keys[0].0, 0, "it begins with a key");
    let gaps = keys
        .windows(2)
        .map(|pair| pair[1].1.wrapping_sub(pair[0].1));
    let gaps: Vec<_> = gaps.collect();
    assert!(
        !gaps.is_empty() && gaps.iter().all(|gap| *gap < 90_000 * 5),
        "{keys:?}"
    );

    let mut other = connect(&daemon);
    let ports = Ports::bind();
    play_by_datagrams_of(&mut other, &ports, "/main");
    let unit = Unit::new(units(&ports.packets()));
    Screen::new().show(&unit);
    assert!(unit.key);
}

#[test]
fn a_large_picture_comes_in_several_packets_and_a_small_one_at_the_rate_that_was_asked_for() {
    let daemon = speaking(
        Setup::default().camera("size = \"1280x960\"\nquality = 95"),
        "",
    )
    .start();
    let mut player = connect(&daemon);
    player.play("/main/jpeg");
    let (first, _) = player.picture();
    assert!(first.bytes.len() > 64 * 1024, "{}", first.bytes.len());
    let (width, height, _) = first.decode();
    assert_eq!((width, height), (1280, 960));
    let mut small = connect(&daemon);
    small.play("/main/jpeg?max_width=320");
    let (width, ..) = small.picture().0.decode();
    assert_eq!(width, 320);
}

#[test]
fn datagrams_go_to_the_ports_of_the_client_and_end_with_its_session() {
    let daemon = start();
    let mut player = connect(&daemon);
    let ports = Ports::bind();
    let (_, server_rtcp) = play_by_datagrams(&mut player, &ports);
    for _ in 0..3 {
        let (width, height, _) = ports.picture().decode();
        assert_eq!((width, height), (320, 240));
    }
    let mut report = [0; 1500];
    let length = ports.rtcp.recv(&mut report).unwrap();
    assert_eq!(report[..2], [0x80, 200], "{length}");

    // What is no report of this stream is counted, and does no more than that.
    let server = (daemon.setup.rtsp().ip(), server_rtcp);
    ports.rtcp.send_to(b"forged", server).unwrap();
    daemon.wait_for_stats("it is counted", |stats| stats.clients[0].errors == 1);
    // From elsewhere it does not even come.
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.send_to(b"forged", server).unwrap();

    assert_eq!(player.ask("PAUSE", "/main", &[]).status, 200);
    daemon.wait_for_stats("it is paused", |stats| stats.clients[0].paused);
    assert_eq!(player.ask("PLAY", "/main", &[]).status, 200);
    ports.picture();
    let errors = daemon.stats().clients[0].errors;
    assert_eq!(errors, 1);
    assert_eq!(player.ask("TEARDOWN", "/main", &[]).status, 200);
    daemon.wait_for_clients(0);
    // A connection that ends takes its session with it.
    let mut player = connect(&daemon);
    play_by_datagrams(&mut player, &ports);
    daemon.wait_for_clients(1);
    drop(player);
    daemon.wait_for_clients(0);
}

#[test]
fn who_may_watch_is_asked_here_as_everywhere() {
    let setup = Setup::default().another("side", "");
    let file = setup.file("tokens.json");
    let access =
        format!("[access]\nanonymous = \"none\"\ntoken-in-query = true\ntoken-file = {file:?}");
    let daemon = speaking(setup, &access).start();
    let call = AddToken {
        name: "nvr".into(),
        camera: Some("main".into()),
        ..AddToken::default()
    };
    let token = daemon.call(&call).unwrap().token;
    let basic = |token: &str| {
        let pair = BASE64_STANDARD.encode(format!("user:{token}"));
        format!("Authorization: Basic {pair}")
    };
    let bearer = format!("Authorization: Bearer {token}");
    for path in ["/main", "/nowhere", "/main/vp8"] {
        let refused = connect(&daemon).ask("DESCRIBE", path, &[]);
        assert_eq!(refused.status, 401, "{path}");
        let challenge = refused.header("WWW-Authenticate").unwrap();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    }
    let mut player = connect(&daemon);
    assert_eq!(
        player.ask("DESCRIBE", "/main", &[&basic("wrong")]).status,
        401
    );
    assert_eq!(
        player.ask("DESCRIBE", "/main", &[&basic(&token)]).status,
        200
    );
    assert_eq!(player.ask("DESCRIBE", "/side", &[&bearer]).status, 403);
    assert_eq!(player.ask("DESCRIBE", "/nowhere", &[&bearer]).status, 404);
    // It is known by now.
    player.play("/main/jpeg");
    player.picture();
    let mut other = connect(&daemon);
    let ports = Ports::bind();
    let path = format!("/main/jpeg?token={token}");
    let setup = other.ask("SETUP", &format!("{path}/trackID=0"), &[&ports.transport()]);
    assert_eq!(setup.status, 200, "{setup:?}");
    assert_eq!(other.ask("PLAY", "/main", &[]).status, 200);
    ports.picture();
    let mut late = connect(&daemon);
    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
    let setup = late.ask("SETUP", "/main", &[transport, &bearer]);
    assert_eq!(setup.status, 200, "{setup:?}");
    daemon.wait_for_clients(2);
    let revoke = RevokeToken { name: "nvr".into() };
    daemon.call(&revoke).unwrap();
    assert!(player.is_closed() && other.is_closed());
    // Who has not begun by then does not begin.
    assert_eq!(late.ask("PLAY", "/main", &[]).status, 401);
    daemon.wait_for_clients(0);
}

#[test]
fn an_operator_sees_and_ends_both_kinds() {
    let daemon = start();
    let mut one = connect(&daemon);
    one.play("/main/jpeg");
    let mut other = connect(&daemon);
    let ports = Ports::bind();
    play_by_datagrams(&mut other, &ports);
    ports.picture();
    let stats = daemon.wait_for_stats("both get pictures", |stats| {
        let frames = stats.clients.iter().map(|client| client.frames());
        frames.filter(|frames| *frames > 0).count() == 2
    });
    for client in &stats.clients {
        assert_eq!(client.transport, Transport::Rtsp);
        let kick = KickClient {
            id: Some(client.id),
            ..KickClient::default()
        };
        daemon.call(&kick).unwrap();
    }
    assert!(one.is_closed() && other.is_closed());
    daemon.log.wait_for(&["kicked"]);
    daemon.wait_for_clients(0);
}

#[test]
fn a_camera_has_as_many_places_as_over_any_other_way() {
    let daemon = speaking(Setup::default().camera("max-clients = 1"), "").start();
    let mut viewer = daemon.viewer();
    viewer.picture();
    let mut player = connect(&daemon);
    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
    let setup = player.ask("SETUP", "/main/jpeg", &[transport]);
    assert_eq!(setup.status, 200);
    let refused = player.ask("PLAY", "/main", &[]);
    assert_eq!(refused.status, 453);
    assert!(refused.body.contains("max-clients"), "{refused:?}");
    drop(viewer);
    daemon.wait_for_clients(0);
    assert_eq!(player.ask("PLAY", "/main", &[]).status, 200);
    player.picture();
}

#[test]
fn what_can_not_be_had_is_refused_with_the_reason() {
    let daemon = start();
    let mut player = connect(&daemon);
    for (method, path, header, status) in [
        ("DESCRIBE", "/nowhere", "a: b", 404),
        ("DESCRIBE", "/main/vp8", "a: b", 400),
        ("DESCRIBE", "/main?fps=x", "a: b", 400),
        ("PLAY", "/main", "a: b", 454),
        ("PAUSE", "/main", "a: b", 454),
        ("RECORD", "/main", "a: b", 501),
        ("SETUP", "/main", "a: b", 461),
        (
            "SETUP",
            "/main",
            "Transport: RTP/AVP;multicast;port=5000-5001",
            461,
        ),
        // Nobody is sent anything who has not asked for it.
        (
            "SETUP",
            "/main",
            "Transport: RTP/AVP;unicast;destination=192.0.2.1;client_port=5000-5001",
            461,
        ),
        (
            "SETUP",
            "/main",
            "Transport: RTP/AVP/TCP;interleaved=0-1",
            200,
        ),
        (
            "SETUP",
            "/main",
            "Transport: RTP/AVP/TCP;interleaved=2-3",
            455,
        ),
    ] {
        let answer = player.ask(method, path, &[header]);
        assert_eq!(
            answer.status, status,
            "{method} {path} {header}: {answer:?}"
        );
    }
    player.session = Some("another".into());
    assert_eq!(player.ask("PLAY", "/main", &[]).status, 454);
    let mut first = connect(&daemon);
    assert_eq!(
        first.ask("DESCRIBE", "", &[]).status,
        200,
        "the first camera"
    );
}

#[test]
fn what_is_no_rtsp_ends_its_own_connection_and_is_counted() {
    let daemon = start();
    let mut watches = connect(&daemon);
    watches.play("/main/jpeg");
    for garbage in [
        b"\x16\x03\x01\x02\0\x01".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        [b"OPTIONS * RTSP/1.0\r\nx: ".as_slice(), &[b'y'; 10_000]].concat(),
        b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 100000\r\n\r\n".to_vec(),
    ] {
        let mut player = connect(&daemon);
        player.write(&garbage);
        let answer = player.answer();
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(player.is_closed());
    }
    daemon.log.wait_for(&["that is no request of RTSP"]);
    // In the midst of pictures too.
    let mut player = connect(&daemon);
    player.play("/main/jpeg");
    player.write(b"garbage\r\n");
    assert!(player.is_closed());
    let stats = daemon.wait_for_clients(1);
    assert_eq!(stats.dropped_clients, 1);
    watches.picture();
}

#[test]
fn who_watches_in_its_connection_goes_on_over_a_restart() {
    let mut daemon = speaking(Setup::default(), "").storing(10).start();
    let mut player = connect(&daemon);
    player.play("/main/jpeg");
    let (mut last, _) = player.picture();
    let mut other = connect(&daemon);
    let ports = Ports::bind();
    play_by_datagrams(&mut other, &ports);
    daemon.wait_for_clients(2);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait_for_end().code(), Some(0));
    let daemon = daemon.restart();
    let stats = daemon.wait_for_clients(1);
    assert_eq!(stats.clients[0].transport, Transport::Rtsp);
    for _ in 0..50 {
        let (picture, _) = player.picture();
        // Numbers and times go on where they were.
        assert!(picture.sequence.wrapping_sub(last.sequence) < 1000);
        assert!(picture.clock.wrapping_sub(last.clock) < 90_000 * 60);
        last = picture;
    }
    last.decode();
    assert_eq!(player.ask("GET_PARAMETER", "/main", &[]).status, 200);
    assert!(other.is_closed(), "datagrams are of a process");
}
