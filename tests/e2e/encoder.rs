//! H.264 by an encoder in hardware, and what is seen of it when that fails: nothing but another key.

use std::time::{Duration, Instant};

use nix::libc;
use streamd_protocol::{
    stats::{RenditionStats, Stats},
    stream::{Codec, Want},
};
use streamd_tests::{
    daemon::Daemon,
    device::{
        Bus, Device,
        orders::{Call, Fault, Frames, Model, Stamp, When},
    },
    setup::Setup,
    unit::{Screen, Unit},
    viewer::Viewer,
};

const BIT_RATE: &str = "Bit Rate";

/// The test pattern, whose H.264 is made by this device.
fn setup(bus: &Bus, device: &Device, keys: &str) -> Setup {
    let encoder = format!("m2m:{}", device.path().display());
    let keys = format!("fps = 30\nadapt = false\nencoder = {encoder:?}\n{keys}");
    Setup::default().bus(bus).camera(&keys)
}

fn start(model: Model, faults: &[Fault], keys: &str) -> (Device, Daemon) {
    let bus = Bus::default();
    let device = bus.plug(11, model);
    device.fault(faults);
    let daemon = setup(&bus, &device, keys).start();
    (device, daemon)
}

fn usual() -> Model {
    Model::encoder(&["YU12"])
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

fn rendition(stats: &Stats) -> Option<&RenditionStats> {
    let mut all = stats.cameras[0].renditions.iter();
    all.find(|one| one.codec == Codec::H264)
}

/// Sees the stream until it is made by an encoder that `fits`; what it says of itself.
fn until(
    daemon: &Daemon,
    viewer: &mut Viewer,
    screen: &mut Screen,
    fits: fn(&str) -> bool,
) -> Stats {
    let begin = Instant::now();
    loop {
        for _ in 0..5 {
            sees(screen, &viewer.unit());
        }
        let stats = daemon.stats();
        let made = rendition(&stats).map(|one| one.encoder.clone());
        if made.as_deref().is_some_and(fits) {
            return stats;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{made:?}");
    }
}

/// The device writes what is set while it encodes.
fn is_set(device: &Device, name: &str, value: i32) {
    streamd_tests::eventually(name, || match device.control(name) {
        Some(is) if is == value => Ok(()),
        is => Err(format!("{is:?}")),
    });
}

fn by_hardware(encoder: &str) -> bool {
    encoder.starts_with("m2m:")
}

fn by_library(encoder: &str) -> bool {
    encoder == "openh264"
}

/// The colour bars.
fn sees(screen: &mut Screen, unit: &Unit) {
    let (width, height, luma) = screen.show(unit);
    assert_eq!((width, height), (320, 240));
    assert!((40.0..140.0).contains(&luma), "colour bars: {luma}");
}

/// Whatever the device wants, and however it answers, the pictures are those of its stream.
#[test]
fn pictures_are_made_by_a_device_of_any_kind() {
    let single = |fourcc: &str| Model {
        multi_planar: false,
        ..Model::encoder(&[fourcc])
    };
    let cases: [(&str, Model, Vec<Fault>); 9] = [
        ("three planes in one memory", usual(), vec![]),
        ("two planes", Model::encoder(&["NV12"]), vec![]),
        ("three memories", Model::encoder(&["YM12"]), vec![]),
        ("two memories", Model::encoder(&["NM12"]), vec![]),
        ("the single-planar API", single("NV12"), vec![]),
        (
            "long lines, and more of them",
            usual(),
            vec![Fault::Padding(64), Fault::Rows(32)],
        ),
        (
            "it codes what is added too",
            Model::encoder(&["NV12"]),
            vec![
                Fault::Rows(16),
                Fault::Fails(Call::Other, libc::ENOTTY, When::Always),
            ],
        ),
        ("parameter sets apart", usual(), vec![Fault::HeadsApart]),
        (
            "no frame rate",
            usual(),
            vec![Fault::Fails(Call::SetParm, libc::ENOTTY, When::Always)],
        ),
    ];
    for (what, model, faults) in cases {
        println!("{what}");
        let (device, daemon) = start(model, &faults, "");
        let mut viewer = h264(&daemon);
        let mut screen = Screen::new();
        let units: Vec<_> = (0..20).map(|_| viewer.unit()).collect();
        units.iter().for_each(|unit| sees(&mut screen, unit));
        assert!(units[0].key, "{what}");
        let stats = daemon.stats();
        let made = rendition(&stats).unwrap();
        let path = format!("m2m:{}", device.path().display());
        assert_eq!(
            (&*made.encoder, &*made.encoder_reason),
            (&*path, ""),
            "{what}"
        );
        assert_eq!(stats.cameras[0].encoder_faults, 0, "{what}");
        // Constrained baseline, at a level that has room for it.
        for (name, value) in [("Profile", 1), ("Level", 5)] {
            is_set(&device, name, value);
        }
    }
}

#[test]
fn who_comes_later_begins_at_a_key() {
    for fault in [None, Some(Fault::Keyless), Some(Fault::DeafToKeys)] {
        let (device, daemon) = start(usual(), fault.as_slice(), "");
        let mut first = h264(&daemon);
        let mut screen = Screen::new();
        until(&daemon, &mut first, &mut screen, by_hardware);
        // Until no key is kept with which somebody could begin.
        (0..90).for_each(|_| sees(&mut screen, &first.unit()));
        let mut second = h264(&daemon);
        let begins = second.unit();
        assert!(begins.key);
        sees(&mut Screen::new(), &begins);
        (0..20).for_each(|_| sees(&mut screen, &first.unit()));
        if fault != Some(Fault::Keyless) {
            is_set(&device, "Keys", 1);
        }
        assert_eq!(daemon.stats().cameras[0].encoder_faults, 0);
    }
}

#[test]
fn the_bit_rate_changes_with_the_next_picture() {
    let (device, mut daemon) = start(usual(), &[], "bit-rate = \"2M\"");
    let mut viewer = h264(&daemon);
    assert!(viewer.unit().key);
    // It has the whole rate after its first key.
    is_set(&device, BIT_RATE, 2_000_000);
    let encoder = format!("m2m:{}", device.path().display());
    daemon.setup.set_camera(&format!(
        "fps = 30\nadapt = false\nencoder = {encoder:?}\nbit-rate = \"500k\""
    ));
    daemon.setup.write_config();
    daemon.streamctl("reload").succeeded();
    let opened = device.count(Call::Open);
    is_set(&device, BIT_RATE, 500_000);
    assert_eq!(
        device.count(Call::Open),
        opened,
        "the stream is the same one"
    );
}

/// Each fault is a warning in the figures, and no more than a key in the pictures.
#[test]
fn whatever_it_does_the_stream_goes_on() {
    let frames = |frames| Fault::Frames(frames, When::Always);
    let fails = |call, errno| Fault::Fails(call, errno, When::Always);
    let cases: [(&str, Fault, &str); 12] = [
        (
            "an error",
            fails(Call::DqBuf, libc::EIO),
            "VIDIOC_DQBUF failed",
        ),
        (
            "an end",
            fails(Call::DqBuf, libc::EPIPE),
            "has ended the stream",
        ),
        (
            "no buffer",
            fails(Call::QBuf, libc::EINVAL),
            "VIDIOC_QBUF failed",
        ),
        ("a damaged picture", frames(Frames::Flagged), "damaged"),
        (
            "an empty picture",
            frames(Frames::Bytes(0)),
            "an empty picture",
        ),
        (
            "a last picture",
            frames(Frames::Last),
            "has ended the stream",
        ),
        (
            "a buffer that is none",
            frames(Frames::Index(77)),
            "a buffer that it has not",
        ),
        (
            "another frame's picture",
            frames(Frames::Stamp(Stamp::Past)),
            "of another frame",
        ),
        ("no picture", frames(Frames::Missing), "has made no picture"),
        ("a driver that is gone", Fault::Gone, "is gone"),
        (
            "a poll that fails",
            Fault::Polls(libc::POLLERR),
            "has ceased to stream",
        ),
        (
            "no answer",
            Fault::Hangs(Call::QBuf),
            "the driver does not answer (VIDIOC_QBUF)",
        ),
    ];
    for (what, fault, reason) in cases {
        println!("{what}");
        let (device, daemon) = start(usual(), &[], "");
        let mut viewer = h264(&daemon);
        let mut screen = Screen::new();
        until(&daemon, &mut viewer, &mut screen, by_hardware);
        // It is polled only while there is no picture.
        let faults = match fault {
            Fault::Polls(_) => vec![fault, frames(Frames::Missing)],
            fault => vec![fault],
        };
        device.fault(&faults);
        let stats = until(&daemon, &mut viewer, &mut screen, by_library);
        let made = rendition(&stats).unwrap();
        assert!(
            made.encoder_reason.contains(reason),
            "{what}: {}",
            made.encoder_reason
        );
        assert!(stats.cameras[0].encoder_faults > 0);
        device.heal();
        until(&daemon, &mut viewer, &mut screen, by_hardware);
    }
}

/// A device that is not there, or is none, is named with the reason; pictures come all the same.
#[test]
fn a_device_of_no_use_is_told_and_taken_when_it_is_of_use() {
    let fails = |call, errno| Fault::Fails(call, errno, When::Always);
    let cases: [(&str, Model, Vec<Fault>, &str); 7] = [
        ("a camera", Model::yuyv(), vec![], "is no encoder"),
        (
            "refused",
            usual(),
            vec![fails(Call::Open, libc::EACCES)],
            "permission denied",
        ),
        (
            "another codec",
            usual(),
            vec![Fault::OtherCodec],
            "makes no H.264",
        ),
        (
            "other pixels",
            Model::encoder(&["YUYV"]),
            vec![],
            "takes no 4:2:0",
        ),
        (
            "a small one",
            usual(),
            vec![Fault::Grants("YU12".into(), 160, 120)],
            "of 160x120 instead",
        ),
        (
            "no memory",
            usual(),
            vec![fails(Call::ReqBufs, libc::ENOMEM)],
            "VIDIOC_REQBUFS failed",
        ),
        (
            "no answer",
            usual(),
            vec![Fault::Hangs(Call::StreamOn)],
            "does not answer (VIDIOC_STREAMON)",
        ),
    ];
    for (what, model, faults, reason) in cases {
        println!("{what}");
        let (device, daemon) = start(model, &faults, "");
        let mut viewer = h264(&daemon);
        let mut screen = Screen::new();
        let stats = until(&daemon, &mut viewer, &mut screen, by_library);
        let made = rendition(&stats).unwrap();
        assert!(
            made.encoder_reason.contains(reason),
            "{what}: {}",
            made.encoder_reason
        );
        device.become_another(usual());
        device.heal();
        until(&daemon, &mut viewer, &mut screen, by_hardware);
    }
}

#[test]
fn a_device_that_is_plugged_in_later_is_taken_then_and_one_that_is_pulled_out_is_missed_by_nobody()
{
    let (device, daemon) = start(usual(), &[], "");
    device.unplug();
    let mut viewer = h264(&daemon);
    let mut screen = Screen::new();
    let stats = until(&daemon, &mut viewer, &mut screen, by_library);
    assert_eq!(rendition(&stats).unwrap().encoder_reason, "no such device");
    device.replug();
    until(&daemon, &mut viewer, &mut screen, by_hardware);
    device.unplug();
    let stats = until(&daemon, &mut viewer, &mut screen, by_library);
    assert_eq!(rendition(&stats).unwrap().encoder_reason, "is gone");
}

#[test]
fn of_a_device_that_has_one_stream_the_others_go_by_the_library() {
    let (_device, daemon) = start(usual(), &[Fault::Instances(1)], "bit-rate = \"2M\"");
    let mut first = h264(&daemon);
    let mut screen = Screen::new();
    until(&daemon, &mut first, &mut screen, by_hardware);
    let mut second = daemon.viewer();
    let want = Want {
        codec: Some(Codec::H264),
        max_width: Some(160),
        ..Want::default()
    };
    second.hello("low", want);
    second.unit();
    let stats = daemon.wait_for_stats("two streams", |stats| {
        stats.cameras[0].renditions.len() == 2
            && stats.cameras[0]
                .renditions
                .iter()
                .all(|one| one.encoded > 5)
    });
    let mut made: Vec<_> = stats.cameras[0]
        .renditions
        .iter()
        .map(|one| (&*one.encoder, &*one.encoder_reason))
        .collect();
    made.sort();
    assert!(by_hardware(made[0].0) && by_library(made[1].0), "{made:?}");
    assert!(made[1].1.contains("VIDIOC_REQBUFS failed"), "{made:?}");
}
