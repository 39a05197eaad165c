//! A table as aligned text for a terminal.

use super::{Align, Cell, Formats, Grid, GridLine, Table, Tone};
use crate::render::visible;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No colours.
    Plain,
    /// ANSI colours.
    Colours,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn unclear(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn toned(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.good(text),
            Tone::Bad => self.bad(text),
            Tone::Open | Tone::Notable | Tone::Invalid => self.unclear(text),
        }
    }
}

/// Between two columns.
const GAP: &str = "  ";

impl<R> Table<'_, R> {
    /// The table as lines: the headings, then the rows. Rows below a heading of their own are indented.
    pub(crate) fn text(&self, style: Style) -> Vec<String> {
        let grid = self.grid(Formats::TEXT);
        let has_headings = grid.lines.iter().any(|line| matches!(line, GridLine::Heading(_)));
        let indent = if has_headings { GAP } else { "" };
        let widths = widths(&grid);
        let headings: Vec<(String, Tone)> =
            grid.columns.iter().map(|column| (column.heading.to_owned(), Tone::Plain)).collect();
        let mut lines = vec![line(&grid, &widths, &headings, indent, style)];
        for grid_line in &grid.lines {
            lines.push(match grid_line {
                GridLine::Row(cells) => {
                    let cells: Vec<_> = cells.iter().map(|cell| (shown(cell), cell.tone)).collect();
                    line(&grid, &widths, &cells, indent, style)
                }
                GridLine::Heading(heading) => style.strong(heading),
                GridLine::Note(note) => format!("{indent}{GAP}{note}"),
            });
        }
        lines
    }
}

fn shown(cell: &Cell) -> String {
    visible(&cell.shown())
}

fn widths(grid: &Grid<'_>) -> Vec<usize> {
    let mut widths: Vec<usize> =
        grid.columns.iter().map(|column| column.heading.chars().count()).collect();
    for line in &grid.lines {
        let GridLine::Row(cells) = line else { continue };
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(shown(cell).chars().count());
        }
    }
    widths
}

fn line(
    grid: &Grid<'_>,
    widths: &[usize],
    cells: &[(String, Tone)],
    indent: &str,
    style: Style,
) -> String {
    let last = cells.iter().rposition(|(text, _)| !text.is_empty()).map_or(0, |last| last + 1);
    let mut line = indent.to_owned();
    let columns = grid.columns.iter().zip(widths).zip(cells).take(last).enumerate();
    for (place, ((column, width), (text, tone))) in columns {
        if place > 0 {
            line.push_str(GAP);
        }
        let padding = " ".repeat(width.saturating_sub(text.chars().count()));
        let painted = style.toned(*tone, text);
        match column.align {
            Align::Right => {
                line.push_str(&padding);
                line.push_str(&painted);
            }
            Align::Left | Align::Figure if place + 1 == last => line.push_str(&painted),
            Align::Left | Align::Figure => {
                line.push_str(&painted);
                line.push_str(&padding);
            }
        }
    }
    line
}
