//! Frames that are cut, turned and written upon, against the same done pixel by pixel.

use proptest::prelude::*;

use super::{
    Broken, Error, Picture,
    check::Past,
    jpeg::{
        Encoder,
        libjpeg::made::{Kind, PLAIN},
    },
    prepare::{Look, Preparer},
    tests::{Scene, bars, decode, draw, layout, made_of_slopes, mjpg, mjpg_of, slopes},
};
use crate::{
    config::values::{Arrangement, Chroma, Flip, GrayRange, Rotate},
    media::{Colour, Packing, PixelFormat, RawFrame, Rendition, Scale},
};

fn look(crop: &str, rotate: i64, flip: Flip, chroma: Chroma) -> Look {
    let arrangement = Arrangement {
        crop: crop.parse().unwrap(),
        rotate: Rotate::try_from(rotate).unwrap(),
        flip,
    };
    Look {
        arrangement,
        text: None,
        gray_range: GrayRange::WHOLE,
        chroma,
    }
}

fn prepared(raw: RawFrame, look: &Look) -> RawFrame {
    let past = Past::default();
    Preparer::default().prepare(raw, look, &past).unwrap()
}

/// Where a pixel of the result comes from, by the words of the reference: cut, turned clockwise by
/// so many degrees, then mirrored.
fn origin(look: &Look, (width, height): (u32, u32), x: usize, y: usize) -> (usize, usize) {
    let [left, top, w, h] = look.arrangement.crop.within(width, height);
    let [left, top, w, h] = [left, top, w, h].map(|n| n as usize);
    let degrees = i64::from(look.arrangement.rotate);
    let (rw, rh) = if degrees % 180 == 90 { (h, w) } else { (w, h) };
    let (x, y) = match look.arrangement.flip {
        Flip::None => (x, y),
        Flip::Horizontal => (rw - 1 - x, y),
        Flip::Vertical => (x, rh - 1 - y),
        Flip::Both => (rw - 1 - x, rh - 1 - y),
    };
    let (x, y) = match degrees {
        90 => (y, h - 1 - x),
        180 => (w - 1 - x, h - 1 - y),
        270 => (w - 1 - y, x),
        _ => (x, y),
    };
    (left + x, top + y)
}

fn encoded(raw: &RawFrame) -> Result<Picture, Error> {
    let rendition = Rendition {
        quality: 100,
        scale: Scale::Full,
    };
    Encoder::new().encode(raw, rendition, Chroma::Yuv420, &[])
}

/// The planes of a prepared frame, as Y, Cb and Cr at a place.
fn at(raw: &RawFrame, x: usize, y: usize) -> [u8; 3] {
    let (stride, height) = (raw.layout.stride as usize, raw.layout.height as usize);
    let bytes = raw.bytes();
    let luma = bytes[y * stride + x];
    let lines = match raw.layout.format.packing() {
        Packing::Planar { lines, .. } => lines as usize,
        Packing::Grey => return [luma, 128, 128],
        other => panic!("{other:?} is not what is prepared"),
    };
    let (half, rows) = (stride / 2, height.div_ceil(lines));
    let chroma = stride * height + y / lines * half + x / 2;
    [luma, bytes[chroma], bytes[chroma + half * rows]]
}

