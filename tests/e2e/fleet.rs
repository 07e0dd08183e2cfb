//! Cameras from host to host, on a real server of NATS.

mod written;

use std::{
    collections::HashMap,
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use nix::sys::signal::Signal;
use streamd_protocol::{
    control::{Host, ListHosts},
    stats::{CameraState, NatsStats, Stats, Transport},
    stream::{AppSegment, is_stand_in},
};
use streamd_tests::{
    daemon::Daemon, eventually, nats::Server, picture::Picture, setup::Setup, viewer::Viewer,
};

/// A host whose camera `main` others may have; with more lines for its tables and its camera.
fn host_with(server: &Server, name: &str, nats: &str, camera: &str) -> Daemon {
    let setup = Setup::default();
    let keys = format!("host = {name:?}\npublish = [\"main\"]\n{nats}");
    let camera = format!("fps = 30\nidle-after = \"200ms\"\n{camera}");
    let tables = access(&setup) + &server.table(&keys);
    setup.tables(&tables).camera(&camera).start()
}

fn host(server: &Server, name: &str) -> Daemon {
    host_with(server, name, "", "")
}

/// Nothing of the machine that the tests run on has a say.
fn access(setup: &Setup) -> String {
    format!("[access]\ntoken-file = {:?}\n", setup.file("tokens.json"))
}

/// A machine that takes this camera over, as its own `main`.
fn relay_with(server: &Server, camera: &str, nats: &str, keys: &str) -> Daemon {
    let setup = Setup::default();
    let keys = format!("device = \"nats:{camera}\"\nfps = 30\nidle-after = \"200ms\"\n{keys}");
    let tables = access(&setup) + &server.table(nats);
    setup.tables(&tables).camera(&keys).start()
}

fn relay(server: &Server, camera: &str) -> Daemon {
    relay_with(server, camera, "", "")
}

fn nats(stats: &Stats) -> &NatsStats {
    stats.nats.as_ref().expect("it is configured")
}

/// The next picture of a camera itself.
fn live(viewer: &mut Viewer) -> Picture {
    viewer.picture_that("the camera itself", |picture| !is_stand_in(&picture.bytes))
}

fn no_signal(viewer: &mut Viewer) {
    viewer.picture_that("\"no signal\"", |picture| is_stand_in(&picture.bytes));
}

/// What a JPEG file has behind the segments that say where it comes from.
fn coded(picture: &Picture) -> &[u8] {
    let tables = picture.bytes.windows(2).position(|two| two == [0xFF, 0xDB]);
    &picture.bytes[tables.expect("a picture has quantisation tables")..]
}

fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("it is later than 1970").as_micros() as u64
}

#[test]
fn a_camera_of_another_host_is_watched_as_it_is_with_its_numbers_and_times() {
    let server = Server::start();
    // Whatever the machine of the tests has to do, all get the one rendition.
    let host = host_with(&server, "robot7", "", "adapt = false");
    let relay = relay_with(&server, "robot7/main", "", "adapt = false");
    let (mut there, mut here) = (host.viewer(), relay.viewer());
    live(&mut here);
    let pictures: Vec<_> = (0..30).map(|_| live(&mut here)).collect();
    for two in pictures.windows(2) {
        assert!(two[1].app.sequence > two[0].app.sequence);
        assert!(two[1].app.captured_us > two[0].app.captured_us);
    }
    let mut originals = HashMap::new();
    let last = pictures[29].app.sequence;
    // The viewer there may have left some of them out, and is beyond them then.
    loop {
        let picture = live(&mut there);
        let sequence = picture.app.sequence;
        originals.insert(sequence, picture);
        if sequence >= last {
            break;
        }
    }
    let mut same = 0;
    for picture in &pictures {
        let Some(original) = originals.get(&picture.app.sequence) else {
            continue;
        };
        assert!(
            coded(picture) == coded(original),
            "it has been encoded anew"
        );
        let apart = picture.app.captured_us.abs_diff(original.app.captured_us);
        assert!(apart < 1_000_000, "{apart} µs");
        same += 1;
    }
    assert!(same > 0);
    let stats = host.stats();
    let client = stats
        .clients
        .iter()
        .find(|c| c.transport == Transport::Nats);
    let feed = &client.expect("who takes it is a client").feeds[0];
    assert!(feed.frames >= 30 && feed.camera == "main");
    let stats = relay.stats();
    let camera = &stats.cameras[0];
    assert_eq!(
        (camera.path.as_str(), camera.card.as_str()),
        ("nats:robot7/main", "robot7")
    );
    assert_eq!(
        (camera.format.as_str(), camera.width, camera.height),
        ("MJPG", 320, 240)
    );
    let nats = nats(&stats);
    assert!(nats.connected && nats.reason.is_empty(), "{nats:?}");
    assert_eq!((nats.foreign, nats.stale, nats.too_large), (0, 0, 0));
}

