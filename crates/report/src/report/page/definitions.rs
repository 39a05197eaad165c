//! What each word means, one click away from where it stands.

use maud::{Markup, html};

use crate::fold::{FoldedSession, FunnelStep};
use rushhour_core::event::FailureClass;
use rushhour_core::units::Metric;

/// A latency's name, leading to its definition.
pub(super) fn metric_link(metric: Metric) -> Markup {
    html! { a class="term" href=(format!("#is-{}", metric.name())) { (metric.name()) } }
}

/// A failure's name, leading to its meaning.
pub(super) fn class_link(class: FailureClass) -> Markup {
    html! { a class="term" href=(format!("#is-{}", class.name())) { (class.name()) } }
}

/// The definitions of everything that was measured, of every failure that was seen, and of the steps.
pub(super) fn definitions(folded: &FoldedSession) -> Markup {
    let measured = |metric: &Metric| folded.latencies.iter().any(|(other, ..)| other == *metric);
    html! {
        dl {
            @for metric in Metric::ALL.iter().filter(|metric| measured(metric)) {
                dt id=(format!("is-{}", metric.name())) { code { (metric.name()) } }
                dd { (metric.definition()) }
            }
            @for class in folded.tally.failed.keys() {
                dt id=(format!("is-{}", class.name())) { code { (class.name()) } }
                dd { (class.meaning()) }
            }
            @for step in folded.funnel.steps().iter().filter(|step| !is_later_turn(**step)) {
                dt { (step.name()) }
                dd { (step.meaning()) }
            }
            dt id="is-interval" { "95 % interval" }
            dd {
                "Of a percentile: from binomial order statistics, whatever the distribution; of a share: Wilson's. "
                "Where there are too few runs for an interval with two ends, there is no figure."
            }
            dt { "not enough data" }
            dd { "The bound lies within the interval: with these runs it cannot be said on which side the truth is." }
            dt { "percentile" }
            dd {
                "Nearest rank, from a histogram of three significant digits; over time two. Where an end comes from "
                "polling, the figure is the upper bound, and its interval begins at the lower one."
            }
        }
    }
}

/// What a turn is need be said once.
const fn is_later_turn(step: FunnelStep) -> bool {
    matches!(step, FunnelStep::Turn(number) if number > 1)
}
