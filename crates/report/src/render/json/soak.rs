//! `soak.json`: a soak analysis for programs, with a published schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::render::sentences::soak::{
    WallClock, leak_sentence, nightly_sentence, series_sentence, soak_headline, soak_notes,
};
use crate::soak::{
    FALSE_ALARMS, FirstLast, LeakCheck, LeakFinding, NightlyComparison, NightlyFinding,
    NightlyJudgement, Resource, SeriesFinding, SeriesJudgement, SeriesStep, SeriesUnit, Slope,
    SoakAnalysis, SoakVerdict,
};
use rushhour_core::units::SessionId;

/// The version of the format of `soak.json`.
const SOAK_VERSION: u32 = 1;

/// A session judged as a soak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SoakSummary {
    /// The version of this format.
    pub schema_version: u32,
    /// The session.
    pub session: String,
    /// The profile's name.
    pub profile: String,
    /// The profile's hash.
    pub profile_hash: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// The verdict.
    #[serde(rename = "standing")]
    pub verdict: SoakVerdict,
    /// The reasons for the verdict, in one sentence.
    pub answer: String,
    /// From the first measured start to the last, in microseconds.
    pub span_us: u64,
    /// The number of windows.
    pub windows: u64,
    /// The width of each window, in microseconds.
    pub window_us: u64,
    /// Measured runs that completed, or failed for a reason that may be the agent's.
    pub runs: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Samples of the agent's worker.
    pub looks: u64,
    /// Polls of the agent's worker that were not answered usefully.
    pub looks_failed: u64,
    /// The relative change of a latency or of memory that is material.
    pub material: f64,
    /// The change of the share of failed runs that is material, as a fraction.
    pub material_failures: f64,
    /// The number of series judged as one family.
    pub family: u64,
    /// The probability that any of them is called drifting in a steady session.
    pub false_alarms: f64,
    /// Seeds the resampling.
    pub seed: u64,
    /// How often each series is resampled.
    pub resamples: u32,
    /// Each series.
    pub series: Vec<SeriesSummary>,
    /// What leaked.
    pub leaks: Vec<LeakSummary>,
    /// The session compared with previous nightly runs.
    pub nights: NightlySummary,
    /// What else a reader has to know, one sentence each.
    pub notes: Vec<String>,
}

/// A series, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesSummary {
    /// Its name.
    pub series: String,
    /// Its unit.
    pub unit: SeriesUnit,
    /// Windows that have a value.
    pub windows: u64,
    /// The median of its values.
    pub level: f64,
    /// Its slope; absent where there are too few windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slope: Option<Slope>,
    /// Its step, where one is significant and explains the values better than the slope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<SeriesStepSummary>,
    /// Its first part compared with its last, where the session is long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_last: Option<FirstLast>,
    /// What was found.
    pub finding: SeriesFinding,
    /// The same in a sentence.
    pub words: String,
}

/// The likeliest place of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesStepSummary {
    /// The start of the first window after it, in microseconds of the session's clock.
    pub at_us: u64,
    /// The same on the wall clock, RFC 3339 in UTC.
    pub at: String,
    /// The median before it.
    pub before: f64,
    /// The median after it.
    pub after: f64,
    /// The p-value, adjusted for the number of series (Holm).
    pub p_adjusted: f64,
}

/// Whether one resource was released, after one wave of runs or at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeakSummary {
    /// The resource.
    #[serde(rename = "kept")]
    pub resource: Resource,
    /// After how many runs; absent at the session's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_runs: Option<u64>,
    /// Its highest count before the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Its lowest count afterwards, while no run was in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// What was found.
    pub finding: LeakFinding,
    /// The same in a sentence.
    pub words: String,
}

/// A session compared with previous nightly runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlySummary {
    /// Previous nightly runs of the same profile that it is compared with.
    pub compared: u64,
    /// Previous nightly runs of the same profile that are not conclusive: too short, or the generator's fault.
    pub left_out: u64,
    /// Nightly runs of other profiles, or of this one before it was changed.
    pub other_profiles: u64,
    /// The number of recent nightly runs, at most seven.
    pub last: u64,
    /// In how many of these any series grew.
    pub last_drifted: u64,
    /// Each series that enough nightly runs have.
    pub series: Vec<NightlySeriesSummary>,
}

