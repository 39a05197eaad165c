//! The page's tables: thresholds, latencies, failures, slowest runs, the generator.

use maud::{Markup, html};

use super::super::figures::{PercentileFigure, figure};
use super::super::headline::SessionStanding;
use super::super::measured::measured;
use super::super::terminal::{PERCENTILES, SHOWN};
use super::super::verdict::{Criterion, SessionVerdict, ThresholdResult, Verdict};
use super::super::visible::visible;
use super::definitions::{class_link, metric_link};
use crate::fold::{FoldedSession, TIMELINE_METRICS};
use rushhour_core::units::SessionTime;

/// Different words shown of one class of failure.
const WORDS_SHOWN: usize = 5;

/// A table that may be wider than a phone; it scrolls alone.
pub(crate) fn scrolled(table: &Markup) -> Markup {
    html! { div class="scrolled" tabindex="0" role="group" aria-label="Table" { (table) } }
}

/// A table that answers: it moves sideways where it is too wide, and all its rows are seen.
pub(crate) fn sideways(table: &Markup) -> Markup {
    html! { div class="scrolled whole" tabindex="0" role="group" aria-label="Table" { (table) } }
}

/// A figure in words with its interval below it, so that its column stays narrow.
pub(crate) fn over_interval(words: &str) -> Markup {
    let (value, interval) = words.split_once(" [").map_or((words, None), |(v, i)| (v, Some(i)));
    html! { (value) @if let Some(interval) = interval { " " span class="interval" { "[" (interval) } } }
}

/// A percentile with its interval, or how many samples it takes.
pub(super) fn interval(figure: PercentileFigure) -> Markup {
    html! {
        @match figure {
            PercentileFigure::Known { value, low, high } => {
                (value) span class="interval" { " [" (low) ", " (high) "]" }
            }
            PercentileFigure::TooFew { needs, .. } => { span class="aside" { "n/a, needs " (needs) } }
        }
    }
}

/// The thresholds and what came of them.
pub(super) fn thresholds(overall: &SessionVerdict, judgement: Criterion) -> Markup {
    if overall.thresholds.is_empty() {
        return html! { p { "The profile sets no thresholds." } };
    }
    let standing = SessionStanding::of(overall);
    html! {
        table {
            thead { tr {
                th scope="col" { "threshold" } th scope="col" { (judgement.found_heading()) }
                th scope="col" { "verdict" }
            } }
            tbody {
                @for result in &overall.thresholds {
                    tr {
                        th scope="row" { (result.name()) }
                        td { (result.found) }
                        td { (verdict(result, standing)) }
                    }
                }
            }
        }
    }
}

fn verdict(result: &ThresholdResult, standing: SessionStanding) -> Markup {
    let (class, sign) = match (standing, &result.verdict) {
        (SessionStanding::Invalid, _) => {
            return html! { span class="verdict invalid" { "– not judged" } };
        }
        (_, Verdict::Passed) => ("passed", "✓"),
        (_, Verdict::Failed | Verdict::NoSamples) => ("failed", "✗"),
        (_, Verdict::Undecided { .. }) => ("undecided", "?"),
    };
    html! {
        span class=(format!("verdict {class}")) { (sign) " " (result.verdict.word()) }
        @if let Verdict::Undecided { needs: Some(needs) } = result.verdict {
            div class="aside" { "about " (needs) " would settle it" }
        }
    }
}

/// The latencies of measured runs.
pub(super) fn latencies(folded: &FoldedSession) -> Markup {
    let shown = measured(folded, SHOWN);
    if shown.is_empty() {
        return html! { p { "No run of a measured stage came far enough for anything to be measured." } };
    }
    let livekit = &folded.opening.profile.livekit;
    html! {
        p {
            "Agents were dispatched by " code { (livekit.dispatch.method()) } ", which decides the join times: those of "
            "other methods are not comparable. Rooms made: " (folded.rooms_created) ", deleted: " (folded.rooms_deleted)
            ", left behind: " (folded.rooms_not_deleted) "."
        }
        table class="figures" {
            caption {
                "Runs of measured stages. Values with their " a class="term" href="#is-interval" { "95 % intervals" } "."
            }
            thead { tr {
                th scope="col" { "latency" } th scope="col" class="number" { "n" }
                @for percentile in PERCENTILES { th scope="col" class="number" { (percentile) } }
            } }
            tbody {
                @for one in shown {
                    tr {
                        th scope="row" {
                            (metric_link(one.metric)) @if let Some(mode) = one.mode { " " (mode) }
                        }
                        td class="number" { (one.latencies.count()) }
                        @for percentile in PERCENTILES {
                            td class="number" { (interval(figure(one.latencies, percentile))) }
                        }
                    }
                }
            }
        }
    }
}

