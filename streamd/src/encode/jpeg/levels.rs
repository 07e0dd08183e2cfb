//! From a camera's levels and matrix to those of JFIF: full range, BT.601 (ITU-T T.871).
//!
//! The loops are written like those of [`super::unpack`], for the compiler to turn into SIMD code.

use multiversion::multiversion;

use crate::media::{Colour, Matrix, Range};

/// Levels of luma from black to white, and of chroma from end to end, in limited range.
const LIMITED: (f64, f64) = (219.0, 224.0);

/// Bits behind the point of the coefficients of a [`Matrixed`].
const BITS: u32 = 12;

/// What is done to a picture's planes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Levels {
    /// Nothing: they are as JFIF has them.
    Kept,
    /// Limited range becomes full range.
    Stretched,
    /// Another matrix becomes BT.601, and the range full.
    Matrixed(Matrixed),
}

/// The coefficients from one matrix and range to BT.601 in full range, times 2^[`BITS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrixed {
    black: i32,
    /// Of luma, U and V, in the new luma.
    luma: [i32; 3],
    /// Of U and V, in the new U and V. Grey stays grey, so luma has no share.
    chroma: [[i32; 2]; 2],
}

impl Levels {
    /// From these levels and this matrix.
    pub fn from(colour: Colour) -> Self {
        match colour {
            Colour::JFIF => Self::Kept,
            Colour::VIDEO => Self::Stretched,
            other => Self::Matrixed(Matrixed::from(other)),
        }
    }

    /// Converts a line of luma, with the chroma of the same place, which is not yet converted and
    /// has a sample for two pixels.
    pub fn luma(&self, luma: &mut [u8], u: &[u8], v: &[u8]) {
        match self {
            Self::Kept => {}
            Self::Stretched => stretch_luma(luma),
            Self::Matrixed(matrixed) => convert_luma(matrixed, luma, u, v),
        }
    }

    /// Converts a line of chroma.
    pub fn chroma(&self, u: &mut [u8], v: &mut [u8]) {
        match self {
            Self::Kept => {}
            Self::Stretched => {
                stretch_chroma(u);
                stretch_chroma(v);
            }
            Self::Matrixed(matrixed) => convert_chroma(matrixed, u, v),
        }
    }
}

/// Luma, or red, green and blue, from limited to full range: (x − 16) · 255 / 219, where 149 / 128
/// is nearer to 255 / 219 than one level can show.
#[multiversion(targets("x86_64+avx2"))]
pub fn stretch_luma(bytes: &mut [u8]) {
    stretch::<149, { 16 * 149 - 64 }>(bytes);
}

/// Chroma from limited to full range: 128 + (x − 128) · 255 / 224, by 146 / 128.
#[multiversion(targets("x86_64+avx2"))]
fn stretch_chroma(bytes: &mut [u8]) {
    stretch::<146, { 128 * 146 - 128 * 128 - 64 }>(bytes);
}

/// x · `FACTOR` − `LESS`, over 128. In 16 bits, so that a vector register holds as many as can be.
#[inline(always)]
fn stretch<const FACTOR: u16, const LESS: u16>(bytes: &mut [u8]) {
    for byte in bytes {
        let product = u16::from(*byte) * FACTOR;
        *byte = (product.saturating_sub(LESS) >> 7).min(255) as u8;
    }
}

