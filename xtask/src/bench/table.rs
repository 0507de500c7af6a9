//! Tables in Markdown.

use std::fmt::Write as _;

/// A table whose columns are as wide as what is in them, so that it can be read as it is.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|&name| name.to_owned()).collect()] }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn write(&self, text: &mut String) -> std::fmt::Result {
        if self.rows.len() < 2 {
            return writeln!(text, "Not measured.");
        }
        let columns = self.rows.first().map_or(0, Vec::len);
        let length =
            |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| length(row, column)).max().unwrap_or_default().max(3))
            .collect();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(text, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
            if index == 0 {
                let rules = widths.iter().map(|width| "-".repeat(*width));
                writeln!(text, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
    }
}