/// Luma exactly, or within `luma`; chroma within what half a sample of a slope can differ.
fn assert_turned(raw: &RawFrame, size: (u32, u32), look: &Look, scene: Scene, errors: [i32; 2]) {
    let (width, height) = (raw.layout.width, raw.layout.height);
    assert_eq!((width, height), look.arrangement.size(size.0, size.1));
    assert_eq!(raw.layout.colour, Colour::JFIF);
    let whole = (size.0 as usize, size.1 as usize);
    for (x, y) in (0..height as usize).flat_map(|y| (0..width as usize).map(move |x| (x, y))) {
        let (from_x, from_y) = origin(look, size, x, y);
        let (is, want) = (at(raw, x, y), scene(from_x, from_y, whole));
        let grey = raw.layout.format == PixelFormat::Grey;
        for n in 0..if grey { 1 } else { 3 } {
            let error = (i32::from(is[n]) - i32::from(want[n])).abs();
            let most = errors[n.min(1)];
            assert!(error <= most, "{look:?} {x},{y}: {is:?} for {want:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_size_stride_part_and_turn_is_as_pixel_by_pixel(
        format in prop::sample::select(PixelFormat::ALL.to_vec()),
        size in (16u32..70, 16u32..70),
        padding in 0u32..9,
        crop in prop::option::of((16u32..70, 16u32..70, 0u32..40, 0u32..40)),
        quarter in 0i64..4,
        flip in prop::sample::select(vec![Flip::None, Flip::Horizontal, Flip::Vertical, Flip::Both]),
        chroma in prop::sample::select(vec![Chroma::Yuv420, Chroma::Yuv422]),
    ) {
        prop_assume!(!format.is_coded());
        let crop = crop.map_or("none".into(), |(w, h, x, y)| format!("{w}x{h}+{x}+{y}"));
        let look = look(&crop, quarter * 90, flip, chroma);
        prop_assume!(!look.arrangement.is_none());
        // Planar formats keep two bytes of chroma to a line of an even number.
        let raw = draw(layout(format, size, padding), slopes);
        let prepared = prepared(raw, &look);
        let (luma, hue) = match format.packing() {
            // Neighbours that a mosaic mixes differ by a step of the slope, 255 / 16.
            Packing::Mosaic(..) => (24, 24),
            Packing::Rgb565 => (8, 20),
            Packing::Rgb { .. } => (2, 12),
            _ => (1, 12),
        };
        assert_turned(&prepared, size, &look, slopes, [luma, hue]);
    }
}

#[test]
fn a_cameras_jpeg_is_turned_as_its_pixels_are() {
    for (chroma, size) in [(Chroma::Yuv420, (96, 64)), (Chroma::Yuv422, (96, 72))] {
        let jpeg = mjpg_of(draw(layout(PixelFormat::Nv16, size, 0), bars), chroma);
        let (pixels, _, _) = decode(jpeg.bytes());
        for (degrees, flip, crop) in [
            (90, Flip::None, "none"),
            (180, Flip::None, "none"),
            (270, Flip::None, "none"),
            (0, Flip::Horizontal, "none"),
            (90, Flip::Vertical, "none"),
            (0, Flip::None, "37x21+16+16"),
            (270, Flip::None, "48x32+32+16"),
        ] {
            let look = look(crop, degrees, flip, chroma);
            let raw = mjpg_of(draw(layout(PixelFormat::Nv16, size, 0), bars), chroma);
            let prepared = prepared(raw, &look);
            assert_eq!(prepared.layout.format, PixelFormat::Mjpg, "without loss");
            let (turned, now, _) = decode(prepared.bytes());
            assert_eq!(now, look.arrangement.size(size.0, size.1));
            for (n, is) in turned.as_chunks::<3>().0.iter().enumerate() {
                let (x, y) = (n % now.0 as usize, n / now.0 as usize);
                let (from_x, from_y) = origin(&look, size, x, y);
                let want = &pixels[(from_y * size.0 as usize + from_x) * 3..][..3];
                let near = is.iter().zip(want).all(|(a, b)| a.abs_diff(*b) <= 2);
                assert!(near, "{look:?} at {x},{y}: {is:?} for {want:?}");
            }
        }
    }
}

#[test]
fn where_blocks_would_be_torn_the_jpeg_is_decoded() {
    let size = (90, 70);
    for (degrees, crop) in [(90, "none"), (180, "none"), (0, "33x35+5+3")] {
        let look = look(crop, degrees, Flip::None, Chroma::Yuv422);
        let raw = mjpg_of(
            draw(layout(PixelFormat::Nv16, size, 0), slopes),
            Chroma::Yuv422,
        );
        let prepared = prepared(raw, &look);
        assert!(prepared.layout.format != PixelFormat::Mjpg);
        assert_turned(&prepared, size, &look, slopes, [12, 16]);
    }
}

#[test]
fn a_broken_jpeg_is_an_error_and_the_next_one_is_not() {
    let look = look("none", 90, Flip::None, Chroma::Yuv420);
    let picture = || {
        mjpg_of(
            draw(layout(PixelFormat::Nv16, (96, 64), 0), bars),
            Chroma::Yuv420,
        )
    };
    let (mut preparer, past) = (Preparer::default(), Past::default());
    let mut broken = picture();
    let mut bytes = broken.bytes()[..broken.bytes().len() / 2].to_vec();
    bytes.extend([0xFF, 0xD9]);
    broken.pixels = Box::new(bytes);
    assert_eq!(
        preparer.prepare(broken, &look, &past).err(),
        Some(Error::Broken(Broken::Missing))
    );
    assert!(preparer.prepare(picture(), &look, &past).is_ok());
}

#[test]
fn a_jpeg_of_another_size_than_agreed_is_cut_and_turned_within_its_own() {
    for (width, height) in [(64, 48), (1, 1), (3, 17), (500, 16)] {
        let kind = Kind {
            width,
            height,
            ..PLAIN
        };
        for (crop, degrees) in [("300x200+16+16", 0), ("none", 90), ("20x20+400+1", 180)] {
            for text in [None, Some("12:30".into())] {
                let mut look = look(crop, degrees, Flip::None, Chroma::Yuv420);
                look.text = text;
                let frame = prepared(mjpg(made_of_slopes(kind)), &look);
                let size = look.arrangement.size(width, height);
                assert_eq!((frame.layout.width, frame.layout.height), size);
                let picture = encoded(&frame).unwrap();
                assert_eq!((picture.width, picture.height), size, "{kind:?} {look:?}");
            }
        }
    }
}

#[test]
fn odd_kinds_of_jpeg_are_turned_as_common_ones_are() {
    let (sampling, size) = ((1, 1), (96, 80));
    let kind = Kind {
        width: size.0,
        height: size.1,
        quality: 95,
        ..PLAIN
    };
    let kinds = [
        Kind {
            is_progressive: true,
            ..kind
        },
        Kind {
            is_rgb: true,
            sampling,
            ..kind
        },
        Kind {
            colours: 4,
            sampling,
            ..kind
        },
        Kind { colours: 1, ..kind },
    ];
    let look = look("none", 90, Flip::None, Chroma::Yuv420);
    for kind in kinds {
        let frame = prepared(mjpg(made_of_slopes(kind)), &look);
        if frame.layout.format == PixelFormat::Mjpg {
            assert_eq!(kind.colours, 1, "{kind:?} goes out as a common one");
            continue;
        }
        assert_turned(&frame, size, &look, slopes, [12, 16]);
    }
}

#[test]
fn text_is_white_with_a_black_edge_on_any_ground() {
    for format in [PixelFormat::Yuyv, PixelFormat::Grey, PixelFormat::Rgb24] {
        for chroma in [Chroma::Yuv420, Chroma::Yuv422] {
            let mut look = look("none", 0, Flip::None, chroma);
            look.text = Some("12:30 höchstens".into());
            let raw = draw(layout(format, (320, 240), 0), bars);
            let prepared = prepared(raw, &look);
            let white = |y: usize| (0..320).filter(|x| at(&prepared, *x, y)[0] == 255).count();
            assert!((228..236).map(white).sum::<usize>() > 200, "{format}");
            assert_eq!((0..227).map(white).sum::<usize>(), 0, "{format}");
            let dot = (0..320).find(|x| at(&prepared, *x, 230)[0] == 255).unwrap();
            assert_eq!(at(&prepared, dot, 230), [255, 128, 128]);
            assert_eq!(at(&prepared, dot - 1, 230)[0], 0, "its edge");
            assert!(encoded(&prepared).is_ok());
        }
    }
}

#[test]
fn text_in_a_picture_too_small_for_it_is_cut_off() {
    for size in [(16, 16), (17, 200), (200, 17), (33, 33)] {
        let mut look = look("none", 0, Flip::None, Chroma::Yuv420);
        look.text = Some("0123456789 ".repeat(20));
        let raw = draw(layout(PixelFormat::Nv12, size, 0), slopes);
        let prepared = prepared(raw, &look);
        assert_eq!((prepared.layout.width, prepared.layout.height), size);
    }
}

#[test]
fn what_needs_nothing_is_handed_back_as_it_came() {
    let look = look("none", 0, Flip::None, Chroma::Yuv420);
    let raw = draw(layout(PixelFormat::Nv21, (64, 48), 4), slopes);
    let (before, address) = (raw.layout, raw.bytes().as_ptr());
    let prepared = prepared(raw, &look);
    assert_eq!(
        (prepared.layout, prepared.bytes().as_ptr()),
        (before, address)
    );
}
