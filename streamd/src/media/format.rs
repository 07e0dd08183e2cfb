//! The pixel formats, in one table: the driver's codes, the name in the configuration, and how the
//! bytes lie.

use std::fmt;

/// The pixel formats that are encoded or passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Planar Y, U, V at half size (I420).
    Yu12,
    /// Planar Y, V, U at half size.
    Yv12,
    /// Planar Y, then interleaved UV at half size.
    Nv12,
    /// Planar Y, then interleaved VU at half size.
    Nv21,
    /// Packed 4:2:2, as Y U Y V.
    Yuyv,
    /// Packed 4:2:2, as Y V Y U.
    Yvyu,
    /// Packed 4:2:2, as U Y V Y.
    Uyvy,
    /// Packed 4:2:2, as V Y U Y.
    Vyuy,
    /// Planar Y, then interleaved UV at half width.
    Nv16,
    /// Planar Y, then interleaved VU at half width.
    Nv61,
    /// Planar Y, U, V at half width.
    Yuv422p,
    /// Planar Y, then interleaved UV.
    Nv24,
    /// Planar Y, then interleaved VU.
    Nv42,
    /// Packed R, G, B.
    Rgb24,
    /// Packed B, G, R.
    Bgr24,
    /// Packed B, G, R and a byte that says nothing.
    Xbgr32,
    /// Packed R, G, B and a byte that says nothing.
    Rgbx32,
    /// A byte that says nothing, then R, G, B.
    Xrgb32,
    /// A byte that says nothing, then B, G, R.
    Bgrx32,
    /// 5, 6 and 5 bits from the top of a little-endian word.
    Rgb565,
    /// A JPEG picture a frame.
    Mjpg,
    /// Luma only.
    Grey,
    /// Luma only, so many bits (10, 12, 14 or 16) in little-endian words.
    Deep(u8),
    /// One colour a pixel.
    Mosaic(Corner, Depth),
    /// A picture in H.264 a frame, in the byte stream format.
    H264,
}

/// The colours of the first two pixels of a mosaic's first line; the others follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Corner {
    /// Blue, green; below them green, red.
    Bg,
    /// Green, blue; below them red, green.
    Gb,
    /// Green, red; below them blue, green.
    Gr,
    /// Red, green; below them green, blue.
    Rg,
}

/// How the samples of a mosaic are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Depth {
    /// A byte each.
    Byte,
    /// So many bits in little-endian words.
    Word(u8),
    /// Four upper bytes, then one byte of lower bits.
    Packed10,
    /// Two upper bytes, then one byte of lower bits.
    Packed12,
}

/// How the bytes of a picture lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Y, and a U and V for two pixels, in turn.
    Packed {
        /// The byte, 0 or 1, of the first luma.
        luma: usize,
        /// V before U.
        swapped: bool,
    },
    /// A plane of Y, then one of U and V in turn.
    SemiPlanar {
        /// Pixels to a sample of chroma, across and down.
        per_chroma: (u32, u32),
        /// V before U.
        swapped: bool,
    },
    /// Planes of Y, U and V, the latter two at half width.
    Planar {
        /// Lines to a line of chroma.
        lines: u32,
        /// V before U.
        swapped: bool,
    },
    /// Red, green and blue in bytes.
    Rgb {
        /// Bytes a pixel.
        bytes: u32,
        /// The bytes of red, green and blue.
        at: [usize; 3],
    },
    /// Red, green and blue in a word.
    Rgb565,
    /// A byte of luma a pixel.
    Grey,
    /// A word of luma a pixel, of which so many bits say something.
    Deep(u8),
    /// One colour a pixel.
    Mosaic(Corner, Depth),
    /// A JPEG picture.
    Jpeg,
    /// A picture that builds on those before it.
    Stream,
}

/// Planes that a picture has at most.
pub const MOST_PLANES: usize = 3;

/// A plane of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plane {
    /// Bytes from one line to the next.
    pub line: usize,
    /// Lines; 0 for a plane that the format does not have.
    pub lines: usize,
    /// Of a line's bytes, the first ones, which show something; the others are padding.
    pub shown: usize,
}

impl Plane {
    /// Its bytes.
    pub const fn bytes(&self) -> usize {
        self.line * self.lines
    }
}

struct Row {
    format: PixelFormat,
    /// What people call it.
    name: &'static str,
    /// The V4L2 codes that mean it, the best first, which is asked of a driver that lists nothing.
    /// Those with an M have a memory for each plane.
    codes: &'static [&'static [u8; 4]],
    packing: Packing,
}

