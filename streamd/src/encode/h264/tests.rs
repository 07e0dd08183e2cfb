//! Streams of drawn film, decoded again.

use super::*;
use crate::media::{Colour, Layout, Origin, PixelFormat, Timestamp};

const SIZE: (u32, u32) = (320, 240);

/// Two pictures that have nothing in common, and each that moves a little with `n`.
fn frame(n: u64, scene: u32, format: PixelFormat) -> RawFrame {
    let (width, height) = SIZE;
    let shade = |x: u32, y: u32| {
        let (x, y) = (x + n as u32 * 2, y * (1 + scene));
        let texture = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ scene) >> 24;
        ((x / 3 + y / 2 + scene * 90) as u8).wrapping_add(texture as u8 / 16)
    };
    let pixels: Vec<u8> = match format {
        PixelFormat::Grey => (0..height)
            .flat_map(|y| (0..width).map(move |x| shade(x, y)))
            .collect(),
        PixelFormat::Rgb24 => (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [shade(x, y); 3]))
            .collect(),
        _ => (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| [shade(x, y), 128]))
            .collect(),
    };
    let layout = Layout {
        format,
        width,
        height,
        stride: format.min_stride(width),
        colour: Colour::JFIF,
    };
    RawFrame {
        sequence: n,
        captured: Timestamp::from_nanos(n * 33_333_333),
        layout,
        origin: Origin::Camera,
        pixels: Box::new(pixels),
    }
}

fn wanted(bit_rate: u32, key: bool) -> Wanted {
    Wanted {
        scale: Scale::Full,
        fps: 30.0,
        real_fps: 30.0,
        bit_rate,
        highest: bit_rate,
        key,
        is_even: true,
    }
}

#[test]
fn the_first_picture_is_a_key_and_every_second_one_may_be_left_out() {
    let mut stream = Stream::default();
    let made: Vec<_> = (0..8)
        .map(|n| {
            let raw = frame(n, 0, PixelFormat::Yuyv);
            stream.encode(&raw, &wanted(1_000_000, false), b"").unwrap()
        })
        .collect();
    let keys: Vec<_> = made.iter().map(|picture| picture.key).collect();
    assert_eq!(
        keys,
        [true, false, false, false, false, false, false, false]
    );
    let needed: Vec<_> = made.iter().map(|picture| !picture.droppable).collect();
    assert_eq!(needed, [true, false, true, false, true, false, true, false]);
    assert_eq!(
        (made[0].width, made[0].height, made[0].frame),
        (320, 240, SIZE)
    );
}

#[test]
fn a_key_is_made_when_asked_for_and_bears_its_parameter_sets() {
    let mut stream = Stream::default();
    for n in 0..6 {
        let raw = frame(n, 0, PixelFormat::Yuyv);
        let picture = stream
            .encode(&raw, &wanted(1_000_000, n == 3), b"head")
            .unwrap();
        assert_eq!(picture.key, n == 0 || n == 3);
        assert!(picture.bytes.starts_with(b"head"));
        let kinds: Vec<_> = units::starts(&picture.bytes)
            .map(|at| picture.bytes[at] & 0x1F)
            .collect();
        match picture.key {
            true => assert_eq!(kinds, [7, 8, 5], "SPS, PPS, the picture"),
            false => assert_eq!(kinds, [1]),
        }
    }
}

#[test]
fn no_picture_is_larger_than_its_share_whatever_is_filmed() {
    let mut stream = Stream::default();
    let rate = 1_000_000;
    let most = f64::from(rate) / 8.0 / 30.0 * MOST;
    let mut total = 0;
    for n in 0..90 {
        // A cut each second, and a key asked for between.
        let raw = frame(n, n as u32 / 30, PixelFormat::Yuyv);
        let picture = stream
            .encode(&raw, &wanted(rate, n % 30 == 15), b"")
            .unwrap();
        assert!(
            picture.bytes.len() as f64 <= most,
            "{n}: {}",
            picture.bytes.len()
        );
        total += picture.bytes.len();
    }
    assert!(total * 8 / 3 > rate as usize / 4, "it is used: {total}");
}

