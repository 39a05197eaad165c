//! `report.html` of a session, in the order in which it is read.

use maud::{Markup, html};

use super::definitions::definitions;
use super::distribution::distribution;
use super::load::load;
use super::over_time::over_time;
use super::page::{HeaderTone, page, section};
use super::provenance::provenance;
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
    let name = visible(&folded.opening.profile.name);
    let title = format!("{name}: {}", OverallVerdict::of(verdict).label());
    page(
        &title,
        &header(folded, verdict, criterion),
        &html! {
            (section("thresholds", "Thresholds", &thresholds(verdict, criterion)))
            @if let Some(comparison) = &verdict.pairs {
                (section("pairs", "Voice compared with chat", &pairs(comparison)))
            }
            (section("funnel", "How far the runs got", &funnel(folded)))
            (section("latencies", "Latencies", &html! {
                (latencies(folded)) (over_time(folded)) (distribution(folded))
            }))
            @if let Some(speech) = speech(folded) { (section("speech", "How the agent sounded", &speech)) }
            (section("load", "Load", &load(folded)))
            @if let Some(bill) = bill(folded) { (section("bill", "Cost", &bill)) }
            @if let Some(result) = &verdict.judged {
                (section("judged", &format!("Judged by {}", result.figures.by), &judged(result)))
            }
            (section("failures", "Failures", &failures(folded)))
            (section("slowest", "Slowest runs", &slowest(folded)))
            (section("generator", "Load generator", &generator(folded, verdict)))
            (section("definitions", "Definitions", &definitions(folded)))
            (section("provenance", "Provenance", &provenance(folded)))
        },
    )
}

fn header(folded: &FoldedSession, verdict: &SessionVerdict, criterion: Criterion) -> Markup {
    let overall = OverallVerdict::of(verdict);
    let tone = match overall {
        OverallVerdict::Passed => HeaderTone::Passed,
        OverallVerdict::Failed | OverallVerdict::NothingCompleted => HeaderTone::Failed,
        OverallVerdict::Undecided => HeaderTone::Undecided,
        OverallVerdict::Invalid | OverallVerdict::EnvironmentFailed => HeaderTone::Invalid,
        OverallVerdict::NoThresholds => HeaderTone::None,
    };
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