const fn row(
    format: PixelFormat,
    name: &'static str,
    codes: &'static [&'static [u8; 4]],
    packing: Packing,
) -> Row {
    Row {
        format,
        name,
        codes,
        packing,
    }
}

const fn packed(luma: usize, swapped: bool) -> Packing {
    Packing::Packed { luma, swapped }
}

const fn semi(across: u32, down: u32, swapped: bool) -> Packing {
    Packing::SemiPlanar {
        per_chroma: (across, down),
        swapped,
    }
}

const fn planar(lines: u32, swapped: bool) -> Packing {
    Packing::Planar { lines, swapped }
}

const fn rgb(bytes: u32, at: [usize; 3]) -> Packing {
    Packing::Rgb { bytes, at }
}

const fn deep(bits: u8, name: &'static str, codes: &'static [&'static [u8; 4]]) -> Row {
    row(PixelFormat::Deep(bits), name, codes, Packing::Deep(bits))
}

const fn mosaic(
    corner: Corner,
    depth: Depth,
    name: &'static str,
    codes: &'static [&'static [u8; 4]],
) -> Row {
    let format = PixelFormat::Mosaic(corner, depth);
    row(format, name, codes, Packing::Mosaic(corner, depth))
}

/// All formats, the best for us first: colours that need least work for 4:2:0 pictures, then a
/// camera's own JPEG, then grey, then what has no white balance, then H.264.
const TABLE: [Row; COUNT] = {
    use Corner::{Bg, Gb, Gr, Rg};
    use Depth::{Byte, Packed10, Packed12, Word};
    use PixelFormat as F;
    [
        row(F::Yu12, "YU12", &[b"YU12", b"YM12"], planar(2, false)),
        row(F::Yv12, "YV12", &[b"YV12", b"YM21"], planar(2, true)),
        row(F::Nv12, "NV12", &[b"NV12", b"NM12"], semi(2, 2, false)),
        row(F::Nv21, "NV21", &[b"NV21", b"NM21"], semi(2, 2, true)),
        row(F::Yuyv, "YUYV", &[b"YUYV"], packed(0, false)),
        row(F::Yvyu, "YVYU", &[b"YVYU"], packed(0, true)),
        row(F::Uyvy, "UYVY", &[b"UYVY"], packed(1, false)),
        row(F::Vyuy, "VYUY", &[b"VYUY"], packed(1, true)),
        row(F::Nv16, "NV16", &[b"NV16", b"NM16"], semi(2, 1, false)),
        row(F::Nv61, "NV61", &[b"NV61", b"NM61"], semi(2, 1, true)),
        row(F::Yuv422p, "422P", &[b"422P", b"YM16"], planar(1, false)),
        row(F::Nv24, "NV24", &[b"NV24"], semi(1, 1, false)),
        row(F::Nv42, "NV42", &[b"NV42"], semi(1, 1, true)),
        row(F::Rgb24, "RGB24", &[b"RGB3"], rgb(3, [0, 1, 2])),
        row(F::Bgr24, "BGR24", &[b"BGR3"], rgb(3, [2, 1, 0])),
        row(
            F::Xbgr32,
            "XBGR32",
            &[b"XR24", b"AR24", b"BGR4"],
            rgb(4, [2, 1, 0]),
        ),
        row(F::Rgbx32, "RGBX32", &[b"XB24", b"AB24"], rgb(4, [0, 1, 2])),
        row(
            F::Xrgb32,
            "XRGB32",
            &[b"BX24", b"BA24", b"RGB4"],
            rgb(4, [1, 2, 3]),
        ),
        row(F::Bgrx32, "BGRX32", &[b"RX24", b"RA24"], rgb(4, [3, 2, 1])),
        row(F::Rgb565, "RGB565", &[b"RGBP"], Packing::Rgb565),
        row(F::Mjpg, "MJPG", &[b"MJPG", b"JPEG"], Packing::Jpeg),
        row(F::Grey, "GREY", &[b"GREY"], Packing::Grey),
        deep(10, "Y10", &[b"Y10 "]),
        deep(12, "Y12", &[b"Y12 "]),
        deep(14, "Y14", &[b"Y14 "]),
        deep(16, "Y16", &[b"Y16 "]),
        mosaic(Bg, Byte, "BGGR8", &[b"BA81"]),
        mosaic(Gb, Byte, "GBRG8", &[b"GBRG"]),
        mosaic(Gr, Byte, "GRBG8", &[b"GRBG"]),
        mosaic(Rg, Byte, "RGGB8", &[b"RGGB"]),
        mosaic(Bg, Word(10), "BGGR10", &[b"BG10"]),
        mosaic(Gb, Word(10), "GBRG10", &[b"GB10"]),
        mosaic(Gr, Word(10), "GRBG10", &[b"BA10"]),
        mosaic(Rg, Word(10), "RGGB10", &[b"RG10"]),
        mosaic(Bg, Packed10, "BGGR10P", &[b"pBAA"]),
        mosaic(Gb, Packed10, "GBRG10P", &[b"pGAA"]),
        mosaic(Gr, Packed10, "GRBG10P", &[b"pgAA"]),
        mosaic(Rg, Packed10, "RGGB10P", &[b"pRAA"]),
        mosaic(Bg, Word(12), "BGGR12", &[b"BG12"]),
        mosaic(Gb, Word(12), "GBRG12", &[b"GB12"]),
        mosaic(Gr, Word(12), "GRBG12", &[b"BA12"]),
        mosaic(Rg, Word(12), "RGGB12", &[b"RG12"]),
        mosaic(Bg, Packed12, "BGGR12P", &[b"pBCC"]),
        mosaic(Gb, Packed12, "GBRG12P", &[b"pGCC"]),
        mosaic(Gr, Packed12, "GRBG12P", &[b"pgCC"]),
        mosaic(Rg, Packed12, "RGGB12P", &[b"pRCC"]),
        mosaic(Bg, Word(14), "BGGR14", &[b"BG14"]),
        mosaic(Gb, Word(14), "GBRG14", &[b"GB14"]),
        mosaic(Gr, Word(14), "GRBG14", &[b"GR14"]),
        mosaic(Rg, Word(14), "RGGB14", &[b"RG14"]),
        mosaic(Bg, Word(16), "BGGR16", &[b"BYR2"]),
        mosaic(Gb, Word(16), "GBRG16", &[b"GB16"]),
        mosaic(Gr, Word(16), "GRBG16", &[b"GR16"]),
        mosaic(Rg, Word(16), "RGGB16", &[b"RG16"]),
        // Others are made of it only by decoding it.
        row(F::H264, "H264", &[b"H264"], Packing::Stream),
    ]
};

