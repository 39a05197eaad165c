//! `summary.json`: what a session comes to, for programs; versioned, with a published schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{PercentileFigure, listed};
use super::judged::JudgedFigures;
use super::money::BillSummary;
use super::paired::PairedComparison;
use super::percentiles_csv::scope_words;
use super::unfinished::{ReachedFigure, WithUnfinished};
use super::validity::rates;
use super::verdict::{SessionVerdict, Verdict};
use crate::fold::{FoldedSession, Latencies, OutcomeTally, Scope};
use rushhour_core::units::{Micros, Percentile};

/// The version of the summary's shape.
pub const SUMMARY_VERSION: u32 = 1;

/// What a session comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The version of this shape.
    pub schema_version: u32,
    /// The version of Rushhour.
    pub rushhour: String,
    /// The session.
    pub session: String,
    /// The profile's name.
    pub profile: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// The seed.
    pub seed: u64,
    /// How the conversations were held.
    pub mode: String,
    /// How the agent was dispatched; join times of different methods are not comparable.
    pub dispatch_method: String,
    /// The wall clock at the session's beginning, RFC 3339 in UTC.
    pub started: String,
    /// From the beginning to the last event, in microseconds.
    pub lasted_us: u64,
    /// Whether the session came to its end; a killed one did not.
    pub closed: bool,
    /// Why nothing more was started, in order; empty where the plan was walked to its end.
    pub stops: Vec<StopSummary>,
    /// When its process died and another one took it up, in order.
    pub resumptions: Vec<ResumptionSummary>,
    /// Whether the generator did what was asked of it; where it did not, nothing is said of the agent.
    pub valid: bool,
    /// What that rests on.
    pub validity: Vec<ValidityCheck>,
    /// Starts a second that were asked for.
    pub asked_per_s: Option<f64>,
    /// Starts a second that were made.
    pub delivered_per_s: Option<f64>,
    /// All runs.
    pub runs: OutcomeCounts,
    /// The runs of measured stages.
    pub measured: OutcomeCounts,
    /// The runs of each stage.
    pub stages: BTreeMap<String, OutcomeCounts>,
    /// Submissions accepted.
    pub submissions: u64,
    /// Submissions sent, those that were repeated counted each time.
    pub submissions_sent: u64,
    /// Submissions without a clear answer that were accepted all the same, as the room showed.
    pub submissions_proven_late: u64,
    /// Runs whose name at the evaluator is an assumption.
    pub mapping_assumed: u64,
    /// Rooms made, deleted, and left behind.
    pub rooms: RoomCounts,
    /// The thresholds.
    pub thresholds: Vec<ThresholdSummary>,
    /// Latencies of the runs of measured stages.
    pub latencies: Vec<LatencySummary>,
    /// What it cost at list prices; absent where nothing is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bill: Option<BillSummary>,
    /// Voice against chat; absent for a session of one mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairedComparison>,
    /// What the judging of a sample of its runs came to; absent where none was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<JudgedFigures>,
    /// The generator's own health.
    pub generator: GeneratorSummary,
}

/// The session's process died, and another one took it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResumptionSummary {
    /// The wall clock then, RFC 3339 in UTC.
    pub wall: String,
    /// The same on the session's clock, in microseconds.
    pub at_us: u64,
    /// How long nobody watched, in microseconds.
    pub unwatched_us: u64,
    /// Bytes of half a line that were cut off the journal.
    pub torn_bytes: u64,
    /// Runs that were under way.
    pub open: u64,
}

/// Why nothing more was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopSummary {
    /// The reason's name.
    pub reason: String,
    /// In words.
    pub detail: String,
}

/// One thing that has to hold for the figures to speak of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ValidityCheck {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

/// How many runs ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeCounts {
    /// Planned, as far as their fate is known.
    pub planned: u64,
    /// Started.
    pub started: u64,
    /// Completed.
    pub completed: u64,
    /// Completed and judged as passed.
    pub judged_passed: u64,
    /// Completed and judged as not passed.
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

/// What became of the rooms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomCounts {
    /// Made.
    pub made: u64,
    /// Deleted.
    pub deleted: u64,
    /// Left behind, for `sweep` to find.
    pub left: u64,
}

/// One threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdSummary {
    /// The threshold as it stands in the profile.
    pub threshold: String,
    /// `passed`, `failed`, `not enough data` or `no samples`.
    pub verdict: String,
    /// How many samples it rests on.
    pub n: u64,
    /// About how many would settle it, where it is undecided.
    pub needs: Option<u64>,
    /// The figure and its interval, in words.
    pub found: String,
}

