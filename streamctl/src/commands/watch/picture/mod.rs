//! Pictures in a terminal: half blocks, kitty graphics, sixels.
//!
//! The JPEG decoder scales while it decodes (to the next eighth above what is needed), so that a
//! small picture costs little, and what is drawn goes into one buffer that is written at once.
//! Widgets that take a decoded picture of full size would pay for it twice, once to decode and
//! once to shrink.

mod blocks;
mod decode;
mod kitty;
mod sixel;

use blocks::Blocks;
use decode::Decoder;
pub use decode::Error;
use kitty::Kitty;
use sixel::Sixel;

/// A cell's size in pixels where the terminal does not tell; the shape is what matters.
const USUAL_CELL: (u16, u16) = (8, 16);

/// A part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// The first column, from 0.
    pub column: u16,
    /// The first row, from 0.
    pub row: u16,
    /// Characters.
    pub columns: u16,
    /// Characters.
    pub rows: u16,
    /// A character cell in pixels, where it is known.
    pub cell: Option<(u16, u16)>,
}

/// A decoded picture, three bytes a pixel.
#[derive(Debug, Clone, Copy)]
struct Image<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

/// How it is drawn.
#[derive(Debug)]
enum Style {
    Nothing,
    Blocks(Blocks),
    Kitty(Kitty),
    Sixel(Sixel),
}

impl Style {
    /// The part of `area` that can be used: a sixel picture in the last row scrolls the screen.
    fn room(&self, area: Area) -> Area {
        match self {
            Self::Sixel(_) => Area {
                rows: area.rows.saturating_sub(1).max(1),
                ..area
            },
            _ => area,
        }
    }

    /// A height in pixels that can be drawn: a sixel is six high.
    fn whole(&self, height: usize) -> usize {
        match self {
            Self::Sixel(_) => (height / 6 * 6).max(6),
            _ => height,
        }
    }
}

/// Draws pictures.
#[derive(Debug)]
pub struct Painter {
    decoder: Decoder,
    style: Style,
}

impl Painter {
    /// Draws nothing.
    pub fn nothing() -> Self {
        Self::new(Style::Nothing)
    }

    /// Draws half blocks in true colour.
    pub fn blocks() -> Self {
        Self::new(Style::Blocks(Blocks::default()))
    }

    /// Draws by the kitty graphics protocol.
    pub fn kitty() -> Self {
        Self::new(Style::Kitty(Kitty::default()))
    }

    /// Draws sixels.
    pub fn sixel() -> Self {
        Self::new(Style::Sixel(Sixel::default()))
    }

    fn new(style: Style) -> Self {
        Self {
            decoder: Decoder::default(),
            style,
        }
    }

    /// Writes to `out` what draws the picture in the middle of `area`.
    ///
    /// # Errors
    /// When it is no JPEG picture that can be decoded.
    pub fn paint(&mut self, jpeg: &[u8], area: Area, out: &mut Vec<u8>) -> Result<(), Error> {
        if area.columns == 0 || area.rows == 0 || matches!(self.style, Style::Nothing) {
            return Ok(());
        }
        let cell = area.cell.unwrap_or(USUAL_CELL);
        let per_cell = match &self.style {
            Style::Blocks(_) => (1, 2),
            _ => (usize::from(cell.0), usize::from(cell.1)),
        };
        let area = self.style.room(area);
        let mut place = area;
        // A picture is not blown up: the terminal does that (kitty), or it stays small (sixel).
        let enlarge = matches!(self.style, Style::Blocks(_));
        let image = self.decoder.decode(jpeg, |width, height| {
            place = fit(width, height, area, cell);
            let columns = usize::from(place.columns) * per_cell.0;
            let rows = self.style.whole(usize::from(place.rows) * per_cell.1);
            if enlarge || (columns <= width && rows <= height) {
                (columns, rows)
            } else {
                (width, height)
            }
        })?;
        match &mut self.style {
            Style::Nothing => {}
            Style::Blocks(blocks) => blocks.paint(image, place, out),
            Style::Kitty(kitty) => kitty.paint(image, place, out),
            Style::Sixel(sixel) => sixel.paint(image, place, cell, out)?,
        }
        Ok(())
    }

    /// Tells that the screen was cleared: nothing drawn before is there any more.
    pub fn cleared(&mut self, out: &mut Vec<u8>) {
        match &mut self.style {
            Style::Nothing => {}
            Style::Blocks(blocks) => blocks.forget(),
            Style::Kitty(kitty) => kitty.delete(out),
            Style::Sixel(sixel) => sixel.forget(),
        }
    }
}

/// The largest part of `area`, in its middle, with the picture's shape.
fn fit(width: usize, height: usize, area: Area, cell: (u16, u16)) -> Area {
    let width = width.max(1) as f64 / f64::from(cell.0);
    let height = height.max(1) as f64 / f64::from(cell.1);
    let scale = (f64::from(area.columns) / width).min(f64::from(area.rows) / height);
    let columns = ((width * scale).round() as u16).clamp(1, area.columns);
    let rows = ((height * scale).round() as u16).clamp(1, area.rows);
    Area {
        column: area.column + (area.columns - columns) / 2,
        row: area.row + (area.rows - rows) / 2,
        columns,
        rows,
        cell: area.cell,
    }
}

