//! `report.html` of a session, in the order in which it is read.

use maud::{Markup, html};

use super::agent_workers::agent_workers;
use super::definitions::definitions;
use super::distribution::distribution;
use super::load::load;
use super::over_time::over_time;
use super::page::{Beside, HeaderTone};
use super::parts::{PageParts, PageSection};
use super::provenance::provenance;
use super::recordings::RecordedRuns;
use super::sections::{
    bill, failures, funnel, generator, judged, latencies, pairs, slowest, thresholds,
};
use super::speech::speech;
use crate::fold::FoldedSession;
use crate::render::sentences::session::{outcome_sentence, verdict_sentence, warnings};
use crate::render::visible;
use crate::session::{Criterion, OverallVerdict, SessionVerdict};

/// The session as one page.
pub fn session_page(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> String {
    session_page_with(folded, verdict, criterion, &RecordedRuns::default())
}

/// The session as one page that plays the recordings beside it.
pub fn session_page_with(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
    recordings: &RecordedRuns,
) -> String {
    let beside = if recordings.is_empty() { Beside::Nothing } else { Beside::Recordings };
    parts_with(folded, verdict, criterion, recordings).framed(beside)
}

/// The same in parts, without recordings.
pub fn session_parts(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> PageParts {
    parts_with(folded, verdict, criterion, &RecordedRuns::default())
}

fn parts_with(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
    recordings: &RecordedRuns,
) -> PageParts {
    let name = visible(&folded.opening.profile.name);
    let title = format!("{name}: {}", OverallVerdict::of(verdict).label());
    let sections = sections(folded, verdict, criterion, recordings);
    PageParts::new(title, header(folded, verdict, criterion), sections)
}

/// The parts below the header, in the order in which they are read.
pub(super) fn sections(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
    recordings: &RecordedRuns,
) -> Vec<PageSection> {
    let part = |id, title: &str, content| PageSection::new(id, title, content);
    let mut parts = vec![part("thresholds", "Thresholds", thresholds(verdict, criterion))];
    if let Some(comparison) = &verdict.pairs {
        parts.push(part("pairs", "Voice compared with chat", pairs(comparison)));
    }
    parts.push(part("funnel", "How far the runs got", funnel(folded)));
    let measured = html! { (latencies(folded)) (over_time(folded)) (distribution(folded)) };
    parts.push(part("latencies", "Latencies", measured));
    if let Some(speech) = speech(folded) {
        parts.push(part("speech", "How the agent sounded", speech));
    }
    parts.push(part("load", "Load", load(folded)));
    if let Some(bill) = bill(folded) {
        parts.push(part("bill", "Cost", bill));
    }
    if let Some(result) = &verdict.judged {
        let title = format!("Judged by {}", result.figures.by);
        parts.push(PageSection::new("judged", title, judged(result)));
    }
    parts.push(part("failures", "Failures", failures(folded, recordings)));
    parts.push(part("slowest", "Slowest runs", slowest(folded, recordings)));
    if !recordings.is_empty() {
        parts.push(part("recordings", "Recordings", recordings.section()));
    }
    parts.push(part("generator", "Load generator", generator(folded, verdict)));
    if let Some(changes) = agent_workers(folded) {
        parts.push(part("scale-out", "Workers of the agent over time", changes));
    }
    parts.push(part("definitions", "Definitions", definitions(folded)));
    parts.push(part("provenance", "Provenance", provenance(folded)));
    parts
}

pub(super) fn header(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
) -> Markup {
    let overall = OverallVerdict::of(verdict);
    let tone = tone(overall);
    html! {
        header class=(tone.class()) {
            p class="session" { (visible(folded.opening.session.as_str())) }
            h1 {
                (tone.sign()) (overall.label()) ": "
                (visible(&verdict_sentence(folded, verdict, criterion))) "."
            }
            p { (visible(&outcome_sentence(folded))) }
            @for rule in verdict.validity.broken() { p class="warning" { (rule.with_advice()) "." } }
            @for warning in warnings(folded) { p class="warning" { (visible(&warning)) } }
        }
    }
}

pub(super) const fn tone(overall: OverallVerdict) -> HeaderTone {
    match overall {
        OverallVerdict::Passed => HeaderTone::Passed,
        OverallVerdict::Failed | OverallVerdict::NothingCompleted => HeaderTone::Failed,
        OverallVerdict::Undecided => HeaderTone::Undecided,
        OverallVerdict::Invalid | OverallVerdict::EnvironmentFailed => HeaderTone::Invalid,
        OverallVerdict::NoThresholds => HeaderTone::None,
    }
}
