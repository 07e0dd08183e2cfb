//! What the check says of pictures, against what the JPEG library says of them.

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::encode::jpeg::libjpeg::{
    Decompressor,
    made::{Kind, PLAIN, make},
};

/// Pixels with slopes and noise, as films have.
fn pixels(kind: Kind, noise: u8) -> Vec<u8> {
    let mut seed = 0x2545_F491_u32;
    let mut pixel = |x: u32, y: u32, colour: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        let slope = (x * 3 + y * 2) as u8 / 4 + 60 * colour as u8;
        slope.wrapping_add((seed >> 8) as u8 % noise.max(1))
    };
    let places = (0..kind.height).flat_map(|y| (0..kind.width).map(move |x| (x, y)));
    places
        .flat_map(|(x, y)| (0..kind.colours).map(move |colour| (x, y, colour)))
        .map(|(x, y, colour)| pixel(x, y, colour))
        .collect()
}

fn made(kind: Kind) -> Vec<u8> {
    make(kind, &pixels(kind, 90))
}

fn picture() -> Vec<u8> {
    made(PLAIN)
}

fn look(bytes: &[u8]) -> Result<Whole, Broken> {
    Check::default().look(bytes, Some(&Past::default()))
}

/// What is handed on of it.
fn pass(bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    look(bytes).map(|whole| whole.file(bytes, &[], true))
}

/// The pixels, if the library has them without an error and without a warning.
fn decoded(jpeg: &[u8]) -> Option<Vec<u8>> {
    let mut decompressor = Decompressor::new();
    let mut reading = decompressor.begin(jpeg, 1, |_, _| true).ok()?;
    let (_, height) = reading.size();
    let bytes = reading.row_bytes();
    let mut out = vec![0; bytes * height as usize];
    for row in 0..height as usize {
        reading.rows(&mut out[row * bytes..][..bytes]).ok()?;
    }
    reading.finish().ok()?.then_some(out)
}

fn at(jpeg: &[u8], marker: u8) -> usize {
    jpeg.windows(2)
        .position(|pair| pair == [0xFF, marker])
        .unwrap()
}

fn data_of(jpeg: &[u8]) -> usize {
    Header::read(jpeg).unwrap().data
}

/// The picture without its DHT segments, and what these held.
pub fn without_tables(jpeg: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut bare, mut tables, mut at) = (START.to_vec(), Vec::new(), 2);
    while jpeg[at + 1] != 0xDA {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        match jpeg[at + 1] {
            0xC4 => tables.extend_from_slice(&jpeg[at + 4..end]),
            _ => bare.extend_from_slice(&jpeg[at..end]),
        }
        at = end;
    }
    bare.extend_from_slice(&jpeg[at..]);
    (bare, tables)
}

#[test]
fn a_sound_picture_passes_byte_for_byte() {
    assert_eq!(pass(&picture()), Ok(picture()));
}

#[test]
fn missing_tables_are_inserted() {
    let (bare, _) = without_tables(&picture());
    let want = [&START, &huffman::SEGMENT[..], &bare[2..]].concat();
    assert_eq!(pass(&bare), Ok(want));
}

#[test]
fn what_is_before_and_behind_a_picture_is_cut_off() {
    let jpeg = picture();
    for (before, behind) in [
        (&b""[..], &[0; 500][..]),
        (b"", b"stale bytes \xFF\xD9"),
        (b"\0\0\xFF\xD8\0", b""),
        (&START, b"\xFF\xD9"),
        (b"", b"\xFF"),
    ] {
        assert_eq!(pass(&[before, &jpeg, behind].concat()).as_ref(), Ok(&jpeg));
    }
    let stale = [&jpeg[..], &jpeg[jpeg.len() / 2..]].concat();
    assert_eq!(pass(&stale), Ok(jpeg));
}

#[test]
fn a_missing_or_half_end_is_added() {
    let jpeg = picture();
    for cut in [1, 2] {
        assert_eq!(pass(&jpeg[..jpeg.len() - cut]).as_ref(), Ok(&jpeg));
    }
    let padded = [&jpeg[..jpeg.len() - 2], &[0; 64]].concat();
    assert_eq!(pass(&padded), Ok(jpeg));
}

#[test]
fn a_segment_that_leads_nowhere_is_left_out() {
    let jpeg = picture();
    let comment = [0xFF, 0xFE, 0, 4, b'h', b'i'];
    let mut odd = [&START, &comment[..], &jpeg[2..]].concat();
    for length in [0_u16, 1, 3, 9, 30, 70, 0xFFFF] {
        odd[4..6].copy_from_slice(&length.to_be_bytes());
        let passed = pass(&odd).unwrap();
        assert!(passed.ends_with(&jpeg[at(&jpeg, 0xDB)..]), "{length}");
        assert_eq!(decoded(&passed), decoded(&jpeg), "{length}");
    }
}

