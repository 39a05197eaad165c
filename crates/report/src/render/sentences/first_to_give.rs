//! The first threshold that fails in a search for capacity, and why, in words.

use crate::capacity::FirstFailure;
use crate::session::{Estimated, Verdict};
use rushhour_core::event::FailureClass;
use rushhour_core::profile::{
    HeardShare, QualityMeasure, RunShare, Threshold, ThresholdBound, ThresholdMeasure,
};
use rushhour_core::units::Micros;

/// What fails, where, and why.
pub(super) fn first_to_give(gave_way: &FirstFailure<'_>) -> String {
    let threshold = gave_way.threshold;
    format!(
        "{}, at {}, where it is {} against a bound of {}, because {}",
        measure_label(threshold.threshold.measure),
        gave_way.finding.in_flight(),
        figure(&threshold.threshold, threshold.estimated),
        threshold.threshold.bound,
        because(gave_way)
    )
}

fn measure_label(measure: ThresholdMeasure) -> String {
    match measure {
        ThresholdMeasure::Latency { .. } => measure.to_string(),
        ThresholdMeasure::Share(RunShare::Failed) => "the share of runs that fail".to_owned(),
        ThresholdMeasure::Share(RunShare::Skipped) => {
            "the share of runs that are skipped".to_owned()
        }
        ThresholdMeasure::Share(RunShare::JudgedFailed) => {
            "the share of runs judged as failed".to_owned()
        }
        ThresholdMeasure::Heard(HeardShare::WordErrors) => {
            "the share of words that agents misheard (heard.wer)".to_owned()
        }
        ThresholdMeasure::Heard(HeardShare::CharacterErrors) => {
            "the share of characters that agents misheard (heard.cer)".to_owned()
        }
        ThresholdMeasure::Heard(HeardShare::KeyWords) => {
            "the share of key words that agents heard (heard.words)".to_owned()
        }
        ThresholdMeasure::Quality(QualityMeasure::Gaps) => {
            "the agent's speech, which breaks up (speech.gaps)".to_owned()
        }
        ThresholdMeasure::Quality(QualityMeasure::Concealed) => {
            "the agent's speech, of which a part is not heard (speech.concealed)".to_owned()
        }
        ThresholdMeasure::Quality(QualityMeasure::Overlap) => {
            "how the agent takes turns: it speaks while callers do (overlap)".to_owned()
        }
        ThresholdMeasure::Quality(QualityMeasure::TalkOver) => {
            "how the agent takes turns: it talks over callers (talk_over)".to_owned()
        }
    }
}

/// Why the threshold failed, from the failures and the figures.
pub(crate) fn because(gave_way: &FirstFailure<'_>) -> String {
    let finding = gave_way.finding;
    let failures = finding.failures.first().map(|(class, count)| {
        format!("{} ({class}, {count} of {} runs)", class_label(*class), finding.runs)
    });
    let grew = || {
        let (level, before) = gave_way.before?;
        let now = gave_way.threshold.estimated?;
        let threshold = &gave_way.threshold.threshold;
        Some(format!(
            "it went from {} at {level} to {} at {}",
            number(threshold, before.value),
            number(threshold, now.value),
            finding.in_flight()
        ))
    };
    if gave_way.threshold.verdict == Verdict::NoSamples {
        let nothing = "nothing of it was measured".to_owned();
        return failures.map_or(nothing.clone(), |failures| format!("{nothing}: {failures}"));
    }
    if gave_way.is_share() {
        return failures.or_else(grew).unwrap_or_else(|| "it exceeds its bound".to_owned());
    }
    let grew = grew().unwrap_or_else(|| "its whole interval is outside the bound".to_owned());
    failures.map_or(grew.clone(), |failures| format!("{grew}; also, {failures}"))
}

/// What a class of failure says about the limit.
const fn class_label(class: FailureClass) -> &'static str {
    match class {
        FailureClass::TokenRejected => "LiveKit rejected tokens",
        FailureClass::RoomFailed => "LiveKit did not create rooms",
        FailureClass::ConnectionLost => "callers lost their connections",
        FailureClass::DispatchFailed => "LiveKit did not accept dispatches",
        FailureClass::DispatchUnassigned => "workers reject, or none is free",
        FailureClass::AgentNeverJoined => "no agent joined",
        FailureClass::AgentLate => "agents joined late",
        FailureClass::AgentMute => "agents joined and said nothing",
        FailureClass::AgentLeft => "agents left before the end",
        FailureClass::TurnTimeout => "turns were not answered in time",
        FailureClass::SubmitRejected => "the evaluator refused submissions",
        FailureClass::SubmitUnknown => "the evaluator did not answer submissions",
        FailureClass::EvaluatorFailed => "the evaluator ended runs as failed",
        FailureClass::EvaluatorTimeout => "runs did not end in time",
        FailureClass::RateLimited => {
            "the evaluator answers 429, which is its limit, not the agent's"
        }
        FailureClass::LivekitRateLimited => {
            "LiveKit answers 429, which is its limit, not the agent's"
        }
        FailureClass::StatusUnknown => "the evaluator did not tell how runs ended",
        FailureClass::BudgetStopped => "the budget was reached",
        FailureClass::Cancelled => "runs were cancelled",
        FailureClass::GeneratorFault => "Rushhour itself could not execute runs",
    }
}

/// A threshold's figure with its interval.
pub(super) fn figure(threshold: &Threshold, estimated: Option<Estimated>) -> String {
    match estimated {
        Some(Estimated { value, low, high }) => format!(
            "{} [{}, {}]",
            number(threshold, value),
            number(threshold, low),
            number(threshold, high)
        ),
        None => "n/a".to_owned(),
    }
}

/// A number in the unit of a threshold's bound.
pub(crate) fn number(threshold: &Threshold, value: f64) -> String {
    match threshold.bound {
        ThresholdBound::Time(_) => Micros::from_secs_f64(value / 1e6).to_string(),
        ThresholdBound::Share(_) => format!("{:.1} %", value * 100.0),
        ThresholdBound::Rate(_) => format!("{value:.2}/min"),
    }
}
