use std::{io::Cursor, sync::Arc, time::Duration};

use proptest::prelude::*;
use streamd_protocol::recording::{JoinError, Joiner};

use super::*;
use crate::{
    fixtures,
    media::{Level, Packet, Timestamp, Track},
    record::{segment::Segment, store},
    sound,
};

/// A picture each 100 ms; of H.264, each twentieth is a key.
fn packet(n: u64, h264: bool) -> Packet {
    let mut bytes = vec![0, 0, 0, 1, 0x61, 1, 2, n as u8 | 1];
    if n.is_multiple_of(20) {
        bytes = [
            &[
                0, 0, 0, 1, 0x67, 66, 0, 31, 9, 0, 0, 0, 1, 0x68, 5, 0, 0, 0, 1,
            ][..],
            &[0x65, 1, 2, 3, n as u8 | 1],
        ]
        .concat();
    }
    let packet = Packet {
        captured: Timestamp::from_nanos(1_000_000_000_000 + n * 100_000_000),
        ..fixtures::frame(n)
    };
    match h264 {
        false => packet,
        true => Packet {
            track: Track::H264(Level::Archive),
            key: n.is_multiple_of(20),
            bytes: bytes.into(),
            ..packet
        },
    }
}

/// A segment of so many pictures in a folder, not yet finished.
fn segment(folder: &Path, count: u64, h264: bool) -> Segment {
    let first = packet(0, h264);
    let head = segment::head(&first, None).unwrap();
    let mut segment = Segment::begin(folder, Kind::Continuous, head, &first).unwrap();
    for n in 0..count {
        segment.push(&packet(n, h264)).unwrap();
    }
    segment
}

fn files(folder: &Path) -> Vec<String> {
    let days = store::days(folder).into_iter();
    let files = days.flat_map(|day| fs::read_dir(folder.join(day)).unwrap());
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.collect()
}

fn read_file(bytes: &[u8]) -> Option<Whole> {
    read(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
}

#[test]
fn a_file_that_is_finished_says_how_long_it_is() {
    for h264 in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let segment = segment(folder.path(), 45, h264);
        let (name, _) = segment.finish(Duration::from_millis(33)).unwrap();
        assert_eq!(name.length_ms, 4500);
        assert_eq!(files(folder.path()), [name.file()]);
        let path = store::list(folder.path(), i64::MIN, i64::MAX)
            .remove(0)
            .path;
        let bytes = fs::read(path).unwrap();
        let whole = read_file(&bytes).unwrap();
        assert_eq!(whole.ticks, 45 * 9000);
        // The head that was written at last, and the one that reading makes, are the same.
        assert!(bytes.starts_with(&whole.head));
        let keys: Vec<_> = whole.keys.iter().map(|(time, _)| time / 9000).collect();
        match h264 {
            true => assert_eq!(keys, [0, 20, 40]),
            false => assert_eq!(keys, [0, 8, 16, 24, 32, 40]),
        }
    }
}

#[test]
fn a_process_that_ends_at_once_loses_less_than_a_second() {
    for h264 in [false, true] {
        for count in 9..60 {
            let folder = tempfile::tempdir().unwrap();
            drop(segment(folder.path(), count, h264));
            assert_eq!(store::recover(folder.path()), 1);
            let entry = store::list(folder.path(), i64::MIN, i64::MAX).remove(0);
            let lost = count as i64 * 100 - entry.name.length_ms;
            assert!((0..1000).contains(&lost), "{count}: {lost}");
        }
    }
}

#[test]
fn where_nothing_was_written_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    drop(segment(folder.path(), 3, true));
    assert_eq!(store::recover(folder.path()), 0);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn a_time_lapse_shows_its_pictures_fast() {
    let folder = tempfile::tempdir().unwrap();
    let first = packet(0, false);
    let head = segment::head(&first, None).unwrap();
    let mut segment = Segment::begin(folder.path(), Kind::Timelapse, head, &first).unwrap();
    for n in 0..50 {
        let captured = first.captured + Duration::from_secs(60 * n);
        assert!(
            segment
                .push(&Packet {
                    captured,
                    ..packet(n, false)
                })
                .unwrap()
                > 0
        );
    }
    let (name, _) = segment.finish(Duration::from_secs(60)).unwrap();
    assert_eq!(name.length_ms, 50 * 60_000);
    let path = store::list(folder.path(), i64::MIN, i64::MAX)
        .remove(0)
        .path;
    assert_eq!(
        read_file(&fs::read(path).unwrap()).unwrap().ticks,
        2 * 90_000
    );
}

