//! Tables that fit the width of the terminal.
//!
//! A cell is wrapped between words, never within one. Where the columns of a table do not fit beside
//! each other, the table is cut between two columns: the others follow below, with the first column
//! once more in front of them if there is room for it.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};
use hotbay_config::text::escaped;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::output::width;

/// A space at which a cell is not wrapped.
pub(super) const NO_BREAK: &str = "\u{a0}";

/// The width of the left edge; each column adds its content, two spaces and an edge.
const EDGE: usize = 1;
const BETWEEN: usize = 3;

/// A table of texts, whose cells are escaped when they are added.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<Text>>,
}

/// The content of a cell.
#[derive(Debug)]
struct Text {
    text: String,
    /// The content is a number, which stands at the right.
    is_number: bool,
}

impl Table {
    pub(super) fn new<S: AsRef<str>>(header: impl IntoIterator<Item = S>) -> Self {
        let header = header.into_iter().map(|it| escaped(it.as_ref()).into_owned()).collect();
        Self { header, rows: Vec::new() }
    }

    pub(super) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|it| Text::new(it.as_ref())).collect());
    }

    /// Makes a table of JSON objects. Its columns are their fields, in the order of their first
    /// occurrence. Returns `None` if there are none.
    pub(super) fn of_objects(rows: &[Value]) -> Option<Self> {
        let mut columns: Vec<&str> = Vec::new();
        for name in rows.iter().filter_map(Value::as_object).flat_map(|fields| fields.keys()) {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
        if columns.is_empty() {
            return None;
        }
        let mut table = Self::new(&columns);
        for row in rows {
            table.row(columns.iter().map(|column| match row.get(column) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            }));
        }
        Some(table)
    }

    /// Returns the table as lines, as wide as standard output at most.
    pub(super) fn render(&self) -> String {
        self.render_within(width().into())
    }

    fn render_within(&self, width: usize) -> String {
        let columns: Vec<_> = (0..self.header.len()).map(|index| self.extent(index)).collect();
        let mut text = String::new();
        for part in parts(&columns, width) {
            let mut table = comfy_table::Table::new();
            table.load_preset(presets::UTF8_FULL_CONDENSED);
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_header(part.iter().map(|index| &self.header[*index]));
            for row in &self.rows {
                table.add_row(part.iter().filter_map(|index| Some(row.get(*index)?.to_cell())));
            }
            let widths =
                widths(&part.iter().map(|index| columns[*index]).collect::<Vec<_>>(), width);
            for (column, width) in table.column_iter_mut().zip(widths) {
                // The constraint counts the spaces around the content.
                let width = u16::try_from(width + 2).unwrap_or(u16::MAX);
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            }
            text.push_str(&table.to_string().replace(NO_BREAK, " "));
            text.push('\n');
        }
        text
    }

    fn extent(&self, column: usize) -> Extent {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| &cell.text);
        let texts = cells.chain([&self.header[column]]);
        texts.fold(Extent { least: 1, most: 1 }, |extent, text| Extent {
            least: extent.least.max(text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0)),
            most: extent.most.max(text.width()),
        })
    }
}

impl Text {
    fn new(text: &str) -> Self {
        // Decimals are texts, so that no digit is lost, but are aligned like numbers.
        Self { text: escaped(text).into_owned(), is_number: text.parse::<f64>().is_ok() }
    }

    fn to_cell(&self) -> Cell {
        let cell = Cell::new(&self.text);
        if self.is_number { cell.set_alignment(CellAlignment::Right) } else { cell }
    }
}

/// The width of a column's content: that of its longest word, and that of its longest text.
#[derive(Debug, Clone, Copy)]
struct Extent {
    least: usize,
    most: usize,
}

/// Divides columns among tables that fit the width.
fn parts(columns: &[Extent], width: usize) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut used = 0;
    for (index, column) in columns.iter().enumerate() {
        let needed = column.least + BETWEEN;
        if used + needed <= width
            && let Some(part) = parts.last_mut()
        {
            part.push(index);
            used += needed;
            continue;
        }
        let with_first = EDGE + columns[0].least + BETWEEN + needed;
        if index > 0 && with_first <= width {
            parts.push(vec![0, index]);
            used = with_first;
        } else {
            parts.push(vec![index]);
            used = EDGE + needed;
        }
    }
    parts
}

/// Returns the widths of the columns of one table: each gets its longest word, and then, in turn,
/// as much as it can use of what is left.
fn widths(columns: &[Extent], width: usize) -> Vec<usize> {
    let mut widths: Vec<_> = columns.iter().map(|column| column.least).collect();
    let used = EDGE + widths.iter().map(|width| width + BETWEEN).sum::<usize>();
    let mut left = width.saturating_sub(used);
    loop {
        let before = left;
        for (width, column) in widths.iter_mut().zip(columns) {
            if *width < column.most && left > 0 {
                *width += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    // A word that is wider than all there is can only be cut.
    let most = width.saturating_sub(EDGE + BETWEEN).max(1);
    widths.into_iter().map(|width| width.min(most)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widest(text: &str) -> usize {
        text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
    }

    #[test]
    fn a_table_that_fits_is_one_table() {
        let mut table = Table::new(["name", "count"]);
        table.row(["a", "1"]);
        table.row(["größer", "1000"]);
        let text = table.render_within(80);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(text.contains("│ größer ┆  1000 │"), "{text}");
    }

    #[test]
    fn what_does_not_fit_is_wrapped_between_words_and_cut_between_columns() {
        let header =
            ["component", "role", "a", "second", "third", "an-unusually-long-heading", "error"];
        let mut table = Table::new(header);
        let long = "a text of many words that has to be wrapped because it has no room in a line";
        for name in ["one", "two-of-them"] {
            table.row([name, "connector", "1", long, "17", "x", long]);
        }
        for width in [40, 80, 120] {
            let text = table.render_within(width);
            assert!(widest(&text) <= width, "{width}:\n{text}");
            let words: Vec<_> = text.split_whitespace().collect();
            for word in long.split(' ').chain(header) {
                assert!(words.contains(&word), "{word} in {width}:\n{text}");
            }
            let tables = text.matches('┌').count();
            assert!(text.matches("two-of-them").count() + 1 >= tables, "{width}:\n{text}");
        }
    }

    #[test]
    fn a_word_that_is_wider_than_the_table_is_cut() {
        let mut table = Table::new(["file"]);
        table.row(["/x".repeat(100)]);
        assert!(widest(&table.render_within(80)) <= 80);
    }

    #[test]
    fn cells_are_escaped() {
        let mut table = Table::new(["a\nb"]);
        table.row(["\x1b[2J\u{202e}x\ny"]);
        let text = table.render_within(80);
        assert!(text.contains("│ \\u{1b}[2J\\u{202e}x\\ny │"), "{text}");
        assert!(text.contains("a\\nb"), "{text}");
    }
}
