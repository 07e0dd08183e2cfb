//! The inner loops over pixels, written so that the compiler turns each into SIMD code for any
//! processor: fixed-size chunks read as one integer, no bounds to check inside the loop.
//!
//! Packages are built for the oldest processors; the loops that every frame goes through are compiled
//! for AVX2 as well, and the processor decides.
//!
//! Every function fills the whole of what it writes to, as far as its input reaches.

use multiversion::multiversion;

/// Every second byte, from byte 0: the luma of YUYV.
#[multiversion(targets("x86_64+avx2"))]
pub fn even_bytes(line: &[u8], out: &mut [u8]) {
    for (out, pair) in out.iter_mut().zip(pairs(line)) {
        *out = u16::from_le_bytes(*pair) as u8;
    }
}

/// Every second byte, from byte 1: the luma of UYVY.
#[multiversion(targets("x86_64+avx2"))]
pub fn odd_bytes(line: &[u8], out: &mut [u8]) {
    for (out, pair) in out.iter_mut().zip(pairs(line)) {
        *out = (u16::from_le_bytes(*pair) >> 8) as u8;
    }
}

/// The mean of two lines of bytes, rounded to nearest.
#[multiversion(targets("x86_64+avx2"))]
pub fn mean(first: &[u8], second: &[u8], out: &mut [u8]) {
    for ((out, a), b) in out.iter_mut().zip(first).zip(second) {
        *out = ((u16::from(*a) + u16::from(*b) + 1) >> 1) as u8;
    }
}

/// The mean of two lines of interleaved U and V (NV12, NV16), taken apart.
#[multiversion(targets("x86_64+avx2"))]
pub fn mean_of_pairs(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
    let lines = pairs(first).iter().zip(pairs(second));
    for ((u, v), (a, b)) in u.iter_mut().zip(v).zip(lines) {
        let (a, b) = (u16::from_le_bytes(*a), u16::from_le_bytes(*b));
        *u = (((a & 0xFF) + (b & 0xFF) + 1) >> 1) as u8;
        *v = (((a >> 8) + (b >> 8) + 1) >> 1) as u8;
    }
}

/// The mean chroma of two lines of packed 4:2:2, taken apart. `SHIFT` is 8 for YUYV, whose chroma
/// is in bytes 1 and 3 of four, and 0 for UYVY, where it is in bytes 0 and 2.
pub fn mean_of_packed<const SHIFT: u32>(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
    match SHIFT {
        8 => mean_of_yuyv(first, second, u, v),
        _ => mean_of_uyvy(first, second, u, v),
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn mean_of_yuyv(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
    shifted_mean::<8>(first, second, u, v);
}

#[multiversion(targets("x86_64+avx2"))]
fn mean_of_uyvy(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
    shifted_mean::<0>(first, second, u, v);
}

#[inline(always)]
fn shifted_mean<const SHIFT: u32>(first: &[u8], second: &[u8], u: &mut [u8], v: &mut [u8]) {
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

/// Which bytes of a line are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Every second one, from byte 0.
    Even,
    /// Every second one, from byte 1.
    Odd,
}

/// The most lines that [`sum_lines`] takes: a quarter of RGB or packed YUV at 4:2:0.
pub const MAX_LINES: usize = 8;

/// Sums the bytes that stand one below the other in 1, 2, 4 or 8 lines.
pub fn sum_lines(lines: &[&[u8]], which: Which, sums: &mut [u16]) {
    match *lines {
        [a] => sum([a], which, sums),
        [a, b] => sum([a, b], which, sums),
        [a, b, c, d] => sum([a, b, c, d], which, sums),
        [a, b, c, d, e, f, g, h] => sum([a, b, c, d, e, f, g, h], which, sums),
        _ => unreachable!("boxes are a power of two high"),
    }
}

fn sum<const LINES: usize>(lines: [&[u8]; LINES], which: Which, sums: &mut [u16]) {
    match which {
        Which::All => sum_of(lines, sums, |byte| u16::from(*byte)),
        Which::Even => sum_of(lines.map(pairs), sums, |pair| {
            u16::from_le_bytes(*pair) & 0xFF
        }),
        Which::Odd => sum_of(lines.map(pairs), sums, |pair| {
            u16::from_le_bytes(*pair) >> 8
        }),
    }
}

#[inline(always)]
fn sum_of<T, const LINES: usize>(
    lines: [&[T]; LINES],
    sums: &mut [u16],
    value: impl Fn(&T) -> u16,
) {
    // Cut to one length, the lines need no bounds checks in the loop.
    let lines = lines.map(|line| &line[..sums.len()]);
    for (at, sum) in sums.iter_mut().enumerate() {
        *sum = lines.iter().map(|line| value(&line[at])).sum();
    }
}

/// From the sums of columns of bytes to the means of boxes `side` (1, 2 or 4) columns wide, rounded
/// to nearest; a box holds 2^`shift` bytes. `sums` is `CHANNELS` sums a pixel, and `out` as many
/// bytes a box.
pub fn means<const CHANNELS: usize>(sums: &[u16], side: usize, shift: u32, out: &mut [u8]) {
    match side {
        1 => means_of::<CHANNELS, 1>(sums, shift, out),
        2 => means_of::<CHANNELS, 2>(sums, shift, out),
        _ => means_of::<CHANNELS, 4>(sums, shift, out),
    }
}

fn means_of<const CHANNELS: usize, const SIDE: usize>(sums: &[u16], shift: u32, out: &mut [u8]) {
    let half = (1 << shift) >> 1;
    let boxes = sums.as_chunks::<CHANNELS>().0.as_chunks::<SIDE>().0;
    for (out, columns) in out.as_chunks_mut::<CHANNELS>().0.iter_mut().zip(boxes) {
        for (channel, out) in out.iter_mut().enumerate() {
            let total: u16 = columns.iter().map(|pixel| pixel[channel]).sum();
            *out = ((total + half) >> shift) as u8;
        }
    }
}

#[inline(always)]
fn pairs(line: &[u8]) -> &[[u8; 2]] {
    line.as_chunks().0
}

#[inline(always)]
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
        let (mut u, mut v) = ([0; 16], [0; 16]);
        mean_of_pairs(&[255; 32], &[255; 32], &mut u, &mut v);
        assert_eq!((u, v), ([255; 16], [255; 16]));
        mean(&[1, 0, 3], &[2, 0, 4], &mut u[..3]);
        assert_eq!(u[..3], [2, 0, 4]);
        let mut sums = [0; 32];
        sum_lines(&[[255; 32].as_slice(); 8], Which::All, &mut sums);
        let mut out = [0; 8];
        means::<1>(&sums, 4, 5, &mut out);
        assert_eq!(out, [255; 8]);
    }

    #[test]
    fn channels_stay_apart() {
        let mut sums = [0; 12];
        let line = [10, 20, 30, 20, 30, 40, 7, 8, 9, 8, 8, 9];
        sum_lines(&[&line], Which::All, &mut sums);
        let mut out = [0; 6];
        means::<3>(&sums, 2, 1, &mut out);
        assert_eq!(out, [15, 25, 35, 8, 8, 9]);
        let mut sums = [0; 4];
        let lines: [&[u8]; 2] = [&[1, 9, 2, 8, 3, 7, 4, 6], &[1, 0, 1, 0, 1, 0, 1, 0]];
        sum_lines(&lines, Which::Even, &mut sums);
        assert_eq!(sums, [2, 3, 4, 5]);
        sum_lines(&lines, Which::Odd, &mut sums);
        assert_eq!(sums, [9, 8, 7, 6]);
    }
}
