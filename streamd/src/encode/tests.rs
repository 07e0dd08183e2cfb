//! Every format, subsampling, scale and awkward size, read back by mozjpeg's own decoder.

use streamd_protocol::stream::AppSegment;

use super::{
    Broken, Error, Picture,
    check::{Past, tests::without_tables},
    jpeg::{
        Encoder,
        libjpeg::{
            Decompressor,
            made::{Kind, PLAIN, make},
        },
    },
};
use crate::{
    config::values::Chroma,
    media::{
        Colour, Corner, Depth, Layout, Origin, Packing, PixelFormat, RawFrame, Rendition, Scale,
        Timestamp,
    },
};

const SCALES: [Scale; 3] = [Scale::Full, Scale::Half, Scale::Quarter];
const CHROMAS: [Chroma; 2] = [Chroma::Yuv420, Chroma::Yuv422];

/// Y, Cb, Cr of a pixel, as functions of its place.
pub(super) type Scene = fn(x: usize, y: usize, size: (usize, usize)) -> [u8; 3];

/// Slopes in different directions, so that no two components or axes can be mistaken.
pub(super) fn slopes(x: usize, y: usize, (width, height): (usize, usize)) -> [u8; 3] {
    let across = |range: usize| (x * range / width) as u8;
    let down = |range: usize| (y * range / height) as u8;
    [30 + across(180), 100 + down(60), 160 - across(60)]
}

/// The eight colour bars at 75 %.
pub(super) fn bars(x: usize, _: usize, (width, _): (usize, usize)) -> [u8; 3] {
    const BARS: [[u8; 3]; 8] = [
        [191, 128, 128],
        [169, 32, 143],
        [134, 160, 32],
        [112, 63, 48],
        [79, 193, 208],
        [57, 96, 224],
        [22, 224, 112],
        [0, 128, 128],
    ];
    BARS[x * 8 / width]
}

pub(super) fn layout(format: PixelFormat, (width, height): (u32, u32), padding: u32) -> Layout {
    Layout {
        format,
        width,
        height,
        stride: format.min_stride(width) + padding,
        colour: Colour::JFIF,
    }
}

fn frame(layout: Layout, bytes: Vec<u8>) -> RawFrame {
    RawFrame {
        sequence: 7,
        captured: Timestamp::now(),
        layout,
        origin: Origin::TestPattern,
        pixels: Box::new(bytes),
    }
}

fn rgb([y, u, v]: [u8; 3]) -> [u8; 3] {
    let (y, u, v) = (f64::from(y), f64::from(u) - 128.0, f64::from(v) - 128.0);
    [
        y + 1.402 * v,
        y - 0.344_136 * u - 0.714_136 * v,
        y + 1.772 * u,
    ]
    .map(|c| c.round().clamp(0.0, 255.0) as u8)
}

/// A frame of the scene. What is padding holds bytes that would show.
pub(super) fn draw(layout: Layout, scene: Scene) -> RawFrame {
    let Layout {
        format,
        width,
        height,
        stride,
        ..
    } = layout;
    let (size, stride) = ((width as usize, height as usize), stride as usize);
    let at = |x: usize, y: usize| scene(x.min(size.0 - 1), y.min(size.1 - 1), size);
    let mut out = vec![0xEE; format.picture_bytes(layout.stride, height)];
    for (y, row) in (0..size.1).map(|y| (y, y * stride)) {
        for x in 0..size.0 {
            let pixel = at(x, y);
            let [r, g, b] = rgb(pixel);
            let line = &mut out[row..];
            match format.packing() {
                Packing::Packed { luma, .. } => line[x * 2 + luma] = pixel[0],
                Packing::Rgb { bytes, at } => {
                    for (at, value) in at.into_iter().zip([r, g, b]) {
                        line[x * bytes as usize + at] = value;
                    }
                }
                Packing::Rgb565 => {
                    let fit = |value: u8, most: u16| (u16::from(value) * most + 127) / 255;
                    let word = fit(r, 31) << 11 | fit(g, 63) << 5 | fit(b, 31);
                    line[x * 2..][..2].copy_from_slice(&word.to_le_bytes());
                }
                Packing::Deep(bits) => {
                    let word = (u32::from(pixel[0]) * ((1 << bits) - 1) / 255) as u16;
                    line[x * 2..][..2].copy_from_slice(&word.to_le_bytes());
                }
                Packing::Mosaic(corner, depth) => {
                    put_sample(line, depth, x, [r, g, b][colour_at(corner, x, y)]);
                }
                _ => line[x] = pixel[0],
            }
        }
    }
    draw_chroma(layout, &mut out, at);
    frame(layout, out)
}

