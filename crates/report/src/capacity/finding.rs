//! What a session says of its level: its verdict, each threshold's figure, and what went wrong.

use super::level::SearchSpend;
use super::trial::{LevelVerdict, Purpose, Trial, TrialResult};
use crate::fold::FoldedSession;
use crate::report::{Estimated, SessionVerdict, Verdict};
use rushhour_core::event::{FailureClass, StopReason};
use rushhour_core::profile::Threshold;
use rushhour_core::units::Micros;

/// A threshold at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialThreshold {
    /// The threshold.
    pub threshold: Threshold,
    /// What came of it.
    pub verdict: Verdict,
    /// How many samples it rests on.
    pub n: u64,
    /// The figure with its interval; none where there are too few samples.
    pub estimated: Option<Estimated>,
    /// The same in words.
    pub found: String,
}

/// What a session says of its level.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialFinding {
    /// Its place in the search, from 1.
    pub number: u32,
    /// What was tried and what came of it.
    pub result: TrialResult,
    /// The session's folder, below that of the search.
    pub folder: String,
    /// Measured runs whose outcome is known, and how many of them failed.
    pub runs: (u64, u64),
    /// The most that were in flight.
    pub peak_in_flight: u64,
    /// The thresholds, in the profile's order.
    pub thresholds: Vec<TrialThreshold>,
    /// Why measured runs failed, the most frequent first.
    pub failures: Vec<(FailureClass, u64)>,
    /// Why the generator's figures say nothing of the agent; empty where it delivered.
    pub generator_faults: Vec<String>,
    /// Why the session ended before its plan, in words; none where it did not.
    pub stopped: Option<String>,
    /// What it used up of the search's caps.
    pub spent: SearchSpend,
}

impl TrialFinding {
    /// What a session that was tried as the `number`th says; `begins` is its beginning, from the search's.
    pub fn of(
        folded: &FoldedSession,
        overall: &SessionVerdict,
        (number, trial, folder): (u32, Trial, String),
        begins: Micros,
        spent: SearchSpend,
    ) -> Self {
        let thresholds: Vec<TrialThreshold> = overall
            .thresholds
            .iter()
            .map(|result| TrialThreshold {
                threshold: result.threshold,
                verdict: result.verdict.clone(),
                n: result.n,
                estimated: result.estimated,
                found: result.found.clone(),
            })
            .collect();
        let tried = TrialResult {
            trial,
            verdict: verdict_of(folded, overall),
            extension: longer(&thresholds),
            start: begins,
            end: begins + Micros(folded.last_event.0),
        };
        Self {
            number,
            result: tried,
            folder,
            runs: (folded.measured.ended(), folded.measured.failed_total()),
            peak_in_flight: folded.in_flight_peak,
            thresholds,
            failures: folded.measured.failures_by_count(),
            generator_faults: overall
                .validity
                .broken()
                .map(|check| format!("{}: {}", check.name, check.found))
                .collect(),
            stopped: folded.stops.first().map(|(_, words)| words.clone()),
            spent,
        }
    }

    /// The level.
    pub const fn in_flight(&self) -> u32 {
        self.result.trial.in_flight
    }

    /// What it was for.
    pub const fn purpose(&self) -> Purpose {
        self.result.trial.purpose
    }

    /// The thresholds that do not hold.
    pub fn failed_thresholds(&self) -> impl Iterator<Item = &TrialThreshold> {
        self.thresholds
            .iter()
            .filter(|found| matches!(found.verdict, Verdict::Failed | Verdict::NoSamples))
    }
}

fn verdict_of(folded: &FoldedSession, overall: &SessionVerdict) -> LevelVerdict {
    let stopped =
        |reasons: &[StopReason]| folded.stops.iter().any(|(reason, _)| reasons.contains(reason));
    if stopped(&[StopReason::Credentials, StopReason::Journal]) || !folded.closed {
        LevelVerdict::Broken
    } else if stopped(&[StopReason::Drain, StopReason::Now]) {
        LevelVerdict::Stopped
    } else if stopped(&[StopReason::Budget]) {
        LevelVerdict::Budget
    } else if !overall.validity.holds() {
        LevelVerdict::Generator
    } else if overall.any_failed() {
        LevelVerdict::Failed
    } else if overall.any_undecided() {
        LevelVerdict::Undecided
    } else {
        LevelVerdict::Passed
    }
}

/// How many times as many samples would settle what is undecided, by the one that needs most.
fn longer(thresholds: &[TrialThreshold]) -> Option<f64> {
    thresholds
        .iter()
        .filter_map(|found| match found.verdict {
            Verdict::Undecided { needs: Some(needs) } if found.n > 0 => {
                Some(needs as f64 / found.n as f64)
            }
            _ => None,
        })
        .max_by(f64::total_cmp)
}