const COUNT: usize = 55;

impl PixelFormat {
    /// All of them, the best for us first.
    pub const ALL: [Self; COUNT] = {
        let mut all = [Self::Mjpg; COUNT];
        let mut index = 0;
        while index < COUNT {
            all[index] = TABLE[index].format;
            index += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        let row = TABLE.iter().find(|row| row.format == self);
        row.expect("the table has every format")
    }

    /// How its bytes lie.
    pub fn packing(self) -> Packing {
        self.row().packing
    }

    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The V4L2 four-character code to ask a driver for.
    pub fn fourcc(self) -> [u8; 4] {
        *self.row().codes[0]
    }

    /// The format of a V4L2 code; `JPEG` counts as `MJPG`, and alpha as a byte that says nothing.
    pub fn from_fourcc(code: [u8; 4]) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.codes.contains(&&code));
        row.map(|row| row.format)
    }

    /// Where a code stands among all, the best for us first.
    pub fn rank(code: [u8; 4]) -> usize {
        let mut codes = TABLE.iter().flat_map(|row| row.codes);
        codes
            .position(|known| **known == code)
            .unwrap_or(usize::MAX)
    }

    /// The format of this name or code, in capitals or not. `MJPEG` and `JPEG` are `MJPG`, `I420`
    /// is `YU12`, and so on for the other names that programs have for the same.
    pub fn named(name: &str) -> Option<Self> {
        let upper = name.to_ascii_uppercase();
        let known = match upper.as_str() {
            "MJPEG" | "JPG" => "MJPG",
            "I420" | "YUV420" | "YUV420M" => "YU12",
            "YVU420" | "YVU420M" => "YV12",
            "NV12M" => "NV12",
            "NV21M" => "NV21",
            "NV16M" => "NV16",
            "NV61M" => "NV61",
            "YUY2" | "YUV422" => "YUYV",
            "YUV422P" | "YUV422M" => "422P",
            "GRAY" | "GRAY8" | "Y8" | "Y800" => "GREY",
            "RGB" => "RGB24",
            "BGR" => "BGR24",
            other => other,
        };
        // Some codes differ in capitals only.
        let code = |row: &Row, name: &str| {
            let mut codes = row.codes.iter();
            codes.any(|code| name.as_bytes() == code.trim_ascii_end())
        };
        let row = TABLE.iter().find(|row| code(row, name)).or_else(|| {
            TABLE
                .iter()
                .find(|row| row.name == known || code(row, known))
        });
        row.map(|row| row.format)
    }

    /// Whether it is coded: its pictures have as many bytes as they need.
    pub fn is_coded(self) -> bool {
        matches!(self.packing(), Packing::Jpeg | Packing::Stream)
    }

    /// Whether each picture builds on those before it, so that none may be left out.
    pub fn is_stream(self) -> bool {
        self.packing() == Packing::Stream
    }

    /// Whether its samples are luma and chroma.
    pub fn is_ycbcr(self) -> bool {
        use Packing::{Packed, Planar, SemiPlanar};
        matches!(
            self.packing(),
            Packed { .. } | SemiPlanar { .. } | Planar { .. }
        )
    }

    /// The shortest line of the first plane, in bytes, at `width` pixels; 0 for MJPG.
    pub fn min_stride(self, width: u32) -> u32 {
        match self.packing() {
            Packing::Packed { .. } => width.next_multiple_of(2) * 2,
            Packing::SemiPlanar { .. } | Packing::Planar { .. } | Packing::Grey => width,
            Packing::Rgb { bytes, .. } => width * bytes,
            Packing::Rgb565 | Packing::Deep(_) | Packing::Mosaic(_, Depth::Word(_)) => width * 2,
            Packing::Mosaic(_, Depth::Byte) => width,
            Packing::Mosaic(_, Depth::Packed10) => width.div_ceil(4) * 5,
            Packing::Mosaic(_, Depth::Packed12) => width.div_ceil(2) * 3,
            Packing::Jpeg | Packing::Stream => 0,
        }
    }

    /// The planes of a picture with lines of `stride` bytes, one behind the other; the places of
    /// those that the format does not have are empty, of MJPG all.
    pub fn planes(self, width: u32, stride: u32, height: u32) -> [Plane; MOST_PLANES] {
        let plane = |line: u32, lines: u32, shown: u32| Plane {
            line: line as usize,
            lines: lines as usize,
            shown: shown as usize,
        };
        let luma = plane(stride, height, self.min_stride(width));
        let none = Plane::default();
        match self.packing() {
            Packing::SemiPlanar { per_chroma, .. } => {
                let (across, down) = per_chroma;
                let shown = width.next_multiple_of(across) * 2 / across;
                let chroma = plane(stride * 2 / across, height.div_ceil(down), shown);
                [luma, chroma, none]
            }
            Packing::Planar { lines, .. } => {
                let chroma = plane(
                    stride.div_ceil(2),
                    height.div_ceil(lines),
                    width.div_ceil(2),
                );
                [luma, chroma, chroma]
            }
            Packing::Jpeg | Packing::Stream => [none; MOST_PLANES],
            _ => [luma, none, none],
        }
    }

    /// Bytes of a whole picture with lines of `stride` bytes; 0 for MJPG, whose size varies.
    pub fn picture_bytes(self, stride: u32, height: u32) -> usize {
        let planes = self.planes(0, stride, height);
        planes.iter().map(Plane::bytes).sum()
    }
}