impl Matrixed {
    fn from(colour: Colour) -> Self {
        let (red, blue) = colour.matrix.red_and_blue();
        let green = 1.0 - red - blue;
        let (luma, chroma) = match colour.range {
            Range::Full => (1.0, 1.0),
            Range::Limited => (255.0 / LIMITED.0, 255.0 / LIMITED.1),
        };
        // Red, green and blue less luma, of U and V.
        let rgb = [
            [0.0, 2.0 * (1.0 - red)],
            [
                -2.0 * blue * (1.0 - blue) / green,
                -2.0 * red * (1.0 - red) / green,
            ],
            [2.0 * (1.0 - blue), 0.0],
        ];
        let (red, blue) = Matrix::Bt601.red_and_blue();
        let shares = [red, 1.0 - red - blue, blue];
        let in_luma = [0, 1].map(|of| (0..3).map(|n| shares[n] * rgb[n][of]).sum::<f64>());
        let in_chroma = [(2, blue), (0, red)].map(|(component, share)| {
            [0, 1].map(|of| (rgb[component][of] - in_luma[of]) / (2.0 * (1.0 - share)))
        });
        let fixed = |x: f64| (x * f64::from(1 << BITS)).round() as i32;
        Self {
            black: if colour.range == Range::Full { 0 } else { 16 },
            luma: [luma, in_luma[0] * chroma, in_luma[1] * chroma].map(fixed),
            chroma: in_chroma.map(|row| row.map(|x| fixed(x * chroma))),
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn convert_luma(by: &Matrixed, luma: &mut [u8], u: &[u8], v: &[u8]) {
    let [of_luma, of_u, of_v] = by.luma;
    let pairs = luma.as_chunks_mut::<2>().0;
    for ((pair, u), v) in pairs.iter_mut().zip(u).zip(v) {
        let hue = of_u * (i32::from(*u) - 128) + of_v * (i32::from(*v) - 128);
        for luma in pair {
            *luma = rounded(of_luma * (i32::from(*luma) - by.black) + hue);
        }
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn convert_chroma(by: &Matrixed, u: &mut [u8], v: &mut [u8]) {
    for (u, v) in u.iter_mut().zip(v) {
        let (from_u, from_v) = (i32::from(*u) - 128, i32::from(*v) - 128);
        let [new_u, new_v] = by
            .chroma
            .map(|[of_u, of_v]| rounded(of_u * from_u + of_v * from_v + (128 << BITS)));
        (*u, *v) = (new_u, new_v);
    }
}

#[inline(always)]
fn rounded(fixed: i32) -> u8 {
    ((fixed + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in f64: to red, green and blue, and to BT.601 in full range.
    fn reference(colour: Colour, [y, u, v]: [u8; 3]) -> [f64; 3] {
        let limited = colour.range == Range::Limited;
        let (y, scale) = match limited {
            true => ((f64::from(y) - 16.0) / 219.0, 224.0),
            false => (f64::from(y) / 255.0, 255.0),
        };
        let (u, v) = (
            (f64::from(u) - 128.0) / scale,
            (f64::from(v) - 128.0) / scale,
        );
        let (kr, kb) = colour.matrix.red_and_blue();
        let (r, b) = (y + 2.0 * (1.0 - kr) * v, y + 2.0 * (1.0 - kb) * u);
        let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
        let y = 0.299 * r + 0.587 * g + 0.114 * b;
        [
            y * 255.0,
            128.0 + (b - y) / 1.772 * 255.0,
            128.0 + (r - y) / 1.402 * 255.0,
        ]
        .map(|x| x.clamp(0.0, 255.0))
    }

    #[test]
    fn every_level_is_within_one_of_its_definition() {
        let matrices = [
            Matrix::Bt601,
            Matrix::Bt709,
            Matrix::Smpte240m,
            Matrix::Bt2020,
        ];
        let colours = matrices
            .map(|matrix| [Range::Full, Range::Limited].map(|range| Colour { range, matrix }));
        for colour in colours.as_flattened().iter().copied() {
            let levels = Levels::from(colour);
            for pixel in 0..64 * 64 * 64_u32 {
                let [y, u, v] =
                    [pixel, pixel >> 6, pixel >> 12].map(|n| ((n & 63) * 255 / 63) as u8);
                let (mut luma, mut us, mut vs) = ([y; 2], [u], [v]);
                levels.luma(&mut luma, &us, &vs);
                levels.chroma(&mut us, &mut vs);
                for (is, want) in [luma[1], us[0], vs[0]]
                    .iter()
                    .zip(reference(colour, [y, u, v]))
                {
                    let error = (f64::from(*is) - want).abs();
                    assert!(error <= 1.0, "{colour:?} {:?}: {is} for {want}", [y, u, v]);
                }
            }
        }
    }

    #[test]
    fn black_white_and_grey_are_exact() {
        for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020] {
            let range = Range::Limited;
            let levels = Levels::from(Colour { range, matrix });
            let mut luma = [16, 235, 0, 255];
            levels.luma(&mut luma, &[128; 2], &[128; 2]);
            assert_eq!(luma, [0, 255, 0, 255]);
            let (mut u, mut v) = ([128; 2], [128; 2]);
            levels.chroma(&mut u, &mut v);
            assert_eq!((u, v), ([128; 2], [128; 2]));
        }
    }
}
