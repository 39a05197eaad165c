//! Voice against chat: the answer, what differs pair by pair, and where the difference in cost comes from.

use maud::{Markup, html};

use super::super::money::CostEach;
use super::super::paired::{
    DIFFERENT_LATENCIES, PairedComparison, Premium, figure_words, pairs_words, table_rows,
};
use super::super::visible::visible;
use super::tables::{over_interval, sideways};

/// The section.
pub(super) fn pairs(comparison: &PairedComparison) -> Markup {
    html! {
        p { strong { (visible(&comparison.answer)) } }
        @for words in pairs_words(comparison) { p { (visible(&words)) } }
        @if !comparison.differences.is_empty() {
            p class="aside" {
                "Means over pairs of measured runs, with 95 % intervals: pairs were resampled in blocks of "
                "neighbours, within their scenarios."
            }
            (sideways(&differences(comparison)))
            p class="aside" { (DIFFERENT_LATENCIES) }
        }
        @if let Some(premium) = &comparison.premium {
            h3 { "Where the difference in cost comes from" }
            p class="aside" {
                "Means of the " (premium.pairs) " pairs of which both runs came to an end; the parts add up to the "
                "difference."
            }
            (sideways(&parts(premium)))
            h3 { "What a run and a task cost" }
            (sideways(&costs(comparison)))
        }
    }
}

fn differences(comparison: &PairedComparison) -> Markup {
    html! {
        table class="figures" {
            thead { tr {
                th scope="col" { "measure" } th scope="col" class="number" { "pairs" }
                th scope="col" class="number" { "chat" } th scope="col" class="number" { "voice" }
                th scope="col" class="number" { "voice less chat" }
                th scope="col" class="number" { "voice / chat" } th scope="col" { "found" }
            } }
            tbody {
                @for (one, [measure, chat, voice, difference, ratio]) in comparison.differences.iter().zip(table_rows(comparison)) {
                    tr {
                        th scope="row" class="wraps" { (measure) }
                        td class="number" { (one.pairs) }
                        td class="number" { (chat) } td class="number" { (voice) }
                        td class="number" { (over_interval(&difference)) }
                        td class="number" { (over_interval(&ratio)) }
                        td class="wraps" { (one.finding.as_deref().unwrap_or("not enough data")) }
                    }
                }
            }
        }
    }
}

fn parts(premium: &Premium) -> Markup {
    let usd = |value: f64| format!("{value:.4}");
    html! {
        table class="figures" {
            thead { tr {
                th scope="col" { "part" } th scope="col" class="number" { "chat, USD" }
                th scope="col" class="number" { "voice, USD" }
                th scope="col" class="number" { "voice less chat, USD" }
                th scope="col" class="number" { "share" }
            } }
            tbody {
                @for part in &premium.parts {
                    tr {
                        th scope="row" { (part.part) }
                        td class="number" { (usd(part.chat_usd)) } td class="number" { (usd(part.voice_usd)) }
                        td class="number" { (format!("{:+.4}", part.difference_usd)) }
                        td class="number" { @if let Some(share) = part.share { (format!("{:.1} %", share * 100.0)) } }
                    }
                }
                tr {
                    th scope="row" { "all" } td {} td {}
                    td class="number" { (format!("{:+.4}", premium.difference_usd)) } td {}
                }
            }
        }
    }
}

fn costs(comparison: &PairedComparison) -> Markup {
    let modes = [("chat", &comparison.chat), ("voice", &comparison.voice)];
    let cell =
        |value: Option<f64>| value.map_or("n/a".to_owned(), |value| figure_words(value, "USD"));
    let row = |name: &str, kind: &str, cost: &CostEach| {
        html! {
            tr {
                th scope="row" { (name) ", " (kind) }
                td class="number" { (figure_words(cost.total_usd, "USD")) }
                td class="number" { (cell(cost.per_run_usd)) }
                td class="number" { (cell(cost.per_completed_usd)) }
                td class="number" { (cell(cost.per_successful_usd)) }
            }
        }
    };
    html! {
        table class="figures" {
            thead { tr {
                th scope="col" { "mode" } th scope="col" class="number" { "all" }
                th scope="col" class="number" { "per run" }
                th scope="col" class="number" { "per completed task" }
                th scope="col" class="number" { "per successful task" }
            } }
            tbody {
                @for (name, figures) in modes {
                    @if let Some(cost) = &figures.list { (row(name, "at list prices", cost)) }
                    @if let Some(cost) = &figures.after_included { (row(name, "after what base fees include", cost)) }
                }
            }
        }
    }
}
