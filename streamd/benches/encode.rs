//! How fast frames become pictures: each format at 640x480, smaller renditions, and 1080p; and a
//! camera's own pictures handed on.
//!
//! The frames are made here: gradients with noise, which cost about what film does. With
//! `STREAMD_BENCH_YUYV=FILE` (raw YUYV, 640x480, frame after frame) film of your own is measured too.

use std::{env, fs, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use streamd::{
    config::values::Chroma,
    encode::{check::Past, jpeg::Encoder},
    media::{Colour, Layout, Matrix, Origin, PixelFormat, RawFrame, Rendition, Scale, Timestamp},
};
use streamd_protocol::stream::AppSegment;

const QUALITY: u8 = 80;

fn layout(format: PixelFormat, width: u32, height: u32) -> Layout {
    Layout {
        format,
        width,
        height,
        stride: format.min_stride(width),
        colour: Colour::VIDEO,
    }
}

fn frame(layout: Layout, bytes: Vec<u8>) -> RawFrame {
    RawFrame {
        sequence: 0,
        captured: Timestamp::now(),
        layout,
        origin: Origin::TestPattern,
        pixels: Box::new(bytes),
    }
}

/// A slow gradient along the bytes and from line to line, with a little noise, as film has.
fn film(layout: Layout) -> RawFrame {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let stride = layout.stride as usize;
    let bytes = (0..layout.format.picture_bytes(layout.stride, layout.height))
        .map(|at| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let (line, column) = (at / stride, at % stride);
            let slope = (line / 3 + column / 8) as u8;
            slope.wrapping_add((seed % 13) as u8)
        })
        .collect();
    frame(layout, bytes)
}

/// The same as a camera's own JPEG picture.
fn mjpg(layout: Layout, quality: u8) -> RawFrame {
    let picture = Encoder::new()
        .encode(
            &film(layout),
            Rendition {
                quality,
                scale: Scale::Full,
            },
            Chroma::Yuv422,
            &[],
        )
        .expect("a frame made here is whole");
    let format = PixelFormat::Mjpg;
    frame(
        Layout {
            format,
            stride: 0,
            ..layout
        },
        picture.bytes.to_vec(),
    )
}

fn measure(c: &mut Criterion, name: &str, frames: &[RawFrame], scale: Scale, chroma: Chroma) {
    let app = AppSegment {
        sequence: 1,
        captured_us: 1,
        camera: "main".into(),
    }
    .head();
    let rendition = Rendition {
        quality: QUALITY,
        scale,
    };
    let mut encoder = Encoder::new();
    let mut next = frames.iter().cycle();
    let pixels = u64::from(frames[0].layout.width) * u64::from(frames[0].layout.height);
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(pixels));
    group.bench_function(BenchmarkId::from_parameter(name), |b| {
        b.iter(|| {
            let raw = next.next().expect("a cycle has no end");
            black_box(encoder.encode(raw, rendition, chroma, &app))
        });
    });
    group.finish();
}

/// A camera's own pictures at 1080p, looked through and handed on, and what of it is the copy.
fn hand_on(c: &mut Criterion) {
    let segment = AppSegment {
        sequence: 1,
        captured_us: 1,
        camera: "main".into(),
    };
    let app = segment.head();
    let scale = Scale::Full;
    for quality in [50, 80, 95] {
        let raw = mjpg(layout(PixelFormat::Yuyv, 1920, 1080), quality);
        let rendition = (Rendition { quality, scale }, Chroma::Yuv420);
        let (mut encoder, past) = (Encoder::new(), Past::default());
        let mut group = c.benchmark_group("hand-on");
        group.throughput(Throughput::Bytes(raw.bytes().len() as u64));
        let name = format!("mjpg-1080p-{}-kB", raw.bytes().len() / 1000);
        group.bench_function(BenchmarkId::from_parameter(&name), |b| {
            b.iter(|| black_box(encoder.hand_on(&raw, rendition, &app, &past)));
        });
        group.bench_function(BenchmarkId::from_parameter(format!("{name}-copy")), |b| {
            b.iter(|| black_box([&app, raw.bytes()].concat()));
        });
        group.finish();
    }
}

fn encode(c: &mut Criterion) {
    let (full, yuv420) = (Scale::Full, Chroma::Yuv420);
    for format in PixelFormat::ALL {
        let layout = layout(format, 640, 480);
        let raw = match format {
            PixelFormat::Mjpg => mjpg(self::layout(PixelFormat::Yuyv, 640, 480), 95),
            _ => film(layout),
        };
        let name = format.to_string().to_lowercase();
        let raw = [raw];
        measure(c, &name, &raw, full, yuv420);
        measure(c, &format!("{name}-half"), &raw, Scale::Half, yuv420);
        measure(c, &format!("{name}-quarter"), &raw, Scale::Quarter, yuv420);
    }
    let yuyv = [film(layout(PixelFormat::Yuyv, 640, 480))];
    measure(c, "yuyv-4:2:2", &yuyv, full, Chroma::Yuv422);
    let large = [film(layout(PixelFormat::Yuyv, 1920, 1080))];
    measure(c, "yuyv-1080p", &large, full, yuv420);
    levels(c);
}

/// What it costs to bring a camera's levels and matrix to those of JPEG.
fn levels(c: &mut Criterion) {
    for (width, height) in [(640, 480), (1920, 1080)] {
        let colours = [
            ("full", Colour::JFIF),
            ("limited", Colour::VIDEO),
            (
                "bt709",
                Colour {
                    matrix: Matrix::Bt709,
                    ..Colour::VIDEO
                },
            ),
        ];
        for (name, colour) in colours {
            let mut raw = film(layout(PixelFormat::Yuyv, width, height));
            raw.layout.colour = colour;
            let name = format!("levels-{name}-{height}");
            measure(c, &name, &[raw], Scale::Full, Chroma::Yuv420);
        }
    }
}

fn own_film(c: &mut Criterion) {
    let Some(path) = env::var_os("STREAMD_BENCH_YUYV") else {
        return;
    };
    let film = fs::read(&path).expect("STREAMD_BENCH_YUYV names a file that can be read");
    let layout = layout(PixelFormat::Yuyv, 640, 480);
    let bytes = PixelFormat::Yuyv.picture_bytes(layout.stride, layout.height);
    let frames: Vec<_> = film
        .chunks_exact(bytes)
        .take(60)
        .map(|bytes| frame(layout, bytes.to_vec()))
        .collect();
    measure(c, "film", &frames, Scale::Full, Chroma::Yuv420);
    measure(c, "film-4:2:2", &frames, Scale::Full, Chroma::Yuv422);
    measure(c, "film-half", &frames, Scale::Half, Chroma::Yuv420);
    measure(c, "film-quarter", &frames, Scale::Quarter, Chroma::Yuv420);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = encode, hand_on, own_film
}
criterion_main!(benches);
