//! What the judge made of the runs that were held again.

use maud::{Markup, html};

use super::super::judged::{JudgedRun, JudgedStratum, JudgingResult, judged_words};
use super::super::visible::visible;
use super::tables::scrolled;
use rushhour_core::event::Outcome;
use rushhour_core::profile::CallersVerdict;

/// Runs shown on the page; `judged.csv` has them all.
const SHOWN: usize = 200;

/// The judging in words, as a table of both verdicts, and run by run where they differ first.
pub(super) fn judged(judged: &JudgingResult) -> Markup {
    let figures = &judged.figures;
    let mut runs: Vec<&JudgedRun> = judged.runs.iter().collect();
    runs.sort_by_key(|run| !differ(run));
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "run" } th scope="col" { "scenario" }
                th scope="col" { "our callers" } th scope="col" { "judged" }
                th scope="col" { "run there" } th scope="col" { "words" }
            } }
            tbody {
                @for run in runs.iter().take(SHOWN) {
                    tr {
                        th scope="row" { (run.ours.run) }
                        td { bdi { (visible(&run.scenario)) } }
                        td { (run.verdict.name()) (class(run.ours.outcome.as_ref())) }
                        td { (verdict(run)) }
                        td { @if let Some(id) = run.again.as_ref().and_then(|again| again.evaluator_run.as_ref()) { (visible(id.as_str())) } }
                        td { bdi { (visible(detail(run))) } }
                    }
                }
            }
        }
    };
    html! {
        @for words in judged_words(judged) { p { (visible(&words)) } }
        table {
            caption { "Runs by both verdicts. The two kinds were sampled at different rates, so that the columns are not to be added." }
            thead { tr {
                th scope="col" { "our callers say" } th scope="col" { "in all" }
                th scope="col" { "chosen" } th scope="col" { "judged as passed" }
                th scope="col" { "judged as failed" }
            } }
            tbody {
                (row(CallersVerdict::Passed, &figures.passed))
                (row(CallersVerdict::Failed, &figures.failed))
            }
        }
        details {
            summary { "The chosen runs, where the verdicts differ first" }
            @if runs.len() > SHOWN { p class="aside" { (SHOWN) " of " (runs.len()) "; judged.csv has them all." } }
            (scrolled(&table))
        }
    }
}

fn row(verdict: CallersVerdict, stratum: &JudgedStratum) -> Markup {
    html! {
        tr {
            th scope="row" { (verdict.name()) }
            td { (stratum.in_all) }
            td { (stratum.chosen) }
            td { (stratum.judged_passed) }
            td { (stratum.judged_failed()) }
        }
    }
}

fn differ(run: &JudgedRun) -> bool {
    run.judged.is_some_and(|passed| passed != (run.verdict == CallersVerdict::Passed))
}

fn verdict(run: &JudgedRun) -> Markup {
    let again = run.again.as_ref().and_then(|again| again.outcome.as_ref());
    html! {
        @match run.judged {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "no verdict",
        }
        (class(again))
    }
}

fn class(outcome: Option<&Outcome>) -> Markup {
    html! { @if let Some(class) = outcome.and_then(Outcome::class) { " (" (class.name()) ")" } }
}

/// The words that came with a failure, the judge's before ours.
fn detail(run: &JudgedRun) -> &str {
    let again = run.again.as_ref().and_then(|again| again.outcome.as_ref());
    for outcome in [again, run.ours.outcome.as_ref()].into_iter().flatten() {
        if let Outcome::Failed { detail, .. } = outcome {
            return detail;
        }
    }
    ""
}
