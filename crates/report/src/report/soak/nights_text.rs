//! The nights of a history on the terminal: a line each.

use super::super::page::JudgedNights;
use super::super::terminal::Style;
use super::super::visible::visible;
use crate::soak::{SoakVerdict, TrackedSeries};
use rushhour_core::units::Metric;

/// Figures that a line has room for, the first that the nights have.
const SHOWN: [TrackedSeries; 5] = [
    TrackedSeries::Median(Metric::TurnVoice),
    TrackedSeries::Median(Metric::TurnChatFirst),
    TrackedSeries::Median(Metric::CompletionResponse),
    TrackedSeries::P95(Metric::AgentJoin),
    TrackedSeries::Memory,
];
const COLUMNS: usize = 3;

/// The nights of each profile, a line each.
pub fn history_text(profiles: &[JudgedNights<'_>], style: Style) -> String {
    let mut lines = Vec::new();
    for nights in profiles {
        let Some((last, _)) = nights.last() else { continue };
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let hash: String = last.profile_hash.chars().take(8).collect();
        lines.push(style.strong(&visible(&format!(
            "{} ({hash}), {} nights",
            last.profile,
            nights.len()
        ))));
        let names: Vec<String> = SHOWN
            .into_iter()
            .map(TrackedSeries::name)
            .filter(|name| nights.iter().any(|(night, _)| night.series.contains_key(name)))
            .take(COLUMNS)
            .collect();
        let head: String = names.iter().map(|name| format!("{name:>24}")).collect();
        lines.push(format!("{:<17}{:>6}{:>7}{head}  found", "began", "runs", "failed"));
        for (night, judged) in nights {
            let began: String = night.started.chars().take(16).collect();
            let cells: String = names
                .iter()
                .map(|name| night.series.get(name))
                .map(|figure| {
                    figure.map_or("-".to_owned(), |figure| figure.unit.amount(figure.level))
                })
                .map(|cell| format!("{cell:>24}"))
                .collect();
            let mut found = vec![night.verdict.label().to_owned()];
            let grown = night.series.iter().filter(|(_, figure)| figure.finding.is_worse());
            found.extend(grown.map(|(name, _)| format!("{name} grew")));
            if night.leaked {
                found.push("something was left behind".to_owned());
            }
            let worse = judged.series.iter().filter(|one| one.finding.is_worse());
            found.extend(worse.map(|one| format!("{} worse than before", one.series)));
            let found = visible(&found.join(", "));
            let found = match night.verdict {
                SoakVerdict::Steady => style.good(&found),
                SoakVerdict::Drifts => style.bad(&found),
                SoakVerdict::NotEnoughData | SoakVerdict::Invalid => style.unclear(&found),
            };
            let began = visible(&began.replace('T', " "));
            lines.push(format!("{began:<17}{:>6}{:>7}{cells}  {found}", night.runs, night.failed));
        }
    }
    lines.join("\n")
}
