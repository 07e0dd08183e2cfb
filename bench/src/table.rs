//! Tables in Markdown, with their columns aligned: for eyes and for documents.

use std::fmt;

/// A table.
#[derive(Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// With these columns.
    pub fn new(columns: &[&str]) -> Self {
        Self(vec![columns.iter().map(|c| (*c).to_owned()).collect()])
    }

    /// Adds a row, of as many cells as there are columns.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.0[0].len());
        self.0.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |n: usize| {
            let cells = self.0.iter().map(|row| row[n].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.0[0].len()).map(width).collect();
        for (n, row) in self.0.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if n == 0 {
                for width in &widths {
                    write!(f, "|{:-<1$}", "", width + 2)?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// A figure with so many decimals, or a dash where there is none.
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    match value {
        Some(value) => format!("{value:.decimals$}"),
        None => "–".into(),
    }
}

/// Several of them.
pub fn figures(values: &[Option<f64>], decimals: usize) -> String {
    let all: Vec<String> = values.iter().map(|v| figure(*v, decimals)).collect();
    all.join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["fps", "age ms"]);
        table.row(vec![figure(Some(29.97), 1), figures(&[Some(1.0), None], 0)]);
        assert_eq!(
            table.to_string(),
            "| fps  | age ms |\n|------|--------|\n| 30.0 | 1 / –  |\n"
        );
    }
}