#[test]
fn a_camera_that_nobody_watches_anywhere_is_off_and_known_to_be_there() {
    let server = Server::start();
    let (host, relay) = (host(&server, "robot7"), relay(&server, "robot7/main"));
    let idle = |stats: &Stats| stats.cameras[0].state == CameraState::Idle;
    relay.wait_for_stats("a camera that is there", idle);
    assert_eq!(host.stats().clients.len(), 0);
    let mut viewer = relay.viewer();
    live(&mut viewer);
    host.wait_for_stats("a client", |stats| stats.clients.len() == 1);
    drop(viewer);
    let off = |stats: &Stats| stats.clients.is_empty() && idle(stats);
    host.wait_for_stats("nothing is sent", off);
    relay.wait_for_stats("off", idle);
    let captured = host.stats().cameras[0].captured;
    // Each time it says that it is there, it could have sent pictures as well.
    relay.wait_for_stats("it goes on", |stats| {
        stats.uptime_seconds > 0.0 && idle(stats)
    });
    assert_eq!(host.stats().cameras[0].captured, captured);
    live(&mut relay.viewer());
}

#[test]
fn a_server_that_is_killed_is_no_concern_of_local_viewers_and_pictures_come_again() {
    let mut server = Server::start();
    let (host, relay) = (host(&server, "robot7"), relay(&server, "robot7/main"));
    let (mut there, mut here) = (host.viewer(), relay.viewer());
    let before = live(&mut here).app.sequence;
    let local = live(&mut there).app.sequence;
    server.kill();
    no_signal(&mut here);
    let lost = relay.wait_for_stats("lost", |stats| stats.cameras[0].state == CameraState::Lost);
    let reason = &lost.cameras[0].reason;
    assert!(
        reason.starts_with("NATS: no connection to nats://"),
        "{reason}"
    );
    assert!(!nats(&lost).connected && !lost.healthy);
    there.picture_that("the local one goes on", |picture| {
        picture.app.sequence > local + 30
    });
    let killed = now_us();
    server.restart();
    let after = live(&mut here);
    assert!(after.app.sequence > before, "its numbers go on");
    let early = killed.saturating_sub(after.app.captured_us);
    assert_eq!(early, 0, "it is of now, not {early} µs older");
    relay.wait_for_stats("streaming", |stats| {
        stats.cameras[0].state == CameraState::Streaming && nats(stats).connected
    });
}

#[test]
fn a_server_that_stands_still_brings_nothing_old_when_it_goes_on() {
    let server = Server::start();
    let (host, relay) = (host(&server, "robot7"), relay(&server, "robot7/main"));
    let (mut there, mut here) = (host.viewer(), relay.viewer());
    live(&mut here);
    server.signal(Signal::SIGSTOP);
    no_signal(&mut here);
    let local = live(&mut there).app.sequence;
    there.picture_that("the local one goes on", |picture| {
        picture.app.sequence > local + 10
    });
    // Whatever was on its way when the server stood still is older than this.
    let going_on = now_us();
    server.signal(Signal::SIGCONT);
    let after = live(&mut here);
    let age = going_on.saturating_sub(after.app.captured_us);
    assert!(age < 2_000_000, "it is {age} µs old");
    let next = live(&mut here);
    assert!(next.app.captured_us > after.app.captured_us);
}

#[test]
fn of_two_hosts_of_one_name_the_first_is_heard_until_it_goes() {
    let server = Server::start();
    let first = host(&server, "robot7");
    let relay = relay(&server, "robot7/main");
    let mut viewer = relay.viewer();
    live(&mut viewer);
    let second = host(&server, "robot7");
    second.log.wait_for(&["another machine is robot7 already"]);
    let stats = second.wait_for_stats("it says so", |stats| nats(stats).reason.contains("robot7"));
    assert_eq!(stats.clients.len(), 0, "it publishes nothing");
    live(&mut viewer);
    let before = first.wait_for_stats("the first one goes on", |stats| stats.clients.len() == 1);
    drop(first);
    let sequence = before.clients[0].feeds[0].frames as u64;
    assert!(sequence > 0);
    second.wait_for_stats("the second one is heard", |stats| {
        stats.clients.len() == 1 && nats(stats).reason.is_empty()
    });
    viewer.picture_that("its pictures", |picture| !is_stand_in(&picture.bytes));
}

