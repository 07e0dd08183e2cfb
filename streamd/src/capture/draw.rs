//! Draws boxes and text into planar 4:2:0 pictures: what the test pattern and the "no signal"
//! picture are made of. Whatever lies outside the picture is clipped.

use font8x8::legacy::BASIC_LEGACY;

use crate::media::{self, Layout, PixelFormat};

/// Pixels of a character's side at scale 1.
pub const GLYPH: u32 = 8;

/// A colour in BT.601 studio range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// Luma, 16–235.
    pub y: u8,
    /// Blue difference, 16–240.
    pub u: u8,
    /// Red difference, 16–240.
    pub v: u8,
}

impl Colour {
    /// A colour without chroma.
    pub const fn grey(y: u8) -> Self {
        Self { y, u: 128, v: 128 }
    }

    /// The darkest.
    pub const BLACK: Self = Self::grey(16);
    /// The brightest.
    pub const WHITE: Self = Self::grey(235);
}

/// The layout of the pictures drawn here: YU12 without padding.
pub fn layout(width: u32, height: u32) -> Layout {
    Layout {
        format: PixelFormat::Yu12,
        width,
        height,
        stride: width,
        colour: media::Colour::VIDEO,
    }
}

/// Bytes of such a picture.
pub fn picture_bytes(layout: Layout) -> usize {
    layout.format.picture_bytes(layout.stride, layout.height)
}

/// A picture to draw into.
pub struct Canvas<'a> {
    width: u32,
    height: u32,
    luma: &'a mut [u8],
    u: &'a mut [u8],
    v: &'a mut [u8],
}

impl<'a> Canvas<'a> {
    /// Over the bytes of a picture laid out as [`layout`] says; they must be [`picture_bytes`] long.
    pub fn new(layout: Layout, bytes: &'a mut [u8]) -> Self {
        let (width, height) = (layout.width, layout.height);
        let chroma = width.div_ceil(2) as usize * height.div_ceil(2) as usize;
        let (luma, rest) = bytes.split_at_mut(width as usize * height as usize);
        let (u, v) = rest.split_at_mut(chroma);
        Self {
            width,
            height,
            luma,
            u,
            v,
        }
    }

    /// Fills a box.
    pub fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, colour: Colour) {
        let right = x.saturating_add(width).min(self.width);
        let bottom = y.saturating_add(height).min(self.height);
        if x >= right || y >= bottom {
            return;
        }
        fill_plane(self.luma, self.width, (x, y), (right, bottom), colour.y);
        let stride = self.width.div_ceil(2);
        let from = (x / 2, y / 2);
        let to = (right.div_ceil(2), bottom.div_ceil(2));
        fill_plane(self.u, stride, from, to, colour.u);
        fill_plane(self.v, stride, from, to, colour.v);
    }

    /// Writes ASCII text, each character a square of [`GLYPH`] × `scale`; anything else shows as `?`.
    pub fn text(&mut self, x: u32, y: u32, scale: u32, luma: u8, text: &str) {
        let advance = GLYPH * scale;
        for (n, character) in (0u32..).zip(text.chars()) {
            let left = x.saturating_add(n.saturating_mul(advance));
            if left >= self.width {
                return;
            }
            self.glyph(left, y, scale, luma, character);
        }
    }

    fn glyph(&mut self, x: u32, y: u32, scale: u32, luma: u8, character: char) {
        let index = if character.is_ascii() {
            character as usize
        } else {
            '?' as usize
        };
        for (row, bits) in (0u32..).zip(BASIC_LEGACY[index]) {
            let top = y.saturating_add(row * scale);
            let bottom = top.saturating_add(scale).min(self.height);
            for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                let left = x.saturating_add(column * scale);
                let right = left.saturating_add(scale).min(self.width);
                if left < right && top < bottom {
                    fill_plane(self.luma, self.width, (left, top), (right, bottom), luma);
                }
            }
        }
    }
}

/// Fills the box from `from` to before `to` of a plane.
fn fill_plane(plane: &mut [u8], stride: u32, from: (u32, u32), to: (u32, u32), value: u8) {
    for row in from.1..to.1 {
        let line = row as usize * stride as usize;
        plane[line + from.0 as usize..line + to.0 as usize].fill(value);
    }
}

/// Breaks text into lines of at most `columns` characters, between words where it can.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let room = lines
                .last()
                .map_or(0, |line| columns.saturating_sub(line.chars().count() + 1));
            match lines.last_mut() {
                Some(line) if rest.len() <= room => {
                    line.push(' ');
                    line.extend(rest.drain(..));
                }
                _ => lines.push(rest.drain(..rest.len().min(columns)).collect()),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_box_colours_its_luma_and_the_chroma_under_it() {
        let layout = layout(5, 5);
        let mut bytes = vec![0; picture_bytes(layout)];
        let red = Colour {
            y: 81,
            u: 90,
            v: 240,
        };
        Canvas::new(layout, &mut bytes).fill(1, 1, 2, 2, red);
        assert_eq!(bytes[..25].iter().filter(|b| **b == 81).count(), 4);
        assert_eq!((bytes[6], bytes[7], bytes[11], bytes[12]), (81, 81, 81, 81));
        assert_eq!(bytes[25..34].iter().filter(|b| **b == 90).count(), 4);
        assert_eq!(bytes[34..].iter().filter(|b| **b == 240).count(), 4);
    }

    #[test]
    fn text_has_the_shape_of_its_letters() {
        let layout = layout(16, 8);
        let mut bytes = vec![0; picture_bytes(layout)];
        Canvas::new(layout, &mut bytes).text(0, 0, 1, 255, "I");
        let rows: Vec<String> = bytes[..128]
            .chunks(16)
            .map(|row| {
                row[..8]
                    .iter()
                    .map(|b| if *b == 255 { '#' } else { '.' })
                    .collect()
            })
            .collect();
        assert_eq!(rows[0], ".####...");
        assert_eq!(rows[3], "..##....");
        assert_eq!(rows[6], ".####...");
    }

    #[test]
    fn lines_break_between_words_and_long_words_anywhere() {
        assert_eq!(wrap("no such device", 8), ["no such", "device"]);
        assert_eq!(wrap("/dev/video0: no", 8), ["/dev/vid", "eo0: no"]);
        assert_eq!(wrap("", 8), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn whatever_is_outside_is_clipped(
            size in (1u32..40, 1u32..40),
            corner in (0u32..60, 0u32..60),
            extent in (any::<u32>(), any::<u32>()),
            scale in 1u32..9,
            text in "\\PC{0,12}",
        ) {
            let layout = layout(size.0, size.1);
            let mut bytes = vec![0; picture_bytes(layout)];
            let mut canvas = Canvas::new(layout, &mut bytes);
            canvas.fill(corner.0, corner.1, extent.0, extent.1, Colour::WHITE);
            canvas.text(corner.0, corner.1, scale, 1, &text);
            let inside = corner.0 < size.0 && corner.1 < size.1;
            if !inside {
                prop_assert!(bytes.iter().all(|b| *b == 0), "nothing is drawn");
            }
        }

        #[test]
        fn no_line_is_too_long_and_no_letter_is_lost(text in "[a-z ]{0,60}", columns in 1usize..20) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| line.chars().count() <= columns));
            let letters = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}
