//! WebRTC by WHEP: who gets pictures, and what becomes of all else.

use std::net::UdpSocket;

use streamd_protocol::stats::{CameraState, SoundStats, Stats, Transport};
use streamd_tests::{
    daemon::Daemon,
    ear::Ear,
    setup::Setup,
    unit::{Screen, Unit},
    web::{self, Response},
    whep::{Came, Offers, Whep},
};

fn start(keys: &str) -> Daemon {
    let setup = Setup::default().camera(&format!("fps = 30\nadapt = false\n{keys}"));
    let webrtc = format!("[webrtc]\nlisten = \"{}\"", setup.webrtc());
    setup.tables(&webrtc).start()
}

fn post(daemon: &Daemon, path: &str, offer: &str) -> Response {
    let kind = ["Content-Type: application/sdp"];
    web::send(daemon.setup.http(), "POST", path, &kind, offer)
}

fn delete(daemon: &Daemon, path: &str) -> u16 {
    web::send(daemon.setup.http(), "DELETE", path, &[], "").status
}

#[test]
fn pictures_come_as_they_are_encoded_and_the_session_is_a_client_like_others() {
    let daemon = start("");
    let mut client = Whep::connect(daemon.setup.http(), "/whep/main");
    let mut screen = Screen::new();
    let mut last = 0;
    for n in 0..30 {
        let unit = Unit::new(client.picture());
        assert!(unit.key || n > 0, "it begins at a key");
        let (width, height, _) = screen.show(&unit);
        assert_eq!((width, height), (320, 240));
        assert!(unit.app.sequence > last && unit.app.camera == "main");
        last = unit.app.sequence;
    }
    let stats = daemon.wait_for_stats("its latency by its reports", |stats| {
        stats
            .clients
            .iter()
            .any(|c| c.feeds[0].latency.measured > 0)
    });
    assert_eq!(stats.clients[0].transport, Transport::Webrtc);
    daemon.streamctl("kick 1").succeeded();
    client.wait_for_end();
    daemon.wait_for_clients(0);
}

#[test]
fn a_session_ends_by_delete_and_its_address_with_it() {
    let daemon = start("");
    let mut client = Whep::connect(daemon.setup.http(), "/whep");
    client.picture();
    let session = client.location.clone();
    assert!(session.starts_with("/whep/main/"), "{session}");
    let http = daemon.setup.http();
    let patch = |path: &str, body: &str| web::send(http, "PATCH", path, &[], body).status;
    assert_eq!(
        patch(&session, "a=candidate:1 1 UDP 1 192.0.2.1 9 typ host"),
        204
    );
    assert_eq!(
        patch(&session, "a=ice-ufrag:abcd\r\na=ice-pwd:efgh\r\n"),
        422
    );
    assert_eq!(web::get(http, &session, &[]).status, 405);
    assert_eq!(delete(&daemon, "/whep/main/none"), 404);
    assert_eq!(delete(&daemon, &session), 200);
    client.wait_for_end();
    daemon.wait_for_clients(0);
    assert_eq!(delete(&daemon, &session), 404);
}

#[test]
fn who_asks_for_a_key_gets_one() {
    let daemon = start("");
    let mut client = Whep::connect(daemon.setup.http(), "/whep/main");
    (0..20).for_each(|_| {
        client.picture();
    });
    client.ask_for_key();
    while !Unit::new(client.picture()).key {}
}

#[test]
fn what_is_wrong_with_an_offer_is_said() {
    let daemon = start("max-clients = 1");
    let said = |response: Response| {
        let status = response.status;
        (status, String::from_utf8(response.body()).unwrap())
    };
    let offer = Whep::new(Offers::All).offer;
    let (status, words) = said(post(&daemon, "/whep/main", &Whep::new(Offers::Vp8).offer));
    assert!(status == 406 && words.contains("H.264"), "{status} {words}");
    for wrong in ["", "v=0", "hello"] {
        let (status, words) = said(post(&daemon, "/whep/main", wrong));
        assert!(status == 400 && words.contains("offer"), "{status} {words}");
    }
    assert_eq!(post(&daemon, "/whep/side", &offer).status, 404);
    assert_eq!(post(&daemon, "/whep/main?fps=none", &offer).status, 400);
    assert_eq!(post(&daemon, "/whep/main", &"a".repeat(70_000)).status, 413);
    let http = daemon.setup.http();
    assert_eq!(
        web::send(http, "POST", "/whep/main", &[], &offer).status,
        415
    );
    let mut only = Whep::connect(http, "/whep/main");
    only.picture();
    let (status, words) = said(post(&daemon, "/whep/main", &offer));
    assert!(
        status == 503 && words.contains("max-clients"),
        "{status} {words}"
    );
    let off = Daemon::start();
    let (status, words) = said(post(&off, "/whep/main", &offer));
    assert!(
        status == 404 && words.contains("[webrtc]"),
        "{status} {words}"
    );
}

