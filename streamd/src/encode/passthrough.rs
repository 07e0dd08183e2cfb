//! A camera's own JPEG pictures, handed on as they are.
//!
//! Cameras are careless: Huffman tables left out (Motion JPEG allows it, browsers show nothing),
//! zeros or stale bytes after the end, the end itself missing, application segments with a
//! length that leads nowhere. What the picture survives is repaired; what it does not is refused,
//! so that no viewer ever sees half a picture ([`super::check`]).

use super::{Picture, check::Whole};

/// Hands a whole picture of a common kind on: SOI, `app`, the Huffman tables if it has none, and
/// the rest byte for byte. One copy, so that the driver has its buffer back at once. `app` has to
/// begin with a JFIF segment, since the camera's own word on the colours is left out.
pub fn passthrough(bytes: &[u8], whole: &Whole, app: &[u8]) -> Picture {
    let (width, height) = whole.size;
    Picture {
        bytes: whole.file(bytes, app, false).into(),
        key: true,
        droppable: false,
        width,
        height,
        frame: whole.size,
    }
}
