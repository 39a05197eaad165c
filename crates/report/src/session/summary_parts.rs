//! The parts of `summary.json`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::percentiles::{PercentileFigure, listed_percentiles, quantile_of};
use super::threshold::{ThresholdFigure, ThresholdResult, Verdict};
use super::unfinished::{ReachedFigure, WithUnfinished};
use super::validity::{ValidityFigure, ValidityRule};
use crate::fold::{FoldedSession, Latencies, OutcomeTally, ResumptionRecord, Scope};
use rushhour_core::event::StopReason;
use rushhour_core::units::{Metric, Micros, Mode, Percentile};
use rushhour_stats::{Confidence, min_sample_size};

/// A process of the session died, and another one resumed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ResumptionSummary {
    /// The wall clock at the resumption, RFC 3339 in UTC.
    pub wall: String,
    /// The same moment on the session's clock, in microseconds.
    pub at_us: u64,
    /// How long no process observed the session, in microseconds.
    pub unwatched_us: u64,
    /// Bytes of an incomplete line that were cut off the journal.
    pub torn_bytes: u64,
    /// Runs under way at the resumption.
    pub open: u64,
}

impl ResumptionSummary {
    pub(super) fn of(resumption: &ResumptionRecord) -> Self {
        Self {
            wall: resumption.wall.clone(),
            at_us: resumption.gap.to.0,
            unwatched_us: resumption.gap.length().0,
            torn_bytes: resumption.torn_bytes,
            open: resumption.open_runs,
        }
    }
}

/// Why no more runs were started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StopSummary {
    /// The reason's name.
    pub reason: String,
    /// The reason in words.
    pub detail: String,
}

impl StopSummary {
    pub(super) fn of((reason, detail): &(StopReason, String)) -> Self {
        Self { reason: reason.name().to_owned(), detail: detail.clone() }
    }
}

/// One condition that must hold for the session to say anything about the agent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ValidityCheck {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub found: ValidityFigure,
}

impl ValidityCheck {
    pub(super) fn of(rule: &ValidityRule) -> Self {
        let name = rule.figure.name().to_owned();
        Self { name, holds: rule.holds, found: rule.figure }
    }
}

/// Runs by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeCounts {
    /// Planned, as far as their outcome is known.
    pub planned: u64,
    /// Started.
    pub started: u64,
    /// Completed.
    pub completed: u64,
    /// Completed and judged as passed.
    pub judged_passed: u64,
    /// Completed and judged as failed.
    pub judged_failed: u64,
    /// Failed.
    pub failed: u64,
    /// Failed, by class.
    pub failed_by_class: BTreeMap<String, u64>,
    /// Skipped.
    pub skipped: u64,
    /// Not started because the session was stopped.
    pub not_started: u64,
    /// Under way when the session was killed.
    pub open: u64,
}

impl OutcomeCounts {
    pub(super) fn of(tally: &OutcomeTally) -> Self {
        let by_class = tally.failed.iter();
        Self {
            planned: tally.planned(),
            started: tally.started,
            completed: tally.completed,
            judged_passed: tally.judged_passed,
            judged_failed: tally.judged_failed,
            failed: tally.failed_total(),
            failed_by_class: by_class.map(|(class, n)| (class.name().to_owned(), *n)).collect(),
            skipped: tally.skipped,
            not_started: tally.not_started,
            open: tally.open(),
        }
    }
}

/// Rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoomCounts {
    /// Created.
    pub made: u64,
    /// Deleted.
    pub deleted: u64,
    /// Left behind, for `rushhour sweep` to find.
    pub left: u64,
}

/// One threshold.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ThresholdSummary {
    /// The threshold as the profile states it.
    pub threshold: String,
    /// `passed`, `failed`, `not enough data` or `no samples`.
    pub verdict: String,
    /// The number of samples.
    pub n: u64,
    /// If it is undecided, about how many samples would decide it.
    pub needs: Option<u64>,
    /// The figure and its interval, in words.
    pub found: ThresholdFigure,
}

impl ThresholdSummary {
    pub(super) fn of(result: &ThresholdResult) -> Self {
        Self {
            threshold: result.name(),
            verdict: result.verdict.name().to_owned(),
            n: result.found.n(),
            needs: match result.verdict {
                Verdict::Undecided { needs } => needs,
                _ => None,
            },
            found: result.found,
        }
    }
}

/// One latency in one part of the session.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LatencySummary {
    /// What was measured.
    pub metric: String,
    /// The mode of the conversations.
    pub mode: String,
    /// `session`, `scenario` or `stage`.
    pub scope: String,
    /// The scenario's or stage's name.
    pub name: String,
    /// The number of samples.
    pub n: u64,
    /// Runs that were cut off before their end. They are not among the samples.
    #[serde(default)]
    pub unfinished: u64,
    /// The minimum, in microseconds.
    pub min_us: u64,
    /// The mean, in microseconds.
    pub mean_us: f64,
    /// The maximum, in microseconds.
    pub max_us: u64,
    /// The widest pair of bounds: the resolution of the figures, in microseconds.
    pub coarsest_us: u64,
    /// The percentiles.
    pub percentiles: Vec<PercentileSummary>,
}

