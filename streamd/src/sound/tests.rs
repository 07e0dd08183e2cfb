//! Sound from its sources to who listens.

use super::*;
use crate::config::values::SoundDevice;

fn sound(device: SoundDevice) -> Arc<Sound> {
    heard(device, News::default())
}

fn heard(device: SoundDevice, news: News) -> Arc<Sound> {
    let settings = Audio {
        device,
        ..Audio::default()
    };
    Sound::new("main".into(), Some(settings), news)
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_test_tone_comes_without_a_gap_while_somebody_listens() {
    let sound = sound(SoundDevice::Test);
    assert_eq!(sound.status(), Status::default());
    assert_eq!(sound.level(), None);
    let mut decoder = opus::Decoder::new(RATE, opus::Channels::Mono).unwrap();
    let mut listener = sound.subscribe();
    let mut last: Option<Arc<Packet>> = None;
    let mut loudest = 0i16;
    // More than a second, and so a beep.
    for _ in 0..60 {
        let packet = listener.next().await;
        assert_eq!(packet.duration(), Duration::from_millis(20));
        let mut samples = [0i16; FRAME];
        let count = decoder.decode(&packet.data, &mut samples, false).unwrap();
        assert_eq!(count, FRAME);
        loudest = loudest.max(samples.iter().map(|s| s.saturating_abs()).max().unwrap());
        if let Some(last) = last.filter(|_| sound.dropped.get() == 0) {
            let step = packet.captured.since(last.captured);
            assert!(step.abs_diff(Duration::from_millis(20)) < Duration::from_micros(5));
        }
        last = Some(packet);
    }
    assert!((5000..12000).contains(&loudest), "{loudest}");
    let status = sound.status();
    assert_eq!(status.state, CameraState::Streaming);
    assert_eq!(status.card, "test tone");
    assert!(sound.level().is_some());
    drop(listener);
    until(|| sound.status().state == CameraState::Idle).await;
    assert_eq!((sound.listeners(), sound.level()), (0, None));
    sound.subscribe().next().await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_tried_again_and_told_once() {
    let news = News::default();
    let mut told = news.listen();
    let sound = heard(SoundDevice::Alsa("hw:31".into()), news);
    let mut listener = sound.subscribe();
    until(|| sound.status().state == CameraState::Lost).await;
    assert_eq!(sound.status().reason, "hw:31: no such sound device");
    // What is configured anew is taken at once.
    sound.change(Some(Audio {
        device: SoundDevice::Test,
        ..Audio::default()
    }));
    listener.next().await;
    assert_eq!(sound.status().state, CameraState::Streaming);
    assert_eq!(sound.losses.get(), 1);
    let lost = told.try_recv().unwrap();
    assert_eq!(
        (lost.kind, &*lost.cameras[0]),
        (EventKind::SoundLost, "main")
    );
    assert_eq!(lost.reason, "hw:31: no such sound device");
    assert_eq!(told.try_recv().unwrap().kind, EventKind::SoundBack);
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn alsa_s_plugin_of_silence_is_heard_and_paced() {
    let sound = sound(SoundDevice::Alsa("null".into()));
    let mut listener = sound.subscribe();
    let first = listener.next().await;
    let began = Timestamp::now();
    for _ in 0..25 {
        listener.next().await;
    }
    let took = Timestamp::now().since(began);
    // It gives as much as is asked for, at once.
    assert!(took >= Duration::from_millis(300), "{took:?}");
    let age = Timestamp::now().since(first.captured);
    assert!(age < Duration::from_secs(60), "{age:?}");
    assert_eq!(sound.level().map(|(rms, _)| rms), Some(SILENCE));
}
