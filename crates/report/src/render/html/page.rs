//! The frame of every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// Of the moments on charts that somebody marked, which most sessions do not have.
const MARKS_STYLE: &str = include_str!("marks.css");
const LIVE_STYLE: &str = include_str!("live.css");

/// The style of the page that a running session serves.
pub fn live_style() -> String {
    [STYLE, MARKS_STYLE, LIVE_STYLE].concat()
}

/// Forbids everything that a page could fetch or run, whatever text from outside contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The same where recordings lie beside the page: they may be played. `'self'` is not a file's neighbour in every browser.
const POLICY_WITH_RECORDINGS: &str =
    "default-src 'none'; style-src 'unsafe-inline'; media-src 'self' file:";
const RECORDINGS_STYLE: &str = include_str!("recordings.css");

/// What lies beside a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    Recordings,
}

/// A page with a header and sections, beside which nothing lies.
pub(super) fn page(title: &str, header: &Markup, sections: &Markup) -> String {
    page_beside(Beside::Nothing, title, header, sections)
}

/// A page with a header and sections.
pub(super) fn page_beside(
    beside: Beside,
    title: &str,
    header: &Markup,
    sections: &Markup,
) -> String {
    let (policy, more_style) = match beside {
        Beside::Nothing => (POLICY, ""),
        Beside::Recordings => (POLICY_WITH_RECORDINGS, RECORDINGS_STYLE),
    };
    let marks_style = if sections.0.contains("class=\"moments\"") { MARKS_STYLE } else { "" };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(marks_style)) (PreEscaped(more_style)) }
            }
            body { (header) main { (sections) } }
        }
    };
    let mut page = page.into_string();
    page.push('\n');
    page
}

/// What a page's header says at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderTone {
    Passed,
    Failed,
    Undecided,
    Invalid,
    None,
}

impl HeaderTone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undecided => "undecided",
            Self::Invalid => "invalid",
            Self::None => "unjudged",
        }
    }

    /// The tone's sign, which screen readers skip.
    pub(super) fn sign(self) -> Markup {
        let sign = match self {
            Self::Passed => "✓",
            Self::Failed => "✗",
            Self::Undecided => "?",
            Self::Invalid => "!",
            Self::None => "–",
        };
        html! { span class="sign" aria-hidden="true" { (sign) } " " }
    }
}

/// A part of a page under its own heading.
pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    let heading = format!("{id}-heading");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (title) }
            (content)
        }
    }
}