#[test]
fn a_camera_or_host_that_is_not_there_is_said_to_be_so() {
    let server = Server::start();
    let _host = host(&server, "robot7");
    let lost = |relay: &Daemon, part: &str| {
        let fits = |stats: &Stats| stats.cameras[0].reason.contains(part);
        relay.wait_for_stats(part, fits);
    };
    let (one, other) = (relay(&server, "robot7/rear"), relay(&server, "robot8/main"));
    lost(
        &one,
        "robot7: it publishes no camera rear (it publishes main)",
    );
    lost(&other, "robot8 has not been heard of for ");
    let mut viewer = other.viewer();
    no_signal(&mut viewer);
    let _late = host(&server, "robot8");
    live(&mut viewer);
}

#[test]
fn a_loss_there_is_a_loss_here_with_its_reason() {
    let server = Server::start();
    let setup = "device = \"/dev/does-not-exist\"";
    let _host = host_with(&server, "robot7", "", setup);
    let relay = relay(&server, "robot7/main");
    let lost = relay.wait_for_stats("lost", |stats| stats.cameras[0].state == CameraState::Lost);
    let reason = &lost.cameras[0].reason;
    assert!(
        reason.starts_with("robot7: /dev/does-not-exist: no such device"),
        "{reason}"
    );
}

#[test]
fn messages_that_are_none_of_ours_are_counted_and_do_no_harm() {
    let server = Server::start();
    let (host, relay) = (host(&server, "robot7"), relay(&server, "robot7/main"));
    let mut viewer = relay.viewer();
    live(&mut viewer);
    let other = AppSegment {
        sequence: u64::MAX,
        captured_us: u64::MAX,
        camera: "other".into(),
    };
    let other = [&[0xFF, 0xD8][..], &other.head(), &[0xFF, 0xD9]].concat();
    let long = vec![b'{'; 100_000];
    server.say(&[
        ("streamd.v1.robot7.main.want", b"{}"),
        ("streamd.v1.robot7.main.want", b"{\"id\":\"x\",\"fps\":-1}"),
        ("streamd.v1.robot7.main.want", &long),
        ("streamd.v1.robot7.main.want", b"\xFF\xFE"),
        ("streamd.v1.robot7.presence", b"[]"),
    ]);
    host.wait_for_stats("they are counted there", |stats| nats(stats).foreign == 5);
    eventually("they are counted here", || {
        // The stream keeps the newest only: a picture may come in between.
        server.say(&[("streamd.v1.robot7.main.jpeg", b"no picture")]);
        server.say(&[("streamd.v1.robot7.main.jpeg", &other)]);
        let foreign = nats(&relay.stats()).foreign;
        (foreign > 3).then_some(()).ok_or(format!("{foreign}"))
    });
    let before = live(&mut viewer).app.sequence;
    let after = live(&mut viewer).app;
    assert!(after.sequence > before && after.camera == "main");
    assert_eq!(relay.stats().cameras[0].corrupt, 0);
}

#[test]
fn pictures_larger_than_the_server_takes_are_told_with_the_key_and_smaller_ones_go() {
    let server = Server::with("max_payload: 4096");
    let host = host(&server, "robot7");
    let relay = relay(&server, "robot7/main");
    let mut viewer = relay.viewer();
    let picture = live(&mut viewer);
    assert!(picture.bytes.len() <= 4096 + 200, "{}", picture.bytes.len());
    host.log.wait_for(&[
        "the server takes 4096: raise max_payload",
        "camera.main.quality",
    ]);
    assert!(nats(&host.stats()).too_large > 0);
}

/// Users of the server, by the seeds of their keys.
const ROBOT7: [&str; 2] = [
    "SUAKJLWIMNEEO2VLVM2QSR6F7HL7O3IN5S53SAOAI4W3YNZIL6B22JBTWY",
    "UDOPRHIBQPVBLJREYV2EVIIHNDC7GU7EBDWBK62JTVWTIAB5DRIQ52WI",
];
const ROBOT8: [&str; 2] = [
    "SUAI53XBHKM4FT3WHYGG2G4RBM7LYQA5IZO2O6255ROSOJUAP6CWVZBNPE",
    "UBGS5MHL7WQB4PR6TDNZQJY5Y26IIPTZ2AUVFXHSFOJ4IYVCOVZGCYBD",
];
const RELAY: [&str; 2] = [
    "SUAE5E5OAWF5R6NSNN4NO4WGWEZ33ZRKX6CSBLCS5WQOLW4656TS3KJ2LI",
    "UDCNPFPR36YBJ7EBGMDHCV3VINSOSCOQO4YATPBYABOV7MXXUJ6YYYQC",
];
const NOBODY: &str = "SUAP5LADC4N4USHVFBVKFAUIMNYBCX3GQ3KD5DDF455NVXMPCJ2PGG3YOY";