/// Which of red, green and blue a mosaic has at a place.
fn colour_at(corner: Corner, x: usize, y: usize) -> usize {
    let square = match corner {
        Corner::Bg => [2, 1, 1, 0],
        Corner::Gb => [1, 2, 0, 1],
        Corner::Gr => [1, 0, 2, 1],
        Corner::Rg => [0, 1, 1, 2],
    };
    square[x % 2 + y % 2 * 2]
}

fn put_sample(line: &mut [u8], depth: Depth, x: usize, value: u8) {
    match depth {
        Depth::Byte => line[x] = value,
        Depth::Word(bits) => {
            let word = u16::from(value) << (bits - 8);
            line[x * 2..][..2].copy_from_slice(&word.to_le_bytes());
        }
        Depth::Packed10 => line[x / 4 * 5 + x % 4] = value,
        Depth::Packed12 => line[x / 2 * 3 + x % 2] = value,
    }
}

fn draw_chroma(layout: Layout, out: &mut [u8], at: impl Fn(usize, usize) -> [u8; 3]) {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let (stride, luma) = (layout.stride as usize, layout.stride as usize * height);
    let packing = layout.format.packing();
    let order = |[_, u, v]: [u8; 3]| match packing.is_swapped() {
        true => [v, u],
        false => [u, v],
    };
    for y in 0..height {
        for pair in 0..width.div_ceil(2) {
            let [first, second] = order(at(pair * 2, y));
            match packing {
                Packing::Packed { luma, .. } => {
                    let line = &mut out[y * stride + pair * 4..];
                    (line[1 - luma], line[3 - luma]) = (first, second);
                }
                Packing::SemiPlanar {
                    per_chroma: (2, lines),
                    ..
                } if pair * 2 + 2 <= stride => {
                    let row = luma + y / lines as usize * stride;
                    out[row + pair * 2..][..2].copy_from_slice(&[first, second]);
                }
                Packing::Planar { lines, .. } => {
                    let (lines, half) = (lines as usize, stride.div_ceil(2));
                    out[luma + y / lines * half + pair] = first;
                    out[luma + (height.div_ceil(lines) + y / lines) * half + pair] = second;
                }
                _ => {}
            }
        }
        if let Packing::SemiPlanar {
            per_chroma: (1, _), ..
        } = packing
        {
            for x in 0..width {
                let row = luma + y * stride * 2;
                out[row + x * 2..][..2].copy_from_slice(&order(at(x, y)));
            }
        }
    }
}

fn app() -> AppSegment {
    AppSegment {
        sequence: 7,
        captured_us: 1_700_000_000_000_000,
        camera: "main".into(),
    }
}

fn encode(raw: &RawFrame, quality: u8, scale: Scale, chroma: Chroma) -> Result<Picture, Error> {
    Encoder::new().encode(raw, Rendition { quality, scale }, chroma, &app().head())
}

/// Decodes to rows of Y, Cb, Cr (or of Y alone), with the size and the components.
pub(super) fn decode(jpeg: &[u8]) -> (Vec<u8>, (u32, u32), usize) {
    let mut decompressor = Decompressor::new();
    let mut reading = decompressor.begin(jpeg, 1, |_, _| true).unwrap();
    let (size, bytes) = (reading.size(), reading.row_bytes());
    let mut out = vec![0; bytes * size.1 as usize];
    let mut row = 0;
    while row < size.1 as usize {
        row += reading.rows(&mut out[row * bytes..]).unwrap();
    }
    assert!(reading.is_sound());
    (out, size, bytes / size.0 as usize)
}

