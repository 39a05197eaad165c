//! The whole page, in the order in which it is read.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::headline::{SessionStanding, verdict_sentence, warnings, what_happened};
use super::super::verdict::{Criterion, SessionVerdict};
use super::super::visible::visible;
use super::bill::bill;
use super::definitions::definitions;
use super::distribution::distribution;
use super::funnel::funnel;
use super::judged::judged;
use super::load::load;
use super::over_time::over_time;
use super::pairs::pairs;
use super::provenance::provenance;
use super::tables::{failures, generator, latencies, slowest, thresholds};
use crate::fold::FoldedSession;

const STYLE: &str = include_str!("style.css");

/// Nothing is fetched and nothing is run, whatever the words of others hold.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// `report.html`: the session as one page that needs no network and no script.
pub fn page(folded: &FoldedSession, overall: &SessionVerdict, judgement: Criterion) -> String {
    let name = visible(&folded.opening.profile.name);
    let standing = SessionStanding::of(overall);
    let title = format!("{name}: {}", standing.word());
    let header = header(folded, overall, judgement, standing);
    framed(
        &title,
        &header,
        &html! {
            (section("thresholds", "Thresholds", &thresholds(overall, judgement)))
            @if let Some(comparison) = &overall.pairs { (section("pairs", "Voice against chat", &pairs(comparison))) }
            (section("funnel", "How far the runs came", &funnel(folded)))
            (section("latencies", "Latencies", &html! { (latencies(folded)) (over_time(folded)) (distribution(folded)) }))
            (section("load", "The load", &load(folded)))
            @if let Some(bill) = bill(folded) { (section("bill", "What it cost", &bill)) }
            @if let Some(found) = &overall.judged { (section("judged", &format!("Judged by {}", found.figures.by), &judged(found))) }
            (section("failures", "Failures", &failures(folded)))
            (section("slowest", "The slowest runs", &slowest(folded)))
            (section("generator", "The generator", &generator(folded, overall)))
            (section("definitions", "Definitions", &definitions(folded)))
            (section("provenance", "Where this comes from", &provenance(folded)))
        },
    )
}

/// A page of a title, a header and sections, that fetches and runs nothing.
pub(crate) fn framed(title: &str, header: &Markup, sections: &Markup) -> String {
    whole(title, &html! { (header) main { (sections) } })
}

/// A whole page that needs no network and no script.
pub(super) fn whole(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    let mut page = page.into_string();
    page.push('\n');
    page
}

fn header(
    folded: &FoldedSession,
    overall: &SessionVerdict,
    judgement: Criterion,
    standing: SessionStanding,
) -> Markup {
    let (class, sign) = match standing {
        SessionStanding::Passed => ("passed", "✓"),
        SessionStanding::Failed => ("failed", "✗"),
        SessionStanding::Undecided => ("undecided", "?"),
        SessionStanding::Invalid => ("invalid", "!"),
        SessionStanding::Unjudged => ("unjudged", "–"),
    };
    html! {
        header class=(class) {
            p class="session" { (visible(folded.opening.session.as_str())) }
            h1 {
                span class="sign" aria-hidden="true" { (sign) } " "
                (standing.word()) ": " (visible(&verdict_sentence(folded, overall, judgement))) "."
            }
            p { (visible(&what_happened(folded))) }
            @for check in overall.validity.broken() {
                p class="warning" { (check.name) ": " (check.found) "; " (check.advice) "." }
            }
            @for warning in warnings(folded) { p class="warning" { (visible(&warning)) } }
        }
    }
}

/// A part of a page under a heading of its own.
pub(crate) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    let heading = format!("{id}-heading");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (title) }
            (content)
        }
    }
}
