//! The end of a session on one screen, in plain words: what happened, how fast, whether it passed.

use std::fmt::Write;

use super::figures::{PercentileFigure, figure};
use super::funnel::funnel_lines;
use super::headline::{resumptions, what_happened};
use super::judged::judged_words;
use super::measured::measured;
use super::money::{bill_words, old_prices_of};
use super::paired::{PairedComparison, pairs_words, table_rows};
use super::unfinished::{ReachedFigure, WithUnfinished};
use super::verdict::{SessionVerdict, Verdict};
use crate::fold::{FoldedSession, Latencies, Scope};
use rushhour_core::units::{Metric, Mode, Percentile};

/// Latencies that the screen has room for; those that were not measured are left out.
pub(super) const SHOWN: [Metric; 13] = [
    Metric::AgentJoin,
    Metric::AgentReady,
    Metric::Greeting,
    Metric::TurnChatFirst,
    Metric::TurnChatFinal,
    Metric::TurnVoice,
    Metric::TimeToYield,
    Metric::AgentLlmFirstToken,
    Metric::AgentEndToEnd,
    Metric::SubmissionResponse,
    Metric::Queue,
    Metric::Conversation,
    Metric::CompletionResponse,
];
/// p50, p95 and p99, by their place among the listed percentiles.
pub(super) const PERCENTILES: [Percentile; 3] =
    [Percentile::LISTED[0], Percentile::LISTED[3], Percentile::LISTED[4]];

/// Runs that were cut off are told of from this share on.
const MATTERS: f64 = 0.005;

/// How the text is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Nothing but text.
    Plain,
    /// With ANSI colours.
    Colours,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn unclear(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// The session in words.
pub fn terminal(folded: &FoldedSession, overall: &SessionVerdict, style: Style) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(style.strong(&what_happened(folded)));
    for (reason, detail) in &folded.stops {
        line(style.unclear(&format!("Stopped ({}): {detail}.", reason.name())));
    }
    for words in resumptions(folded) {
        line(style.unclear(&words));
    }
    if !folded.closed {
        line(
            style.unclear(
                "The session did not come to its end: it was killed, or is still running.",
            ),
        );
    }
    for failure in failures(folded) {
        line(failure);
    }
    line(String::new());
    for step in funnel_lines(folded) {
        line(step);
    }
    for latency in latencies(folded) {
        line(latency);
    }
    for mode in folded.opening.profile.mode.modes() {
        if let Some(unfinished) = unfinished(folded, *mode) {
            line(style.unclear(&unfinished));
        }
    }
    for threshold in thresholds(overall, style) {
        line(threshold);
    }
    line(String::new());
    for words in generator(folded, overall, style) {
        line(words);
    }
    if let Some(words) = bill_words(folded) {
        line(words);
    }
    for words in overall.pairs.iter().flat_map(|pairs| paired(pairs, style)) {
        line(words);
    }
    for words in overall.judged.iter().flat_map(judged_words) {
        line(words);
    }
    if let Some(old) = old_prices_of(folded) {
        line(style.unclear(&format!("Note: {old}.")));
    }
    text
}

/// Voice against chat: what differs, and the answer last, where it is read first.
fn paired(pairs: &PairedComparison, style: Style) -> Vec<String> {
    let mut lines = vec![String::new()];
    if !pairs.differences.is_empty() {
        lines.push(format!(
            "{:<40}{:>12}{:>12}  voice less chat, 95 % interval",
            "pairs", "chat", "voice"
        ));
    }
    for [measure, chat, voice, difference, _] in table_rows(pairs) {
        lines.push(format!("{measure:<40}{chat:>12}{voice:>12}  {difference}"));
    }
    lines.extend(pairs_words(pairs));
    lines.push(style.strong(&pairs.answer));
    lines
}

fn failures(folded: &FoldedSession) -> Vec<String> {
    let classes = folded.tally.failures_by_count();
    classes
        .into_iter()
        .map(|(class, count)| format!("  {count:>6} {:<20} {}", class.name(), class.advice()))
        .collect()
}