/// Checks the picture's size and, by the mean error of each component, its colours.
fn assert_shows(picture: &Picture, raw: &RawFrame, scene: Scene, scale: Scale, bound: f64) {
    let (width, height) = (raw.layout.width as usize, raw.layout.height as usize);
    let side = scale.divisor() as usize;
    let (rows, size, components) = decode(&picture.bytes);
    let want = (width.div_ceil(side) as u32, height.div_ceil(side) as u32);
    assert_eq!((size, (picture.width, picture.height)), (want, want));
    assert_eq!(
        components,
        if matches!(
            raw.layout.format.packing(),
            Packing::Grey | Packing::Deep(_)
        ) {
            1
        } else {
            3
        }
    );
    let mut errors = [0.0; 3];
    for (index, pixel) in rows.chunks(components).enumerate() {
        let (x, y) = (index % want.0 as usize, index / want.0 as usize);
        for component in 0..components {
            let mut sum = 0.0;
            for (dx, dy) in (0..side * side).map(|i| (i % side, i / side)) {
                let (x, y) = (
                    (x * side + dx).min(width - 1),
                    (y * side + dy).min(height - 1),
                );
                sum += f64::from(scene(x, y, (width, height))[component]);
            }
            errors[component] += (f64::from(pixel[component]) - sum / (side * side) as f64).abs();
        }
    }
    for error in errors.map(|sum| sum / f64::from(want.0 * want.1)) {
        assert!(
            error <= bound,
            "{:?} {scale:?}: mean errors over {bound}: {error}",
            raw.layout
        );
    }
}

fn assert_app_is_first(picture: &Picture) {
    assert_eq!(AppSegment::find(&picture.bytes), Some(app()));
    assert!(
        picture.bytes[2..].starts_with(&app().head()),
        "it is not the first segment"
    );
}

#[test]
fn every_format_chroma_scale_and_size_shows_the_scene() {
    for format in PixelFormat::ALL.into_iter().filter(|f| !f.is_coded()) {
        // Of the many mosaics, one of each depth goes through all sizes.
        let sizes: &[(u32, u32)] = match format {
            PixelFormat::Mosaic(corner, _) if corner != Corner::Gr => &[(161, 95)],
            PixelFormat::Mosaic(..) => &[(160, 96), (135, 67)],
            _ => &[(160, 96), (161, 95), (17, 16), (16, 17), (135, 67)],
        };
        for size in sizes.iter().copied() {
            for padding in [0, 6] {
                let raw = draw(layout(format, size, padding), slopes);
                for (scale, chroma) in SCALES.into_iter().flat_map(|s| CHROMAS.map(|c| (s, c))) {
                    let picture = encode(&raw, 95, scale, chroma).unwrap();
                    // In a tiny picture, one sample of chroma spans a part of the slope.
                    let span = f64::from(60 * 2 * scale.divisor() / size.0.min(size.1));
                    assert_shows(&picture, &raw, slopes, scale, 1.5 + span);
                    assert_app_is_first(&picture);
                }
            }
        }
    }
}

#[test]
fn colour_bars_keep_their_colours() {
    for format in PixelFormat::ALL.into_iter().filter(|f| !f.is_coded()) {
        let raw = draw(layout(format, (640, 480), 0), bars);
        // Between two bars, a mosaic mixes the colours of its neighbours, and short words are coarse.
        let bound = match format.packing() {
            Packing::Mosaic(..) | Packing::Rgb565 => 3.0,
            _ => 2.0,
        };
        for scale in SCALES {
            let picture = encode(&raw, 90, scale, Chroma::Yuv420).unwrap();
            assert_shows(&picture, &raw, bars, scale, bound);
        }
    }
}

