//! From a sensor's mosaic to red, green and blue: a missing colour is the mean of its nearest
//! neighbours of that colour (bilinear, as in Malvar, He and Cutler, "High-quality linear
//! interpolation for demosaicing of Bayer-patterned color images", ICASSP 2004, which betters it).

use crate::media::{Corner, Depth};

/// The pixels of the lines as red, green and blue, without padding. There is no white balance.
pub fn rgb<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    corner: Corner,
    depth: Depth,
    width: usize,
) -> Vec<u8> {
    let samples: Vec<Vec<u8>> = lines.map(|line| samples(line, depth, width)).collect();
    let (red_x, red_y) = match corner {
        Corner::Bg => (1, 1),
        Corner::Gb => (0, 1),
        Corner::Gr => (1, 0),
        Corner::Rg => (0, 0),
    };
    let mut out = vec![0; width * samples.len() * 3];
    for (row, out) in out.chunks_exact_mut(width * 3).enumerate() {
        let at = |row: usize| samples[row.min(samples.len() - 1)].as_slice();
        // Beyond an edge, the line or column on the other side of it has the same colours.
        let above = at(if row == 0 { 1 } else { row - 1 });
        let below = if row + 1 == samples.len() {
            above
        } else {
            at(row + 1)
        };
        let around = [above, at(row), below];
        let has_red = row % 2 == red_y;
        // The first column that has the line's own of red and blue.
        let own = if has_red { red_x } else { 1 - red_x };
        line(around, own, if has_red { 0 } else { 2 }, out);
    }
    out
}

/// One line: `own` is the first column, 0 or 1, of its colour other than green, which is number
/// `colour` of a pixel.
fn line([above, here, below]: [&[u8]; 3], own: usize, colour: usize, out: &mut [u8]) {
    let width = here.len();
    let mean = |values: &[u8]| {
        let sum: u16 = values.iter().map(|v| u16::from(*v)).sum();
        let count = values.len() as u16;
        ((sum + count / 2) / count) as u8
    };
    for (x, pixel) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let left = if x == 0 { 1.min(width - 1) } else { x - 1 };
        let right = if x + 1 == width { left } else { x + 1 };
        if x % 2 == own {
            pixel[colour] = here[x];
            pixel[1] = mean(&[above[x], below[x], here[left], here[right]]);
            pixel[2 - colour] = mean(&[above[left], above[right], below[left], below[right]]);
        } else {
            pixel[colour] = mean(&[here[left], here[right]]);
            pixel[1] = here[x];
            pixel[2 - colour] = mean(&[above[x], below[x]]);
        }
    }
}

/// The upper eight bits of each sample.
fn samples(line: &[u8], depth: Depth, width: usize) -> Vec<u8> {
    match depth {
        Depth::Byte => line[..width].to_vec(),
        Depth::Word(bits) => {
            let words = line.as_chunks::<2>().0.iter();
            let byte = |word: &[u8; 2]| (u16::from_le_bytes(*word) >> (bits - 8)).min(255) as u8;
            words.take(width).map(byte).collect()
        }
        Depth::Packed10 => {
            let groups = line.as_chunks::<5>().0.iter();
            groups
                .flat_map(|g| [g[0], g[1], g[2], g[3]])
                .take(width)
                .collect()
        }
        Depth::Packed12 => {
            let groups = line.as_chunks::<3>().0.iter();
            groups.flat_map(|g| [g[0], g[1]]).take(width).collect()
        }
    }
}
