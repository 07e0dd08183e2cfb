//! Sound: who asks for it gets it beside the pictures, and nobody else pays for it.

use std::{collections::HashMap, fs};

use streamd_protocol::stats::{CameraState, SoundStats, Stats};
use streamd_tests::{
    daemon::Daemon,
    rtsp::{Packet, Ports, Rtsp},
    setup::Setup,
};

/// What the payload of Opus is called.
const OPUS: u8 = 97;

/// A daemon that speaks RTSP, whose camera has this sound.
fn speaking(setup: Setup, audio: &str) -> Setup {
    let listen = setup.rtsp();
    setup.tables(&format!(
        "[camera.main.audio]\n{audio}\n[rtsp]\nlisten = \"{listen}\"\n"
    ))
}

fn start() -> Daemon {
    speaking(Setup::default(), "device = \"test\"").start()
}

fn sound(stats: &Stats) -> &SoundStats {
    stats.cameras[0].sound.as_ref().expect("it has sound")
}

/// Sets both streams up, the sound first if `first`, and begins to play.
#[track_caller]
fn play(player: &mut Rtsp, first: bool, pictures: &str, sound: &str) {
    let mut both = [
        ("/main/jpeg/trackID=0", pictures),
        ("/main/jpeg/trackID=1", sound),
    ];
    if first {
        both.reverse();
    }
    for (path, transport) in both {
        let answer = player.ask("SETUP", path, &[transport]);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let answer = player.ask("PLAY", "/main/jpeg/", &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let info = answer.header("RTP-Info").unwrap();
    assert!(
        info.contains("trackID=0") && info.contains("trackID=1"),
        "{info}"
    );
}

/// The moment of the wall clock, in seconds, that a report says, and the clock of its stream then.
fn report(bytes: &[u8]) -> (f64, u32) {
    assert_eq!(bytes[..2], [0x80, 200]);
    let number = |at: usize| u32::from_be_bytes(*bytes[at..].first_chunk().unwrap());
    let seconds = f64::from(number(8)) + f64::from(number(12)) / 4_294_967_296.0;
    (seconds, number(16))
}

/// When a packet was captured, by the report on its stream.
fn captured((at, clock): (f64, u32), packet: &Packet, hertz: f64) -> f64 {
    at + f64::from(packet.clock.wrapping_sub(clock) as i32) / hertz
}

#[test]
fn sound_comes_beside_the_pictures_by_one_clock() {
    let daemon = start();
    assert_eq!(sound(&daemon.stats()).state, CameraState::Idle);
    let mut player = Rtsp::connect(daemon.setup.rtsp());
    let described = player.ask("DESCRIBE", "/main/jpeg", &[]).body;
    for line in [
        "m=audio 0 RTP/AVP 97",
        "a=rtpmap:97 opus/48000/2",
        "a=control:trackID=1",
    ] {
        assert!(described.contains(&format!("{line}\r\n")), "{described}");
    }
    let transport = |channels| format!("Transport: RTP/AVP/TCP;unicast;interleaved={channels}");
    play(&mut player, false, &transport("0-1"), &transport("2-3"));
    let mut reports = HashMap::new();
    let (mut pictures, mut packets) = (Vec::new(), Vec::new());
    while packets.len() < 60 || pictures.len() < 5 {
        let (channel, bytes) = player.block();
        match channel {
            0 => pictures.push(Packet::read(&bytes)),
            2 => packets.push(Packet::read(&bytes)),
            1 | 3 => {
                reports.entry(channel).or_insert_with(|| report(&bytes));
            }
            other => panic!("channel {other}"),
        }
    }
    for pair in packets.windows(2) {
        assert_eq!((pair[1].kind, pair[1].is_last), (OPUS, false));
        assert!(!pair[1].payload.is_empty());
        let gap = pair[1].sequence.wrapping_sub(pair[0].sequence);
        let step = pair[1].clock.wrapping_sub(pair[0].clock);
        // None is missing, or, on a machine that was very busy, some are; then time has gone on too.
        assert!(
            gap == 1 && step.abs_diff(960 * u32::from(gap)) < 10 || step > 960,
            "{gap} {step}"
        );
    }
    // Both clocks are those of the wall: what was captured at one time came at one time.
    let picture = captured(reports[&1], pictures.last().unwrap(), 90_000.0);
    let heard = captured(reports[&3], packets.last().unwrap(), 48_000.0);
    assert!((picture - heard).abs() < 2.0, "{picture} {heard}");
    let stats = daemon.wait_for_stats("it is heard", |stats| {
        sound(stats).peak_db.is_some_and(|peak| peak > -60.0)
    });
    let of = sound(&stats);
    assert_eq!(
        (of.state, &*of.card, of.listeners),
        (CameraState::Streaming, "test tone", 1)
    );
    let said = daemon.streamctl("stats");
    assert!(
        said.succeeded().contains("sound of test (test tone)"),
        "{said:?}"
    );

    assert_eq!(player.ask("PAUSE", "/main/jpeg", &[]).status, 200);
    daemon.wait_for_stats("nobody listens", |stats| {
        sound(stats).state == CameraState::Idle && sound(stats).level_db.is_none()
    });
    assert_eq!(player.ask("PLAY", "/main/jpeg", &[]).status, 200);
    daemon.wait_for_stats("it is heard again", |stats| sound(stats).listeners == 1);
    drop(player);
    daemon.wait_for_stats("all is off", |stats| sound(stats).listeners == 0);
}

#[test]
fn sound_comes_in_datagrams_of_its_own() {
    let daemon = start();
    let mut player = Rtsp::connect(daemon.setup.rtsp());
    let (pictures, heard) = (Ports::bind(), Ports::bind());
    play(&mut player, true, &pictures.transport(), &heard.transport());
    pictures.picture().decode();
    let mut bytes = [0; 2048];
    for _ in 0..20 {
        let length = heard.rtp.recv(&mut bytes).unwrap();
        let packet = Packet::read(&bytes[..length]);
        assert_eq!(packet.kind, OPUS);
    }
    let length = heard.rtcp.recv(&mut bytes).unwrap();
    report(&bytes[..length]);
    assert_eq!(player.ask("TEARDOWN", "/main/jpeg", &[]).status, 200);
    daemon.wait_for_stats("all is off", |stats| sound(stats).listeners == 0);
}

#[test]
fn who_wants_no_sound_or_only_sound_is_told_so() {
    let daemon = start();
    let blocks = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
    let mut silent = Rtsp::connect(daemon.setup.rtsp());
    silent.play("/main/jpeg");
    silent.picture().0.decode();
    assert_eq!(sound(&daemon.stats()).state, CameraState::Idle);
    let mut deaf = Rtsp::connect(daemon.setup.rtsp());
    assert_eq!(deaf.ask("SETUP", "/main/trackID=1", &[blocks]).status, 200);
    let again = deaf.ask("SETUP", "/main/trackID=1", &[blocks]);
    assert_eq!(again.status, 455, "{again:?}");
    let alone = deaf.ask("PLAY", "/main", &[]);
    assert_eq!(alone.status, 455, "{alone:?}");
    let mixed = deaf.ask("SETUP", "/main/jpeg/trackID=0", &[blocks]);
    assert_eq!(mixed.status, 461, "on the same channels: {mixed:?}");
}

#[test]
fn a_device_of_alsa_is_heard_and_one_that_is_not_there_is_taken_when_it_comes() {
    let mut setup = speaking(Setup::default(), "device = \"tape\"");
    let tone = setup.file("tone.raw");
    let samples = (0..480_000).map(|n| (f64::from(n) * 0.0575).sin() * 16_384.0);
    let bytes: Vec<u8> = samples.flat_map(|s| (s as i16).to_le_bytes()).collect();
    fs::write(&tone, bytes).unwrap();
    let library = setup.file("alsa.conf");
    fs::write(
        &library,
        format!(
            "</usr/share/alsa/alsa.conf>\npcm.tape {{\n type file\n slave.pcm \"null\"\n \
             file \"/dev/null\"\n infile \"{}\"\n format \"raw\"\n}}\n",
            tone.display()
        ),
    )
    .unwrap();
    setup = setup.variable("ALSA_CONFIG_PATH", library.to_str().unwrap());
    let daemon = setup.start();
    let transport = |channels| format!("Transport: RTP/AVP/TCP;unicast;interleaved={channels}");
    let mut player = Rtsp::connect(daemon.setup.rtsp());
    play(&mut player, false, &transport("0-1"), &transport("2-3"));
    let stats = daemon.wait_for_stats("the tape is heard", |stats| {
        sound(stats)
            .level_db
            .is_some_and(|level| (-11.0..-8.0).contains(&level))
    });
    // A file gives as much as is asked for at once: it is heard as slowly as it lasts.
    let heard = sound(&stats).packets as f64 * 0.02;
    assert!(
        heard < stats.uptime_seconds + 0.5,
        "{heard} s of {}",
        stats.uptime_seconds
    );

    // Another device, which is not there; then one that is.
    let config = fs::read_to_string(daemon.setup.config_file()).unwrap();
    let with =
        |device: &str| config.replace("device = \"tape\"", &format!("device = \"{device}\""));
    fs::write(daemon.setup.config_file(), with("hw:31")).unwrap();
    daemon.streamctl("reload").succeeded();
    let stats = daemon.wait_for_stats("it is lost", |stats| {
        sound(stats).state == CameraState::Lost
    });
    assert_eq!(sound(&stats).reason, "hw:31: no such sound device");
    assert_eq!(
        stats.cameras[0].state,
        CameraState::Streaming,
        "pictures go on"
    );
    fs::write(daemon.setup.config_file(), with("null")).unwrap();
    daemon.streamctl("reload").succeeded();
    daemon.wait_for_stats("it is back", |stats| {
        sound(stats).state == CameraState::Streaming
    });
}