/// What `docs/guide/fleet.md` says that a host may.
fn user(name: &str, key: &str) -> String {
    format!(
        "{{ nkey: {key}, permissions: {{
             publish: {{ allow: [\"streamd.v1.{name}.>\"] }},
             subscribe: {{ allow: [\"streamd.v1.{name}.>\", \"_INBOX.{name}.>\",
                 \"$SRV.*\", \"$SRV.*.streamd\", \"$SRV.*.streamd.*\"] }},
             allow_responses: true }} }}"
    )
}

#[test]
fn a_host_has_its_own_subjects_alone_and_who_is_nobody_has_none() {
    let users = [
        user("robot7", ROBOT7[1]),
        user("robot8", ROBOT8[1]),
        format!("{{ nkey: {} }}", RELAY[1]),
    ];
    let server = Server::with(&format!(
        "authorization {{ users: [{}] }}",
        users.join(",\n")
    ));
    let folder = Setup::default();
    let seed = |name: &str, seed: &str| {
        let file = folder.file(name);
        fs::write(&file, format!("{seed}\n")).unwrap();
        format!("credentials = {file:?}")
    };
    let relay = relay_with(&server, "robot7/main", &seed("relay", RELAY[0]), "");
    let _robot7 = host_with(&server, "robot7", &seed("robot7", ROBOT7[0]), "");
    let mut viewer = relay.viewer();
    live(&mut viewer);
    // It has a name of its own, and wants another one's.
    let other = host_with(&server, "robot7", &seed("robot8", ROBOT8[0]), "");
    other
        .log
        .wait_for(&["Permissions Violation", "streamd.v1.robot7"]);
    let nobody = host_with(&server, "robot9", &seed("nobody", NOBODY), "");
    let stats = nobody.wait_for_stats("it is refused", |stats| {
        nats(stats)
            .reason
            .contains("the server refuses the credentials (nats.credentials)")
    });
    assert!(!nats(&stats).connected);
    live(&mut viewer);
    let stats = other.stats();
    assert!(stats.clients.is_empty(), "nobody could ask it for anything");
    assert_eq!(nats(&relay.stats()).foreign, 0);
}

#[test]
fn hosts_are_listed_with_their_cameras_and_those_that_are_gone_are_said_to_be() {
    let server = Server::start();
    let relay = relay(&server, "robot7/main");
    assert!(relay.streamctl("hosts").succeeded().starts_with("no host"));
    let robot7 = host(&server, "robot7");
    let _robot8 = host_with(&server, "robot8", "", "device = \"/dev/does-not-exist\"");
    let hosts = |fit: &dyn Fn(&[Host]) -> bool| {
        eventually("hosts", || {
            let hosts = relay.call(&ListHosts {}).expect("it listens").hosts;
            fit(&hosts)
                .then(|| hosts.clone())
                .ok_or(format!("{hosts:?}"))
        })
    };
    let both = hosts(&|hosts| hosts.len() == 2 && hosts.iter().all(|host| host.heard));
    assert_eq!(
        (both[0].name.as_str(), both[1].name.as_str()),
        ("robot7", "robot8")
    );
    let taken = |host: &Host| host.cameras[0].taken_as.clone();
    assert_eq!(
        (taken(&both[0]), taken(&both[1])),
        ("main".into(), String::new())
    );
    let _viewer = relay.viewer();
    let is = |host: &Host, state| host.cameras[0].state == Some(state);
    hosts(&|hosts| is(&hosts[0], CameraState::Streaming) && is(&hosts[1], CameraState::Lost));
    // Who only has cameras for others does not know who else is there.
    robot7
        .streamctl("hosts")
        .failed(74, &["a relay knows the hosts"]);
    drop(robot7);
    let gone = hosts(&|hosts| !hosts[0].heard);
    assert!(gone[0].seconds >= 6.0 && gone[1].heard, "{gone:?}");
    let table = relay.streamctl("hosts");
    assert!(table.succeeded().contains("not for "), "{table:?}");
}