impl Packing {
    /// Whether V comes before U.
    pub const fn is_swapped(self) -> bool {
        match self {
            Self::Packed { swapped, .. }
            | Self::SemiPlanar { swapped, .. }
            | Self::Planar { swapped, .. } => swapped,
            _ => false,
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.row().codes[0].trim_ascii_end();
        f.write_str(std::str::from_utf8(code).expect("the codes are ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_and_codes_are_of_one_format_each() {
        let codes = TABLE.iter().flat_map(|row| row.codes);
        assert_eq!(codes.clone().collect::<HashSet<_>>().len(), codes.count());
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::named(format.name()), Some(format));
            assert_eq!(PixelFormat::named(&format.to_string()), Some(format));
            assert_eq!(PixelFormat::from_fourcc(format.fourcc()), Some(format));
        }
    }

    #[test]
    fn other_names_are_understood() {
        for (name, format) in [
            ("mjpeg", PixelFormat::Mjpg),
            ("JPEG", PixelFormat::Mjpg),
            ("yuy2", PixelFormat::Yuyv),
            ("I420", PixelFormat::Yu12),
            ("gray", PixelFormat::Grey),
            ("y16", PixelFormat::Deep(16)),
        ] {
            assert_eq!(PixelFormat::named(name), Some(format), "{name}");
        }
        assert_eq!(PixelFormat::named("HEVC"), None);
    }
}
