//! A table as Markdown.

use std::fmt::Write;

use super::{Align, Cell, Content, Formats, GridLine, Table, Tone};
use crate::render::visible;

impl<R> Table<'_, R> {
    /// The table with a line break at its end. Lines that span all columns are left out.
    pub(crate) fn markdown(&self) -> String {
        let grid = self.grid(Formats::MARKDOWN);
        let mut text = String::from("|");
        for column in &grid.columns {
            let _ = write!(text, " {} |", escaped(column.heading));
        }
        text.push_str("\n|");
        for column in &grid.columns {
            text.push_str(match column.align {
                Align::Left => " --- |",
                Align::Right | Align::Figure => " ---: |",
            });
        }
        text.push('\n');
        for line in &grid.lines {
            let GridLine::Row(cells) = line else { continue };
            text.push('|');
            for cell in cells {
                let _ = write!(text, " {} |", markdown_cell(cell));
            }
            text.push('\n');
        }
        text
    }
}

fn markdown_cell(cell: &Cell) -> String {
    let text = match (&cell.content, cell.shown()) {
        (Content::Code(code), text) if *code == text && !text.is_empty() => code_span(code),
        (Content::Number(_) | Content::Interval { .. }, text) if cell.asides.is_empty() => text,
        (_, text) => escaped(&text),
    };
    match cell.tone {
        Tone::Bad if !text.is_empty() => format!("**{text}**"),
        _ => text,
    }
}

/// An identifier in backticks, which cannot hold backticks or a cell's edge.
fn code_span(code: &str) -> String {
    format!("`{}`", visible(code).replace('`', "'").replace('|', "\\|"))
}

/// Text of which Markdown shows every character unchanged: no markup, mention, link or edge of a table.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let text = visible(text);
    let mut following = text.chars().skip(1);
    let mut after_word = false;
    for character in text.chars() {
        let before_word = following.next().is_some_and(char::is_alphanumeric);
        match character {
            // Inside a word it does not emphasise.
            '_' if after_word && before_word => escaped.push('_'),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            '#' => escaped.push_str("&#35;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '~' | '\\' => {
                escaped.push('\\');
                escaped.push(character);
            }
            plain => escaped.push(plain),
        }
        after_word = character.is_alphanumeric();
    }
    escaped.replace("://", "&#58;//").replace("www.", "www&#46;")
}
