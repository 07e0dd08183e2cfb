//! The inner loops over pixels, written so that the compiler turns each into SIMD code for any
//! processor: fixed-size chunks read as one integer, no bounds to check inside the loop.
//!
//! Every function fills the whole of what it writes to, as far as its input reaches.

/// Every second byte, from byte 0: the luma of YUYV.
pub fn even_bytes(line: &[u8], out: &mut [u8]) {
    for (out, pair) in out.iter_mut().zip(pairs(line)) {
        *out = u16::from_le_bytes(*pair) as u8;
    }
}

/// Every second byte, from byte 1: the luma of UYVY.
pub fn odd_bytes(line: &[u8], out: &mut [u8]) {
    for (out, pair) in out.iter_mut().zip(pairs(line)) {
        *out = (u16::from_le_bytes(*pair) >> 8) as u8;
    }
}

/// The mean of two lines of bytes, rounded to nearest.
pub fn mean(first: &[u8], second: &[u8], out: &mut [u8]) {
    for ((out, a), b) in out.iter_mut().zip(first).zip(second) {
        *out = ((u16::from(*a) + u16::from(*b) + 1) >> 1) as u8;
    }
}

/// The mean of two lines of interleaved U and V (NV12, NV16), taken apart.
pub fn mean_of_pairs(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
    let lines = pairs(first).iter().zip(pairs(second));
    for ((u, v), (a, b)) in u.iter_mut().zip(v).zip(lines) {
        *u = ((u16::from(a[0]) + u16::from(b[0]) + 1) >> 1) as u8;
        *v = ((u16::from(a[1]) + u16::from(b[1]) + 1) >> 1) as u8;
    }
}

/// The mean chroma of two lines of packed 4:2:2, taken apart. `SHIFT` is 8 for YUYV, whose chroma
/// is in bytes 1 and 3 of four, and 0 for UYVY, where it is in bytes 0 and 2.
pub fn mean_of_packed<const SHIFT: u32>(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
    /// U in the low half of a word, V in the high half.
    const MASK: u32 = 0x00FF_00FF;
    let lines = quads(first).iter().zip(quads(second));
    for ((u, v), (a, b)) in u.iter_mut().zip(v).zip(lines) {
        let a = (u32::from_le_bytes(*a) >> SHIFT) & MASK;
        let b = (u32::from_le_bytes(*b) >> SHIFT) & MASK;
        let both = (a + b + 0x0001_0001) >> 1;
        *u = both as u8;
        *v = (both >> 16) as u8;
    }
}

/// Adds each two neighbouring bytes of a line to a sum.
pub fn add_pairs(line: &[u8], sums: &mut [u16]) {
    for (sum, pair) in sums.iter_mut().zip(pairs(line)) {
        let pair = u16::from_le_bytes(*pair);
        *sum += (pair & 0xFF) + (pair >> 8);
    }
}

/// Sums of 2^`shift` bytes to their means, rounded to nearest.
pub fn means(sums: &[u16], shift: u32, out: &mut [u8]) {
    let half = (1 << shift) >> 1;
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = ((*sum + half) >> shift) as u8;
    }
}

/// The same, each mean from two neighbouring sums.
pub fn means_of_pairs(sums: &[u16], shift: u32, out: &mut [u8]) {
    let half = (1 << shift) >> 1;
    for (out, [a, b]) in out.iter_mut().zip(sums.as_chunks::<2>().0) {
        *out = ((*a + *b + half) >> shift) as u8;
    }
}

/// Adds a line of bytes to sums.
pub fn add(line: &[u8], sums: &mut [u16]) {
    for (sum, byte) in sums.iter_mut().zip(line) {
        *sum += u16::from(*byte);
    }
}

/// Sums of columns of interleaved three-byte pixels to the means of boxes `side` pixels wide,
/// the last box as wide as what is left; each column sums `rows` bytes.
pub fn means_of_pixels(sums: &[u16], side: usize, rows: usize, out: &mut [u8]) {
    let boxes = sums.chunks(side * 3);
    for (out, columns) in out.as_chunks_mut::<3>().0.iter_mut().zip(boxes) {
        let mut total = [0_u32; 3];
        for pixel in columns.as_chunks::<3>().0 {
            for (total, sum) in total.iter_mut().zip(pixel) {
                *total += u32::from(*sum);
            }
        }
        let count = (columns.len() / 3 * rows) as u32;
        for (out, total) in out.iter_mut().zip(total) {
            *out = ((total + count / 2) / count) as u8;
        }
    }
}

fn pairs(line: &[u8]) -> &[[u8; 2]] {
    line.as_chunks().0
}

fn quads(line: &[u8]) -> &[[u8; 4]] {
    line.as_chunks().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_lines_come_apart() {
        let first: Vec<u8> = (0..64).collect();
        let second: Vec<u8> = (0..64).map(|i| i + 4).collect();
        let (mut y, mut u, mut v) = ([0; 32], [0; 16], [0; 16]);
        even_bytes(&first, &mut y);
        mean_of_packed::<8>(&first, &second, &mut u, &mut v);
        assert_eq!((y[0], y[1], y[31]), (0, 2, 62));
        assert_eq!((u[0], u[15], v[0], v[15]), (3, 63, 5, 65));
        odd_bytes(&first, &mut y);
        mean_of_packed::<0>(&first, &second, &mut u, &mut v);
        assert_eq!((y[0], y[31]), (1, 63));
        assert_eq!((u[0], u[15], v[0], v[15]), (2, 62, 4, 64));
    }

    #[test]
    fn means_round_to_nearest_and_do_not_overflow() {
        let white = [255; 32];
        let (mut u, mut v) = ([0; 16], [0; 16]);
        mean_of_pairs(&white, &white, &mut u, &mut v);
        assert_eq!((u, v), ([255; 16], [255; 16]));
        mean(&[1, 0, 3], &[2, 0, 4], &mut u[..3]);
        assert_eq!(u[..3], [2, 0, 4]);
        let mut sums = [0; 16];
        for _ in 0..8 {
            add_pairs(&white, &mut sums);
        }
        let mut out = [0; 8];
        means_of_pairs(&sums, 5, &mut out);
        assert_eq!(out, [255; 8]);
    }

    #[test]
    fn pixels_of_a_partial_box_count_alone() {
        let mut sums = [0; 9];
        add(&[10, 20, 30, 20, 30, 40, 7, 8, 9], &mut sums);
        let mut out = [0; 6];
        means_of_pixels(&sums, 2, 1, &mut out);
        assert_eq!(out, [15, 25, 35, 7, 8, 9]);
    }
}
