//! Cameras that make H.264 themselves: it goes out as it is, and everything else is made of it.

use streamd_protocol::stream::{Codec, ToClient, Want};
use streamd_tests::{
    daemon::Daemon,
    device::{
        Bus, Device,
        orders::{Fault, Frames, Model, When},
    },
    film::{self, Filmed, Shows},
    picture::Picture,
    setup::Setup,
    unit::{Screen, Unit},
    viewer::{Payload, Viewer},
};

const START: [u8; 4] = [0, 0, 0, 1];

fn start(keys: &str) -> (Device, Daemon) {
    let bus = Bus::default();
    let camera = bus.plug(0, Model::h264());
    let keys = format!("format = \"H264\"\nfps = 25\nadapt = false\n{keys}");
    let daemon = Setup::default().bus(&bus).device(&camera, &keys).start();
    (camera, daemon)
}

fn h264(daemon: &Daemon) -> Viewer {
    let mut viewer = daemon.viewer();
    let want = Want {
        codec: Some(Codec::H264),
        ..Want::default()
    };
    viewer.hello("film", want);
    viewer
}

/// The slices of a picture, as the camera and the encoder write them.
fn slices(bytes: &[u8]) -> Vec<&[u8]> {
    let starts = bytes.windows(4).enumerate().filter(|(_, at)| *at == START);
    let starts: Vec<_> = starts.map(|(n, _)| n).chain([bytes.len()]).collect();
    let units = starts.windows(2).map(|two| &bytes[two[0] + 4..two[1]]);
    units
        .filter(|unit| matches!(unit[0] & 0x1F, 1 | 5))
        .collect()
}

#[test]
fn the_cameras_own_pictures_go_out_as_they_are() {
    let (_camera, daemon) = start("");
    let film = film::film("H264", (160, 120), false);
    let mut viewer = h264(&daemon);
    let units: Vec<Unit> = (0..20).map(|_| viewer.unit()).collect();
    assert!(units[0].key);
    let mut screen = Screen::new();
    for unit in &units {
        assert_eq!(screen.show(unit).0, 160);
        let known = film
            .iter()
            .any(|filmed| slices(filmed) == slices(&unit.bytes));
        assert!(known, "it is one of the camera's");
    }
    // One that comes later begins at a key, too, and nothing is encoded for anybody.
    let mut later = h264(&daemon);
    assert!(later.unit().key);
    let stats = daemon.stats();
    let renditions = &stats.cameras[0].renditions;
    assert!(
        renditions.iter().all(|one| one.codec == Codec::H264) && renditions.len() == 1,
        "{renditions:?}"
    );
}

#[test]
fn jpeg_and_snapshots_are_made_of_it() {
    let (_camera, daemon) = start("");
    let mut stream = h264(&daemon);
    let mut viewer = daemon.viewer();
    for _ in 0..10 {
        let picture = viewer.picture();
        assert!(matches!(film::shown(&picture, false), Ok(Shows::Film(_))));
        stream.unit();
    }
    let snapshot = Picture::new(daemon.get("/snapshot").body());
    assert!(matches!(film::shown(&snapshot, false), Ok(Shows::Film(_))));
}

#[test]
fn a_key_is_asked_of_the_camera_when_somebody_needs_one() {
    let bus = Bus::default();
    let picture = |number| Filmed {
        width: 160,
        height: 120,
        number: number % film::PICTURES,
        damaged: false,
    };
    // By itself it makes one in 40 seconds.
    bus.give_film("H264-160x120", &film::stream((0..1000).map(picture)));
    let camera = bus.plug(0, Model::h264());
    let keys = "format = \"H264\"\nfps = 25\nadapt = false";
    let daemon = Setup::default().bus(&bus).device(&camera, keys).start();
    let mut first = h264(&daemon);
    assert!(first.unit().key);
    (0..20).for_each(|_| {
        assert!(!first.unit().key);
    });
    let mut second = h264(&daemon);
    assert!(second.unit().key);
    let mut viewer = daemon.viewer();
    let shown = film::shown(&viewer.picture(), false);
    assert!(matches!(shown, Ok(Shows::Film(_))), "{shown:?}");
}

#[test]
fn turned_pictures_are_encoded_anew() {
    let (_camera, daemon) = start("rotate = 90");
    let mut viewer = h264(&daemon);
    let mut screen = Screen::new();
    for n in 0..5 {
        let unit = viewer.unit();
        assert_eq!(unit.key, n == 0);
        let (width, height, _) = screen.show(&unit);
        assert_eq!((width, height), (120, 160));
    }
}

#[test]
fn after_a_lost_picture_it_goes_on_at_a_key() {
    let (camera, daemon) = start("");
    let mut viewer = h264(&daemon);
    let first = viewer.unit();
    assert!(first.key);
    viewer.unit();
    camera.fault(&[Fault::Frames(Frames::Flagged, When::First(1))]);
    let mut last = viewer.unit();
    // A damaged picture is left out: until then all come, and what follows is the next key.
    for _ in 0..40 {
        let unit = viewer.unit();
        assert!(unit.key || unit.app.sequence == last.app.sequence + 1);
        last = unit;
    }
    let stats = daemon.stats();
    assert_eq!(stats.cameras[0].corrupt, 1);
}

#[test]
fn no_signal_is_seen_in_the_stream_and_so_is_the_return() {
    let (camera, daemon) = start("");
    let mut viewer = h264(&daemon);
    let mut screen = Screen::new();
    screen.show(&viewer.unit());
    camera.unplug();
    viewer.message(|m| matches!(m, ToClient::Notice { message, .. } if message.contains("main")));
    loop {
        if let Payload::Unit(unit) = viewer.payload().expect("the viewer stays") {
            screen.show(&unit);
            // Stand-ins say so in a second unit.
            if unit.bytes.windows(8).any(|at| at == b"stand-in") {
                break;
            }
        }
    }
    camera.replug();
    viewer.message(|m| matches!(m, ToClient::Notice { message, .. } if message.contains("back")));
    let film = film::film("H264", (160, 120), false);
    let mut own = 0;
    while own < 5 {
        let unit = viewer.unit();
        screen.show(&unit);
        own += usize::from(
            film.iter()
                .any(|filmed| slices(filmed) == slices(&unit.bytes)),
        );
    }
}
