//! A picture as a client gets it, looked at from outside.

use mozjpeg::Decompress;
use streamd_protocol::stream::AppSegment;

/// A JPEG file that says where it comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it says of itself.
    pub app: AppSegment,
    /// Width and height by its frame header, pixels.
    pub size: (u32, u32),
}

impl Picture {
    /// Takes a file apart.
    ///
    /// # Panics
    /// If it is not framed by `FF D8` and `FF D9`, has no frame header, or does not say where it comes from.
    #[track_caller]
    pub fn new(bytes: Vec<u8>) -> Self {
        let ends = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>());
        assert_eq!(
            ends,
            (Some(&[0xFF, 0xD8]), Some(&[0xFF, 0xD9])),
            "the ends of a picture of {} bytes",
            bytes.len()
        );
        let app = AppSegment::find(&bytes).expect("a picture has the segment of streamd");
        let size = size(&bytes).expect("a picture has a frame header");
        Self { bytes, app, size }
    }

    /// The pixels, three bytes each.
    ///
    /// # Panics
    /// If it can't be decoded.
    #[track_caller]
    pub fn pixels(&self) -> Vec<[u8; 3]> {
        let header = Decompress::new_mem(&self.bytes).expect("a header that can be read");
        let mut lines = header.rgb().expect("a coding that is known");
        let pixels = lines.read_scanlines().expect("pixel data that is whole");
        assert_eq!(
            pixels.len(),
            self.size.0 as usize * self.size.1 as usize,
            "pixels of a picture of {:?}",
            self.size
        );
        pixels
    }

    /// The largest difference between the channels of a pixel: next to nothing in a grey picture.
    pub fn colour(&self) -> u8 {
        let spread = |[r, g, b]: [u8; 3]| r.max(g).max(b) - r.min(g).min(b);
        self.pixels().into_iter().map(spread).max().unwrap_or(0)
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((width, height), bytes) = (self.size, self.bytes.len());
        write!(f, "{width}x{height}, {bytes} bytes, {:?}", self.app)
    }
}

/// Width and height by the frame header, ISO/IEC 10918-1 B.2.2.
fn size(jpeg: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let [0xFF, marker, high, low] = *jpeg.get(at..)?.first_chunk()? else {
            return None;
        };
        if matches!(marker, 0xC0..=0xC2) {
            let [h1, h0, w1, w0] = *jpeg.get(at + 5..)?.first_chunk()?;
            let pixels = |high, low| u32::from(u16::from_be_bytes([high, low]));
            return Some((pixels(w1, w0), pixels(h1, h0)));
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}