#[test]
fn one_encoder_serves_one_rendition_after_the_other() {
    let mut encoder = Encoder::new();
    let frames = [
        draw(layout(PixelFormat::Yuyv, (640, 480), 0), bars),
        draw(layout(PixelFormat::Grey, (135, 67), 3), slopes),
        draw(layout(PixelFormat::Rgb24, (320, 240), 0), slopes),
    ];
    for _ in 0..2 {
        for raw in &frames {
            for scale in SCALES {
                let rendition = Rendition { quality: 70, scale };
                let app = app().head();
                let again = encoder
                    .encode(raw, rendition, Chroma::Yuv422, &app)
                    .unwrap();
                assert_eq!(again, encode(raw, 70, scale, Chroma::Yuv422).unwrap());
                assert!(again.bytes.len() < 100_000);
            }
        }
    }
}

#[test]
fn a_full_hd_frame_needs_no_padding_rows() {
    let raw = draw(layout(PixelFormat::Nv12, (1920, 1080), 0), slopes);
    let picture = encode(&raw, 80, Scale::Full, Chroma::Yuv420).unwrap();
    assert_shows(&picture, &raw, slopes, Scale::Full, 2.0);
}

#[test]
fn a_lower_quality_needs_fewer_bytes() {
    let raw = draw(layout(PixelFormat::Yuyv, (640, 480), 0), bars);
    let bytes = |q| {
        encode(&raw, q, Scale::Full, Chroma::Yuv420)
            .unwrap()
            .bytes
            .len()
    };
    assert!(bytes(1) < bytes(40) && bytes(40) < bytes(80) && bytes(80) < bytes(100));
}

#[test]
fn a_short_buffer_is_an_error() {
    for format in PixelFormat::ALL.into_iter().filter(|f| !f.is_coded()) {
        let layout = layout(format, (33, 35), 2);
        let need = format.picture_bytes(layout.stride, layout.height);
        for have in [0, need / 2, need - 1] {
            let error = encode(
                &frame(layout, vec![0; have]),
                80,
                Scale::Full,
                Chroma::Yuv420,
            );
            assert_eq!(error, Err(Error::Short { have, need }));
        }
    }
}

#[test]
fn impossible_layouts_are_errors() {
    let with = |width, height, stride| {
        let format = PixelFormat::Yuyv;
        let raw = frame(
            Layout {
                format,
                width,
                height,
                stride,
                colour: Colour::JFIF,
            },
            vec![0; 70_000 * 4],
        );
        encode(&raw, 80, Scale::Full, Chroma::Yuv420).unwrap_err()
    };
    assert_eq!(
        with(64, 64, 127),
        Error::Stride {
            have: 127,
            need: 128
        }
    );
    assert_eq!(
        with(0, 64, 128),
        Error::Size {
            width: 0,
            height: 64
        }
    );
    assert_eq!(
        with(66_000, 1, 132_000),
        Error::Size {
            width: 66_000,
            height: 1
        }
    );
}

/// A camera's picture of the scene.
fn camera(chroma: Chroma, scene: Scene) -> (Vec<u8>, RawFrame) {
    let raw = draw(layout(PixelFormat::Nv16, (322, 242), 0), scene);
    let picture = Encoder::new()
        .encode(
            &raw,
            Rendition {
                quality: 92,
                scale: Scale::Full,
            },
            chroma,
            &[],
        )
        .unwrap();
    (picture.bytes.to_vec(), raw)
}

/// A camera's JPEG picture of what a frame shows.
pub(super) fn mjpg_of(raw: RawFrame, chroma: Chroma) -> RawFrame {
    let picture = encode(&raw, 92, Scale::Full, chroma).unwrap();
    let layout = Layout {
        format: PixelFormat::Mjpg,
        stride: 0,
        ..raw.layout
    };
    frame(layout, picture.bytes.to_vec())
}

pub(super) fn mjpg(bytes: Vec<u8>) -> RawFrame {
    frame(
        Layout {
            format: PixelFormat::Mjpg,
            width: 322,
            height: 242,
            stride: 0,
            colour: Colour::JFIF,
        },
        bytes,
    )
}

