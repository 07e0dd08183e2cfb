//! Any bytes as a picture of a camera that delivers JPEG.

use streamd::config::values::Chroma;
use streamd::encode::check::{Check, Past};
use streamd::encode::jpeg::Encoder;
use streamd::media::Layout;
use streamd::media::Origin;
use streamd::media::PixelFormat;
use streamd::media::RawFrame;
use streamd::media::Rendition;
use streamd::media::Scale;
use streamd::media::Timestamp;
use streamd_protocol::stream::AppSegment;

/// Pixels on a side that are worth decoding here.
const LARGEST: u32 = 1024;

/// What is accepted is accepted again as it is handed on, and decoded without a warning.
pub fn run(bytes: &[u8]) {
    let past = Past::default();
    let Ok(whole) = Check::default().look(bytes, Some(&past)) else {
        return;
    };
    let (width, height) = whole.size;
    if width.max(height) > LARGEST {
        return;
    }
    let segment = AppSegment {
        sequence: 1,
        captured_us: 2,
        camera: "main".into(),
    };
    let (rendition, chroma) = (
        Rendition {
            quality: 80,
            scale: Scale::Full,
        },
        Chroma::Yuv420,
    );
    let mut encoder = Encoder::new();
    let handed_on = encoder.hand_on(&frame(bytes), (rendition, chroma), &segment.head(), &past);
    // The decoder may find more wrong with the kinds that only it reads.
    let picture = match handed_on {
        Ok(picture) => picture,
        Err(_) if !whole.is_common => return,
        Err(error) => panic!("it was accepted: {error}"),
    };
    assert_eq!(AppSegment::find(&picture.bytes), Some(segment));
    assert!(picture.bytes.ends_with(&[0xFF, 0xD9]));
    let again = Check::default().look(&picture.bytes, Some(&past));
    let again = again.expect("what is handed on is accepted again");
    assert!(again.is_common && again.size == (width, height));
    let decoded = encoder.encode(&frame(&picture.bytes), rendition, chroma, &[]);
    decoded.expect("what is handed on can be decoded without a warning");
}

fn frame(bytes: &[u8]) -> RawFrame {
    RawFrame {
        sequence: 1,
        captured: Timestamp::default(),
        layout: Layout {
            format: PixelFormat::Mjpg,
            width: 640,
            height: 480,
            stride: 0,
            colour: streamd::media::Colour::JFIF,
        },
        origin: Origin::Camera,
        pixels: Box::new(bytes.to_vec()),
    }
}