/// The whole of some files, from and to which ticks.
fn join(files: &[&[u8]], from: u64, to: u64) -> Result<Vec<u8>, JoinError> {
    let mut joiner = Joiner::new(Cursor::new(Vec::new()));
    for file in files {
        joiner.add(&mut Cursor::new(*file), from, to)?;
    }
    Ok(joiner.finish()?.into_inner())
}

#[test]
fn files_are_joined_to_one_that_goes_on() {
    for h264 in [false, true] {
        let one = bytes(h264);
        let ticks = read_file(&one).unwrap().ticks;
        let whole = read_file(&join(&[&one, &one, &one], 0, u64::MAX).unwrap()).unwrap();
        assert_eq!(whole.ticks, ticks * 3);
        assert!(whole.keys.is_sorted());
        // From the key before, and to the end of the fragment.
        let part = read_file(&join(&[&one], 25 * 9000, 30 * 9000).unwrap()).unwrap();
        let expected = if h264 { 20..=40 } else { 24..=32 };
        let pictures = expected.end() - expected.start();
        assert!(
            (5..=pictures).contains(&(part.ticks / 9000)),
            "{}",
            part.ticks
        );
        assert!(join(&[&one], u64::MAX / 2, u64::MAX).unwrap().is_empty());
    }
    let differs = join(&[&bytes(true), &bytes(false)], 0, u64::MAX);
    assert!(matches!(differs, Err(JoinError::Differs)));
}

#[test]
fn fragments_of_one_picture_are_joined_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let first = packet(0, false);
    let head = segment::head(&first, None).unwrap();
    let mut segment = Segment::begin(folder.path(), Kind::Continuous, head, &first).unwrap();
    for n in 0..5 {
        let captured = first.captured + Duration::from_secs(n);
        let packet = Packet {
            captured,
            ..packet(n, false)
        };
        segment.push(&packet).unwrap();
    }
    let path = segment.path().to_owned();
    let bytes = fs::read(path).unwrap();
    let whole = read_file(&join(&[&bytes, &bytes], 0, u64::MAX).unwrap()).unwrap();
    assert_eq!((whole.ticks, whole.keys.len()), (8 * 90_000, 8));
}

/// A file of 5 s with sound, 20 ms of it behind the pictures, and half a second of it missing.
fn with_sound(h264: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let first = packet(0, h264);
    let head = segment::head(&first, Some(1)).unwrap();
    let mut segment = Segment::begin(folder.path(), Kind::Continuous, head, &first).unwrap();
    for n in 0..250 {
        if n % 5 == 0 {
            segment.push(&packet(n / 5, h264)).unwrap();
        }
        if n > 0 && !(180..205).contains(&n) {
            segment.hear(Arc::new(sound::Packet {
                captured: Timestamp::from_nanos(1_000_000_000_000 + (n - 1) * 20_000_000),
                samples: 960,
                data: vec![n as u8; 20].into(),
            }));
        }
    }
    let path = segment.path().to_owned();
    drop(segment);
    fs::read(path).unwrap()
}

/// Of each fragment, its track and where it begins and ends in seconds.
fn fragments(file: &[u8]) -> Vec<(u32, f64, f64)> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut bytes = Cursor::new(file);
    while let Some((kind, size)) = next_box(&mut bytes, at, file.len() as u64).unwrap() {
        if kind == Moof::KIND {
            let moof = Moof::decode(&mut &file[at as usize..][..size as usize]).unwrap();
            let (begins, ends, _) = times(&moof).unwrap();
            let track = moof.traf[0].tfhd.track_id;
            let scale = if track == mp4::SOUND { 48e3 } else { 90e3 };
            found.push((track, begins as f64 / scale, ends as f64 / scale));
        }
        at += size;
    }
    found
}