impl LatencySummary {
    pub(super) fn of(
        folded: &FoldedSession,
        (metric, mode, scope): (Metric, Mode, Scope),
        latencies: &Latencies,
    ) -> Self {
        let part = scope_of(folded, scope);
        let unfinished = folded.unfinished.get(metric, mode, scope);
        let censored = WithUnfinished::new(latencies, unfinished);
        Self {
            metric: metric.name().to_owned(),
            mode: mode.name().to_owned(),
            scope: part.kind.to_owned(),
            name: part.name.to_owned(),
            n: latencies.count(),
            unfinished: censored.as_ref().map_or(0, WithUnfinished::unfinished),
            min_us: latencies.min().0,
            mean_us: (latencies.mean() * 10.0).round() / 10.0,
            max_us: latencies.max().0,
            coarsest_us: latencies.widest_bounds().0,
            percentiles: listed_percentiles(latencies)
                .into_iter()
                .map(|(percentile, figure)| {
                    PercentileSummary::of(percentile, figure, censored.as_ref())
                })
                .collect(),
        }
    }
}

/// One percentile with its 95 % interval; without values if there are too few samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PercentileSummary {
    /// Such as `p95`.
    pub percentile: String,
    /// The value, in microseconds.
    pub value_us: Option<u64>,
    /// The interval's lower end, in microseconds.
    pub low_us: Option<u64>,
    /// The interval's upper end, in microseconds.
    pub high_us: Option<u64>,
    /// The number of samples that it needs.
    pub needs: u64,
    /// The same with runs that were cut off counted as longer than the time observed (Kaplan-Meier); absent if no
    /// run was cut off, or if there are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_unfinished: Option<UnfinishedSummary>,
}

impl PercentileSummary {
    fn of(
        percentile: Percentile,
        figure: PercentileFigure,
        censored: Option<&WithUnfinished>,
    ) -> Self {
        let [value_us, low_us, high_us] = match figure {
            PercentileFigure::Known { value, low, high } => {
                [value, low, high].map(|micros| Some(micros.0))
            }
            PercentileFigure::TooFew { .. } => [None; 3],
        };
        Self {
            percentile: percentile.to_string(),
            value_us,
            low_us,
            high_us,
            needs: min_sample_size(quantile_of(percentile), Confidence::default()),
            with_unfinished: censored.and_then(|censored| {
                let micros = |time: Option<Micros>| time.map(|time| time.0);
                match censored.figure(percentile) {
                    ReachedFigure::Known { value, low, high, observed_until } => {
                        Some(UnfinishedSummary {
                            value_us: micros(value),
                            low_us: micros(low),
                            high_us: micros(high),
                            seen_until_us: observed_until.0,
                        })
                    }
                    ReachedFigure::TooFew { .. } => None,
                }
            }),
        }
    }
}

/// One percentile with its 95 % interval, of durations of which some are censored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnfinishedSummary {
    /// The value, in microseconds; null if too few runs had ended.
    pub value_us: Option<u64>,
    /// The interval's lower end, in microseconds.
    pub low_us: Option<u64>,
    /// The interval's upper end, in microseconds; null if it lies beyond `seen_until_us`.
    pub high_us: Option<u64>,
    /// The longest time for which any run was observed, in microseconds.
    pub seen_until_us: u64,
}

/// The load generator's own health.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GeneratorSummary {
    /// The most runs in flight at once.
    pub in_flight_peak: u64,
    /// The cores that the process may use.
    pub cores: u32,
    /// The largest use of processor time over ten seconds, as a share of one core.
    pub cpu_peak: f64,
    /// The peak resident memory, in bytes.
    pub memory_peak_bytes: u64,
    /// The longest delay of the event loop, in microseconds.
    pub loop_lag_max_us: u64,
    /// The longest time that a due status poll waited, in microseconds.
    pub poll_lag_max_us: u64,
    /// The longest time that a due room poll waited, in microseconds.
    pub look_lag_max_us: u64,
    /// Status polls that succeeded.
    pub polls: u64,
    /// Status polls that failed.
    pub polls_failed: u64,
    /// Requests that were answered with 429.
    pub throttled: u64,
}

impl GeneratorSummary {
    pub(super) fn of(folded: &FoldedSession) -> Self {
        let health = &folded.health;
        Self {
            in_flight_peak: folded.in_flight_peak,
            cores: folded.opening.cores,
            cpu_peak: health.cpu_share,
            memory_peak_bytes: health.memory,
            loop_lag_max_us: health.loop_lag.0,
            poll_lag_max_us: health.poll_lag.0,
            look_lag_max_us: health.room_poll_lag.0,
            polls: health.status_polls,
            polls_failed: health.status_polls_failed,
            throttled: health.throttled,
        }
    }
}

/// A part of a session, as files name it.
pub(crate) struct ScopeName<'a> {
    /// `session`, `scenario` or `stage`.
    pub(crate) kind: &'static str,
    /// The scenario's or stage's name.
    pub(crate) name: &'a str,
    /// Whether its runs are measured.
    pub(crate) is_measured: bool,
}

pub(crate) fn scope_of(folded: &FoldedSession, scope: Scope) -> ScopeName<'_> {
    match scope {
        Scope::Measured => ScopeName { kind: "session", name: "", is_measured: true },
        Scope::Scenario(index) => {
            let name = folded.names.scenarios.get(index as usize).map_or("", |name| name);
            ScopeName { kind: "scenario", name, is_measured: true }
        }
        Scope::Stage(index) => match folded.names.stages.get(index as usize) {
            Some((name, measured)) => ScopeName { kind: "stage", name, is_measured: *measured },
            None => ScopeName { kind: "stage", name: "", is_measured: false },
        },
    }
}
