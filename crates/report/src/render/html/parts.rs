//! A page in parts: a file frames them all, and a running session serves them one by one.

use maud::{Markup, PreEscaped};

use super::page::{Beside, page_beside, section};

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePart {
    /// Its name, unique on the page.
    pub id: &'static str,
    /// Its content, which is safe to show as it is.
    pub html: String,
}

/// A page in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageParts {
    /// Its title.
    pub title: String,
    /// Its parts, the header first.
    pub parts: Vec<LivePart>,
}

/// A part of a page, under its own heading.
pub(super) struct PageSection {
    pub(super) id: &'static str,
    title: String,
    content: Markup,
}

impl PageSection {
    pub(super) fn new(id: &'static str, title: impl Into<String>, content: Markup) -> Self {
        Self { id, title: title.into(), content }
    }

    pub(super) fn drawn(&self) -> LivePart {
        LivePart { id: self.id, html: section(self.id, &self.title, &self.content).into_string() }
    }
}

impl PageParts {
    pub(super) fn new(
        title: String,
        header: Markup,
        sections: impl IntoIterator<Item = PageSection>,
    ) -> Self {
        let header = LivePart { id: "header", html: header.into_string() };
        let sections = sections.into_iter().map(|section| section.drawn());
        Self { title, parts: std::iter::once(header).chain(sections).collect() }
    }

    /// The page as a file.
    pub(super) fn framed(&self, beside: Beside) -> String {
        let html = |parts: &[LivePart]| {
            PreEscaped(parts.iter().map(|part| part.html.as_str()).collect::<String>())
        };
        let (header, sections) = self.parts.split_at(self.parts.len().min(1));
        page_beside(beside, &self.title, &html(header), &html(sections))
    }

    /// This page, and below it the sections of another: of those that both have, the other's.
    pub(super) fn with_sections_of(mut self, other: Self) -> Self {
        let sections: Vec<LivePart> = other.parts.into_iter().skip(1).collect();
        self.parts.retain(|part| sections.iter().all(|other| other.id != part.id));
        self.parts.extend(sections);
        self
    }
}
