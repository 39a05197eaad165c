//! A session on the terminal: what happened, how fast, and whether it passed.

use crate::fold::{FoldedSession, Latencies, Scope};
use crate::render::sentences::bill::bill_sentence;
use crate::render::sentences::heard::heard_notes;
use crate::render::sentences::judging::judging_sentences;
use crate::render::sentences::paired::paired_notes;
use crate::render::sentences::rules::rule_notes;
use crate::render::sentences::session::{
    INVALID, NOT_FINISHED, assumption_note, conversation_note, in_clear_notes, mark_note,
    outcome_sentence, path_note, poll_note, reconnect_note, resumption_notes, room_note, rpc_note,
    stall_note, stop_notes, verdict_sentence,
};
use crate::render::sentences::{capitalised, counted};
use crate::render::table::Style;
use crate::render::tables::failures::failure_table;
use crate::render::tables::funnel::funnel_table;
use crate::render::tables::latencies::{PERCENTILES, latency_table};
use crate::render::tables::paired::difference_table;
use crate::render::tables::thresholds::threshold_table;
use crate::session::{
    BillTotals, Criterion, OldPrices, ReachedFigure, SessionVerdict, ValidityFigure, WithUnfinished,
};
use rushhour_core::units::{Metric, Mode};

/// Runs that were cut off are mentioned from this share on.
const MENTIONED: f64 = 0.005;

/// The session as text. The conclusion is at the end, where a terminal shows it.
pub fn session_text(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
    style: Style,
) -> String {
    let mut parts = vec![outcome(folded, style)];
    parts.extend(nothing_completed(folded, verdict, criterion, style));
    let has_funnel = folded.opening.profile.evaluator.cekura().is_none();
    if has_funnel && folded.tally.started > 0 {
        parts.push(funnel_table(folded).text(style));
    }
    parts.push(latencies(folded, style));
    if !verdict.thresholds.is_empty() {
        parts.push(threshold_table(verdict, criterion).text(style));
    }
    parts.push(generator(folded, verdict, style));
    parts.extend(paired(verdict, style));
    parts.extend(verdict.judged.as_ref().map(judging_sentences));
    let old = OldPrices::of_session(folded);
    parts.extend(old.map(|old| vec![style.unclear(&format!("Note: {old}."))]));
    let parts: Vec<String> = parts.iter().map(|lines| lines.join("\n")).collect();
    parts.join("\n\n") + "\n"
}

fn outcome(folded: &FoldedSession, style: Style) -> Vec<String> {
    let mut lines = vec![style.strong(&outcome_sentence(folded))];
    let mut notes = stop_notes(folded);
    notes.extend(mark_note(folded));
    notes.extend(resumption_notes(folded));
    notes.extend((!folded.closed).then(|| NOT_FINISHED.to_owned()));
    lines.extend(notes.iter().map(|note| style.unclear(note)));
    lines.extend(conversation_note(folded));
    if !folded.tally.failed.is_empty() {
        lines.push(String::new());
        lines.extend(failure_table(folded).text(style));
    }
    lines
}

/// Why a session without a completed run has not passed.
fn nothing_completed(
    folded: &FoldedSession,
    verdict: &SessionVerdict,
    criterion: Criterion,
    style: Style,
) -> Option<Vec<String>> {
    if verdict.nothing_completed.is_none() || !verdict.validity.holds() {
        return None;
    }
    let sentence = capitalised(&verdict_sentence(folded, verdict, criterion));
    Some(vec![style.bad(&format!("{sentence}."))])
}

fn latencies(folded: &FoldedSession, style: Style) -> Vec<String> {
    let table = latency_table(folded);
    if table.is_empty() {
        return vec!["Nothing was measured.".to_owned()];
    }
    let mut lines = table.text(style);
    let unfinished =
        folded.opening.profile.mode.modes().iter().filter_map(|mode| unfinished(folded, *mode));
    lines.extend(unfinished.map(|line| style.unclear(&line)));
    lines
}

/// The completion latency with the runs that were cut off, if these are many enough to matter.
fn unfinished(folded: &FoldedSession, mode: Mode) -> Option<String> {
    let metric = Metric::CompletionResponse;
    let nothing = Latencies::default();
    let ended = folded.latencies.get(metric, mode, Scope::Measured).unwrap_or(&nothing);
    let unfinished = folded.unfinished.get(metric, mode, Scope::Measured);
    let censored = WithUnfinished::new(ended, unfinished).filter(|all| all.share() >= MENTIONED)?;
    let figures = PERCENTILES.iter().filter_map(|percentile| match censored.figure(*percentile) {
        ReachedFigure::Known { value: Some(value), .. } => Some(format!("{percentile} {value}")),
        ReachedFigure::Known { value: None, observed_until, .. } => {
            Some(format!("{percentile} not reached by {observed_until}"))
        }
        ReachedFigure::TooFew { .. } => None,
    });
    let figures: Vec<String> = figures.collect();
    let figures = if figures.is_empty() { "too few runs".to_owned() } else { figures.join(", ") };
    let is_paired = folded.opening.profile.mode.is_paired();
    let of_mode = if is_paired { format!(" {}", mode.name()) } else { String::new() };
    Some(format!(
        "{metric}{of_mode} with {} that {} cut off counted as longer: {figures}.",
        counted(censored.unfinished(), "run"),
        if censored.unfinished() == 1 { "was" } else { "were" }
    ))
}

fn generator(folded: &FoldedSession, verdict: &SessionVerdict, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    if verdict.validity.holds() {
        let lag = verdict
            .validity
            .rules
            .iter()
            .find(|rule| matches!(rule.figure, ValidityFigure::ScheduleLag { .. }))
            .map_or(String::new(), |rule| format!(": {}", rule.figure));
        lines.push(format!("The load generator delivered the load{lag}."));
    } else {
        lines.push(style.bad(INVALID));
        lines.extend(verdict.validity.broken().map(|rule| format!("  {}", rule.with_advice())));
    }
    lines.push(format!(
        "Agents were dispatched by `{}`; join times of other methods are not comparable.",
        folded.opening.profile.livekit.dispatch.method()
    ));
    lines.extend(assumption_note(folded));
    lines.extend(poll_note(folded));
    lines.extend(stall_note(folded));
    lines.extend(reconnect_note(folded));
    lines.extend(heard_notes(folded));
    lines.extend(rule_notes(folded));
    lines.extend(rpc_note(folded));
    lines.extend(path_note(folded));
    lines.extend(room_note(folded).map(|note| style.bad(&note)));
    lines.extend(in_clear_notes(folded).iter().map(|note| style.unclear(note)));
    lines.extend(BillTotals::of(folded).map(|bill| bill_sentence("The session", &bill)));
    lines
}

/// Voice compared with chat, with the answer at the end.
fn paired(verdict: &SessionVerdict, style: Style) -> Option<Vec<String>> {
    let comparison = verdict.pairs.as_ref()?;
    let mut lines = Vec::new();
    if !comparison.differences.is_empty() {
        lines.extend(difference_table(comparison).text(style));
    }
    lines.extend(paired_notes(comparison));
    lines.push(style.strong(&comparison.answer.to_string()));
    Some(lines)
}
