//! Half blocks: each character cell is two pixels, its upper in the foreground colour of `▀`, its
//! lower in the background. Only cells that look different from before are written.

use std::sync::LazyLock;

use super::{Area, Image, move_to};

type Rgb = [u8; 3];

/// A cell is left as it is while each colour is within this of what it should be: that cannot be
/// seen, and a camera's noise would otherwise redraw still parts of the picture in every frame.
const UNSEEN: u8 = 2;

/// The numbers 0 to 255 in digits, each with what follows it in a colour.
static DIGITS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| (0..=255).map(|n| format!(";{n}").into_bytes()).collect());

/// Two pixels, the upper first.
type Cell = [Rgb; 2];

/// Draws half blocks, and knows what is on the screen.
#[derive(Debug, Default)]
pub struct Blocks {
    shown: Vec<Cell>,
    place: Option<Area>,
}

impl Blocks {
    /// Nothing is on the screen any more.
    pub fn forget(&mut self) {
        self.place = None;
    }

    /// Draws an image of one pixel a column and two a row.
    pub fn paint(&mut self, image: Image<'_>, place: Area, out: &mut Vec<u8>) {
        let all = self.place != Some(place);
        let cells = usize::from(place.columns) * usize::from(place.rows);
        self.shown.resize(cells, [[0; 3]; 2]);
        self.place = Some(place);
        let mut pen = Pen::default();
        let (upper_lower, _) = image.rgb.as_chunks::<3>();
        let rows = upper_lower.chunks_exact(2 * image.width);
        let shown = self.shown.chunks_exact_mut(image.width);
        for ((pixels, shown), row) in rows.zip(shown).zip(place.row..) {
            let (upper, lower) = pixels.split_at(image.width);
            let mut cursor = None;
            for (x, shown) in shown.iter_mut().enumerate() {
                let cell = [upper[x], lower[x]];
                if !all && alike(&cell, shown) {
                    continue;
                }
                if cursor != Some(x) {
                    move_to(place.column + x as u16, row, out);
                }
                pen.draw(&cell, out);
                *shown = cell;
                cursor = Some(x + 1);
            }
        }
        pen.lift(out);
    }
}

fn alike(a: &Cell, b: &Cell) -> bool {
    let pairs = a.as_flattened().iter().zip(b.as_flattened());
    pairs.fold(true, |alike, (a, b)| alike & (a.abs_diff(*b) <= UNSEEN))
}

/// The colours in force, so that one that stays is not said again.
#[derive(Debug, Default)]
struct Pen {
    upper: Option<Rgb>,
    lower: Option<Rgb>,
}

impl Pen {
    fn draw(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        let [upper, lower] = *cell;
        let (new_upper, new_lower) = (self.upper != Some(upper), self.lower != Some(lower));
        if new_upper || new_lower {
            out.extend_from_slice(b"\x1b[");
            if new_upper {
                colour(b"38;2", upper, out);
            }
            if new_lower {
                let key: &[u8] = if new_upper { b";48;2" } else { b"48;2" };
                colour(key, lower, out);
            }
            out.push(b'm');
        }
        out.extend_from_slice("▀".as_bytes());
        self.upper = Some(upper);
        self.lower = Some(lower);
    }

    fn lift(&self, out: &mut Vec<u8>) {
        if self.upper.is_some() {
            out.extend_from_slice(b"\x1b[0m");
        }
    }
}

fn colour(key: &[u8], colour: Rgb, out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    for value in colour {
        out.extend_from_slice(&DIGITS[usize::from(value)]);
    }
}