/// One latency in one part of the session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencySummary {
    /// What was measured.
    pub metric: String,
    /// How the conversations were held.
    pub mode: String,
    /// `session`, `scenario` or `stage`.
    pub scope: String,
    /// The scenario's or stage's name.
    pub name: String,
    /// How many samples.
    pub n: u64,
    /// Runs that were cut off before their end, which are not among them.
    #[serde(default)]
    pub unfinished: u64,
    /// The smallest, in microseconds.
    pub min_us: u64,
    /// The mean, in microseconds.
    pub mean_us: f64,
    /// The largest, in microseconds.
    pub max_us: u64,
    /// The widest pair of bounds: the figures are not finer than that.
    pub coarsest_us: u64,
    /// The percentiles.
    pub percentiles: Vec<PercentileSummary>,
}

/// One percentile, with its 95 % interval; without values where there are too few samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PercentileSummary {
    /// Which, such as `p95`.
    pub percentile: String,
    /// The value, in microseconds.
    pub value_us: Option<u64>,
    /// The interval's lower end, in microseconds.
    pub low_us: Option<u64>,
    /// The interval's upper end, in microseconds.
    pub high_us: Option<u64>,
    /// How many samples it takes.
    pub needs: u64,
    /// The same with runs that were cut off counted as longer than what was seen of them (Kaplan and
    /// Meier); absent where none was, or where these are too few, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_unfinished: Option<UnfinishedSummary>,
}

/// One percentile, with its 95 % interval, of durations of which some had not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "every name carries its unit")]
pub struct UnfinishedSummary {
    /// The value, in microseconds; none where so many had not ended.
    pub value_us: Option<u64>,
    /// The interval's lower end, in microseconds.
    pub low_us: Option<u64>,
    /// The interval's upper end, in microseconds; none where it lies beyond `seen_until_us`.
    pub high_us: Option<u64>,
    /// The longest that any run was seen to go on, in microseconds.
    pub seen_until_us: u64,
}

/// The generator's own health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorSummary {
    /// The most runs in flight at once.
    pub in_flight_peak: u64,
    /// Processor cores it may use.
    pub cores: u32,
    /// The largest share of one core over ten seconds.
    pub cpu_peak: f64,
    /// The most memory resident, in bytes.
    pub memory_peak_bytes: u64,
    /// The longest its loop came late, in microseconds.
    pub loop_lag_max_us: u64,
    /// The longest a due question about a run's state waited, in microseconds.
    pub poll_lag_max_us: u64,
    /// The longest a due look into a room waited, in microseconds.
    pub look_lag_max_us: u64,
    /// Questions that were answered.
    pub polls: u64,
    /// Questions that were not answered usefully.
    pub polls_failed: u64,
    /// Answers of 429.
    pub throttled: u64,
}

impl Summary {
    /// The summary of a session.
    pub fn new(folded: &FoldedSession, overall: &SessionVerdict) -> Self {
        let opening = &folded.opening;
        let profile = &opening.profile;
        let (asked_per_s, delivered_per_s) = rates(folded);
        let health = &folded.health;
        Self {
            schema_version: SUMMARY_VERSION,
            rushhour: opening.rushhour.clone(),
            session: opening.session.as_str().to_owned(),
            profile: profile.name.clone(),
            profile_hash: opening.profile_hash.clone(),
            seed: profile.seed,
            mode: profile.mode.word().to_owned(),
            dispatch_method: profile.livekit.dispatch.method().word().to_owned(),
            started: opening.anchor.clone(),
            lasted_us: folded.last_event.0,
            closed: folded.closed,
            stops: folded
                .stops
                .iter()
                .map(|(reason, detail)| StopSummary {
                    reason: reason.name().to_owned(),
                    detail: detail.clone(),
                })
                .collect(),
            resumptions: folded
                .resumptions
                .iter()
                .map(|resumption| ResumptionSummary {
                    wall: resumption.wall.clone(),
                    at_us: resumption.gap.to.0,
                    unwatched_us: resumption.gap.length().0,
                    torn_bytes: resumption.torn_bytes,
                    open: resumption.open_runs,
                })
                .collect(),
            valid: overall.validity.holds(),
            validity: overall
                .validity
                .checks
                .iter()
                .map(|check| ValidityCheck {
                    name: check.name.to_owned(),
                    holds: check.holds,
                    found: check.found.clone(),
                })
                .collect(),
            asked_per_s,
            delivered_per_s,
            runs: counts(&folded.tally),
            measured: counts(&folded.measured),
            stages: folded
                .by_stage
                .iter()
                .map(|(stage, tally)| {
                    (scope_words(folded, Scope::Stage(*stage)).1.to_owned(), counts(tally))
                })
                .collect(),
            submissions: folded.submissions,
            submissions_sent: folded.submission_attempts,
            submissions_proven_late: folded.submissions_found_accepted,
            mapping_assumed: folded.assumed_mappings,
            rooms: RoomCounts {
                made: folded.rooms_created,
                deleted: folded.rooms_deleted,
                left: folded.rooms_not_deleted,
            },
            thresholds: thresholds(overall),
            latencies: folded
                .latencies
                .iter()
                .map(|(metric, mode, scope, latencies)| {
                    let (kind, name, _) = scope_words(folded, scope);
                    let unfinished = folded.unfinished.get(metric, mode, scope);
                    let cut = WithUnfinished::new(latencies, unfinished);
                    latency(metric.name(), mode.name(), (kind, name), latencies, cut.as_ref())
                })
                .collect(),
            bill: BillSummary::of(folded),
            pairs: overall.pairs.clone(),
            judged: overall.judged.as_ref().map(|judged| judged.figures.clone()),
            generator: GeneratorSummary {
                in_flight_peak: folded.in_flight_peak,
                cores: opening.cores,
                cpu_peak: health.cpu_share,
                memory_peak_bytes: health.memory,
                loop_lag_max_us: health.loop_lag.0,
                poll_lag_max_us: health.poll_lag.0,
                look_lag_max_us: health.room_poll_lag.0,
                polls: health.status_polls,
                polls_failed: health.status_polls_failed,
                throttled: health.throttled,
            },
        }
    }
}

