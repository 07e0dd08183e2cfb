//! Any bytes as a picture, and any segment in one.

use streamd_protocol::stream::{AppSegment, MAX_CAMERA_NAME};

/// A segment that is found is found again after it was written; so is any other. The first bytes are its
/// numbers, the rest a picture and its name.
pub fn run(bytes: &[u8]) {
    if let Some(found) = AppSegment::find(bytes) {
        check(found);
    }
    let number = |at: usize| {
        let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
        u64::from_be_bytes(bytes.copied().unwrap_or_default())
    };
    check(AppSegment {
        sequence: number(0),
        captured_us: number(8),
        camera: String::from_utf8_lossy(bytes.get(16..).unwrap_or_default()).into(),
    });
}

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