#[test]
fn garbage_at_the_port_disturbs_nobody() {
    let daemon = start("");
    let mut client = Whep::connect(daemon.setup.http(), "/whep/main");
    client.picture();
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stun = |name: &[u8]| {
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42];
        bytes.extend([7; 12]);
        bytes.extend([0, 6, 0, name.len() as u8]);
        bytes.extend(name);
        bytes
    };
    for n in 0..2000_u32 {
        let bytes = match n % 4 {
            0 => stun(b"none:none"),
            1 => vec![0x80; 1200],
            2 => vec![22; 100],
            _ => vec![0; n as usize % 64],
        };
        let _ = flood.send_to(&bytes, daemon.setup.webrtc());
    }
    (0..20).for_each(|_| {
        client.picture();
    });
    assert_eq!(daemon.stats().clients.len(), 1);
}

#[test]
fn an_offer_that_is_never_followed_gives_its_place_back() {
    let daemon = start("max-clients = 1");
    let offer = Whep::new(Offers::All).offer;
    let answered = post(&daemon, "/whep/main", &offer);
    assert_eq!(answered.status, 201);
    daemon.wait_for_clients(1);
    daemon.wait_for_clients(0);
    let mut client = Whep::connect(daemon.setup.http(), "/whep/main");
    client.picture();
}

fn sound(stats: &Stats) -> &SoundStats {
    stats.cameras[0].sound.as_ref().expect("it has sound")
}

#[test]
fn sound_comes_beside_the_pictures_by_one_clock_while_somebody_listens() {
    let setup = Setup::default().camera("fps = 30\nadapt = false");
    let tables = format!(
        "[camera.main.audio]\ndevice = \"test\"\n[webrtc]\nlisten = \"{}\"",
        setup.webrtc()
    );
    let daemon = setup.tables(&tables).start();
    let http = daemon.setup.http();
    // Who wants none hears none, and nothing is heard for it.
    let mut silent = Whep::connect(http, "/whep/main");
    (0..5).for_each(|_| {
        silent.picture();
    });
    assert_eq!(sound(&daemon.stats()).state, CameraState::Idle);

    let mut client = Whep::new(Offers::Sound).offered(http, "/whep/main");
    let mut ear = Ear::new();
    let (mut beeps, mut off) = (Vec::new(), Vec::new());
    let mut last: Option<Came> = None;
    // Sender reports come each second or so, and a beep at each full second.
    while beeps.len() < 2 || off.len() < 5 {
        let came = client.whatever();
        if !came.is_sound {
            let unit = Unit::new(came.bytes.clone());
            let labelled = unit.app.captured_us as f64 / 1e6;
            if let Some(reported) = came.captured {
                off.push(reported - labelled);
            }
            continue;
        }
        if let Some(last) = &last {
            // Whole packets follow each other, or, on a busy machine, some are missing.
            let step = came.clock - last.clock;
            assert!(step == 960 || step > 1000, "{step}");
        }
        let begins = ear.begins(&came.bytes, came.captured.unwrap_or(0.0));
        beeps.extend(begins.filter(|_| came.captured.is_some()));
        last = Some(came);
    }
    // The sender reports say when pictures were captured, as their labels do, and when sound was: the
    // tone begins at full seconds.
    for off in off {
        assert!(off.abs() < 0.01, "{off}");
    }
    for beep in beeps {
        assert!((beep - beep.round()).abs() < 0.02, "{beep}");
    }
    let stats = daemon.wait_for_stats("it is heard", |stats| sound(stats).listeners == 1);
    assert_eq!(sound(&stats).state, CameraState::Streaming);
    drop(client);
    daemon.streamctl("kick 2").succeeded();
    daemon.wait_for_stats("nobody listens", |stats| {
        sound(stats).state == CameraState::Idle
    });
    silent.picture();
}

#[test]
fn a_camera_without_sound_answers_an_offer_of_it_with_pictures_alone() {
    let daemon = start("");
    let mut client = Whep::new(Offers::Sound).offered(daemon.setup.http(), "/whep/main");
    for _ in 0..20 {
        assert!(!client.whatever().is_sound);
    }
}
