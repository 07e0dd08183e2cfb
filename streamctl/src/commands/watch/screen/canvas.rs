//! What is on the terminal: the picture between the statistics and the bottom line. Each change
//! is one write, as a synchronised update, so that no half of it is ever seen.

use std::io;

use super::{
    super::picture::{self, Area, Painter},
    status::{self, HELP},
};
use crate::{
    charset,
    terminal::raw::{self, Size},
};

/// Begins and ends a synchronised update; terminals that have none ignore it.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Asks the terminal for a sign when it has taken in all that was written before (DSR).
const ASK: &[u8] = b"\x1b[5n";

/// What became of a picture.
#[derive(Debug)]
pub enum Drawn {
    /// It has not changed.
    Nothing,
    /// It is on its way, and so is a question for [`crate::terminal::input::Input::Ready`].
    Picture,
    /// It cannot be drawn.
    Broken(picture::Error),
}

/// The words around the picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The statistics, line by line.
    pub top: Vec<String>,
    /// The bottom line.
    pub bottom: Option<String>,
    /// Whether the bottom line is trouble.
    pub trouble: bool,
}

/// The terminal's content.
#[derive(Debug)]
pub struct Canvas {
    painter: Painter,
    size: Size,
    colour: bool,
    help: bool,
    words: Words,
    stale: bool,
    out: Vec<u8>,
}

impl Canvas {
    /// An empty one; nothing is drawn yet.
    pub fn new(painter: Painter, size: Size, colour: bool) -> Self {
        Self {
            painter,
            size,
            colour,
            help: false,
            words: Words::default(),
            stale: true,
            out: Vec::new(),
        }
    }

    /// The terminal's width in characters.
    pub fn width(&self) -> usize {
        usize::from(self.size.columns)
    }

    /// The terminal has another size now. What it says of its cells' pixels is kept where the
    /// kernel does not know.
    pub fn resize(&mut self, size: Size) {
        let cell = size.cell.or(self.size.cell);
        self.size = Size { cell, ..size };
        self.stale = true;
    }

    /// The terminal told how large its cells are.
    pub fn cell(&mut self, width: u16, height: u16) {
        self.resize(Size {
            cell: Some((width, height)),
            ..self.size
        });
    }

    /// Draws pictures in another way from now on.
    pub fn paint_with(&mut self, painter: Painter) {
        self.out.clear();
        self.painter.cleared(&mut self.out);
        self.painter = painter;
        self.stale = true;
    }

    /// Shows the help or takes it away.
    pub fn toggle_help(&mut self) {
        self.help = !self.help;
        self.stale = true;
    }

    /// Brings the terminal up to date: `jpeg` is the picture, drawn if it is `fresh` or the
    /// screen had to be cleared.
    ///
    /// # Errors
    /// When the terminal has gone away.
    pub fn draw(&mut self, words: Words, jpeg: &[u8], fresh: bool) -> io::Result<Drawn> {
        let shape = |words: &Words| (words.top.len(), words.bottom.is_some());
        let all = self.stale || shape(&words) != shape(&self.words);
        self.stale = false;
        let mut out = std::mem::take(&mut self.out);
        out.splice(..0, BEGIN.iter().copied());
        if all {
            out.extend_from_slice(b"\x1b[0m\x1b[2J");
            self.painter.cleared(&mut out);
        }
        let mut drawn = Drawn::Nothing;
        if (all || fresh) && !jpeg.is_empty() {
            let area = self.area(&words);
            drawn = match self.painter.paint(jpeg, area, &mut out) {
                Ok(()) => Drawn::Picture,
                Err(error) => Drawn::Broken(error),
            };
            if self.help {
                self.draw_help(area, &mut out);
            }
        } else if all && self.help {
            self.draw_help(self.area(&words), &mut out);
        }
        self.draw_words(&words, all, &mut out);
        self.words = words;
        let result = if out.len() > BEGIN.len() {
            out.extend_from_slice(END);
            if matches!(drawn, Drawn::Picture) {
                out.extend_from_slice(ASK);
            }
            raw::write_all(&out)
        } else {
            drawn = Drawn::Nothing;
            Ok(())
        };
        out.clear();
        self.out = out;
        result.map(|()| drawn)
    }

    fn area(&self, words: &Words) -> Area {
        let top = words.top.len() as u16;
        let around = top + u16::from(words.bottom.is_some());
        Area {
            column: 0,
            row: top,
            columns: self.size.columns,
            rows: self.size.rows.saturating_sub(around),
            cell: self.size.cell,
        }
    }

    fn draw_words(&self, words: &Words, all: bool, out: &mut Vec<u8>) {
        let before = |row: usize| self.words.top.get(row);
        for (row, line) in words.top.iter().enumerate() {
            if all || before(row) != Some(line) {
                self.draw_line(row as u16, line, self.colours(words), out);
            }
        }
        if let Some(line) = &words.bottom
            && (all || words != &self.words)
        {
            let row = self.size.rows.saturating_sub(1);
            self.draw_line(row, line, self.colours(words), out);
        }
    }

    /// The look of the words: reversed where no colours are wanted.
    fn colours(&self, words: &Words) -> &'static str {
        match (self.colour, words.trouble) {
            (false, _) => "7",
            (true, false) => "38;5;254;48;5;236",
            (true, true) => "38;5;231;48;5;124",
        }
    }

    fn draw_line(&self, row: u16, line: &str, colours: &str, out: &mut Vec<u8>) {
        let width = self.width();
        let line = status::cut(line, width);
        let line = charset::fit(&line);
        let row = row + 1;
        out.extend_from_slice(
            format!("\x1b[{row};1H\x1b[{colours}m{line:<width$}\x1b[0m").as_bytes(),
        );
    }

    fn draw_help(&self, area: Area, out: &mut Vec<u8>) {
        let width = HELP.iter().map(|line| line.chars().count()).max();
        let width = width.unwrap_or(0).min(self.width().saturating_sub(4));
        let rows = usize::from(area.rows);
        let column = self.width().saturating_sub(width + 4) / 2 + 1;
        let first = usize::from(area.row) + rows.saturating_sub(HELP.len()) / 2 + 1;
        let colours = if self.colour {
            "38;5;254;48;5;238"
        } else {
            "7"
        };
        for (line, row) in HELP.iter().take(rows).zip(first..) {
            let line = status::cut(line, width);
            let text = format!("\x1b[{row};{column}H\x1b[{colours}m  {line:<width$}  \x1b[0m");
            out.extend_from_slice(text.as_bytes());
        }
    }
}
