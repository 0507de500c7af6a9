//! Tables for people.

/// A table whose columns are as wide as what is in them; the last one is not filled up.
pub(super) fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let mut widths = head.map(width);
    for row in rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(width(cell));
        }
    }
    let mut text = String::new();
    let mut line = |cells: [&str; COLUMNS]| {
        let mut line = String::new();
        for (cell, column) in cells.iter().zip(widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(column - width(cell) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(head);
    for row in rows {
        line(row.each_ref().map(String::as_str));
    }
    text
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// A text that can't do anything to a terminal, on one line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["ana".to_owned(), "x".to_owned()], ["Zoë".to_owned(), String::new()]];
        assert_eq!(table(["a", "b"], &rows), "a    b\nana  x\nZoë\n");
        assert_eq!(plain("a\x1b[2J\nb"), "a [2J b");
    }
}
