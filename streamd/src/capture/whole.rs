//! What makes the content of a buffer a whole picture.

use super::ring::Filled;
use crate::media::Layout;

/// Bytes of a whole picture; of a coded one, whose size varies, at least one.
pub(super) fn bytes(layout: Layout) -> usize {
    match layout.format {
        format if format.is_coded() => 1,
        format => format.picture_bytes(layout.stride, layout.height),
    }
}

/// The bytes at the end of a picture that show nothing, and that some drivers leave out: the
/// padding of its last line.
fn padding(layout: Layout) -> usize {
    let planes = layout.planes();
    let last = planes.iter().rfind(|plane| plane.lines > 0);
    last.map_or(0, |plane| plane.line.saturating_sub(plane.shown))
}

/// The bytes that a picture has at least.
pub(super) fn least(layout: Layout) -> usize {
    bytes(layout).saturating_sub(padding(layout))
}

/// What is wrong with the picture in a buffer, by the driver's word or by its size.
pub(super) fn fault(layout: Layout, filled: &Filled) -> Option<String> {
    if filled.broken {
        return Some("the driver marks them as damaged".into());
    }
    (filled.bytes < least(layout)).then(|| match filled.bytes {
        0 => "they are empty".into(),
        have => format!("they have {have} bytes of {}", bytes(layout)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Colour, PixelFormat};

    #[test]
    fn only_what_shows_nothing_may_be_missing() {
        let of = |format, width, stride| {
            padding(Layout {
                format,
                width,
                height: 4,
                stride,
                colour: Colour::JFIF,
            })
        };
        assert_eq!(of(PixelFormat::Yuyv, 320, 704), 64);
        assert_eq!(of(PixelFormat::Yuyv, 320, 640), 0);
        assert_eq!(of(PixelFormat::Grey, 33, 40), 7);
        assert_eq!(of(PixelFormat::Nv12, 33, 40), 6);
        assert_eq!(of(PixelFormat::Nv12, 33, 33), 0);
        assert_eq!(of(PixelFormat::Yu12, 33, 40), 3);
        assert_eq!(of(PixelFormat::Yuv422p, 33, 40), 3);
        assert_eq!(of(PixelFormat::Nv24, 33, 40), 14);
        assert_eq!(of(PixelFormat::Deep(10), 33, 80), 14);
        assert_eq!(of(PixelFormat::Mjpg, 320, 0), 0);
    }
}