/// One series compared with previous nightly runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NightlySeriesSummary {
    /// The series.
    pub series: String,
    /// The unit.
    pub unit: SeriesUnit,
    /// How many previous nightly runs have it.
    pub nights: u64,
    /// Its level in this session.
    pub level: f64,
    /// The mean of previous nightly runs.
    pub mean: f64,
    /// The lower end of the prediction interval for this session.
    pub low: f64,
    /// The upper end of the prediction interval for this session.
    pub high: f64,
    /// The upper CUSUM, in standard deviations.
    #[serde(rename = "gathered")]
    pub cusum: f64,
    /// The decision limit of the CUSUM.
    pub limit: f64,
    /// What was found.
    pub finding: NightlyFinding,
    /// The same in a sentence.
    pub words: String,
}

impl SoakSummary {
    /// What `soak.json` says of a session; none where it is of another one, or of another version.
    pub fn read(json: &[u8], session: &SessionId) -> Option<Self> {
        let read: Self = serde_json::from_slice(json).ok()?;
        (read.schema_version == SOAK_VERSION && read.session == session.as_str()).then_some(read)
    }

    /// The summary of an analysis.
    pub fn of(soak: &SoakAnalysis) -> Self {
        let wall = WallClock::of(&soak.started);
        let settings = &soak.criteria.settings;
        Self {
            schema_version: SOAK_VERSION,
            session: soak.session.clone(),
            profile: soak.profile.clone(),
            profile_hash: soak.profile_hash.clone(),
            started: soak.started.clone(),
            verdict: soak.verdict,
            answer: soak_headline(soak),
            span_us: soak.windows.span().0,
            windows: soak.windows.windows.len() as u64,
            window_us: soak.windows.width.0,
            runs: soak.runs,
            failed: soak.failed,
            looks: soak.worker_samples.len() as u64,
            looks_failed: soak.failed_worker_polls,
            material: settings.material.fraction(),
            material_failures: settings.material_failures.fraction(),
            family: soak.family,
            false_alarms: FALSE_ALARMS,
            seed: soak.criteria.seed,
            resamples: soak.criteria.resamples,
            series: soak.series.iter().map(|one| series(soak, one, wall)).collect(),
            leaks: soak.leaks.iter().map(leak).collect(),
            nights: nightly(&soak.nightly),
            notes: soak_notes(soak),
        }
    }
}

/// The JSON Schema (draft 2020-12) of `soak.json`.
pub fn soak_schema() -> serde_json::Value {
    schemars::schema_for!(SoakSummary).to_value()
}

fn series(soak: &SoakAnalysis, judged: &SeriesJudgement, wall: WallClock) -> SeriesSummary {
    let step = |step: SeriesStep| SeriesStepSummary {
        at_us: step.at.0,
        at: wall.full(step.at),
        before: step.before,
        after: step.after,
        p_adjusted: step.p_adjusted,
    };
    SeriesSummary {
        series: judged.series.name(),
        unit: judged.series.unit(),
        windows: judged.points.len() as u64,
        level: judged.level,
        slope: judged.slope,
        step: judged.step.map(step),
        first_last: judged.first_last,
        finding: judged.finding,
        words: series_sentence(soak, judged),
    }
}

fn leak(check: &LeakCheck) -> LeakSummary {
    LeakSummary {
        resource: check.resource,
        after_runs: check.after_runs,
        before: check.before,
        after: check.after,
        finding: check.finding,
        words: leak_sentence(check),
    }
}

fn nightly(comparison: &NightlyComparison) -> NightlySummary {
    let series = |judged: &NightlyJudgement| NightlySeriesSummary {
        series: judged.series.clone(),
        unit: judged.unit,
        nights: judged.previous_runs,
        level: judged.level,
        mean: judged.mean,
        low: judged.low,
        high: judged.high,
        cusum: judged.cusum,
        limit: judged.limit,
        finding: judged.finding,
        words: nightly_sentence(comparison, judged),
    };
    NightlySummary {
        compared: comparison.compared,
        left_out: comparison.left_out,
        other_profiles: comparison.other_profiles,
        last: comparison.last,
        last_drifted: comparison.last_drifted,
        series: comparison.series.iter().map(series).collect(),
    }
}
