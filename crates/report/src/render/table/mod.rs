//! One table for every format: columns with heading, alignment and the formats that they appear in, typed cells, and
//! renderers to text, Markdown, HTML and CSV.
//!
//! A column reads its cell from a row's record, so the same rows can be shown with other columns in each format.

mod cell;
mod csv;
mod html;
mod markdown;
mod number;
mod text;

pub(crate) use cell::{Aside, Cell, Tone};
pub(crate) use html::Frame;
pub(crate) use markdown::escaped;
pub(crate) use number::{Number, Unit};
pub use text::Style;

use cell::Content;

/// A set of output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Formats(u8);

impl Formats {
    pub(crate) const TEXT: Self = Self(1);
    pub(crate) const MARKDOWN: Self = Self(2);
    pub(crate) const HTML: Self = Self(4);
    pub(crate) const CSV: Self = Self(8);
    /// The formats for people.
    pub(crate) const SHOWN: Self = Self::TEXT.and(Self::MARKDOWN).and(Self::HTML);
    pub(crate) const ALL: Self = Self::SHOWN.and(Self::CSV);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    const fn contains(self, format: Self) -> bool {
        self.0 & format.0 == format.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
    /// Left in text, where intervals of different lengths are easier to read, and right in other formats.
    Figure,
}

/// A column, which reads its cell from a row's record.
pub(crate) struct Column<'a, R> {
    heading: String,
    /// The name in CSV files, if it differs from the heading.
    csv_name: Option<&'static str>,
    align: Align,
    formats: Formats,
    /// Whether its text may wrap in a table that scrolls sideways.
    wraps: bool,
    cell: Box<dyn Fn(&R) -> Cell + 'a>,
}

impl<'a, R> Column<'a, R> {
    /// A left-aligned column in the formats for people.
    pub(crate) fn text(heading: impl Into<String>, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        Self {
            heading: heading.into(),
            csv_name: None,
            align: Align::Left,
            formats: Formats::SHOWN,
            wraps: false,
            cell: Box::new(cell),
        }
    }

    /// A right-aligned column in the formats for people.
    pub(crate) fn number(heading: impl Into<String>, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        Self { align: Align::Right, ..Self::text(heading, cell) }
    }

    /// A column of figures with intervals in the formats for people.
    pub(crate) fn figure(heading: impl Into<String>, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        Self { align: Align::Figure, ..Self::text(heading, cell) }
    }

    /// A column in CSV files only.
    pub(crate) fn csv(name: impl Into<String>, cell: impl Fn(&R) -> Cell + 'a) -> Self {
        Self { formats: Formats::CSV, ..Self::text(name, cell) }
    }

    /// Shows the column in these formats only.
    pub(crate) fn only(self, formats: Formats) -> Self {
        Self { formats, ..self }
    }

    /// Shows the column in CSV files too, under this name.
    pub(crate) fn and_csv(self, name: &'static str) -> Self {
        Self { csv_name: Some(name), formats: self.formats.and(Formats::CSV), ..self }
    }

    /// Lets the column's text wrap in a table that scrolls sideways.
    pub(crate) fn wrapping(self) -> Self {
        Self { wraps: true, ..self }
    }
}

enum Line<R> {
    Row(R),
    /// A heading over the following rows.
    Heading(String),
    /// A remark on the preceding row.
    Note(String),
}

/// A table of records.
pub(crate) struct Table<'a, R> {
    columns: Vec<Column<'a, R>>,
    lines: Vec<(Line<R>, Formats)>,
    caption: Option<String>,
    class: &'static str,
}

impl<'a, R> Table<'a, R> {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column<'a, R>>) -> Self {
        let columns = columns.into_iter().collect();
        Self { columns, lines: Vec::new(), caption: None, class: "" }
    }

    pub(crate) fn with_rows(mut self, rows: impl IntoIterator<Item = R>) -> Self {
        for row in rows {
            self.push(row);
        }
        self
    }

    /// The caption, in HTML.
    pub(crate) fn with_caption(self, caption: impl Into<String>) -> Self {
        Self { caption: Some(caption.into()), ..self }
    }

    /// The element's class, in HTML.
    pub(crate) fn with_class(self, class: &'static str) -> Self {
        Self { class, ..self }
    }

    pub(crate) fn push(&mut self, row: R) {
        self.push_only(row, Formats::ALL);
    }

    /// Adds a row in these formats only.
    pub(crate) fn push_only(&mut self, row: R, formats: Formats) {
        self.lines.push((Line::Row(row), formats));
    }

    /// Adds a heading over the following rows, in these formats only.
    pub(crate) fn push_heading(&mut self, heading: impl Into<String>, formats: Formats) {
        self.lines.push((Line::Heading(heading.into()), formats));
    }

    /// Adds a remark on the preceding row, in these formats only.
    pub(crate) fn push_note(&mut self, note: impl Into<String>, formats: Formats) {
        self.lines.push((Line::Note(note.into()), formats));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn grid(&self, format: Formats) -> Grid<'_> {
        let columns: Vec<&Column<'_, R>> =
            self.columns.iter().filter(|column| column.formats.contains(format)).collect();
        let cells =
            |row: &R| columns.iter().map(|column| (column.cell)(row)).collect::<Vec<Cell>>();
        let lines = self.lines.iter().filter(|(_, formats)| formats.contains(format));
        Grid {
            columns: columns
                .iter()
                .map(|column| GridColumn {
                    heading: match column.csv_name {
                        Some(name) if format == Formats::CSV => name,
                        _ => &column.heading,
                    },
                    align: column.align,
                    wraps: column.wraps,
                })
                .collect(),
            lines: lines
                .map(|(line, _)| match line {
                    Line::Row(row) => GridLine::Row(cells(row)),
                    Line::Heading(heading) => GridLine::Heading(heading),
                    Line::Note(note) => GridLine::Note(note),
                })
                .collect(),
        }
    }
}

/// A table evaluated for one format.
struct Grid<'a> {
    columns: Vec<GridColumn<'a>>,
    lines: Vec<GridLine<'a>>,
}

struct GridColumn<'a> {
    heading: &'a str,
    align: Align,
    wraps: bool,
}

enum GridLine<'a> {
    Row(Vec<Cell>),
    Heading(&'a str),
    Note(&'a str),
}

#[cfg(test)]
mod tests;
