//! Any bytes as a picture, and any segment in one.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use streamd_protocol::stream::{AppSegment, MAX_CAMERA_NAME};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    picture: &'a [u8],
    sequence: u64,
    captured_us: u64,
    camera: &'a str,
}

fuzz_target!(|input: Input| {
    if let Some(found) = AppSegment::find(input.picture) {
        check(found);
    }
    check(AppSegment {
        sequence: input.sequence,
        captured_us: input.captured_us,
        camera: input.camera.to_owned(),
    });
});

/// Written into a picture, it is found there, with its name cut to what is allowed.
fn check(segment: AppSegment) {
    let picture = [&[0xFF, 0xD8], &segment.to_bytes()[..], &[0xFF, 0xD9]].concat();
    let found = AppSegment::find(&picture).expect("what was written is found");
    assert_eq!(found.sequence, segment.sequence);
    assert_eq!(found.captured_us, segment.captured_us);
    assert!(found.camera.len() <= MAX_CAMERA_NAME);
    assert!(segment.camera.starts_with(&found.camera));
    assert!(found.camera == segment.camera || segment.camera.len() > MAX_CAMERA_NAME);
}
