//! A table as HTML; text from outside is escaped and isolated.

use maud::{Markup, html};

use super::{Align, Aside, Cell, Content, Formats, GridColumn, GridLine, Table, Tone};
use crate::render::visible;

/// What surrounds a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// As wide as the page.
    None,
    /// Scrolls in both directions, for long tables.
    Scrolled,
    /// Scrolls sideways and shows all its rows.
    Whole,
}

impl<R> Table<'_, R> {
    pub(crate) fn html(&self, frame: Frame) -> Markup {
        let grid = self.grid(Formats::HTML);
        let class = (!self.class.is_empty()).then_some(self.class);
        let table = html! {
            table class=[class] {
                @if let Some(caption) = &self.caption { caption { (caption) } }
                thead { tr {
                    @for column in &grid.columns {
                        th scope="col" class=[column.class()] { (column.heading) }
                    }
                } }
                tbody {
                    @for line in &grid.lines { (html_line(line, &grid.columns)) }
                }
            }
        };
        match frame {
            Frame::None => table,
            Frame::Scrolled => framed("scrolled", &table),
            Frame::Whole => framed("scrolled whole", &table),
        }
    }
}

fn framed(class: &str, table: &Markup) -> Markup {
    html! { div class=(class) tabindex="0" role="group" aria-label="Table" { (table) } }
}

impl GridColumn<'_> {
    const fn class(&self) -> Option<&'static str> {
        match (self.align, self.wraps) {
            (Align::Right | Align::Figure, _) => Some("number"),
            (Align::Left, true) => Some("wraps"),
            (Align::Left, false) => None,
        }
    }
}

fn html_line(line: &GridLine<'_>, columns: &[GridColumn<'_>]) -> Markup {
    html! {
        @match line {
            GridLine::Row(cells) => {
                tr {
                    @for (place, (cell, column)) in cells.iter().zip(columns).enumerate() {
                        @if place == 0 { th scope="row" class=[column.class()] { (html_cell(cell)) } }
                        @else { td class=[column.class()] { (html_cell(cell)) } }
                    }
                }
            }
            GridLine::Heading(heading) => {
                tr { th scope="colgroup" colspan=(columns.len()) { (visible(heading)) } }
            }
            GridLine::Note(note) => {
                tr { td {} td class="aside" colspan=(columns.len() - 1) { (visible(note)) } }
            }
        }
    }
}

fn html_cell(cell: &Cell) -> Markup {
    let content = html! { (html_content(&cell.content)) (cell.suffix) };
    html! {
        @match (&cell.link, cell.tone) {
            (Some(address), _) => { a class="term" href=(address) { (content) } }
            (None, Tone::Plain) => { (content) }
            (None, tone) => { span class={ "verdict " (tone.class()) } { (tone.sign()) " " (content) } }
        }
        @for aside in &cell.asides { (html_aside(aside)) }
    }
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "passed",
            Self::Bad => "failed",
            Self::Open | Self::Notable => "undecided",
            Self::Invalid => "invalid",
        }
    }

    const fn sign(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Open => "?",
            Self::Notable | Self::Invalid => "–",
        }
    }
}

fn html_content(content: &Content) -> Markup {
    html! {
        @match content {
            Content::Absent => {}
            Content::Text(text) => (visible(text)),
            Content::Code(text) => { @if !text.is_empty() { code { (visible(text)) } } }
            Content::Foreign(text) => { @if !text.is_empty() { bdi { (visible(text)) } } }
            Content::Number(number) => { (number) (number.suffix()) }
            Content::Interval { value, low, high } => {
                (value) span class="interval" { " [" (low) ", " (high) "]" (value.suffix()) }
            }
            Content::Missing(why) => { span class="aside" { (visible(why)) } }
            Content::Bar { share, is_hatched } => {
                div class="of" {
                    span class=(if *is_hatched { "bar hatched" } else { "bar" }) aria-hidden="true" {
                        span style=(format!("width:{:.1}%", share * 100.0)) {}
                    }
                    span class="share" { (format!("{:.1} %", share * 100.0)) }
                }
            }
        }
    }
}

fn html_aside(aside: &Aside) -> Markup {
    html! {
        div class=(aside.class) {
            (visible(&aside.lead))
            @if let Some(foreign) = &aside.foreign { "“" bdi { (visible(foreign)) } "”" }
            @if let Some((text, address)) = &aside.link { a class="term" href=(address) { (text) } }
        }
    }
}