#[test]
fn a_cameras_picture_is_encoded_again_at_any_rendition() {
    for chroma in CHROMAS {
        let (bytes, raw) = camera(chroma, slopes);
        let length = bytes.len();
        let mjpg = mjpg(bytes);
        for scale in SCALES {
            let picture = encode(&mjpg, 60, scale, Chroma::Yuv420).unwrap();
            assert_shows(&picture, &raw, slopes, scale, 3.0);
            assert_app_is_first(&picture);
            assert!(picture.bytes.len() < length);
        }
    }
}

/// A picture of a kind, whose colours are slopes.
pub(super) fn made_of_slopes(kind: Kind) -> Vec<u8> {
    let size = (kind.width as usize, kind.height as usize);
    let places = (0..size.1).flat_map(|y| (0..size.0).map(move |x| (x, y)));
    let pixels = places.flat_map(|(x, y)| {
        let colour = slopes(x, y, size);
        match kind.colours {
            1 => vec![colour[0]],
            3 if kind.is_rgb => rgb(colour).to_vec(),
            3 => colour.to_vec(),
            // Inks that let through as much as the colours shine, and no black.
            _ => [&rgb(colour)[..], &[255]].concat(),
        }
    });
    make(kind, &pixels.collect::<Vec<_>>())
}

fn hand_on(raw: &RawFrame) -> Result<Picture, Error> {
    let rendition = Rendition {
        quality: 95,
        scale: Scale::Full,
    };
    let (app, past) = (app().head(), Past::default());
    Encoder::new().hand_on(raw, (rendition, Chroma::Yuv420), &app, &past)
}

#[test]
fn odd_kinds_of_pictures_go_out_as_common_ones() {
    let (colours, sampling) = (3, (1, 1));
    let kind = Kind {
        width: 96,
        height: 80,
        quality: 95,
        ..PLAIN
    };
    let kinds = [
        kind,
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
        Kind {
            sampling: (3, 1),
            ..kind
        },
        Kind {
            sampling: (1, 4),
            ..kind
        },
    ];
    for kind in kinds {
        let picture = hand_on(&mjpg(made_of_slopes(kind))).unwrap();
        let (rows, size, components) = decode(&picture.bytes);
        assert_eq!((size, components), ((96, 80), colours), "{kind:?}");
        for (at, pixel) in rows.chunks(3).enumerate() {
            let want = slopes(at % 96, at / 96, (96, 80));
            let off = |place: usize| pixel[place].abs_diff(want[place]);
            assert!(
                (0..3).all(|place| off(place) < 12),
                "{kind:?}: {pixel:?}, not {want:?}"
            );
        }
        assert_app_is_first(&picture);
        let sof = picture
            .bytes
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC0]);
        assert!(sof.is_some(), "{kind:?} goes out as baseline");
    }
}

#[test]
fn a_picture_of_another_size_than_agreed_has_its_own() {
    let jpeg = made_of_slopes(PLAIN);
    let picture = hand_on(&mjpg(jpeg.clone())).unwrap();
    assert_eq!((picture.width, picture.height), (64, 48));
    let half = encode(&mjpg(jpeg), 80, Scale::Half, Chroma::Yuv420).unwrap();
    assert_eq!((half.width, half.height), (32, 24));
    assert_eq!(decode(&half.bytes).1, (32, 24));
}

#[test]
fn a_cameras_own_words_on_colours_are_left_out() {
    let jpeg = made_of_slopes(PLAIN);
    let adobe = b"\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00\x01";
    let labelled = [&jpeg[..2], adobe, &jpeg[2..]].concat();
    let picture = hand_on(&mjpg(labelled)).unwrap();
    let count = |word: &[u8]| {
        let words = picture.bytes.windows(word.len());
        words.filter(|found| *found == word).count()
    };
    assert_eq!((count(b"JFIF"), count(b"Adobe")), (1, 0));
    assert_eq!(&picture.bytes[6..10], b"JFIF");
    assert_eq!(decode(&picture.bytes), decode(&jpeg));
}

