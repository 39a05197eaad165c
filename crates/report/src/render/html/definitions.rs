//! What each term means, one click away from where it is used.

use maud::{Markup, html};

use crate::fold::{FoldedSession, FunnelStep};
use crate::render::tables::definition_anchor;
use rushhour_core::profile::QualityMeasure;
use rushhour_core::units::Metric;

/// A latency's name, linked to its definition.
pub(super) fn metric_link(metric: Metric) -> Markup {
    let address = format!("#{}", definition_anchor(metric.name()));
    html! { a class="term" href=(address) { (metric.name()) } }
}

/// The definitions of every latency that was measured, every failure that occurred, and every step.
pub(super) fn definitions(folded: &FoldedSession) -> Markup {
    let measured = |metric: &&Metric| folded.latencies.iter().any(|(other, ..)| other == **metric);
    let steps = folded.funnel.steps().iter();
    html! {
        dl {
            @for metric in Metric::ALL.iter().filter(measured) {
                dt id=(definition_anchor(metric.name())) { code { (metric.name()) } }
                dd { (metric.definition()) }
            }
            @for class in folded.tally.failed.keys() {
                dt id=(definition_anchor(class.name())) { code { (class.name()) } }
                dd { (class.meaning()) }
            }
            @for step in steps.filter(|step| !is_later_turn(**step)) {
                dt { (step.name()) }
                dd { (step.meaning()) }
            }
            @if folded.quality.sum.known().is_some() {
                @for measure in QualityMeasure::ALL {
                    dt id=(definition_anchor(measure.name())) { code { (measure.name()) } }
                    dd { (measure.definition()) }
                }
            }
            dt id=(definition_anchor("interval")) { "95 % interval" }
            dd {
                "For percentiles: from binomial order statistics, for any distribution. For shares: Wilson's interval. "
                "If there are too few runs for a two-sided interval, no figure is shown."
            }
            dt { "not enough data" }
            dd { "The interval includes the bound, so these runs do not show on which side of it the true value is." }
            dt { "percentile" }
            dd {
                "By nearest rank, from a histogram with three significant digits (two over time). If an end comes from "
                "polling, the figure is the upper bound, and the interval starts at the lower bound."
            }
        }
    }
}

/// What a turn is needs one definition.
const fn is_later_turn(step: FunnelStep) -> bool {
    matches!(step, FunnelStep::Turn(number) if number > 1)
}
