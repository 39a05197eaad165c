//! What a session says about its level: its verdict, each threshold's figure, and what went wrong.

use super::level::SearchSpend;
use super::level_quality::LevelQuality;
use super::log::LogTrial;
use super::trial::{LevelVerdict, Purpose, TrialResult};
use crate::fold::FoldedSession;
use crate::session::{Estimated, SessionVerdict, StalledJoins, Verdict};
use rushhour_core::event::{FailureClass, StopReason};
use rushhour_core::profile::Threshold;
use rushhour_core::units::Micros;

/// A threshold at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialThreshold {
    /// The threshold.
    pub threshold: Threshold,
    /// Its verdict.
    pub verdict: Verdict,
    /// The number of samples.
    pub n: u64,
    /// The figure with its interval; none where there are too few samples.
    pub estimated: Option<Estimated>,
    /// The figure as text.
    pub found: String,
}

/// What a session says about its level.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialFinding {
    /// Its number in the search, from 1.
    pub number: u32,
    /// The trial and its verdict.
    pub result: TrialResult,
    /// The session's folder, relative to the search's.
    pub folder: String,
    /// Measured runs that completed or failed.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// The most runs in flight at once.
    pub peak_in_flight: u64,
    /// The thresholds, in the profile's order.
    pub thresholds: Vec<TrialThreshold>,
    /// How its conversations sounded, were heard and took turns.
    pub quality: LevelQuality,
    /// Why measured runs failed, the most frequent first.
    pub failures: Vec<(FailureClass, u64)>,
    /// Why the session says nothing about the agent; empty where the generator delivered its load.
    pub generator_faults: Vec<String>,
    /// Why the session stopped early; none where it did not.
    pub stopped: Option<String>,
    /// What the server's own dispatcher did to joins, if it did anything.
    pub stalled: Option<StalledJoins>,
    /// What it spent of the search's limits.
    pub spent: SearchSpend,
}

impl TrialFinding {
    /// The finding of a session; `start` is its start, from the start of the search.
    pub fn of(
        folded: &FoldedSession,
        overall: &SessionVerdict,
        logged: &LogTrial,
        start: Micros,
        spent: SearchSpend,
    ) -> Self {
        let thresholds: Vec<TrialThreshold> = overall
            .thresholds
            .iter()
            .map(|result| TrialThreshold {
                threshold: result.threshold,
                verdict: result.verdict,
                n: result.found.n(),
                estimated: result.found.estimated(),
                found: result.found.to_string(),
            })
            .collect();
        let stalled = StalledJoins::of_session(folded);
        Self {
            number: logged.number,
            result: TrialResult {
                trial: logged.trial,
                verdict: verdict_of(folded, overall),
                extension: extension(&thresholds),
                stalled: stalled.is_some(),
                start,
                end: start + Micros(folded.last_event.0),
            },
            folder: logged.folder.clone(),
            runs: folded.measured.ended(),
            failed: folded.measured.failed_total(),
            peak_in_flight: folded.in_flight_peak,
            thresholds,
            quality: LevelQuality::of(folded),
            failures: folded.measured.failures_by_count(),
            generator_faults: overall.validity.broken().map(ToString::to_string).collect(),
            stopped: folded.stops.first().map(|(_, detail)| detail.clone()),
            stalled,
            spent,
        }
    }

    /// The level: conversations at once.
    pub const fn in_flight(&self) -> u32 {
        self.result.trial.in_flight
    }

    /// The purpose of the trial.
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
    if stopped(&[
        StopReason::Credentials,
        StopReason::Rejected,
        StopReason::Journal,
        StopReason::Workers,
    ]) || !folded.closed
    {
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

/// The factor of samples that would decide every undecided threshold.
fn extension(thresholds: &[TrialThreshold]) -> Option<f64> {
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