#[test]
fn stray_bytes_between_segments_and_a_spectrum_of_zeros_are_put_right() {
    let jpeg = picture();
    let dqt = at(&jpeg, 0xDB);
    let stray = [&jpeg[..dqt], &[7, 0xFF], &jpeg[dqt..]].concat();
    assert_eq!(pass(&stray).as_ref(), Ok(&jpeg));
    let mut zeros = jpeg.clone();
    let data = data_of(&jpeg);
    zeros[data - 3..data].fill(0);
    assert_eq!(pass(&zeros), Ok(jpeg));
}

#[test]
fn each_defect_has_its_name() {
    let jpeg = picture();
    let sof = at(&jpeg, 0xC0);
    let with = |place: usize, byte: u8| {
        let mut other = jpeg.clone();
        other[place] = byte;
        pass(&other).unwrap_err()
    };
    assert_eq!(pass(&[]), Err(Broken::Empty));
    assert_eq!(pass(&[0; 50]), Err(Broken::Zeros));
    assert_eq!(pass(&jpeg[2..]), Err(Broken::NoStart));
    assert!(matches!(pass(&jpeg[..sof]), Err(Broken::Header { .. })));
    assert_eq!(with(sof + 1, 0xC3), Broken::Coding(0xC3));
    assert_eq!(with(sof + 4, 12), Broken::Precision(12));
    assert_eq!(with(sof + 9, 5), Broken::Components(5));
    assert_eq!(with(sof + 11, 0x50), Broken::Sampling);
    assert_eq!(with(sof + 11, 0x44), Broken::Sampling, "18 blocks");
    assert_eq!(with(sof + 12, 3), Broken::NoQuantisation(3));
    let (width, height) = (64, 0);
    assert_eq!(with(sof + 6, 0), Broken::Size { width, height });
    assert_eq!(with(sof + 6, 64), Broken::Missing);
    assert_eq!(with(sof + 6, 32), Broken::Surplus);
    assert_eq!(with(data_of(&jpeg) - 8, 0x22), Broken::NoHuffman(2));
    let quantisation = at(&jpeg, 0xDB);
    let at = quantisation;
    assert_eq!(with(quantisation + 9, 0), Broken::Header { at });
}

#[test]
fn restart_markers_are_in_their_places() {
    let jpeg = made(Kind {
        restart: 3,
        ..PLAIN
    });
    assert_eq!(pass(&jpeg).as_ref(), Ok(&jpeg));
    let second = at(&jpeg, 0xD1);
    let mut swapped = jpeg.clone();
    swapped[second + 1] = 0xD2;
    assert_eq!(pass(&swapped), Err(Broken::Restart));
    let lost = [&jpeg[..at(&jpeg, 0xD0)], &jpeg[second..]].concat();
    assert_eq!(pass(&lost), Err(Broken::Restart));
    let more = [&jpeg[..jpeg.len() - 2], b"\xFF\xD3\xFF\xD9"].concat();
    assert_eq!(pass(&more), Ok(jpeg), "one behind the last part");
}

/// Some webcams leave bytes before each marker.
#[test]
fn stray_bytes_are_cut_out_where_they_are_a_habit() {
    let jpeg = made(Kind {
        restart: 3,
        ..PLAIN
    });
    let (first, end) = (at(&jpeg, 0xD0), jpeg.len() - 2);
    let parts = [
        &jpeg[..first],
        b"\x5A\x5A",
        &jpeg[first..end],
        b"\x01",
        &END,
    ];
    let stray = parts.concat();
    let (mut check, past) = (Check::default(), Past::default());
    let mut look = |bytes: &[u8]| {
        let whole = check.look(bytes, Some(&past));
        whole.map(|whole| whole.file(bytes, &[], true))
    };
    for _ in 0..5 {
        assert_eq!(look(&stray), Err(Broken::Surplus), "once in a while");
        for _ in 0..3 {
            assert!(look(&jpeg).is_ok());
        }
    }
    for _ in 0..2 {
        assert_eq!(look(&stray), Err(Broken::Surplus));
    }
    for _ in 0..20 {
        assert_eq!(look(&stray).as_ref(), Ok(&jpeg), "again and again");
    }
    let many = [&jpeg[..end], &[1; MAX_STRAY_SEEN], &END].concat();
    assert_eq!(look(&many), Err(Broken::Surplus));
}

/// More bytes than any camera leaves by habit.
const MAX_STRAY_SEEN: usize = 40;

#[test]
fn kinds_that_not_every_viewer_shows_are_told_apart() {
    let is_common = |kind| look(&made(kind)).unwrap().is_common;
    for sampling in [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2)] {
        assert!(is_common(Kind { sampling, ..PLAIN }), "{sampling:?}");
    }
    for sampling in [(3, 1), (1, 4), (1, 3)] {
        assert!(!is_common(Kind { sampling, ..PLAIN }), "{sampling:?}");
    }
    assert!(is_common(Kind {
        colours: 1,
        sampling: (2, 2),
        ..PLAIN
    }));
    let odd = [
        Kind {
            is_progressive: true,
            ..PLAIN
        },
        Kind {
            colours: 4,
            sampling: (1, 1),
            ..PLAIN
        },
        Kind {
            is_rgb: true,
            sampling: (1, 1),
            ..PLAIN
        },
    ];
    for kind in odd {
        assert!(!is_common(kind), "{kind:?}");
        assert!(decoded(&made(kind)).is_some(), "{kind:?}");
    }
}

