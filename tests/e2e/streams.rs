//! H.264: who asks for it, what comes, and what it may cost others.

use std::collections::HashSet;

use streamd_protocol::{
    stats::Transport,
    stream::{Codec, FromClient, ToClient, Want},
};
use streamd_tests::{
    daemon::Daemon,
    device::{Bus, orders::Model},
    setup::Setup,
    unit::{Screen, Unit},
    viewer::{Payload, Viewer},
};

/// What a busy machine makes of the link is no part of these tests.
const UNADAPTED: &str = "fps = 30\nadapt = false";

fn want(codec: Codec) -> Want {
    Want {
        codec: Some(codec),
        ..Want::default()
    }
}

fn h264(daemon: &Daemon) -> Viewer {
    let mut viewer = daemon.viewer();
    viewer.hello("film", want(Codec::H264));
    viewer
}

#[test]
fn a_client_that_asks_for_it_gets_a_stream_that_begins_with_a_key() {
    let daemon = Setup::default().camera(UNADAPTED).start();
    let mut viewer = daemon.viewer();
    let ToClient::Welcome { codecs, .. } = viewer.hello("film", Want::default()) else {
        panic!("a welcome")
    };
    assert_eq!(codecs, Codec::ALL);
    viewer.picture();
    viewer.say(&FromClient::Want(want(Codec::H264)));
    let is_it = |m: &ToClient| {
        matches!(
            m,
            ToClient::Rendition {
                codec: Codec::H264,
                ..
            }
        )
    };
    let ToClient::Rendition {
        quality,
        bit_rate,
        width,
        reason,
        ..
    } = viewer.message(is_it)
    else {
        unreachable!()
    };
    assert_eq!((quality, width, reason.as_str()), (0, 320, "top"));
    assert!(bit_rate > 500_000, "{bit_rate}");
    let mut screen = Screen::new();
    let mut last = None;
    for n in 0..20 {
        let unit = viewer.unit();
        assert_eq!(unit.key, n == 0);
        let (width, height, luma) = screen.show(&unit);
        assert_eq!((width, height), (320, 240));
        assert!((40.0..140.0).contains(&luma), "colour bars: {luma}");
        assert!(last.is_none_or(|last| unit.app.sequence > last));
        assert_eq!(unit.app.camera, "main");
        last = Some(unit.app.sequence);
    }
    let stats = daemon.wait_for_client(&viewer, "its figures", |c| c.feeds[0].codec == Codec::H264);
    assert!(stats.feeds[0].bit_rate > 500_000);
    viewer.say(&FromClient::Want(want(Codec::Jpeg)));
    let picture = viewer.picture();
    assert!(picture.app.sequence >= last.unwrap());
    daemon.wait_for_stats("one rendition", |stats| {
        let all = &stats.cameras[0].renditions;
        all.len() == 1 && all[0].codec == Codec::Jpeg
    });
}

#[test]
fn the_stream_of_http_is_what_players_read() {
    let daemon = Daemon::start();
    let mut response = daemon.get("/stream.h264");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("Content-Type"), Some("video/h264"));
    let units = Unit::split(&response.take(20_000));
    let mut screen = Screen::new();
    assert!(units.len() > 10 && units[0].key);
    units.iter().for_each(|unit| {
        screen.show(unit);
    });
    let stats = daemon.wait_for_clients(1);
    assert_eq!(stats.clients[0].transport, Transport::H264);
    assert_eq!(daemon.get("/stream.h264?camera=no").status, 404);
    assert_eq!(daemon.get("/stream.h264?codec=av1").status, 400);
}

#[test]
fn who_comes_later_begins_at_once_and_the_others_go_on() {
    let daemon = Daemon::start();
    let mut first = h264(&daemon);
    let mut screen = Screen::new();
    (0..20).for_each(|_| {
        screen.show(&first.unit());
    });
    let mut second = h264(&daemon);
    let begins = second.unit();
    assert!(begins.key);
    Screen::new().show(&begins);
    // The same pictures, encoded once.
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    for _ in 0..30 {
        let unit = first.unit();
        screen.show(&unit);
        seen.insert(unit.bytes);
    }
    assert!(seen.contains(&begins.bytes));
}

#[test]
fn a_slow_client_misses_only_what_nothing_needs_or_goes_on_at_a_key() {
    let daemon = Setup::default()
        .camera("fps = 30\nbit-rate = \"4M\"\nadapt = false")
        .start();
    let mut fast = h264(&daemon);
    let all = std::thread::spawn(move || (0..240).map(|_| fast.unit()).collect::<Vec<_>>());
    let mut slow = Viewer::connect_slow(daemon.setup.tcp(0), 10_000);
    slow.hello("slow", want(Codec::H264));
    let mut screen = Screen::new();
    let had: Vec<_> = (0..40).map(|_| slow.unit()).collect();
    had.iter().for_each(|unit| {
        screen.show(unit);
    });
    let all = all.join().unwrap();
    let mut missed = 0;
    for two in had.windows(2) {
        let [before, unit] = [&two[0], &two[1]].map(|unit| unit.app.sequence);
        let between = all
            .iter()
            .filter(|unit_of| (before + 1..unit).contains(&unit_of.app.sequence));
        let needed = between.clone().filter(|unit| !unit.is_droppable()).count();
        assert!(
            two[1].key || needed == 0,
            "{needed} missing between {before} and {unit}"
        );
        missed += between.count();
    }
    assert!(missed > 0, "it was slow");
}

#[test]
fn limits_hold_for_streams_too() {
    let daemon = Setup::default()
        .camera("fps = 30\nsize = \"640x480\"\nadapt = false")
        .start();
    let mut viewer = daemon.viewer();
    viewer.hello(
        "small",
        Want {
            max_width: Some(400),
            ..want(Codec::H264)
        },
    );
    let mut screen = Screen::new();
    let unit = viewer.unit();
    assert_eq!(
        (screen.show(&unit).0, screen.show(&viewer.unit()).1),
        (320, 240)
    );
    viewer.say(&FromClient::Want(Want {
        fps: Some(15.0),
        ..Want::default()
    }));
    // From some picture on only every second one comes.
    let units: Vec<_> = (0..40).map(|_| viewer.unit()).collect();
    let gaps: Vec<_> = units
        .windows(2)
        .map(|two| two[1].app.sequence - two[0].app.sequence)
        .collect();
    assert!(gaps[30..].iter().all(|gap| *gap >= 2), "{gaps:?}");
}

#[test]
fn a_lost_camera_is_seen_in_streams_and_so_is_its_return() {
    let bus = Bus::default();
    let camera = bus.plug(0, Model::yuyv());
    let daemon = Setup::default()
        .bus(&bus)
        .device(&camera, "fps = 15")
        .start();
    let mut viewer = h264(&daemon);
    let mut screen = Screen::new();
    screen.show(&viewer.unit());
    camera.unplug();
    let mut shown = false;
    while !shown {
        match viewer.payload().expect("the viewer stays") {
            Payload::Message(ToClient::Notice { message, .. }) => shown = message.contains("main"),
            Payload::Unit(unit) => {
                screen.show(&unit);
            }
            _ => {}
        }
    }
    screen.show(&viewer.unit());
    camera.replug();
    viewer.message(|m| matches!(m, ToClient::Notice { message, .. } if message.contains("back")));
    for _ in 0..5 {
        screen.show(&viewer.unit());
    }
}