fn counts(tally: &OutcomeTally) -> OutcomeCounts {
    OutcomeCounts {
        planned: tally.planned(),
        started: tally.started,
        completed: tally.completed,
        judged_passed: tally.judged_passed,
        judged_failed: tally.judged_failed,
        failed: tally.failed_total(),
        failed_by_class: tally
            .failed
            .iter()
            .map(|(class, count)| (class.name().to_owned(), *count))
            .collect(),
        skipped: tally.skipped,
        not_started: tally.not_started,
        open: tally.open(),
    }
}

fn thresholds(overall: &SessionVerdict) -> Vec<ThresholdSummary> {
    overall
        .thresholds
        .iter()
        .map(|result| ThresholdSummary {
            threshold: result.name(),
            verdict: result.verdict.word().to_owned(),
            n: result.n,
            needs: match result.verdict {
                Verdict::Undecided { needs } => needs,
                _ => None,
            },
            found: result.found.clone(),
        })
        .collect()
}

fn latency(
    metric: &str,
    mode: &str,
    (scope, name): (&str, &str),
    latencies: &Latencies,
    cut: Option<&WithUnfinished>,
) -> LatencySummary {
    LatencySummary {
        metric: metric.to_owned(),
        mode: mode.to_owned(),
        scope: scope.to_owned(),
        name: name.to_owned(),
        n: latencies.count(),
        unfinished: cut.map_or(0, WithUnfinished::unfinished),
        min_us: latencies.min().0,
        mean_us: (latencies.mean() * 10.0).round() / 10.0,
        max_us: latencies.max().0,
        coarsest_us: latencies.widest_bounds().0,
        percentiles: listed(latencies)
            .into_iter()
            .map(|listed| {
                let percentile = listed.percentile.to_string();
                let needs = rushhour_stats::smallest_n(
                    super::figures::quantile_of(listed.percentile),
                    rushhour_stats::Confidence::default(),
                );
                let with_unfinished = cut.and_then(|cut| unfinished(cut, listed.percentile));
                match listed.figure {
                    PercentileFigure::Known { value, low, high } => PercentileSummary {
                        percentile,
                        value_us: Some(value.0),
                        low_us: Some(low.0),
                        high_us: Some(high.0),
                        needs,
                        with_unfinished,
                    },
                    PercentileFigure::TooFew { .. } => PercentileSummary {
                        percentile,
                        value_us: None,
                        low_us: None,
                        high_us: None,
                        needs,
                        with_unfinished,
                    },
                }
            })
            .collect(),
    }
}

fn unfinished(cut: &WithUnfinished, percentile: Percentile) -> Option<UnfinishedSummary> {
    let micros = |time: Option<Micros>| time.map(|time| time.0);
    match cut.figure(percentile) {
        ReachedFigure::Known { value, low, high, seen_until } => Some(UnfinishedSummary {
            value_us: micros(value),
            low_us: micros(low),
            high_us: micros(high),
            seen_until_us: seen_until.0,
        }),
        ReachedFigure::TooFew { .. } => None,
    }
}

/// The JSON Schema (draft 2020-12) of a summary.
pub fn summary_schema() -> serde_json::Value {
    schemars::schema_for!(Summary).to_value()
}