#[test]
fn sound_lies_beside_its_pictures_and_goes_on_after_a_gap() {
    for h264 in [false, true] {
        let file = with_sound(h264);
        let all = fragments(&file);
        let sound: Vec<_> = all
            .iter()
            .filter(|(track, ..)| *track == mp4::SOUND)
            .collect();
        assert!(sound.len() >= 4, "{all:?}");
        assert_eq!(sound[0].1, 0.0);
        // As much time as there is: a gap is a packet that lasts, or the beginning of a fragment.
        let ends = sound.windows(2).map(|pair| pair[1].1 - pair[0].2);
        assert!(
            ends.clone().all(|gap| (0.0..0.51).contains(&gap)),
            "{sound:?}"
        );
        for (pictures, sound) in all
            .iter()
            .zip(&all[1..])
            .filter(|(_, next)| next.0 == mp4::SOUND)
        {
            assert!(
                (sound.1 - pictures.1).abs() < 0.1 && sound.2 < pictures.2 + 0.02,
                "{all:?}"
            );
        }
        // Behind one another, both go on; a part of it begins with both.
        let whole = read_file(&file).unwrap();
        let twice = join(&[&file, &file], 0, u64::MAX).unwrap();
        let length = whole.ticks as f64 / 90e3;
        let twice = fragments(&twice);
        assert_eq!(twice.len(), 2 * all.len());
        for (one, other) in all.iter().zip(&twice[all.len()..]) {
            assert_eq!(one.0, other.0);
            assert!((other.1 - one.1 - length).abs() < 1e-4, "{one:?} {other:?}");
        }
        let part = fragments(&join(&[&file], 25 * 9000, 30 * 9000).unwrap());
        let of = |track| part.iter().find(|(of, ..)| *of == track).unwrap().1;
        let shift = (of(mp4::PICTURES) - of(mp4::SOUND)).abs();
        assert!(
            shift < 0.05 && of(mp4::PICTURES).min(of(mp4::SOUND)) < 1e-4,
            "{part:?}"
        );
        // Of another camera, which has none.
        let silent = join(&[&file, &bytes(h264)], 0, u64::MAX);
        assert!(matches!(silent, Err(JoinError::Differs)));
    }
}

fn bytes(h264: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let segment = segment(folder.path(), 50, h264);
    let path = segment.path().to_owned();
    drop(segment);
    fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Cut at any byte, all fragments before the cut are whole, and the file can be read again.
    #[test]
    fn a_file_that_was_cut_has_all_but_the_last_fragment(cut in 0.0f64..=1.0, h264: bool, sound: bool) {
        let bytes = if sound { with_sound(h264) } else { bytes(h264) };
        let cut = (bytes.len() as f64 * cut) as usize;
        let all = read_file(&bytes).unwrap();
        let before = read_file(&bytes[..cut]);
        let end = before.as_ref().map_or(0, |whole| whole.end as usize);
        // The next fragment is not all there.
        let rest = all.keys.iter().map(|(_, at)| *at as usize).filter(|at| *at > end);
        prop_assert!(end <= cut && rest.min().is_none_or(|next| next + 8 > cut || next > end));
        if let Some(whole) = before {
            prop_assert!(whole.ticks <= all.ticks && all.ticks - whole.ticks < all.ticks);
            let mut again = bytes[..end].to_vec();
            again[..whole.head.len()].copy_from_slice(&whole.head);
            prop_assert_eq!(read_file(&again).unwrap().ticks, whole.ticks);
        }
    }

    #[test]
    fn whatever_lies_there_is_read_without_a_panic(h264: bool, sound: bool, at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = if sound { with_sound(h264) } else { bytes(h264) };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read(&mut Cursor::new(&bytes), bytes.len() as u64);
        let _ = join(&[&bytes, &bytes], 0, u64::MAX);
    }
}
