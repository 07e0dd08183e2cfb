//! Recordings: what is on the disk, what is left after a fall, and what viewers notice of a bad disk.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;
use streamd_protocol::{
    control::{ListRecordings, ListRecordingsReply, Recording, SetRecording},
    recording::{Joiner, Kind, SOUND_TIMESCALE, TIMESCALE},
    stats::{CameraState, RecordingState, RecordingStats},
    stream::AppSegment,
};
use streamd_tests::{
    daemon::Daemon,
    ear::Ear,
    eventually,
    mp4::{self, Sample},
    setup::Setup,
    web,
};

/// A folder of recordings beside the configuration.
fn folder(setup: &Setup) -> PathBuf {
    let folder = setup.file("recordings");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn recording(setup: Setup, keys: &str) -> Setup {
    let folder = folder(&setup);
    setup.camera(&format!(
        "fps = 15\nrecord = {{ directory = {folder:?}, segment = \"2s\", min-free = \"none\", {keys} }}"
    ))
}

fn state(daemon: &Daemon) -> RecordingStats {
    daemon.stats().cameras[0].recording.clone().unwrap()
}

#[track_caller]
fn wait_for(daemon: &Daemon, wanted: RecordingState) -> RecordingStats {
    eventually(wanted.word(), || {
        let is = state(daemon);
        if is.state == wanted {
            Ok(is)
        } else {
            Err(format!("{is:?}"))
        }
    })
}

fn list(daemon: &Daemon) -> ListRecordingsReply {
    daemon.call(&ListRecordings::default()).unwrap()
}

#[track_caller]
fn wait_for_recordings(daemon: &Daemon, count: usize) -> Vec<Recording> {
    eventually("recordings", || {
        let all = list(daemon).recordings;
        if all.len() >= count {
            Ok(all)
        } else {
            Err(format!("{all:?}, {:?}", state(daemon)))
        }
    })
}

/// Seconds that a file shows, by its own fragments.
fn seconds(bytes: &[u8]) -> f64 {
    let mut whole = Joiner::new(Cursor::new(Vec::new()));
    whole.add(&mut Cursor::new(bytes), 0, u64::MAX).unwrap();
    let whole = whole.finish().unwrap().into_inner();
    let at = whole.windows(4).position(|four| four == b"mehd").unwrap() + 8;
    let ticks = u64::from_be_bytes(whole[at..at + 8].try_into().unwrap());
    ticks as f64 / TIMESCALE as f64
}

#[test]
fn what_a_camera_shows_is_there_afterwards() {
    for codec in ["auto", "jpeg"] {
        let keys = format!("mode = \"continuous\", codec = \"{codec}\"");
        let daemon = recording(Setup::default(), &keys).start();
        let all = wait_for_recordings(&daemon, 2);
        for one in &all[..2] {
            assert_eq!(one.kind, Kind::Continuous);
            let bytes = fs::read(&one.file).unwrap();
            assert_eq!(bytes.len() as i64, one.bytes);
            let length = one.to - one.from;
            assert!((seconds(&bytes) - length).abs() < 0.05, "{one:?}");
            // Keys come every 2 s, and the pictures of a busy machine late.
            assert!((1.9..10.0).contains(&length), "{one:?}");
        }
        assert!(all[1].from >= all[0].to - 0.2, "{all:?}");
        let is = wait_for(&daemon, RecordingState::Recording);
        assert!(is.frames > 20 && is.bytes > 0 && is.since > 1e9, "{is:?}");
        assert!(is.file.ends_with("_continuous.part"), "{is:?}");
    }
}

#[test]
fn a_recording_is_read_in_parts_and_by_nobody_who_may_not() {
    let setup = Setup::default();
    let access = format!("[access]\ntoken-file = {:?}", setup.file("tokens.json"));
    let daemon = recording(setup.tables(&access), "mode = \"continuous\"").start();
    let one = wait_for_recordings(&daemon, 1).remove(0);
    let bytes = fs::read(&one.file).unwrap();
    let path = format!("/recordings/main/{}.mp4", one.id);
    let ask = |range: &str| web::get(daemon.setup.http(), &path, &[range]);
    let all = daemon.get(&path);
    assert_eq!(
        (all.status, all.header("Content-Type")),
        (200, Some("video/mp4"))
    );
    assert!(all.body() == bytes);
    let part = ask("Range: bytes=10-29");
    let says = format!("bytes 10-29/{}", bytes.len());
    assert_eq!(
        (part.status, part.header("Content-Range")),
        (206, Some(&*says))
    );
    assert!(part.body() == bytes[10..30]);
    let tail = ask("Range: bytes=-8");
    assert_eq!(tail.status, 206);
    assert!(tail.body() == bytes[bytes.len() - 8..]);
    let beyond = ask(&format!("Range: bytes={}-", bytes.len()));
    let says = format!("bytes */{}", bytes.len());
    assert_eq!(
        (beyond.status, beyond.header("Content-Range")),
        (416, Some(&*says))
    );
    for missing in ["/recordings/main/x.mp4", "/recordings/main/..%2f..%2fx.mp4"] {
        assert_eq!(daemon.get(missing).status, 404, "{missing}");
    }
    assert_eq!(daemon.get("/recordings/other/x.mp4").status, 404);
    let page = daemon.get("/recordings");
    assert_eq!(page.status, 200);
    let listed = daemon.get("/api/v1/cameras/main/recordings");
    let listed: ListRecordingsReply = serde_json::from_slice(&listed.body()).unwrap();
    assert_eq!(listed.recordings[0].id, one.id);
    // From the first token on, only operators see what was.
    let viewer = daemon
        .streamctl("token add v")
        .succeeded()
        .trim()
        .to_owned();
    let bearer = format!("Authorization: Bearer {viewer}");
    let refused = web::get(daemon.setup.http(), &path, &[&bearer]);
    assert_eq!(refused.status, 403);
    assert_eq!(daemon.get(&path).status, 401);
}

#[test]
fn a_process_that_is_killed_leaves_what_plays() {
    for codec in ["auto", "jpeg"] {
        let keys = format!("mode = \"continuous\", segment = \"1h\", codec = \"{codec}\"");
        let setup = Setup::default();
        let directory = folder(&setup);
        let setup = setup.camera(&format!(
            "fps = 15\nrecord = {{ directory = {directory:?}, min-free = \"none\", {keys} }}"
        ));
        let mut daemon = setup.start();
        daemon.wait_for_stats("pictures", |stats| {
            stats.cameras[0]
                .recording
                .as_ref()
                .is_some_and(|r| r.frames > 45)
        });
        let was = state(&daemon);
        daemon.signal(Signal::SIGKILL);
        daemon.wait_for_end();
        let daemon = daemon.restart();
        let first = wait_for_recordings(&daemon, 1).remove(0);
        let file = fs::read(&first.file).unwrap();
        assert!(seconds(&file) > 1.5, "{first:?}, {was:?}");
        assert!((seconds(&file) - (first.to - first.from)).abs() < 0.05);
        assert!(!Path::new(&was.file).exists());
    }
}

#[test]
fn an_event_has_the_time_before_it() {
    let keys = "mode = \"event\", pre-roll = \"2s\"";
    let daemon = recording(Setup::default(), keys).start();
    wait_for(&daemon, RecordingState::Armed);
    // So much is there to be kept.
    daemon.wait_for_stats("pictures", |stats| stats.cameras[0].captured > 75);
    let asked = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let asked = asked.unwrap().as_secs_f64();
    daemon.streamctl("record start --for 1s").succeeded();
    let all = eventually("a recording up to then", || {
        let all = list(&daemon).recordings;
        match all.last().is_some_and(|last| last.to > asked) {
            true => Ok(all),
            false => Err(format!("{asked}: {all:?}")),
        }
    });
    assert!(all.iter().all(|one| one.kind == Kind::Event), "{all:?}");
    assert!(all[0].from < asked - 1.0, "{asked}: {all:?}");
    wait_for(&daemon, RecordingState::Armed);
    let log = daemon.log.all().join("\n");
    assert!(log.contains("camera main is recorded in") && log.contains("not recorded any more"));
}

#[test]
fn recording_is_begun_and_ended_by_hand_and_listed_and_saved() {
    let daemon = recording(Setup::default(), "mode = \"off\"").start();
    assert_eq!(state(&daemon).state, RecordingState::Off);
    assert!(
        daemon
            .streamctl("record list")
            .succeeded()
            .contains("no recordings")
    );
    let started = daemon.streamctl("record start");
    assert!(started.succeeded().contains("main: recording to"));
    wait_for_recordings(&daemon, 2);
    assert!(
        daemon
            .streamctl("record stop")
            .succeeded()
            .contains("not recorded any more")
    );
    wait_for(&daemon, RecordingState::Off);
    let all = list(&daemon).recordings;
    let shown = daemon.streamctl("record list --json");
    assert!(all.iter().all(|one| shown.succeeded().contains(&one.file)));
    let saved = daemon.setup.file("part.mp4");
    let export = format!("record export {}", saved.display());
    daemon.streamctl(&export).succeeded();
    daemon
        .streamctl(&export)
        .failed(73, &["is there already", "--force"]);
    let whole: f64 = all.iter().map(|one| one.to - one.from).sum();
    let file = fs::read(&saved).unwrap();
    assert!((seconds(&file) - whole).abs() < 0.1, "{whole}: {all:?}");
    // Over HTTP the same, but for the length in its head, which is not known when that is sent.
    let (from, to) = (all[0].from, all.last().unwrap().to);
    let path = format!("/recordings/main/export.mp4?from={from}&to={to}");
    let response = web::get(daemon.setup.http(), &path, &["Connection: close"]);
    assert_eq!(response.status, 200);
    let sent = response.rest();
    assert!(sent.len() > file.len(), "{} {}", sent.len(), file.len());
    let error = daemon.call(&SetRecording {
        camera: None,
        record: true,
        seconds: Some(-1.0),
    });
    assert!(error.unwrap_err().to_string().contains("0.1 to 86400"));
    let none = daemon
        .streamctl("record export --from 2020-01-01T00:00:00Z --to 2020-01-02T00:00:00Z /tmp/x");
    none.failed(66, &["no recordings of that time"]);
}

#[test]
fn a_disk_that_takes_nothing_is_said_and_harms_nobody() {
    let setup = Setup::default();
    let missing = setup.file("not-mounted");
    let keys = format!(
        "record = {{ mode = \"continuous\", directory = {missing:?}, min-free = \"none\" }}"
    );
    let daemon = setup.camera(&keys).start();
    let is = wait_for(&daemon, RecordingState::Failed);
    assert!(is.reason.contains("no such directory"), "{is:?}");
    assert!(daemon.stats().status.contains("main: not recording: "));
    let mut viewer = daemon.viewer();
    viewer.picture();
    // It comes back by itself, once the disk is there.
    fs::create_dir(&missing).unwrap();
    let is = wait_for(&daemon, RecordingState::Recording);
    assert!(is.lost > 0 && is.reason.is_empty(), "{is:?}");
    viewer.picture();
}

#[test]
fn where_too_little_is_free_nothing_is_recorded() {
    let setup = Setup::default();
    let directory = folder(&setup);
    let record = |least: &str| {
        format!(
            "record = {{ mode = \"continuous\", directory = {directory:?}, min-free = \"{least}\" }}"
        )
    };
    let mut setup = setup.camera(&record("999T"));
    let daemon = setup.clone().start();
    let is = wait_for(&daemon, RecordingState::Failed);
    assert!(is.reason.contains("less than min-free"), "{is:?}");
    setup.set_camera(&record("none"));
    setup.write_config();
    let reloaded = daemon.streamctl("reload");
    assert!(
        reloaded.succeeded().contains("camera.main.record.min-free"),
        "{}",
        reloaded.stdout
    );
    wait_for(&daemon, RecordingState::Recording);
}

#[test]
fn what_is_too_much_goes_and_what_is_not_ours_stays() {
    let setup = Setup::default();
    let foreign = folder(&setup).join("main/2020-01-01");
    fs::create_dir_all(&foreign).unwrap();
    let old = foreign.join("2020-01-01T00-00-00.000Z_60.000s_continuous.mp4");
    let film = foreign.join("film.mp4");
    fs::write(&old, "old").unwrap();
    fs::write(&film, "film").unwrap();
    let daemon = recording(setup, "mode = \"off\", keep = \"1h\"").start();
    eventually("the old one is removed", || {
        if old.exists() {
            Err("it is there")
        } else {
            Ok(())
        }
        .map_err(str::to_owned)
    });
    assert!(film.exists());
    assert_eq!(state(&daemon).removed, 1);
}

#[test]
fn a_time_lapse_is_a_picture_now_and_then() {
    let daemon = recording(Setup::default(), "timelapse = \"200ms\"").start();
    eventually("pictures of it", || {
        let is = state(&daemon);
        if is.frames >= 3 {
            Ok(())
        } else {
            Err(format!("{is:?}"))
        }
    });
    let daemon = stop_and_start(daemon);
    let one = wait_for_recordings(&daemon, 1).remove(0);
    assert_eq!(one.kind, Kind::Timelapse);
    let bytes = fs::read(&one.file).unwrap();
    let pictures = seconds(&bytes) * 25.0;
    assert!(
        pictures > 2.9 && (pictures - pictures.round()).abs() < 0.01,
        "{pictures}"
    );
}

/// The moments of the wall clock, in seconds, at which a beep begins in a file, by the times of its
/// pictures and their labels; and the samples of sound.
#[track_caller]
fn beeps(file: &[u8]) -> (Vec<f64>, Vec<Sample>) {
    let (pictures, heard): (Vec<_>, Vec<_>) =
        mp4::samples(file).into_iter().partition(|s| s.track == 1);
    let zeros = pictures.iter().map(|picture| {
        let label = AppSegment::find(&picture.bytes).expect("a picture has the label of streamd");
        label.captured_us as f64 / 1e6 - picture.time as f64 / TIMESCALE as f64
    });
    let zeros: Vec<_> = zeros.collect();
    let zero = zeros.iter().sum::<f64>() / zeros.len() as f64;
    let mut ear = Ear::new();
    let begins = heard.iter().filter_map(|packet| {
        let at = packet.time as f64 / SOUND_TIMESCALE as f64;
        ear.begins(&packet.bytes, zero + at)
    });
    (begins.collect(), heard)
}

#[track_caller]
fn assert_in_step(beeps: &[f64]) {
    assert!(!beeps.is_empty());
    for beep in beeps {
        assert!((beep - beep.round()).abs() < 0.04, "{beeps:?}");
    }
}

#[test]
fn sound_is_recorded_in_step_with_the_pictures_and_only_while_it_is_recorded() {
    let sound = "[camera.main.audio]\ndevice = \"test\"";
    let setup = recording(Setup::default(), "mode = \"off\", codec = \"jpeg\"").tables(sound);
    let daemon = setup.start();
    let state_of_sound = |daemon: &Daemon| daemon.stats().cameras[0].sound.clone().unwrap().state;
    assert_eq!(state_of_sound(&daemon), CameraState::Idle);
    daemon.streamctl("record start").succeeded();
    let all = wait_for_recordings(&daemon, 3);
    assert_eq!(state_of_sound(&daemon), CameraState::Streaming);
    daemon.streamctl("record stop").succeeded();
    daemon.wait_for_stats("nobody listens", |stats| {
        stats.cameras[0].sound.as_ref().unwrap().state == CameraState::Idle
    });
    for one in &all[..2] {
        let (beeps, heard) = beeps(&fs::read(&one.file).unwrap());
        assert_in_step(&beeps);
        assert!(heard.is_sorted_by_key(|packet| packet.time));
    }
    // Two of them as one: it goes on, in step, with the sound of the time between them.
    let mut whole = Joiner::new(Cursor::new(Vec::new()));
    for one in &all[..2] {
        let file = fs::File::open(&one.file).unwrap();
        whole
            .add(&mut std::io::BufReader::new(file), 0, u64::MAX)
            .unwrap();
    }
    let whole = whole.finish().unwrap().into_inner();
    let (beeps, heard) = beeps(&whole);
    assert_in_step(&beeps);
    for pair in heard.windows(2) {
        let step = pair[1].time - pair[0].time;
        // None is missing, or, on a machine that was very busy, some are.
        assert!(step.abs_diff(960) < 100 || step > 1900, "{step}");
    }
}

#[test]
fn a_file_with_sound_that_was_cut_off_is_made_whole_and_sound_that_is_lost_leaves_a_gap() {
    let sound = "[camera.main.audio]\ndevice = \"test\"";
    let setup = Setup::default();
    let directory = folder(&setup);
    let keys = "mode = \"continuous\", segment = \"1h\", codec = \"jpeg\"";
    let setup = setup.camera(&format!(
        "fps = 15\nrecord = {{ directory = {directory:?}, min-free = \"none\", {keys} }}"
    ));
    let mut daemon = setup.tables(sound).start();
    let config = fs::read_to_string(daemon.setup.config_file()).unwrap();
    let reload = |daemon: &Daemon, device: &str| {
        let config = config.replace(
            "audio]\ndevice = \"test\"",
            &format!("audio]\ndevice = \"{device}\""),
        );
        fs::write(daemon.setup.config_file(), config).unwrap();
        daemon.streamctl("reload").succeeded();
    };
    let packets = |daemon: &Daemon, more: i64| {
        let had = daemon.stats().cameras[0].sound.as_ref().unwrap().packets;
        daemon.wait_for_stats("sound", |stats| {
            stats.cameras[0].sound.as_ref().unwrap().packets >= had + more
        });
    };
    // It is there, lost, and there again.
    packets(&daemon, 60);
    reload(&daemon, "hw:31");
    let frames = state(&daemon).frames;
    eventually("pictures go on", || match state(&daemon).frames {
        now if now > frames + 20 => Ok(()),
        now => Err(format!("{frames} {now}")),
    });
    reload(&daemon, "test");
    packets(&daemon, 120);
    let file = PathBuf::from(wait_for(&daemon, RecordingState::Recording).file);
    daemon.signal(Signal::SIGKILL);
    daemon.wait_for_end();
    let daemon = daemon.restart();
    let whole = eventually("it is whole", || {
        let all = list(&daemon).recordings;
        let stem = file
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .split('_')
            .next()
            .unwrap()
            .to_owned();
        let found = all.iter().find(|one| one.id.starts_with(&stem)).cloned();
        found.ok_or_else(|| format!("{stem}: {all:?}"))
    });
    let (beeps, heard) = beeps(&fs::read(&whole.file).unwrap());
    assert_in_step(&beeps);
    let gaps = heard
        .windows(2)
        .filter(|pair| pair[1].time - pair[0].time > SOUND_TIMESCALE / 2);
    assert_eq!(gaps.count(), 1);
}

/// Ends a daemon as a service manager does, so that its files are finished, and starts another one.
fn stop_and_start(mut daemon: Daemon) -> Daemon {
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait_for_end().success());
    daemon.restart()
}
