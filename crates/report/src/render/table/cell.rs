//! The cells of a table.

use std::fmt::Write;

use super::number::Number;
use crate::session::PercentileFigure;

/// What a cell's colour and sign say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    /// Not decided.
    Open,
    /// Worth attention, and neither good nor bad.
    Notable,
    /// Not judged.
    Invalid,
}

/// The content of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Absent,
    Text(String),
    /// An identifier, shown in a fixed-width font.
    Code(String),
    /// Text from outside, in any language and direction.
    Foreign(String),
    Number(Number),
    Interval {
        value: Number,
        low: Number,
        high: Number,
    },
    /// Why there is no figure.
    Missing(String),
    /// A share from 0 to 1, drawn as a bar in HTML.
    Bar {
        share: f64,
        is_hatched: bool,
    },
}

/// A line below a cell in HTML. Other formats append notes, and leave other asides out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aside {
    pub(super) class: &'static str,
    pub(super) lead: String,
    pub(super) foreign: Option<String>,
    pub(super) link: Option<(String, String)>,
}

impl Aside {
    /// A remark, in every format for people.
    pub(crate) fn note(text: impl Into<String>) -> Self {
        Self { class: "aside", lead: text.into(), foreign: None, link: None }
    }

    /// Runs that were lost, and why.
    pub(crate) fn loss(text: impl Into<String>) -> Self {
        Self { class: "loss", ..Self::note(text) }
    }

    /// A message from outside, and how often it occurred.
    pub(crate) fn message(count: u64, message: &str) -> Self {
        let foreign = Some(message.to_owned());
        Self { class: "words", foreign, ..Self::note(format!("{count} × ")) }
    }

    /// Ends the line with a link to an anchor of the page.
    pub(crate) fn with_link(self, text: &str, anchor: &str) -> Self {
        Self { link: Some((text.to_owned(), format!("#{anchor}"))), ..self }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(super) content: Content,
    /// Text after the content.
    pub(super) suffix: String,
    pub(super) tone: Tone,
    /// The address that the content links to, in HTML.
    pub(super) link: Option<String>,
    pub(super) asides: Vec<Aside>,
}

#[expect(clippy::needless_pass_by_value, reason = "callers pass literals and temporary values")]
impl Cell {
    const fn of(content: Content) -> Self {
        Self { content, suffix: String::new(), tone: Tone::Plain, link: None, asides: Vec::new() }
    }

    pub(crate) const fn absent() -> Self {
        Self::of(Content::Absent)
    }

    pub(crate) fn text(text: impl ToString) -> Self {
        Self::of(Content::Text(text.to_string()))
    }

    pub(crate) fn code(text: impl ToString) -> Self {
        Self::of(Content::Code(text.to_string()))
    }

    pub(crate) fn foreign(text: impl ToString) -> Self {
        Self::of(Content::Foreign(text.to_string()))
    }

    pub(crate) fn count(count: u64) -> Self {
        Self::number(Number::new(count as f64, super::Unit::Count))
    }

    pub(crate) const fn number(number: Number) -> Self {
        Self::of(Content::Number(number))
    }

    pub(crate) const fn interval(value: Number, low: Number, high: Number) -> Self {
        Self::of(Content::Interval { value, low, high })
    }

    /// No figure, and why.
    pub(crate) fn missing(why: impl ToString) -> Self {
        Self::of(Content::Missing(why.to_string()))
    }

    pub(crate) fn percentile(figure: PercentileFigure) -> Self {
        match figure {
            PercentileFigure::Known { value, low, high } => {
                Self::interval(Number::micros(value), Number::micros(low), Number::micros(high))
            }
            PercentileFigure::TooFew { needs, .. } => Self::missing(format!("n/a (needs {needs})")),
        }
    }

    pub(crate) const fn bar(share: f64, is_hatched: bool) -> Self {
        Self::of(Content::Bar { share, is_hatched })
    }

    /// A verdict: words with a colour, and in HTML a sign.
    pub(crate) fn verdict(tone: Tone, words: impl ToString) -> Self {
        Self { tone, ..Self::text(words) }
    }

    pub(crate) fn with_asides(mut self, asides: impl IntoIterator<Item = Aside>) -> Self {
        self.asides.extend(asides);
        self
    }

    /// Links the content to an address.
    pub(crate) fn linking_to(self, address: impl Into<String>) -> Self {
        Self { link: Some(address.into()), ..self }
    }

    pub(crate) fn with_suffix(self, suffix: impl Into<String>) -> Self {
        Self { suffix: suffix.into(), ..self }
    }

    /// The cell for people, without markup.
    pub(super) fn shown(&self) -> String {
        let mut text = match &self.content {
            Content::Absent => String::new(),
            Content::Text(text)
            | Content::Code(text)
            | Content::Foreign(text)
            | Content::Missing(text) => text.clone(),
            Content::Number(number) => format!("{number}{}", number.suffix()),
            Content::Interval { value, low, high } => {
                format!("{value} [{low}, {high}]{}", value.suffix())
            }
            Content::Bar { share, .. } => format!("{:.1} %", share * 100.0),
        };
        text.push_str(&self.suffix);
        for note in self.asides.iter().filter(|aside| aside.class == "aside") {
            let gap = if text.is_empty() { "" } else { "; " };
            let _ = write!(text, "{gap}{}", note.lead);
        }
        text
    }

    /// The cell as CSV files have it.
    pub(super) fn raw(&self) -> String {
        match &self.content {
            Content::Absent => String::new(),
            Content::Text(text)
            | Content::Code(text)
            | Content::Foreign(text)
            | Content::Missing(text) => text.clone(),
            Content::Number(number) | Content::Interval { value: number, .. } => number.raw(),
            Content::Bar { share, .. } => share.to_string(),
        }
    }
}
