//! JPEG → pixels, no more of them than are shown.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use mozjpeg::{DctMethod, Decompress};

use super::Image;

/// Why a picture could not be decoded or drawn.
#[derive(Debug, thiserror::Error)]
#[error("the picture can't be decoded: {0}")]
pub struct Error(pub(super) String);

/// The largest picture that is decoded, pixels: above 8K. A header of a few bytes can claim far
/// more, and the memory for it would be taken before the lie is found out.
const MAX_PIXELS: usize = 36_000_000;

/// Decodes and shrinks, into memory that is used again.
#[derive(Debug, Default)]
pub struct Decoder {
    decoded: Vec<u8>,
    shrunk: Vec<u8>,
}

impl Decoder {
    /// Decodes to the size that `wanted` gives for the picture's own, both in pixels.
    pub fn decode(
        &mut self,
        jpeg: &[u8],
        wanted: impl FnOnce(usize, usize) -> (usize, usize),
    ) -> Result<Image<'_>, Error> {
        let decoded = &mut self.decoded;
        // libjpeg's fatal errors unwind through it; mozjpeg's wrapper keeps that sound.
        let unwound = catch_unwind(AssertUnwindSafe(|| decompress(jpeg, wanted, decoded)));
        let ((width, height), (target_width, target_height)) = match unwound {
            Ok(result) => result.map_err(|error| Error(error.to_string()))?,
            Err(panic) => return Err(Error(words(panic.as_ref()))),
        };
        if (width, height) == (target_width, target_height) {
            return Ok(Image {
                width,
                height,
                rgb: &self.decoded,
            });
        }
        let source = Image {
            width,
            height,
            rgb: &self.decoded,
        };
        shrink(source, target_width, target_height, &mut self.shrunk);
        Ok(Image {
            width: target_width,
            height: target_height,
            rgb: &self.shrunk,
        })
    }
}

type Size = (usize, usize);

/// Decodes to the smallest eighth of the picture's size that is not below the wanted one; both.
fn decompress(
    jpeg: &[u8],
    wanted: impl FnOnce(usize, usize) -> Size,
    out: &mut Vec<u8>,
) -> io::Result<(Size, Size)> {
    let mut header = Decompress::new_mem(jpeg)?;
    let (width, height) = header.size();
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(io::Error::other(format!("{width}x{height} is too large")));
    }
    let target = wanted(width, height);
    let enough = |eighths: &u8| {
        let scaled = |length: usize| (length * usize::from(*eighths)).div_ceil(8);
        scaled(width) >= target.0 && scaled(height) >= target.1
    };
    // These have fast inverse transforms; the ones between cost more than they save.
    header.scale([1, 2, 4].into_iter().find(enough).unwrap_or(8));
    header.dct_method(DctMethod::IntegerFast);
    header.do_fancy_upsampling(false);
    let mut started = header.rgb()?;
    let size = (started.width(), started.height());
    out.resize(size.0 * size.1 * 3, 0);
    started.read_scanlines_into::<u8>(out)?;
    started.finish()?;
    Ok((size, target))
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    match panic.downcast_ref::<String>() {
        Some(message) => message.clone(),
        None => "libjpeg gave up".into(),
    }
}

/// Each pixel becomes the average of the ones it stands for (or, when enlarged, the nearest).
fn shrink(source: Image<'_>, width: usize, height: usize, out: &mut Vec<u8>) {
    out.clear();
    let span = |at: usize, from: usize, to: usize| {
        let start = at * from / to;
        (start, ((at + 1) * from / to).max(start + 1))
    };
    for y in 0..height {
        let (top, bottom) = span(y, source.height, height);
        for x in 0..width {
            let (left, right) = span(x, source.width, width);
            let mut sum = [0_u32; 3];
            for row in top..bottom {
                let start = (row * source.width + left) * 3;
                let end = (row * source.width + right) * 3;
                for pixel in source.rgb[start..end].chunks_exact(3) {
                    for (sum, value) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(*value);
                    }
                }
            }
            let count = ((bottom - top) * (right - left)) as u32;
            out.extend(sum.map(|sum| (sum / count) as u8));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::jpeg, *};

    #[test]
    fn decodes_no_more_than_is_needed() {
        let mut decoder = Decoder::default();
        let jpeg = jpeg(640, 480);
        for (wanted, decoded) in [
            ((80, 60), (80, 60)),
            ((104, 78), (160, 120)),
            ((320, 240), (320, 240)),
            ((600, 100), (640, 480)),
            ((1000, 900), (640, 480)),
        ] {
            let image = decoder.decode(&jpeg, |_, _| wanted).unwrap();
            assert_eq!((image.width, image.height), wanted);
            assert_eq!(image.rgb.len(), wanted.0 * wanted.1 * 3);
            assert!(image.rgb[0] > 230);
            assert_eq!(decoder.decoded.len(), decoded.0 * decoded.1 * 3);
        }
    }

    #[test]
    fn a_header_that_claims_too_much_is_refused() {
        let mut jpeg = jpeg(64, 48);
        let mut pairs = jpeg.windows(2);
        // SOF0 or SOF2: baseline or progressive.
        let frame = pairs.position(|two| two[0] == 0xFF && matches!(two[1], 0xC0 | 0xC2));
        let frame = frame.unwrap();
        jpeg[frame + 5..frame + 9].fill(0xFA);
        let error = Decoder::default()
            .decode(&jpeg, |_, _| (20, 10))
            .unwrap_err();
        assert!(
            error.to_string().contains("64250x64250 is too large"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_no_panic(at in 2_usize..600, bytes in prop::collection::vec(any::<u8>(), 1..40)) {
            let mut jpeg = jpeg(64, 48);
            let at = at.min(jpeg.len());
            jpeg.splice(at.., bytes);
            let _ = Decoder::default().decode(&jpeg, |_, _| (20, 10));
        }

        #[test]
        fn any_size_can_be_made(width in 1_usize..90, height in 1_usize..90) {
            let mut decoder = Decoder::default();
            let jpeg = jpeg(64, 48);
            let image = decoder.decode(&jpeg, |_, _| (width, height)).unwrap();
            prop_assert_eq!(image.rgb.len(), width * height * 3);
        }
    }
}