/// Moves the cursor; column and row from 0.
fn move_to(column: u16, row: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\x1b[{};{}H", row + 1, column + 1).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Area = Area {
        column: 2,
        row: 1,
        columns: 120,
        rows: 38,
        cell: None,
    };

    /// A JPEG picture: left half red, right half blue.
    pub(super) fn jpeg(width: usize, height: usize) -> Vec<u8> {
        let mut rgb = Vec::new();
        for _ in 0..height {
            for x in 0..width {
                rgb.extend(if x < width / 2 {
                    [250, 10, 10]
                } else {
                    [10, 10, 250]
                });
            }
        }
        let mut compress = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
        compress.set_size(width, height);
        let mut started = compress.start_compress(Vec::new()).unwrap();
        started.write_scanlines(&rgb).unwrap();
        started.finish().unwrap()
    }

    fn screen(rows: u16, columns: u16) -> vt100::Parser {
        vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
    }

    #[test]
    fn a_picture_keeps_its_shape_in_the_middle() {
        let place = fit(640, 480, AREA, USUAL_CELL);
        assert_eq!((place.columns, place.rows), (101, 38));
        assert_eq!((place.column, place.row), (11, 1));
        let place = fit(1600, 100, AREA, USUAL_CELL);
        assert_eq!((place.columns, place.rows), (120, 4));
        assert_eq!(place.row, 1 + 17);
        let place = fit(1, 10_000, AREA, USUAL_CELL);
        assert_eq!((place.columns, place.rows), (1, 38));
    }

    #[test]
    fn half_blocks_show_the_colours_where_they_are() {
        let mut out = Vec::new();
        let jpeg = jpeg(640, 480);
        Painter::blocks().paint(&jpeg, AREA, &mut out).unwrap();
        let mut screen = screen(40, 124);
        screen.process(&out);
        let left = screen.screen().cell(20, 20).unwrap();
        assert_eq!(left.contents(), "▀");
        let vt100::Color::Rgb(r, g, b) = left.fgcolor() else {
            panic!("{:?}", left.fgcolor());
        };
        assert!(r > 230 && g < 30 && b < 30, "{r} {g} {b}");
        let right = screen.screen().cell(20, 100).unwrap();
        assert!(matches!(
            right.bgcolor(),
            vt100::Color::Rgb(0..30, 0..30, 230..)
        ));
        assert_eq!(screen.screen().cell(20, 10).unwrap().contents(), "");
    }

    #[test]
    fn a_picture_that_stays_the_same_costs_nothing() {
        let mut painter = Painter::blocks();
        let mut out = Vec::new();
        painter.paint(&jpeg(640, 480), AREA, &mut out).unwrap();
        let first = out.len();
        out.clear();
        painter.paint(&jpeg(640, 480), AREA, &mut out).unwrap();
        assert_eq!(out, b"");
        painter.cleared(&mut out);
        painter.paint(&jpeg(640, 480), AREA, &mut out).unwrap();
        assert_eq!(out.len(), first);
    }

    #[test]
    fn kitty_gets_pixels_in_pieces_and_deletes_the_picture_before() {
        let mut painter = Painter::kitty();
        let mut out = Vec::new();
        painter.paint(&jpeg(64, 48), AREA, &mut out).unwrap();
        painter.paint(&jpeg(64, 48), AREA, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("s=64,v=48,c=101,r=38"), "{}", &text[..100]);
        let mut pixels = Vec::new();
        for piece in text.split("\x1b_G").filter(|piece| piece.contains("m=")) {
            let body = piece.split(';').nth(1).unwrap();
            let body = body.split('\x1b').next().unwrap();
            assert!(body.len() <= 4096);
            pixels.extend(base64::Engine::decode(&base64::prelude::BASE64_STANDARD, body).unwrap());
        }
        assert_eq!(pixels.len(), 2 * 64 * 48 * 3);
        assert!(pixels[0] > 230 && pixels[2] < 30);
        assert_eq!(text.matches("a=d").count(), 1);
    }

    #[test]
    fn sixels_are_a_picture_of_the_right_size() {
        let mut out = Vec::new();
        let area = Area {
            columns: 20,
            rows: 6,
            ..AREA
        };
        Painter::sixel()
            .paint(&jpeg(640, 480), area, &mut out)
            .unwrap();
        let start = out.windows(2).position(|two| two == b"\x1bP").unwrap();
        let image = icy_sixel::SixelImage::decode(&out[start..]).unwrap();
        assert_eq!((image.width, image.height), (104, 78));
    }

    #[test]
    fn what_is_no_picture_is_told() {
        let mut out = Vec::new();
        let whole = jpeg(64, 48);
        for broken in [
            &b"\xff\xd8"[..],
            b"",
            b"\xff\xd8\xff\xe9\x00\x03",
            &whole[..40],
        ] {
            for mut painter in [Painter::blocks(), Painter::kitty(), Painter::sixel()] {
                painter.paint(broken, AREA, &mut out).unwrap_err();
            }
        }
        assert_eq!(out, b"");
    }
}
