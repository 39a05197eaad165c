//! `capacity.json`: what a search comes to, for programs; versioned, with a published schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{CapacityRange, Ceiling, NeededVerdict};
use super::completed_search::CompletedSearch;
use super::finding::{TrialFinding, TrialThreshold};
use super::messages::{because, headline, remarks};
use super::search::SearchEnd;
use super::trial::{LevelVerdict, Purpose};

/// The version of this shape.
pub const CAPACITY_VERSION: u32 = 1;

/// What a search comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CapacitySummary {
    /// The version of this shape.
    pub schema_version: u32,
    /// The version of Rushhour that searched.
    pub rushhour: String,
    /// The search.
    pub search: String,
    /// The profile's name.
    pub profile: String,
    /// The seed.
    pub seed: u64,
    /// How the conversations were held.
    pub mode: String,
    /// How the agent was dispatched.
    pub dispatch_method: String,
    /// The wall clock at the search's beginning, RFC 3339 in UTC.
    pub started: String,
    /// From there to the last session's end, in microseconds.
    pub lasted_us: u64,
    /// The answer in one sentence.
    pub answer: String,
    /// What else a reader has to know.
    pub remarks: Vec<String>,
    /// The highest level that passed; absent where none did.
    pub passed: Option<LevelEnd>,
    /// The lowest level that failed; absent where none did.
    pub failed: Option<LevelEnd>,
    /// Why no level was seen to fail above the one that passed: `most`, `generator`, `undecided` or `ended`.
    pub ceiling: Option<String>,
    /// The lowest level that the generator could not hold, where that ended the way up.
    pub generator_limit: Option<u32>,
    /// Levels between the two that could not be decided.
    pub undecided: Vec<u32>,
    /// Why the search ended.
    pub ending: SearchEnd,
    /// What gave way first.
    pub first_to_give: Option<FirstToGive>,
    /// The last passed level started at one instant.
    pub burst: Option<BurstSummary>,
    /// How soon it was well again.
    pub recovery: Option<RecoverySummary>,
    /// Whether as many as needed are held.
    pub needed: Option<NeededSummary>,
    /// Runs started in all sessions.
    pub runs: u64,
    /// What they cost at list prices, or would have cost had the stand-ins been real.
    pub spent_usd: f64,
    /// Every session, in order.
    pub sessions: Vec<SessionSummary>,
}

/// One end of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LevelEnd {
    /// Conversations at once.
    pub in_flight: u32,
    /// Sessions that say so.
    pub sessions: u32,
}

/// What gave way first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FirstToGive {
    /// At how many at once.
    pub in_flight: u32,
    /// The threshold and its figures there.
    pub threshold: LevelThresholdSummary,
    /// Why, in words.
    pub because: String,
}

/// The last passed level at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BurstSummary {
    /// How many.
    pub in_flight: u32,
    /// What came of it.
    pub verdict: LevelVerdict,
    /// The session of the burst.
    pub burst_session: u32,
    /// The session of the same level that was ramped.
    pub ramped_session: u32,
}

/// How soon the lowest level was well again after the first failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecoverySummary {
    /// The level that failed.
    pub after: u32,
    /// The level that was tried then.
    pub in_flight: u32,
    /// Not before that, from the end of the failed level's last run, in microseconds.
    pub not_before_us: u64,
    /// At the latest then; absent where it was not seen.
    pub by_us: Option<u64>,
}

/// Whether as many as needed are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeededSummary {
    /// How many are needed.
    pub in_flight: u32,
    /// Whether they are held; absent where it cannot be said.
    pub held: Option<bool>,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionSummary {
    /// Its place in the search, from 1.
    pub order: u32,
    /// Conversations at once.
    pub in_flight: u32,
    /// What it was for.
    pub purpose: Purpose,
    /// What came of it.
    pub verdict: LevelVerdict,
    /// When it began, from the search's beginning, in microseconds.
    pub began_us: u64,
    /// How long its measured stretch was, in microseconds.
    pub measured_us: u64,
    /// When it ended, from the search's beginning, in microseconds.
    pub ended_us: u64,
    /// Measured runs whose outcome is known.
    pub runs: u64,
    /// How many of them failed.
    pub failed: u64,
    /// Why, by class.
    pub failures: BTreeMap<String, u64>,
    /// The most that were in flight.
    pub peak_in_flight: u64,
    /// The thresholds.
    pub thresholds: Vec<LevelThresholdSummary>,
    /// Why the generator's figures say nothing of the agent.
    pub generator: Vec<String>,
    /// Its folder, below that of the search.
    pub folder: String,
}

