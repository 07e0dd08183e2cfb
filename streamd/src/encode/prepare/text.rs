//! A line of text in a picture: white with a black edge, so that it is legible on any ground.

use font8x8::{BASIC_FONTS, GREEK_FONTS, LATIN_FONTS, UnicodeFonts};

use super::planes::Picture;

/// Pixels of a character's side at scale 1.
const GLYPH: usize = 8;

/// A picture so many pixels high has text at scale 1, one twice as high at scale 2, and so on.
const HEIGHT: usize = 240;

/// Writes the line into the lower left, as large as the picture's height asks for and its width
/// allows. Characters that the font lacks show as `?`; what does not fit is cut off.
pub fn write(picture: &mut Picture, line: &str) {
    let (width, height) = (
        picture.layout.width as usize,
        picture.layout.height as usize,
    );
    let characters = line.chars().count();
    let wanted = (height / HEIGHT).max(1);
    let scale = (1..=wanted)
        .rev()
        .find(|scale| (characters + 1) * GLYPH * scale <= width)
        .unwrap_or(1);
    let side = GLYPH * scale;
    if height < side * 2 {
        return;
    }
    let (left, top) = (side / 2, height - side * 3 / 2);
    let edge = scale.div_ceil(2) as isize;
    let glyphs: Vec<[u8; 8]> = line.chars().map(glyph).collect();
    let mut draw = |by: (isize, isize), luma: u8| {
        for (n, rows) in glyphs.iter().enumerate() {
            let dots = (0..GLYPH * GLYPH).map(|n| (n % GLYPH, n / GLYPH));
            for (column, row) in dots.filter(|(x, y)| rows[*y] >> x & 1 == 1) {
                let x = (left + n * side + column * scale) as isize + by.0;
                let y = (top + row * scale) as isize + by.1;
                square(picture, (x, y), scale, luma);
            }
        }
    };
    for (x, y) in (0..9).map(|n| (n % 3 - 1, n / 3 - 1)) {
        draw((x * edge, y * edge), 0);
    }
    draw((0, 0), 255);
}

fn glyph(character: char) -> [u8; 8] {
    BASIC_FONTS
        .get(character)
        .or_else(|| LATIN_FONTS.get(character))
        .or_else(|| GREEK_FONTS.get(character))
        .or_else(|| BASIC_FONTS.get('?'))
        .unwrap_or_default()
}

/// Fills a square, without colour; what lies outside of the picture is clipped.
fn square(picture: &mut Picture, (left, top): (isize, isize), side: usize, luma: u8) {
    let (width, height) = (
        picture.layout.width as usize,
        picture.layout.height as usize,
    );
    let clip = |from: isize, most: usize| {
        let to = (from + side as isize).clamp(0, most as isize) as usize;
        from.clamp(0, most as isize) as usize..to
    };
    let (columns, rows) = (clip(left, width), clip(top, height));
    let [(plane, stride), chroma @ ..] = picture.planes();
    for row in rows.clone() {
        plane[row * stride..][columns.clone()].fill(luma);
    }
    for (plane, stride) in chroma {
        let down = height.div_ceil((plane.len() / stride.max(1)).max(1)).max(1);
        if plane.is_empty() || columns.is_empty() {
            continue;
        }
        for row in rows.start / down..rows.end.div_ceil(down) {
            plane[row * stride..][columns.start / 2..columns.end.div_ceil(2)].fill(128);
        }
    }
}