#[test]
fn a_picture_that_would_be_decoded_into_all_memory_is_refused() {
    let mut jpeg = made(Kind {
        is_progressive: true,
        ..PLAIN
    });
    let sizes = at(&jpeg, 0xC2) + 5;
    jpeg[sizes..sizes + 4].fill(0xF0);
    let (width, height) = (0xF0F0, 0xF0F0);
    assert_eq!(look(&jpeg), Err(Broken::Size { width, height }));
}

#[test]
fn tables_of_pictures_before_are_not_mistaken() {
    let mut check = Check::default();
    let kinds: Vec<_> = (1..9)
        .map(|n| Kind {
            is_optimised: n % 3 != 0,
            quality: n * 11,
            ..PLAIN
        })
        .collect();
    for kind in kinds.iter().chain(&kinds) {
        let jpeg = made(*kind);
        assert!(check.look(&jpeg, None).is_ok(), "{kind:?}");
        let (bare, _) = without_tables(&jpeg);
        assert_eq!(check.look(&bare, None).is_ok(), !kind.is_optimised);
    }
    assert!(check.pairs.len() <= MAX_KEPT);
}

fn kinds() -> impl Strategy<Value = (Kind, u8)> {
    let samplings = proptest::sample::select(vec![(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2)]);
    let colours = proptest::sample::select(vec![1_usize, 3, 3, 3]);
    (
        (1..90_u32, 1..90_u32, 0..9_u32, 1..=100, 1..=255_u8),
        (samplings, colours, any::<bool>()),
    )
        .prop_map(|((width, height, restart, quality, noise), more)| {
            let (sampling, colours, is_optimised) = more;
            let kind = Kind {
                width,
                height,
                restart,
                quality,
                sampling,
                colours,
                is_optimised,
                ..PLAIN
            };
            (kind, noise)
        })
}

/// What the library does not warn of, or only in other places.
fn may_be_silent(broken: &Broken) -> bool {
    matches!(broken, Broken::Block | Broken::Value | Broken::Surplus)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_an_encoder_makes_passes((kind, noise) in kinds()) {
        let jpeg = make(kind, &pixels(kind, noise));
        prop_assert_eq!(pass(&jpeg), Ok(jpeg));
    }

    #[test]
    fn a_cut_picture_is_never_passed((kind, noise) in kinds(), end: Index) {
        let jpeg = make(kind, &pixels(kind, noise));
        let cut = &jpeg[..end.index(jpeg.len())];
        if let Ok(passed) = pass(cut) {
            prop_assert_eq!(decoded(&passed), decoded(&jpeg));
            prop_assert!(jpeg.len() - cut.len() <= 2);
        }
        let ended = [cut, &END].concat();
        if let Ok(passed) = pass(&ended) {
            prop_assert_eq!(decoded(&passed), decoded(&jpeg));
        }
    }

    /// Of data with flipped bits, what passes makes the library warn of nothing. What is refused
    /// makes it warn or shows another picture (of a code that does not exist its faster loop does
    /// not warn), but for what it does not look at.
    #[test]
    fn flipped_bits_are_found_where_the_library_finds_them(
        (kind, noise) in kinds(),
        flips in proptest::collection::vec((any::<Index>(), 0..8_u32), 1..4),
    ) {
        let sound = make(kind, &pixels(kind, noise));
        let mut jpeg = sound.clone();
        let data = data_of(&jpeg);
        let length = jpeg.len() - data - 2;
        for (place, bit) in flips {
            jpeg[data + place.index(length)] ^= 1 << bit;
        }
        match pass(&jpeg) {
            Ok(passed) => prop_assert!(decoded(&passed).is_some()),
            Err(broken) => prop_assert!(
                may_be_silent(&broken) || decoded(&jpeg) != decoded(&sound),
                "{broken}"
            ),
        }
    }

    /// The same of any byte, header included; nothing panics, and what is passed can be decoded.
    #[test]
    fn changed_bytes_are_never_passed_where_the_library_warns(
        (kind, noise) in kinds(),
        spots in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..6),
    ) {
        let mut jpeg = make(kind, &pixels(kind, noise));
        let data = data_of(&jpeg);
        for (place, byte) in spots {
            jpeg[place.index(data)] = byte;
        }
        if let Ok(whole) = look(&jpeg) {
            prop_assert!(!whole.is_common || decoded(&whole.file(&jpeg, &[], true)).is_some());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = pass(&bytes);
        let _ = pass(&[START.as_slice(), &[0xFF], &bytes, &END].concat());
        let jpeg = picture();
        let _ = pass(&[&jpeg[..data_of(&jpeg)], &bytes].concat());
    }
}
