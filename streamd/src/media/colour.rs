//! What the numbers of a YCbCr picture mean: levels and matrix.

/// The levels and the matrix of a raw picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Which numbers are black and white.
    pub range: Range,
    /// How luma and chroma are made of red, green and blue; without meaning for RGB and grey.
    pub matrix: Matrix,
}

impl Colour {
    /// As JFIF has it: full range, BT.601.
    pub const JFIF: Self = Self {
        range: Range::Full,
        matrix: Matrix::Bt601,
    };

    /// As cameras have it that say nothing else: limited range, BT.601.
    pub const VIDEO: Self = Self {
        range: Range::Limited,
        matrix: Matrix::Bt601,
    };
}

/// Which numbers are black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma from 0 to 255, chroma from 1 to 255 around 128.
    Full,
    /// Luma from 16 to 235, chroma from 16 to 240 around 128.
    Limited,
}

/// How luma and chroma are made of red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601, that of JFIF.
    Bt601,
    /// ITU-R BT.709, for high definition.
    Bt709,
    /// SMPTE 240M, an early one for high definition.
    Smpte240m,
    /// ITU-R BT.2020, for ultra-high definition.
    Bt2020,
}

impl Matrix {
    /// The shares of red and blue in luma; that of green is the rest to 1.
    pub const fn red_and_blue(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Smpte240m => (0.212, 0.087),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}
