//! A session in one sentence: what it is worth, and how surely.

use std::fmt::Write;

use super::verdict::{Criterion, SessionVerdict, ThresholdResult, Verdict};
use crate::fold::{FoldedSession, ResumptionRecord};
use rushhour_core::units::SessionTime;

/// What a session is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionStanding {
    /// Every threshold holds.
    Passed,
    /// A threshold does not hold.
    Failed,
    /// No threshold fails, and one cannot be decided.
    Undecided,
    /// The generator was at fault: nothing is said of the agent.
    Invalid,
    /// There is no threshold.
    Unjudged,
}

impl SessionStanding {
    pub(super) fn of(overall: &SessionVerdict) -> Self {
        if !overall.validity.holds() {
            Self::Invalid
        } else if overall.any_failed() {
            Self::Failed
        } else if overall.any_undecided() {
            Self::Undecided
        } else if overall.thresholds.is_empty() {
            Self::Unjudged
        } else {
            Self::Passed
        }
    }

    /// The word used in reports.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Undecided => "Not enough data",
            Self::Invalid => "Invalid",
            Self::Unjudged => "No verdict",
        }
    }
}

/// What the session is worth, why, and how sure that is.
pub(super) fn verdict_sentence(
    folded: &FoldedSession,
    overall: &SessionVerdict,
    judgement: Criterion,
) -> String {
    let all = overall.thresholds.len();
    let of = |wanted: &dyn Fn(&ThresholdResult) -> bool| -> Vec<&ThresholdResult> {
        overall.thresholds.iter().filter(|result| wanted(result)).collect()
    };
    let n = folded.measured.ended();
    match SessionStanding::of(overall) {
        SessionStanding::Invalid => {
            let broken: Vec<&str> = overall.validity.broken().map(|check| check.name).collect();
            format!(
                "nothing is said of the agent, because the generator did not deliver the load as asked ({})",
                broken.join(", ")
            )
        }
        SessionStanding::Failed => {
            let failed =
                of(&|result| matches!(result.verdict, Verdict::Failed | Verdict::NoSamples));
            let named: Vec<String> = failed
                .iter()
                .map(|result| format!("{}, found {}", result.name(), result.found))
                .collect();
            let does = if failed.len() == 1 { "does" } else { "do" };
            let open = of(&|result| matches!(result.verdict, Verdict::Undecided { .. })).len();
            let rest = match open {
                0 => String::new(),
                some => format!("; {some} cannot be decided"),
            };
            format!(
                "{} of {} {does} not hold{}: {}{rest}",
                failed.len(),
                thresholds(all),
                how_surely(judgement, failed.len()),
                named.join("; ")
            )
        }
        SessionStanding::Undecided => {
            let open = of(&|result| matches!(result.verdict, Verdict::Undecided { .. }));
            let held = all - open.len();
            let named: Vec<String> = open.iter().map(|result| undecided(result)).collect();
            let rest = match held {
                0 => String::new(),
                1 => "; 1 other holds".to_owned(),
                more => format!("; {more} others hold"),
            };
            format!(
                "{} of {} cannot be decided from {n} measured runs; {}{rest}",
                open.len(),
                thresholds(all),
                named.join("; ")
            )
        }
        SessionStanding::Passed => {
            let all_hold = match all {
                1 => "the one threshold holds".to_owned(),
                more => format!("all {more} thresholds hold"),
            };
            format!("{all_hold}{}, over {n} measured runs", how_surely(judgement, all))
        }
        SessionStanding::Unjudged if folded.tally.started == 0 => {
            "no run was started, so nothing was measured".to_owned()
        }
        SessionStanding::Unjudged => {
            format!("the profile sets no thresholds; {n} measured runs came to an end")
        }
    }
}

fn thresholds(all: usize) -> String {
    if all == 1 { "1 threshold".to_owned() } else { format!("{all} thresholds") }
}

const fn how_surely(judgement: Criterion, of: usize) -> &'static str {
    match (judgement, of) {
        (Criterion::Interval, 1) => ", with 95 % confidence",
        (Criterion::Interval, _) => ", each with 95 % confidence",
        (Criterion::PointEstimate, _) => ", by the figures alone, without their intervals",
    }
}

fn undecided(result: &ThresholdResult) -> String {
    let needs = match result.verdict {
        Verdict::Undecided { needs: Some(needs) } => {
            format!(", and about {needs} samples would settle it")
        }
        _ => String::new(),
    };
    format!("{}: {}{needs}", result.name(), result.found)
}

/// How many runs came to which end, in one sentence.
pub(super) fn what_happened(folded: &FoldedSession) -> String {
    let tally = &folded.tally;
    let profile = &folded.opening.profile;
    let mut parts = vec![format!("{} completed", tally.completed)];
    if tally.judged_passed + tally.judged_failed > 0 {
        let _ = write!(
            parts[0],
            " ({} judged as passed, {} not)",
            tally.judged_passed, tally.judged_failed
        );
    }
    for (count, word) in [
        (tally.failed_total(), "failed"),
        (tally.skipped, "skipped"),
        (tally.not_started, "not started"),
        (tally.open(), "still open"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let judges = profile.judges.as_ref().map_or(String::new(), |judges| {
        format!(" They are runs of {} held again, to be judged.", judges.session)
    });
    format!(
        "{}: {} {} runs in {}: {}.{judges}",
        profile.name,
        tally.planned(),
        profile.mode,
        folded.last_event.since(SessionTime::START),
        parts.join(", ")
    )
}

/// When the session's process died and another one took it up, and what that means for the figures.
pub(super) fn resumptions(folded: &FoldedSession) -> Vec<String> {
    let words = |resumption: &ResumptionRecord| {
        let torn = match resumption.torn_bytes {
            0 => String::new(),
            torn => format!(" {torn} bytes of half a line were cut off its journal."),
        };
        format!(
            "Its process died and the session was resumed at {}: nobody watched for {}, with {} runs under way; ends that fell into that time are counted as longer than what was seen of them.{torn}",
            resumption.wall,
            resumption.gap.length(),
            resumption.open_runs,
        )
    };
    folded.resumptions.iter().map(words).collect()
}

/// What a reader has to know before reading on: that the session was cut short, what is assumed, what
/// was left behind.
pub(super) fn warnings(folded: &FoldedSession) -> Vec<String> {
    let mut notes: Vec<String> = folded
        .stops
        .iter()
        .map(|(reason, detail)| format!("Stopped ({}): {detail}.", reason.name()))
        .collect();
    notes.extend(resumptions(folded));
    if !folded.closed {
        notes.push(
            "The session did not come to its end: it was killed, or is still running.".to_owned(),
        );
    }
    if folded.assumed_mappings > 0 {
        notes.push(format!(
            "Which of the evaluator's runs is which was assumed from their order for {} runs.",
            folded.assumed_mappings
        ));
    }
    if folded.rooms_not_deleted > 0 {
        notes.push(format!(
            "{} rooms could not be deleted; `rushhour sweep` finds them.",
            folded.rooms_not_deleted
        ));
    }
    notes
}