#[test]
fn a_damaged_cameras_picture_is_an_error_and_the_next_one_is_not() {
    let (bytes, _) = camera(Chroma::Yuv422, slopes);
    let mut encoder = Encoder::new();
    let rendition = Rendition {
        quality: 60,
        scale: Scale::Half,
    };
    let mut run =
        |bytes: &[u8]| encoder.encode(&mjpg(bytes.to_vec()), rendition, Chroma::Yuv420, &[]);
    let cut = [&bytes[..bytes.len() * 2 / 3], &[0xFF, 0xD9]].concat();
    assert_eq!(run(&cut), Err(Error::Broken(Broken::Missing)));
    // Damaged where only the library looks: the library raises, and does not only warn.
    let progressive = made_of_slopes(Kind {
        is_progressive: true,
        ..PLAIN
    });
    let mut damaged = progressive.clone();
    let dht = progressive.windows(2).position(|pair| pair == [0xFF, 0xC4]);
    damaged[dht.unwrap() + 5] = 0xFF;
    let error = run(&damaged);
    assert!(
        matches!(
            error,
            Err(Error::Broken(Broken::Decoder(_) | Broken::Header { .. }))
        ),
        "{error:?}"
    );
    let cut = &progressive[..progressive.len() * 2 / 3];
    let error = run(cut);
    assert!(
        matches!(
            error,
            Err(Error::Broken(Broken::Decoder(_) | Broken::Warned))
        ),
        "{error:?}"
    );
    let mut flipped = |at: usize| {
        let mut jpeg = progressive.clone();
        let place = jpeg.len() - at;
        jpeg[place] ^= 0x55;
        run(&jpeg) == Err(Error::Broken(Broken::Warned))
    };
    assert!((3..60).any(&mut flipped), "a warning is enough");
    assert!(run(&bytes).is_ok());
}

#[test]
fn a_picture_without_tables_does_not_get_those_of_the_one_before() {
    let mut encoder = Encoder::new();
    let rendition = Rendition {
        quality: 60,
        scale: Scale::Full,
    };
    let mut run =
        |bytes: &[u8]| encoder.encode(&mjpg(bytes.to_vec()), rendition, Chroma::Yuv420, &[]);
    let (bytes, _) = camera(Chroma::Yuv422, slopes);
    let (bare, _) = without_tables(&bytes);
    let want = run(&bytes);
    // Tables that give every symbol another code than the standard's.
    let mut other = bytes.clone();
    let dht = bytes.windows(2).position(|pair| pair == [0xFF, 0xC4]);
    let symbols = dht.unwrap() + 4 + 17;
    other[symbols..symbols + 12].reverse();
    let _ = run(&other);
    assert_eq!(run(&bare), want);
}

#[test]
fn a_grey_cameras_picture_stays_grey() {
    let raw = draw(layout(PixelFormat::Grey, (322, 242), 0), slopes);
    let grey = encode(&raw, 92, Scale::Full, Chroma::Yuv420).unwrap();
    let picture = encode(&mjpg(grey.bytes.to_vec()), 70, Scale::Half, Chroma::Yuv420).unwrap();
    assert_shows(&picture, &raw, slopes, Scale::Half, 2.0);
}

#[test]
fn the_tables_to_insert_are_those_mozjpeg_writes() {
    let (bytes, _) = camera(Chroma::Yuv422, slopes);
    let (bare, tables) = without_tables(&bytes);
    assert_eq!(tables, super::huffman::SEGMENT[4..]);
    let picture = hand_on(&mjpg(bare)).unwrap();
    assert_app_is_first(&picture);
    assert_eq!(decode(&picture.bytes), decode(&bytes));
}

#[test]
fn mozjpeg_has_simd_where_it_was_built_with_it() {
    // On processors without any of the known instructions it is off for another reason.
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && cfg!(not(miri)) {
        assert!(
            super::simd(),
            "install nasm: without it pictures take three times as long"
        );
    }
}