#[test]
fn where_half_of_the_frames_come_a_picture_has_twice_the_room() {
    let rate = 1_000_000;
    let largest = |real_fps: f64| {
        let mut stream = Stream::default();
        let sizes = (0..30).map(|n| {
            let wanted = Wanted {
                real_fps,
                ..wanted(rate, n % 10 == 5)
            };
            let raw = RawFrame {
                captured: Timestamp::from_nanos((n as f64 * 1e9 / real_fps) as u64),
                ..frame(n, n as u32 / 10, PixelFormat::Yuyv)
            };
            stream.encode(&raw, &wanted, b"").unwrap().bytes.len() as f64
        });
        sizes.fold(0.0, f64::max)
    };
    let most = |fps: f64| f64::from(rate) / 8.0 / fps * MOST;
    assert!(largest(30.0) <= most(30.0));
    let slow = largest(15.0);
    assert!(slow > most(30.0) && slow <= most(15.0), "{slow}");
}

#[test]
fn the_bit_rate_changes_with_the_next_picture_and_the_size_with_a_key() {
    let mut stream = Stream::default();
    let mut bytes = |first: u64, wanted: Wanted| -> usize {
        let made = (first..first + 30).map(|n| {
            let raw = frame(n, 0, PixelFormat::Yuyv);
            stream.encode(&raw, &wanted, b"").unwrap()
        });
        let made: Vec<_> = made.collect();
        let keys = made[1..].iter().filter(|picture| picture.key).count();
        assert_eq!(keys, 0);
        made.iter().map(|picture| picture.bytes.len()).sum()
    };
    let (wide, narrow) = (
        bytes(0, wanted(1_500_000, false)),
        bytes(30, wanted(300_000, false)),
    );
    assert!(narrow * 2 < wide, "{wide}, then {narrow}");
    let half = Wanted {
        scale: Scale::Half,
        ..wanted(300_000, false)
    };
    let picture = stream
        .encode(&frame(60, 0, PixelFormat::Yuyv), &half, b"")
        .unwrap();
    assert_eq!(
        (picture.key, picture.width, picture.height),
        (true, 160, 120)
    );
}

#[test]
fn any_format_becomes_the_same_planes() {
    let mut maker = planes::Maker::default();
    let mut of = |format| {
        let raw = frame(3, 1, format);
        let (planes, size) = maker.planes(&raw, Scale::Full).unwrap();
        assert_eq!((size, planes.size()), (SIZE, SIZE));
        planes.planes().map(|(plane, _)| plane.to_vec())
    };
    let yuyv = of(PixelFormat::Yuyv);
    let luma: Vec<_> = frame(3, 1, PixelFormat::Grey).bytes().to_vec();
    assert_eq!(yuyv[0], luma);
    assert!(yuyv[1..].iter().flatten().all(|chroma| *chroma == 128));
    assert_eq!(of(PixelFormat::Grey), yuyv);
    let rgb = of(PixelFormat::Rgb24);
    let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 1;
    assert_eq!(
        rgb[0].iter().zip(&luma).filter(|pair| far(*pair)).count(),
        0
    );
}

#[test]
fn what_is_broken_or_too_small_is_refused_and_the_stream_goes_on() {
    let mut stream = Stream::default();
    let mut raw = frame(0, 0, PixelFormat::Yuyv);
    stream.encode(&raw, &wanted(500_000, false), b"").unwrap();
    raw.pixels = Box::new(vec![0; 100]);
    let error = stream
        .encode(&raw, &wanted(500_000, false), b"")
        .unwrap_err();
    assert!(matches!(error, Error::Short { .. }), "{error}");
    let mut tiny = frame(1, 0, PixelFormat::Yuyv);
    (tiny.layout.width, tiny.layout.height, tiny.layout.stride) = (8, 8, 16);
    let error = stream
        .encode(&tiny, &wanted(500_000, false), b"")
        .unwrap_err();
    assert!(matches!(error, Error::Size { .. }), "{error}");
    let raw = frame(2, 0, PixelFormat::Yuyv);
    assert!(
        !stream
            .encode(&raw, &wanted(500_000, false), b"")
            .unwrap()
            .key
    );
}