/// A threshold at one level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LevelThresholdSummary {
    /// The threshold.
    pub threshold: String,
    /// What came of it.
    pub verdict: String,
    /// Samples.
    pub n: u64,
    /// The figure: a share between 0 and 1, or microseconds.
    pub figure: Option<f64>,
    /// The lower end of its 95 % interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
}

impl CapacitySummary {
    /// What a search comes to.
    pub fn new(searched: &CompletedSearch<'_>) -> Self {
        let answer = searched.answer();
        let (opening, spent) = (searched.opening, searched.spent());
        let profile = &opening.profile;
        let end = |end: super::CapacityBound| LevelEnd {
            in_flight: end.in_flight,
            sessions: end.sessions,
        };
        let (passed, failed, ceiling) = match answer.range {
            CapacityRange::Between(passed, failed) => (Some(passed), Some(failed), None),
            CapacityRange::AtLeast(passed, ceiling) => (Some(passed), None, Some(ceiling)),
            CapacityRange::FewerThan(failed) => (None, Some(failed), None),
            CapacityRange::Unknown => (None, None, None),
        };
        let generator_limit = match ceiling {
            Some(Ceiling::Generator(level)) => Some(level),
            _ => None,
        };
        Self {
            schema_version: CAPACITY_VERSION,
            rushhour: opening.rushhour.clone(),
            search: opening.search.clone(),
            profile: profile.name.clone(),
            seed: profile.seed,
            mode: profile.mode.to_string(),
            dispatch_method: profile.livekit.dispatch.method().to_string(),
            started: opening.began.clone(),
            lasted_us: searched.duration().0,
            answer: headline(&answer),
            remarks: remarks(&answer),
            passed: passed.map(end),
            failed: failed.map(end),
            ceiling: ceiling.map(|ceiling| ceiling_word(ceiling).to_owned()),
            generator_limit,
            undecided: answer.undecided.clone(),
            ending: answer.ending,
            first_to_give: answer.first_failure.as_ref().map(|gave_way| FirstToGive {
                in_flight: gave_way.finding.in_flight(),
                threshold: threshold(gave_way.threshold),
                because: because(gave_way),
            }),
            burst: answer.burst.as_ref().map(|burst| BurstSummary {
                in_flight: burst.burst.in_flight(),
                verdict: burst.burst.result.verdict,
                burst_session: burst.burst.number,
                ramped_session: burst.ramped.number,
            }),
            recovery: answer.recovery.map(|recovery| RecoverySummary {
                after: recovery.failed_level,
                in_flight: recovery.probed_level,
                not_before_us: recovery.earliest.0,
                by_us: recovery.latest.map(|by| by.0),
            }),
            needed: answer.needed.map(needed),
            runs: spent.runs,
            spent_usd: spent.money.dollars(),
            sessions: searched.findings.iter().map(session).collect(),
        }
    }
}

const fn ceiling_word(ceiling: Ceiling) -> &'static str {
    match ceiling {
        Ceiling::Most => "most",
        Ceiling::Generator(_) => "generator",
        Ceiling::Undecided(_) => "undecided",
        Ceiling::Ended => "ended",
    }
}

const fn needed(needed: NeededVerdict) -> NeededSummary {
    let (in_flight, held) = match needed {
        NeededVerdict::Met(needed) => (needed, Some(true)),
        NeededVerdict::NotMet(needed) => (needed, Some(false)),
        NeededVerdict::Unknown(needed) => (needed, None),
    };
    NeededSummary { in_flight, held }
}

fn session(finding: &TrialFinding) -> SessionSummary {
    let tried = &finding.result;
    SessionSummary {
        order: finding.number,
        in_flight: finding.in_flight(),
        purpose: finding.purpose(),
        verdict: tried.verdict,
        began_us: tried.start.0,
        measured_us: tried.trial.duration.0,
        ended_us: tried.end.0,
        runs: finding.runs,
        failed: finding.failed,
        failures: finding.failures.iter().map(|(class, n)| (class.name().to_owned(), *n)).collect(),
        peak_in_flight: finding.peak_in_flight,
        thresholds: finding.thresholds.iter().map(threshold).collect(),
        generator: finding.generator_faults.clone(),
        folder: finding.folder.clone(),
    }
}

fn threshold(found: &TrialThreshold) -> LevelThresholdSummary {
    LevelThresholdSummary {
        threshold: found.threshold.to_string(),
        verdict: found.verdict.word().to_owned(),
        n: found.n,
        figure: found.estimated.map(|estimated| estimated.value),
        low: found.estimated.map(|estimated| estimated.low),
        high: found.estimated.map(|estimated| estimated.high),
    }
}

/// The JSON Schema (draft 2020-12) of what a search comes to.
pub fn capacity_schema() -> serde_json::Value {
    schemars::schema_for!(CapacitySummary).to_value()
}