fn latencies(folded: &FoldedSession) -> Vec<String> {
    let shown = measured(folded, SHOWN);
    if shown.is_empty() {
        return vec!["Nothing was measured.".to_owned()];
    }
    let width = shown.iter().map(|one| one.label().len()).max().unwrap_or(0).max(22);
    let mut lines = vec![format!(
        "{:<width$}{:>7}  {:<26}{:<26}{}",
        "95 % intervals", "n", "p50", "p95", "p99"
    )];
    for one in shown {
        let mut line = format!("{:<width$}{:>7}  ", one.label(), one.latencies.count());
        for percentile in PERCENTILES {
            let cell = match figure(one.latencies, percentile) {
                PercentileFigure::Known { value, low, high } => format!("{value} [{low}, {high}]"),
                PercentileFigure::TooFew { needs, .. } => format!("n/a (needs {needs})"),
            };
            let _ = write!(line, "{cell:<26}");
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// What completion would be with the runs that were cut off, where these are many enough to matter.
fn unfinished(folded: &FoldedSession, mode: Mode) -> Option<String> {
    let metric = Metric::CompletionResponse;
    let nothing = Latencies::default();
    let ended = folded.latencies.get(metric, mode, Scope::Measured).unwrap_or(&nothing);
    let unfinished = folded.unfinished.get(metric, mode, Scope::Measured);
    let with = WithUnfinished::new(ended, unfinished).filter(|with| with.share() >= MATTERS)?;
    let known = PERCENTILES.iter().filter_map(|percentile| match with.figure(*percentile) {
        ReachedFigure::Known { value: Some(value), .. } => Some(format!("{percentile} {value}")),
        ReachedFigure::Known { value: None, seen_until, .. } => {
            Some(format!("{percentile} not reached by {seen_until}"))
        }
        ReachedFigure::TooFew { .. } => None,
    });
    let known: Vec<String> = known.collect();
    let words = if known.is_empty() { "too few to say".to_owned() } else { known.join(", ") };
    let count = with.unfinished();
    let of = if folded.opening.profile.mode.is_paired() { mode.name() } else { "" };
    let gap = if of.is_empty() { "" } else { " " };
    Some(format!(
        "{metric}{gap}{of} with the {count} runs that were cut off counted as longer: {words}."
    ))
}

fn thresholds(overall: &SessionVerdict, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for result in &overall.thresholds {
        if lines.is_empty() {
            lines.push(String::new());
        }
        let word = format!("{:<15}", result.verdict.word());
        let word = match result.verdict {
            Verdict::Passed => style.good(&word),
            Verdict::Failed | Verdict::NoSamples => style.bad(&word),
            Verdict::Undecided { .. } => style.unclear(&word),
        };
        let needs = match result.verdict {
            Verdict::Undecided { needs: Some(needs) } => {
                format!("; about {needs} would settle it")
            }
            _ => String::new(),
        };
        lines.push(format!("{word} {}: {}{needs}", result.name(), result.found));
    }
    lines
}

fn generator(folded: &FoldedSession, overall: &SessionVerdict, style: Style) -> Vec<String> {
    let method = folded.opening.profile.livekit.dispatch.method();
    let mut lines = Vec::new();
    if overall.validity.holds() {
        let kept = overall
            .validity
            .checks
            .iter()
            .find(|check| check.name == "schedule lag")
            .map_or(String::new(), |check| format!(": {}", check.found));
        lines.push(format!("The generator kept up{kept}."));
    } else {
        lines.push(
            style.bad(
                "The generator did not deliver the load as asked: nothing is said of the agent.",
            ),
        );
        for check in overall.validity.broken() {
            lines.push(format!("  {}: {}; {}", check.name, check.found, check.advice));
        }
    }
    lines.push(format!(
        "Agents were dispatched by `{method}`; join times of other methods are not comparable."
    ));
    if folded.assumed_mappings > 0 {
        lines.push(format!(
            "Which of the evaluator's runs is which was assumed from their order for {} runs.",
            folded.assumed_mappings
        ));
    }
    if folded.rooms_not_deleted > 0 {
        lines.push(style.bad(&format!(
            "{} rooms could not be deleted; `rushhour sweep` finds them.",
            folded.rooms_not_deleted
        )));
    }
    lines
}
