//! How alike two pictures are: SSIM of luma (Wang et al., IEEE Transactions on Image Processing
//! 13(4), 2004), over windows of 8x8 pixels, each four pixels from the next.

use mozjpeg::Decompress;

/// Pixels on a side of what windows are put together from: two by two of them are one.
const BLOCK: usize = 4;

/// (K1 L)² and (K2 L)² of the definition, for 8 bits.
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Sums over a block: of both pictures, of all squares, of products.
type Sums = [u32; 4];

/// SSIM, from -1 to 1. Both have the same size, of 8x8 pixels at least; what is beyond the last whole
/// block is left out.
pub fn ssim(a: &[u8], b: &[u8], width: usize) -> f64 {
    let height = a.len() / width;
    let columns = width / BLOCK;
    let row = |y: usize| -> Vec<Sums> {
        let mut sums = vec![[0; 4]; columns];
        for line in y * BLOCK..(y + 1) * BLOCK {
            let line = line * width..(line + 1) * width;
            let (a, b) = (a[line.clone()].chunks(BLOCK), b[line].chunks(BLOCK));
            for (sums, (a, b)) in sums.iter_mut().zip(a.zip(b)) {
                for (a, b) in a.iter().zip(b) {
                    let (a, b) = (u32::from(*a), u32::from(*b));
                    let add = [a, b, a * a + b * b, a * b];
                    sums.iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
                }
            }
        }
        sums
    };
    let (mut total, mut windows) = (0.0, 0);
    let mut above = row(0);
    for y in 1..height / BLOCK {
        let below = row(y);
        for (above, below) in above.windows(2).zip(below.windows(2)) {
            total += window([above[0], above[1], below[0], below[1]]);
            windows += 1;
        }
        above = below;
    }
    total / f64::from(windows)
}

fn window(blocks: [Sums; 4]) -> f64 {
    const PIXELS: f64 = (4 * BLOCK * BLOCK) as f64;
    let sum = |n: usize| blocks.iter().map(|sums| f64::from(sums[n])).sum::<f64>() / PIXELS;
    let (a, b) = (sum(0), sum(1));
    let variances = sum(2) - a * a - b * b;
    let covariance = sum(3) - a * b;
    (2.0 * a * b + C1) * (2.0 * covariance + C2) / ((a * a + b * b + C1) * (variances + C2))
}

/// In dB: 10 where a tenth is missing to likeness, 20 where a hundredth is.
pub fn decibels(ssim: f64) -> f64 {
    -10.0 * (1.0 - ssim).log10()
}

/// The luma of a JPEG picture, made as large as this; `None` if it can't be decoded.
pub fn luma(jpeg: &[u8], size: (usize, usize)) -> Option<Vec<u8>> {
    // The library unwinds from what it can't read.
    std::panic::catch_unwind(|| decode(jpeg, size)).ok()?.ok()
}

fn decode(jpeg: &[u8], size: (usize, usize)) -> std::io::Result<Vec<u8>> {
    let mut lines = Decompress::new_mem(jpeg)?.grayscale()?;
    let (width, height) = (lines.width(), lines.height());
    let luma: Vec<u8> = lines.read_scanlines()?;
    lines.finish()?;
    Ok(as_large(luma, (width, height), size))
}

/// Luma of one size, in another.
pub fn as_large(luma: Vec<u8>, is: (usize, usize), size: (usize, usize)) -> Vec<u8> {
    match is == size {
        true => luma,
        false => enlarge(&luma, is, size),
    }
}

/// Bilinear, as browsers show a picture larger than it is.
fn enlarge(from: &[u8], (w, h): (usize, usize), (width, height): (usize, usize)) -> Vec<u8> {
    let places = |to: usize, from: usize| -> Vec<(usize, usize, f32)> {
        let place = |at: usize| {
            let at = (at as f32 + 0.5) * from as f32 / to as f32 - 0.5;
            let at = at.clamp(0.0, from as f32 - 1.0);
            let first = at as usize;
            (first, (first + 1).min(from - 1), at.fract())
        };
        (0..to).map(place).collect()
    };
    let columns = places(width, w);
    let mut all = Vec::with_capacity(width * height);
    for (top, bottom, down) in places(height, h) {
        let (top, bottom) = (&from[top * w..][..w], &from[bottom * w..][..w]);
        all.extend(columns.iter().map(|(left, right, along)| {
            let mix = |line: &[u8]| {
                let (left, right) = (f32::from(line[*left]), f32::from(line[*right]));
                left + along * (right - left)
            };
            let (upper, lower) = (mix(top), mix(bottom));
            (upper + down * (lower - upper)).round() as u8
        }));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(width: usize, height: usize, of: impl Fn(usize, usize) -> usize) -> Vec<u8> {
        let at = |n: usize| of(n % width, n / width) as u8;
        (0..width * height).map(at).collect()
    }

    #[test]
    fn a_picture_is_like_itself_and_less_like_what_differs_more() {
        let one = pattern(32, 24, |x, y| (x * 37 + y * 91) % 200);
        assert!((ssim(&one, &one, 32) - 1.0).abs() < 1e-9);
        let with =
            |noise: usize| pattern(32, 24, |x, y| (x * 37 + y * 91) % 200 + (x + y) % 2 * noise);
        let (little, much) = (ssim(&one, &with(4), 32), ssim(&one, &with(50), 32));
        assert!(
            1.0 > little && little > much && much > 0.0,
            "{little} {much}"
        );
        let inverse = pattern(32, 24, |x, y| 200 - (x * 37 + y * 91) % 200);
        assert!(ssim(&one, &inverse, 32) < 0.0);
    }

    #[test]
    fn of_two_even_pictures_it_is_what_the_definition_says() {
        let (a, b) = (vec![100; 64], vec![150; 64]);
        let expected = (2.0 * 15_000.0 + C1) / (10_000.0 + 22_500.0 + C1);
        assert!((ssim(&a, &b, 8) - expected).abs() < 1e-12);
        assert!((decibels(0.9) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn a_small_picture_is_enlarged_smoothly() {
        let small = [0, 100, 0, 100];
        let row = [0, 25, 75, 100];
        assert_eq!(enlarge(&small, (2, 2), (4, 4)), row.repeat(4));
    }
}
