//! Tables for people: aligned, as wide as the screen, in colour only where that is wanted.

use std::{env, io::IsTerminal};

use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};
use streamd_protocol::printable::printable;

/// Spaces between two columns.
const GAP: usize = 2;

/// The longest text in a cell, in characters.
const LONGEST: usize = 40;

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Columns of the terminal; `None` for a file or a pipe, which take any width.
    pub width: Option<usize>,
    /// Whether to use colours.
    pub colour: bool,
}

impl Screen {
    /// What this process's standard output can show.
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let refused = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || env::var_os("TERM").is_some_and(|v| v == "dumb");
        let width = || Table::new().width().map(usize::from).or(Some(80));
        Self {
            width: terminal.then(width).flatten(),
            colour: terminal && !refused,
        }
    }
}

/// How a cell looks, where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// All is well.
    Good,
    /// Off, or of less interest.
    Dim,
    /// Needs attention.
    Bad,
}

/// A column, and how to fill it from a row's `T`.
pub struct Column<T> {
    /// Its title.
    pub title: &'static str,
    /// When the screen is too narrow, the column with the highest number goes first; 0 stays.
    pub rank: u8,
    /// Numbers are aligned to the right.
    pub right: bool,
    /// The text is shown whole, however long.
    pub whole: bool,
    /// The cell's text and look.
    pub cell: fn(&T) -> (String, Tone),
}

impl<T> Column<T> {
    /// A column of text.
    pub const fn text(title: &'static str, rank: u8, cell: fn(&T) -> (String, Tone)) -> Self {
        Self {
            title,
            rank,
            right: false,
            whole: false,
            cell,
        }
    }

    /// A column of text that is not cut: the last one.
    pub const fn whole(title: &'static str, cell: fn(&T) -> (String, Tone)) -> Self {
        Self {
            whole: true,
            ..Self::text(title, 0, cell)
        }
    }

    /// A column of numbers.
    pub const fn number(title: &'static str, rank: u8, cell: fn(&T) -> (String, Tone)) -> Self {
        Self {
            right: true,
            ..Self::text(title, rank, cell)
        }
    }
}

/// The table of `rows`, with those of `columns` that the screen has room for.
pub fn render<T>(columns: &[Column<T>], rows: &[T], screen: Screen) -> String {
    let mut shown: Vec<&Column<T>> = columns.iter().collect();
    loop {
        let table = build(&shown, rows, screen.colour);
        let last = shown.iter().map(|c| c.rank).max().unwrap_or(0);
        if last == 0 || screen.width.is_none_or(|width| needs(&table) <= width) {
            return table.trim_fmt() + "\n";
        }
        shown.retain(|c| c.rank != last);
    }
}

fn build<T>(columns: &[&Column<T>], rows: &[T], colour: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(columns.iter().map(|c| {
        Cell::new(c.title)
            .set_alignment(alignment(c))
            .add_attribute(Attribute::Bold)
    }));
    for row in rows {
        table.add_row(columns.iter().map(|c| {
            let (text, tone) = (c.cell)(row);
            let text = if c.whole { line(&text) } else { clean(&text) };
            paint(Cell::new(text).set_alignment(alignment(c)), tone)
        }));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        let gap = if i == 0 { 0 } else { GAP as u16 };
        column.set_padding((gap, 0));
    }
    table
}

fn alignment<T>(column: &Column<T>) -> CellAlignment {
    if column.right {
        CellAlignment::Right
    } else {
        CellAlignment::Left
    }
}

fn paint(cell: Cell, tone: Tone) -> Cell {
    match tone {
        Tone::Plain => cell,
        Tone::Good => cell.fg(Color::Green),
        Tone::Dim => cell.fg(Color::DarkGrey),
        Tone::Bad => cell.fg(Color::Red),
    }
}

/// The width that the whole table takes.
fn needs(table: &Table) -> usize {
    let widths = table.column_max_content_widths();
    let gaps = widths.len().saturating_sub(1) * GAP;
    widths.into_iter().map(usize::from).sum::<usize>() + gaps
}

/// `text` without what could play with the terminal, cut to a cell's length. Names come from
/// clients, and anybody may be a client.
pub fn clean(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return line(text);
    }
    let cut: String = text.chars().take(LONGEST - 1).collect();
    line(&cut) + "…"
}

/// `text` without what could play with the terminal, at its full length.
pub fn line(text: &str) -> String {
    let seen = |c: char| if c.is_control() { '\u{FFFD}' } else { c };
    printable(&text.chars().map(seen).collect::<String>())
}

/// The same for a text of several lines.
pub fn lines(text: &str) -> String {
    let clean: Vec<_> = text.split('\n').map(line).collect();
    clean.join("\n")
}

/// `text` in red where there are colours.
pub fn alarm(text: &str, screen: Screen) -> String {
    toned(text, Tone::Bad, screen)
}

/// `text` in the colour of its tone, where there are colours.
pub fn toned(text: &str, tone: Tone, screen: Screen) -> String {
    let colour = match tone {
        Tone::Good => 32,
        Tone::Dim => 90,
        Tone::Bad => 31,
        Tone::Plain => return text.into(),
    };
    match screen.colour {
        true => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        false => text.into(),
    }
}