/// Failures by class, with what was said of them.
pub(super) fn failures(folded: &FoldedSession) -> Markup {
    let classes = folded.tally.failures_by_count();
    if classes.is_empty() {
        return html! { p { "No run that was started failed." } };
    }
    html! {
        table {
            thead { tr {
                th scope="col" { "class" } th scope="col" class="number" { "runs" }
                th scope="col" { "in the other side's words" }
            } }
            tbody {
                @for (class, count) in classes {
                    @let words = folded.failure_messages.of(class);
                    @let shown: u64 = words.iter().take(WORDS_SHOWN).map(|(_, count)| count).sum();
                    tr {
                        th scope="row" { (class_link(class)) }
                        td class="number" { (count) }
                        td {
                            @for (words, count) in words.iter().take(WORDS_SHOWN) {
                                @if !words.is_empty() {
                                    div class="words" { (count) " × “" bdi { (visible(words)) } "”" }
                                }
                            }
                            @if count > shown { div class="aside" { (count - shown) " in other words" } }
                            div class="aside" { "→ " (class.advice()) }
                        }
                    }
                }
            }
        }
    }
}

/// The slowest runs of each latency that is shown over time.
pub(super) fn slowest(folded: &FoldedSession) -> Markup {
    let session = folded.opening.profile.mode;
    let each = |metric| session.modes().iter().map(move |mode| (metric, *mode));
    let mut shown = TIMELINE_METRICS
        .into_iter()
        .flat_map(each)
        .map(|(metric, mode)| (metric, mode, folded.slowest.of(metric, mode)))
        .filter(|(.., runs)| !runs.is_empty())
        .peekable();
    if shown.peek().is_none() {
        return html! { p { "Nothing was measured." } };
    }
    let scenario = |number: u32| {
        folded.names.scenarios.get(number as usize).map_or(String::new(), |name| visible(name))
    };
    html! {
        @for (metric, mode, runs) in shown {
            h3 { (metric_link(metric)) @if session.is_paired() { ", " (mode) } }
            (scrolled(&html! {
                table {
                    thead { tr {
                        th scope="col" class="number" { "took" } th scope="col" class="number" { "run" }
                        th scope="col" class="number" { "meant to start at" } th scope="col" { "scenario" }
                        th scope="col" { "room" } th scope="col" { "at the evaluator" }
                    } }
                    tbody {
                        @for slow in runs {
                            tr {
                                td class="number" { (slow.high) }
                                td class="number" { (slow.run) }
                                td class="number" { (slow.intended.since(SessionTime::START)) }
                                td { (scenario(slow.scenario)) }
                                td { code { (slow.room.as_ref().map_or(String::new(), |room| visible(room.as_str()))) } }
                                td { code { (slow.evaluator_run.as_ref().map_or(String::new(), |run| visible(run.as_str()))) } }
                            }
                        }
                    }
                }
            }))
        }
    }
}

/// What the generator had to keep to, and how it did.
pub(super) fn generator(folded: &FoldedSession, overall: &SessionVerdict) -> Markup {
    let health = &folded.health;
    html! {
        @if overall.validity.checks.is_empty() {
            p { "There was nothing to check it by." }
        } @else {
            table {
                thead { tr {
                    th scope="col" { "check" } th scope="col" { "found" } th scope="col" { "verdict" }
                } }
                tbody {
                    @for check in &overall.validity.checks {
                        tr {
                            th scope="row" { (check.name) }
                            td {
                                (check.found)
                                @if !check.holds { div class="aside" { (check.advice) } }
                            }
                            td {
                                @if check.holds { span class="verdict passed" { "✓ holds" } }
                                @else { span class="verdict failed" { "✗ does not hold" } }
                            }
                        }
                    }
                }
            }
        }
        @if health.memory > 0 {
            p {
                "Most memory " (format!("{:.1} MB", health.memory as f64 / 1e6)) ", processor time in all "
                (health.cpu) ", longest loop lag " (health.loop_lag) ", questions answered " (health.status_polls)
                " and not answered " (health.status_polls_failed) ", looks into rooms " (health.room_polls) "."
            }
        }
    }
}
