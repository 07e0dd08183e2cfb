//! Any bytes as a picture of a camera that delivers JPEG.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamd::encode::passthrough::Broken;
use streamd::encode::passthrough::check;
use streamd::encode::passthrough::passthrough;
use streamd::media::Layout;
use streamd::media::Origin;
use streamd::media::PixelFormat;
use streamd::media::RawFrame;
use streamd::media::Timestamp;
use streamd_protocol::stream::AppSegment;

/// Pixels on a side that are worth decoding here.
const LARGEST: u32 = 2048;

fuzz_target!(|bytes: &[u8]| {
    // A driver says the size; here the picture does.
    let (width, height) = match check(bytes, 0, 0) {
        Err(Broken::Size { have, .. }) => have,
        _ => return,
    };
    if width > LARGEST || height > LARGEST || check(bytes, width, height).is_err() {
        return;
    }
    let segment = AppSegment {
        sequence: 1,
        captured_us: 2,
        camera: "main".into(),
    };
    let raw = RawFrame {
        sequence: 1,
        captured: Timestamp::default(),
        layout: Layout {
            format: PixelFormat::Mjpg,
            width,
            height,
            stride: 0,
            colour: streamd::media::Colour::JFIF,
        },
        origin: Origin::Camera,
        pixels: Box::new(bytes.to_vec()),
    };
    let picture = passthrough(&raw, &segment.to_bytes()).expect("it was accepted");
    assert_eq!(AppSegment::find(&picture.bytes), Some(segment));
    assert!(picture.bytes.ends_with(&[0xFF, 0xD9]));
    check(&picture.bytes, width, height).expect("what is handed on is accepted again");
});
