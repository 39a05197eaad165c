//! Figures next to their targets: `cargo bench` prints all of them, `cargo bench -- schedule` those of one kind.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a bench measures in real time")]

use std::process::ExitCode;

#[cfg(feature = "native")]
mod behaviours;
mod compare;
#[cfg(feature = "fleet")]
mod fleet;
#[cfg(feature = "native")]
mod hearing;
mod journal;
#[cfg(feature = "native")]
mod native;
#[cfg(feature = "native")]
mod native_cost;
#[cfg(feature = "native")]
mod native_inside;
#[cfg(feature = "native")]
mod native_rig;
#[cfg(feature = "native")]
mod noise;
mod page;
mod plan;
#[cfg(feature = "native")]
mod quality;
#[cfg(feature = "native")]
mod quality_gaps;
#[cfg(feature = "native")]
mod quality_logs;
#[cfg(feature = "native")]
mod quality_table;
#[cfg(feature = "native")]
mod recording;
mod schedule;
#[cfg(feature = "fleet")]
mod simulated_callers;
mod soak;
mod startup;
mod support;
mod watched;
#[cfg(feature = "native")]
mod ways;

/// Counts allocations, for `native-allocations`.
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let kinds: &[(&str, fn())] = &[
        ("startup", startup::figures),
        ("plan", plan::figures),
        ("journal", journal::figures),
        ("fold", journal::figures_of_ten_million_events),
        ("page", page::figures),
        ("compare", compare::figures),
        ("schedule", schedule::figures),
        ("watched", watched::figures),
        #[cfg(feature = "native")]
        ("hearing", hearing::figures),
        #[cfg(feature = "native")]
        ("noise", noise::figures),
        #[cfg(feature = "native")]
        ("native", native::all),
        #[cfg(feature = "native")]
        ("behaviours", behaviours::figures),
        ("soak", soak::figures),
        #[cfg(feature = "fleet")]
        ("fleet", fleet::figures),
    ];
    if wanted.iter().any(|word| word == "watched-page") {
        watched::processor();
    }
    // Single rows of `native`.
    #[cfg(feature = "native")]
    let rows: &[(&str, fn())] = &[
        ("native-chat", native::chat),
        ("native-voice", native::voice),
        ("native-join", native::join),
        ("native-faults", native::faults),
        ("native-cost", native_cost::cost),
        ("native-chat-cost", native_cost::chat_cost),
        ("native-rounds", native_cost::rounds),
        ("native-allocations", native_inside::allocations),
        ("native-deaf", native_inside::deaf),
        ("native-rate", native::rate),
        ("native-thousand", native::thousand),
        ("native-ways", ways::figures),
        ("native-recording", recording::figures),
    ];
    #[cfg(not(feature = "native"))]
    let rows: &[(&str, fn())] = &[];
    for (row, figures) in rows {
        if wanted.iter().any(|word| word == row) {
            figures();
        }
    }
    #[cfg(feature = "native")]
    for habit in wanted.iter().filter_map(|word| word.strip_prefix("behaviours-")) {
        behaviours::row(habit);
    }
    for (kind, figures) in kinds {
        if wanted.is_empty() || wanted.iter().any(|word| word == kind) {
            figures();
        }
    }
    // The last, because it says whether what is stated holds.
    #[cfg(feature = "native")]
    {
        let sessions: Vec<&str> =
            wanted.iter().filter_map(|word| word.strip_prefix("quality-")).collect();
        let is_wanted = wanted.is_empty() || wanted.iter().any(|word| word == "quality");
        if (is_wanted || !sessions.is_empty()) && !quality::figures(&sessions) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
